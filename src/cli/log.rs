//! The log: lines on standard error, written by a thread of its own. Whoever has something to say
//! never waits for whoever reads: what finds no room is counted and left out, and the count is
//! told as soon as there is room again.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::wire::without_ids;

/// Lines that wait to be written.
const WAITING_MAX: usize = 4096;
/// How long the end of the program waits for lines that nobody reads.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How long it waits between looks for room.
const ROOM_PAUSE: Duration = Duration::from_millis(10);

/// What the thread does next.
enum Job {
    Line(String),
    /// All before it is written: say so.
    Done(SyncSender<()>),
}

/// A way to the thread.
#[derive(Clone)]
pub(super) struct Log {
    jobs: SyncSender<Job>,
    lost: Arc<AtomicU64>,
    /// Whether the lines have colours.
    ansi: bool,
}

impl Log {
    /// Takes up what `tracing` has to say up to a level. `RUST_LOG` counts, where it is set.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(level: u8, json: bool) -> io::Result<Self> {
        let ours = match level {
            0 => "off",
            1 => "warn",
            2 => "info",
            _ => "warn,ticketd=trace",
        };
        // An empty variable is an unset one.
        let given = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|given| !given.is_empty());
        let (filter, ignored) = match given.map(EnvFilter::try_new) {
            Some(Ok(filter)) => (filter, None),
            Some(Err(why)) => (EnvFilter::new(ours), Some(why)),
            None => (EnvFilter::new(ours), None),
        };
        let ansi = !json && io::IsTerminal::is_terminal(&io::stderr());
        let log = Self::to(io::stderr(), ansi)?;
        let writer = log.clone();
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .with_ansi(ansi);
        if json {
            lines.json().flatten_event(true).init();
        } else {
            lines.init();
        }
        if let Some(why) = ignored {
            tracing::warn!(%why, "RUST_LOG is ignored");
        }
        log.tell_panics();
        Ok(log)
    }

    fn to(out: impl Write + Send + 'static, ansi: bool) -> io::Result<Self> {
        let (jobs, to_do) = sync_channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let untold = lost.clone();
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write_all(out, &to_do, &untold))?;
        Ok(Self { jobs, lost, ansi })
    }

    fn line(&self, line: &str) {
        let line = format!("{}\n", clean(line.trim_end_matches('\n'), self.ansi));
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(Job::Line(line)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A panic ends the program: that must not hang where nobody reads.
    fn tell_panics(&self) {
        let log = self.clone();
        std::panic::set_hook(Box::new(move |why| {
            let mut complaint = why.to_string();
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                complaint.push_str(&format!("\n{backtrace}"));
            }
            log.finish(Some(&complaint));
        }));
    }

    /// Says why the program fails, if it does, and waits a moment until all is written.
    pub(super) fn finish(&self, complaint: Option<&str>) {
        let mut patience = FAREWELL_MAX;
        let complaint = complaint.map(|complaint| format!("ticketd: {complaint}"));
        for line in complaint.iter().flat_map(|complaint| complaint.lines()) {
            self.give(Job::Line(format!("{}\n", clean(line, self.ansi))), &mut patience);
        }
        let (done, is_done) = sync_channel(1);
        self.give(Job::Done(done), &mut patience);
        // What was not given is dropped, and this returns at once.
        let _ = is_done.recv_timeout(patience);
    }

    /// Waits for room for what is to be done, as long as there is patience left.
    fn give(&self, mut job: Job, patience: &mut Duration) {
        while let Err(TrySendError::Full(back)) = self.jobs.try_send(job) {
            let Some(left) = patience.checked_sub(ROOM_PAUSE) else { return };
            *patience = left;
            job = back;
            std::thread::sleep(ROOM_PAUSE);
        }
    }
}

/// `tracing` writes a line at a time.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line as it may be shown: without ids, and without what would be more than one line or move
/// a terminal's cursor.
fn clean(line: &str, ansi: bool) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in without_ids(line).chars() {
        if c.is_control() && !(ansi && c == '\u{1b}') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn write_all(mut out: impl Write, jobs: &Receiver<Job>, lost: &AtomicU64) {
    while let Ok(job) = jobs.recv() {
        // Lines are lost while others wait, so there is always one behind them.
        let untold = lost.swap(0, Ordering::Relaxed);
        if untold > 0 {
            let _ =
                writeln!(out, "ticketd: {untold} lines of the log were lost: there was no room");
        }
        match job {
            Job::Line(line) => {
                let _ = out.write_all(line.as_bytes());
            }
            Job::Done(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    use super::*;

    /// Writes nothing until it is let.
    struct Stuck(Arc<Mutex<()>>, Sender<String>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.lock().unwrap());
            self.1.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_reads_loses_lines_and_says_how_many() {
        let (gate, (told, lines)) = (Arc::new(Mutex::new(())), std::sync::mpsc::channel());
        let closed = gate.lock().unwrap();
        let log = Log::to(Stuck(gate.clone(), told), false).unwrap();
        for number in 0..2 * WAITING_MAX {
            log.line(&format!("line {number}"));
        }
        // Neither does its end hang, nor a panic. Its words find room only if the thread has
        // taken a line meanwhile.
        log.finish(Some("why"));
        drop(closed);
        // One may be in the thread's hands already.
        loop {
            let (done, is_done) = sync_channel(1);
            if log.jobs.try_send(Job::Done(done)).is_ok() {
                is_done.recv().unwrap();
                break;
            }
        }
        let text: String = lines.try_iter().collect();
        let (mut lost, mut written) = (0, 0);
        for line in text.lines().filter(|line| *line != "ticketd: why") {
            match line.strip_prefix("ticketd: ") {
                Some(told) => {
                    let count = told.strip_suffix(" lines of the log were lost: there was no room");
                    lost += count.unwrap().parse::<usize>().unwrap();
                }
                None => written += 1,
            }
        }
        assert!(lost > 0, "{written}");
        assert_eq!(written + lost, 2 * WAITING_MAX);
    }

    #[test]
    fn a_line_is_one_line_without_ids() {
        let id = "3MVYUZwU1jzrVL6ihH9SHy7QRTe";
        let shown = clean(&format!("a\nb\r\u{1b}[2Jc\u{85} {id}!"), false);
        assert_eq!(shown, "a\\nb\\r\\u{1b}[2Jc\\u{85} …!");
        assert_eq!(clean("\u{1b}[2mdim", true), "\u{1b}[2mdim");
    }
}
