//! A client of REST that speaks HTTP/1.1 byte by byte, so that it can also misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::asked::{Asked, Requests};
use super::{described, in_time, not_yet};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Status and body in one line.
    pub(crate) fn said(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body).trim_end())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.said()))
    }

    /// The fence of what was granted or confirmed.
    pub(crate) fn fence(&self) -> u64 {
        let fence = self.header("ticketd-fence");
        fence.parse().unwrap_or_else(|_| panic!("no fence in {self:?}"))
    }

    /// The media type without its parameters.
    pub(crate) fn media(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or("").trim()
    }
}

/// One connection, kept alive from request to request.
pub(crate) struct Client<S = TcpStream> {
    stream: BufReader<S>,
    /// Headers that every request bears, each with its line end.
    headers: String,
    /// What is not answered yet.
    requests: Requests,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(in_time(TcpStream::connect(address)).await.expect("a connection"))
    }

    /// The same where there may be no server.
    pub(crate) async fn try_connect(address: SocketAddr) -> Option<Self> {
        Some(Self::over(in_time(TcpStream::connect(address)).await.ok()?))
    }

    /// Hangs up in a way that the server cannot mistake: nothing can be sent to it any more.
    pub(crate) fn cut(self) {
        let stream = self.stream.into_inner().into_std().expect("a stream");
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("is set");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// A client at the end of a stream.
    pub(crate) fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream), headers: String::new(), requests: Requests::new() }
    }

    /// Every request from now on bears this header.
    pub(crate) fn with(mut self, header: &str) -> Self {
        self.headers += header;
        self.headers += "\r\n";
        self
    }

    /// Every request from now on bears these headers, each with its line end, and no others.
    pub(crate) fn bear(&mut self, headers: &str) {
        headers.clone_into(&mut self.headers);
    }

    /// Sends bytes as they are. The server may have turned away already.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.requests.sent(bytes);
        // What finds no room below TLS stays in it until it is flushed.
        in_time(self.stream.write_all(bytes)).await.is_ok()
            && in_time(self.stream.flush()).await.is_ok()
    }

    /// Says that nothing more will be sent; answers are still read.
    pub(crate) async fn finish(&mut self) {
        in_time(self.stream.shutdown()).await.expect("the line is there");
    }

    /// Sends a request such as `POST /locks/db` without reading its answer.
    pub(crate) async fn send(&mut self, request: &str) {
        self.send_body(request, b"").await;
    }

    async fn send_body(&mut self, request: &str, body: &[u8]) {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        self.send_to(method, &format!("/api/v1{path}"), body).await;
    }

    async fn send_to(&mut self, method: &str, path: &str, body: &[u8]) {
        assert!(self.try_send(method, path, body).await, "the server hung up");
    }

    async fn try_send(&mut self, method: &str, path: &str, body: &[u8]) -> bool {
        let (headers, length) = (&self.headers, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}");
        let length = match method {
            "POST" => format!("Content-Length: {length}\r\n"),
            _ => String::new(),
        };
        let request = [head.as_bytes(), length.as_bytes(), b"\r\n", body].concat();
        self.write(&request).await
    }

    /// Asks a server that may end at any moment.
    pub(crate) async fn try_ask(&mut self, request: &str, body: &[u8]) -> Option<Answer> {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        if !self.try_send(method, &format!("/api/v1{path}"), body).await {
            return None;
        }
        self.answer_or_end().await
    }

    pub(crate) async fn ask(&mut self, request: &str) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    /// The same of a path that is not under `/api/v1`.
    pub(crate) async fn ask_at(&mut self, request: &str) -> Answer {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        self.send_to(method, path, b"").await;
        self.answer().await
    }

    pub(crate) async fn ask_with(&mut self, request: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send_body(request, body.as_ref()).await;
        self.answer().await
    }

    /// Asks for a stream: the answer without its body, of which [`Self::piece`] reads on.
    pub(crate) async fn open_stream(&mut self, request: &str) -> Answer {
        self.send(request).await;
        let (answer, asked) = in_time(self.read_head()).await.expect("an answer");
        if let Some(asked) = asked {
            described::hold(&asked, &answer, None);
        }
        answer
    }

    /// The next piece of a stream; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Option<String> {
        let chunk = in_time(self.read_chunk()).await?;
        let piece = String::from_utf8(chunk).expect("text");
        described::hold_event(&piece);
        (!piece.is_empty()).then_some(piece)
    }

    /// Reads the next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        in_time(self.read_answer()).await.expect("an answer")
    }

    /// Reads the next answer, or `None` where the connection ends instead.
    pub(crate) async fn answer_or_end(&mut self) -> Option<Answer> {
        in_time(self.read_answer()).await
    }

    /// Whether there is no answer to read for a while.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        not_yet(self.stream.fill_buf()).await
    }

    /// An answer without its body, and what it answers, unless that is no request.
    async fn read_head(&mut self) -> Option<(Answer, Option<Asked>)> {
        let first = self.read_line().await?;
        let rest = first.strip_prefix("HTTP/1.1 ").or_else(|| first.strip_prefix("HTTP/1.0 "));
        let status = rest.and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer but {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.read_line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Some((Answer { status, headers, body: Vec::new() }, self.requests.next()))
    }

    async fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.read_line().await?, 16).expect("a size");
        let chunk = self.read_bytes(size).await?;
        self.read_line().await?;
        Some(chunk)
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let (mut answer, asked) = self.read_head().await?;
        let is_head = asked.as_ref().is_some_and(|asked| asked.method == "HEAD");
        if !is_head && answer.status != 304 {
            answer.body = self.read_body(&answer).await?;
        }
        if let Some(asked) = asked {
            described::hold(&asked, &answer, Some(&answer.body));
        }
        Some(answer)
    }

    async fn read_body(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        if answer.header("transfer-encoding") != "chunked" {
            let length = answer.header("content-length").parse().expect("a length");
            return self.read_bytes(length).await;
        }
        let mut body = Vec::new();
        loop {
            let chunk = self.read_chunk().await?;
            if chunk.is_empty() {
                return Some(body);
            }
            body.extend(chunk);
        }
    }

    async fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.ok()?;
        line.ends_with('\n').then(|| line.trim_end().to_owned())
    }

    async fn read_bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.ok()?;
        Some(bytes)
    }
}
