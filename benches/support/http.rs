//! HTTP/1.1 at little cost to the load's processor: requests are bytes made beforehand, answers are
//! looked at for their status and length only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::tls::Dialer;
use super::{Outcome, now};

/// Longest wait for an answer before a benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request without a body.
pub(crate) fn request(method: &str, target: &str) -> Vec<u8> {
    request_with(method, target, "")
}

/// A request with a body.
pub(crate) fn request_with(method: &str, target: &str, body: &str) -> Vec<u8> {
    request_with_headers(method, target, "", body)
}

/// The same with more headers, each with its line end.
pub(crate) fn request_with_headers(
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nhost: ticketd\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The length of the head and of the whole of the first answer in `bytes`, if it is all there.
fn extent(bytes: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let name = b"content-length: ";
    let Some(at) = bytes[..head].windows(name.len()).position(|piece| piece == name) else {
        return Err("an answer does not tell its length".into());
    };
    let digits = bytes[at + name.len()..head].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    let (head, whole) = (head + 4, head + 4 + length);
    Ok((bytes.len() >= whole).then_some((head, whole)))
}

/// Takes note of an answer other than 200.
fn check_status(answer: &[u8]) -> Outcome {
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(format!("a server answered {:?}", String::from_utf8_lossy(answer)).into())
}

/// A connection that one waits for: one exchange, or several pipelined, at a time.
#[derive(Debug)]
pub(crate) struct Line<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Line<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends requests all at once and reads as many answers; their bodies.
    pub(crate) fn pipeline(&mut self, requests: &[Vec<u8>]) -> Outcome<Vec<String>> {
        self.stream.write_all(&requests.concat())?;
        requests.iter().map(|_| self.answer()).collect()
    }

    /// Sends a request and reads its answer's body.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Outcome<String> {
        self.stream.write_all(request)?;
        self.answer()
    }

    fn answer(&mut self) -> Outcome<String> {
        let (head, whole) = loop {
            if let Some(extent) = extent(&self.buffer)? {
                break extent;
            }
            let mut piece = [0; 16 * 1024];
            let read = self.stream.read(&mut piece)?;
            if read == 0 {
                return Err("a server hung up".into());
            }
            self.buffer.extend_from_slice(&piece[..read]);
        };
        check_status(&self.buffer[..whole])?;
        let body = String::from_utf8_lossy(&self.buffer[head..whole]).into_owned();
        self.buffer.drain(..whole);
        Ok(body)
    }
}

/// Opens sessions; their ids.
pub(crate) fn open_sessions<S: Read + Write>(
    line: &mut Line<S>,
    count: usize,
    ttl_ms: u32,
) -> Outcome<Vec<String>> {
    let request = request("POST", &format!("/api/v1/sessions?name=worker&ttl={ttl_ms}"));
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let batch = vec![request.clone(); (count - ids.len()).min(64)];
        let answers = line.pipeline(&batch)?;
        ids.extend(answers.iter().map(|answer| answer.trim_matches('"').to_owned()));
    }
    Ok(ids)
}

/// Connections that all send one request after another, each from its own round of requests.
/// Answers per second.
pub(crate) fn load(
    address: SocketAddr,
    rounds: &[Vec<Vec<u8>>],
    warm_up: Duration,
    length: Duration,
) -> Outcome<f64> {
    load_by(None, address, rounds, warm_up, length)
}

/// The same, perhaps behind handshakes.
pub(crate) fn load_by(
    dialer: Option<&Dialer>,
    address: SocketAddr,
    rounds: &[Vec<Vec<u8>>],
    warm_up: Duration,
    length: Duration,
) -> Outcome<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begin = now() + warm_up;
        let end = begin + length;
        let mut tasks = tokio::task::JoinSet::new();
        for requests in rounds {
            let requests = requests.clone();
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            match dialer {
                None => tasks.spawn(send_round(stream, requests, begin, end)),
                Some(dialer) => {
                    let connector = TlsConnector::from(dialer.config());
                    let stream = connector.connect(dialer.name(), stream).await?;
                    tasks.spawn(send_round(stream, requests, begin, end))
                }
            };
        }
        let mut answers = 0;
        while let Some(counted) = tasks.join_next().await {
            answers += counted??;
        }
        Ok(f64::from(answers) / length.as_secs_f64())
    })
}

/// How many of the answers on one connection came between `begin` and `end`.
async fn send_round<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    requests: Vec<Vec<u8>>,
    begin: Instant,
    end: Instant,
) -> Outcome<u32> {
    let mut buffer = [0; 2048];
    let mut counted = 0;
    for request in requests.iter().cycle() {
        stream.write_all(request).await?;
        stream.flush().await?;
        let mut filled = 0;
        while extent(&buffer[..filled])?.is_none() {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Err("a server hung up".into());
            }
            filled += read;
        }
        check_status(&buffer[..filled])?;
        let now = now();
        if now >= end {
            break;
        }
        counted += u32::from(now >= begin);
    }
    Ok(counted)
}
