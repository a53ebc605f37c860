//! `ticketd healthcheck`: whether a server near by is well. It needs nothing that an image might
//! lack.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use url::Url;

use super::report::complain;

/// How long an answer may take: the server itself takes a second to find out that it is stuck.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read.
const ANSWER_MAX_BYTES: u64 = 4096;

pub(super) fn run(url: &Url) -> ExitCode {
    match status(url) {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => {
            complain(&format!("{url} answers {status}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            complain(&format!("{url}: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// What asking for `/healthz` is answered. A server that speaks TLS is well if it takes up a
/// connection and shakes hands with nobody: it is asked for plain HTTP, and ends that.
fn status(url: &Url) -> io::Result<u16> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let host = url.host_str().ok_or_else(|| invalid("there is no host"))?;
    let port = url.port_or_known_default().ok_or_else(|| invalid("there is no port"))?;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = invalid("there is no such address");
    for address in (name, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER_MAX) {
            Ok(stream) => return ask(stream, host, port),
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn ask(mut stream: TcpStream, host: &str, port: u16) -> io::Result<u16> {
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX_BYTES).read_to_end(&mut answer)?;
    let line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "that is no answer of HTTP"))
}
