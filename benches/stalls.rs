//! How long one large thing holds everybody else up: `cargo bench --bench stalls`.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use support::http::{Line, open_sessions, request, request_with};
use support::servers::{self, Cores, Server};
use support::{Outcome, Target, figure, heading, in_ms, largest, now, quantile, since, wanted};

/// Tickets of one session, and sessions that are due together.
const MANY: usize = 100_000;
/// Those who read all of it in a loop.
const READERS: usize = 3;
/// How long they do.
const READING: Duration = Duration::from_secs(10);
/// Nobody expires while this benchmark runs, but for those that are to.
const TTL_MS: u32 = 3_600_000;
/// From the first session that is to expire with the others until they are due.
const DUE_AFTER: Duration = Duration::from_secs(15);
/// What is asked at a time while sessions are opened.
const BATCH: usize = 64;
/// A pause between two requests of who measures.
const PAUSE: Duration = Duration::from_micros(500);
const MOST: Target = Target::AtMost(5.0);

fn main() -> Outcome {
    servers::raise_descriptor_limit()?;
    let cores = Cores::share_out()?;
    if wanted("readers") {
        readers(&cores)?;
    }
    if wanted("due") {
        due_together(&cores)?;
    }
    Ok(())
}

/// What somebody else's requests take meanwhile, in ms.
struct Other {
    line: Line,
    refresh: Vec<u8>,
}

impl Other {
    fn new(server: &Server) -> Outcome<Self> {
        let mut line = Line::connect(server.address)?;
        let ids = open_sessions(&mut line, 1, TTL_MS)?;
        Ok(Self { line, refresh: request("PUT", &format!("/api/v1/sessions/{}", ids[0])) })
    }

    /// Refreshes its session again and again until it is enough.
    fn refresh_until(&mut self, is_enough: impl Fn() -> bool) -> Outcome<Vec<f64>> {
        let mut times = Vec::new();
        while !is_enough() {
            let start = now();
            self.line.exchange(&self.refresh)?;
            times.push(since(start));
            std::thread::sleep(PAUSE);
        }
        Ok(in_ms(&times))
    }
}

fn tell(times: &[f64]) {
    figure("  p99 of somebody else's refresh", quantile(times, 99, 100), "ms", Target::None);
    figure("  longest", largest(times), "ms", MOST);
}

fn readers(cores: &Cores) -> Outcome {
    let server = Server::ticketd(cores)?;
    let mut line = Line::connect(server.address)?;
    let id = open_sessions(&mut line, 1, TTL_MS)?.remove(0);
    let issues = (0..MANY).map(|n| {
        let target = format!("/api/v1/tickets/jobs?sessid={id}&name=job-{n}");
        request_with("POST", &target, "what is to be done")
    });
    for batch in issues.collect::<Vec<_>>().chunks(BATCH) {
        line.pipeline(batch)?;
    }
    let mut other = Other::new(&server)?;
    heading("100 000 tickets of one session, somebody else's refresh meanwhile");
    let start = now();
    let alone = other.refresh_until(|| since(start) > READING / 2)?;
    figure("nobody reads: longest", largest(&alone), "ms", Target::None);
    for target in [format!("/api/v1/sessions/{id}"), "/api/v1/dump/resources".to_owned()] {
        let what = target.split('/').take(4).collect::<Vec<_>>().join("/");
        let (enough, read) = (AtomicBool::new(false), AtomicU32::new(0));
        let address = server.address;
        let times = std::thread::scope(|scope| {
            let readers = (0..READERS)
                .map(|_| scope.spawn(|| read_again_and_again(address, &target, &enough, &read)));
            let readers: Vec<_> = readers.collect();
            let start = now();
            let times = other.refresh_until(|| since(start) > READING);
            enough.store(true, Ordering::Relaxed);
            for reader in readers {
                reader.join().map_err(|_| "a reader panicked")??;
            }
            times
        })?;
        let read = f64::from(read.into_inner());
        figure(&format!("3 readers of {what}: whole answers"), read, "", Target::None);
        tell(&times);
    }
    Ok(())
}

/// Reads an answer in chunks to its end, again and again.
fn read_again_and_again(
    address: SocketAddr,
    target: &str,
    enough: &AtomicBool,
    read: &AtomicU32,
) -> Outcome {
    let mut stream = TcpStream::connect(address)?;
    let mut piece = vec![0; 256 * 1024];
    while !enough.load(Ordering::Relaxed) {
        stream.write_all(&request("GET", target))?;
        let mut end = [0; 5];
        while end != *b"0\r\n\r\n" {
            let count = stream.read(&mut piece)?;
            if count == 0 {
                return Err("a server hung up".into());
            }
            // The last five bytes of all that has come.
            let fresh = count.min(end.len());
            end.rotate_left(fresh);
            let at = end.len() - fresh;
            end[at..].copy_from_slice(&piece[count - fresh..count]);
        }
        read.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn due_together(cores: &Cores) -> Outcome {
    let server = Server::ticketd(cores)?;
    let mut line = Line::connect(server.address)?;
    let mut other = Other::new(&server)?;
    let (start, mut opened) = (now(), 0);
    // Whoever comes later lives shorter.
    while opened < MANY {
        let left = DUE_AFTER.checked_sub(since(start)).ok_or("they were not opened in time")?;
        let ids = open_sessions(&mut line, BATCH, u32::try_from(left.as_millis())?)?;
        let issues = ids.iter().enumerate().map(|(at, id)| {
            let target = format!("/api/v1/tickets/jobs?sessid={id}&name=job-{}", opened + at);
            request_with("POST", &target, "what is to be done")
        });
        line.pipeline(&issues.collect::<Vec<_>>())?;
        opened += BATCH;
    }
    heading("100 000 sessions with a ticket each, due together, somebody else's refresh meanwhile");
    let grace = Duration::from_secs(1);
    let alone = other.refresh_until(|| since(start) > DUE_AFTER - grace)?;
    figure("before they are due: longest", largest(&alone), "ms", Target::None);
    let times = other.refresh_until(|| since(start) > DUE_AFTER + 4 * grace)?;
    let left = line.exchange(&request("GET", "/api/v1/status"))?;
    let left: serde_json::Value = serde_json::from_str(&left)?;
    let left = left["Sessions"].as_u64().ok_or("the status tells no Sessions")?;
    if left != 1 {
        return Err(format!("{left} sessions are there yet").into());
    }
    figure("while they end", f64::from(u32::try_from(times.len())?), "refreshes", Target::None);
    tell(&times);
    Ok(())
}
