//! What the stories are told with: a server in this process or in one of its own, and a client that
//! speaks HTTP/1.1 byte by byte, so that it can also misbehave.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use ticketd::server::{Config, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything that must come may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A directory of its own that goes when this does.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// One in memory, if the machine has such a place: syncing it costs nothing.
    pub(crate) fn fast() -> Self {
        let memory = Path::new("/dev/shm");
        Self::below(if memory.is_dir() { memory } else { Path::new("/tmp") })
    }

    fn below(place: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = place.join(format!("ticketd-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("is new");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As an option has it.
    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("is text")
    }

    /// The names in it, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("can be read");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("can be read").file_name().into_string().expect("is text")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A copy of its files, as `cp` makes one.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for name in self.names() {
            fs::copy(self.join(&name), copy.join(&name)).expect("can be copied");
        }
        copy
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What must come, or the test fails.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it did not come in time")
}

/// Whether this is still not there after a while. (It may be asked for again afterwards.)
pub(crate) async fn not_yet<T>(what: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(50), what).await.is_err()
}

/// A server in this process.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), String>>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let server = Server::bind(config).await.expect("a free port");
        let address = server.address().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, stop, task }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        in_time(self.task).await.expect("no panic").expect("an orderly end");
    }
}

/// The program itself.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    child: Child,
    // PersistenceStatus open: nobody should find out what the server does without it.
    _stdout: BufReader<ChildStdout>,
}

/// The program with no options but those that the test gives.
pub(crate) fn program(before: &[&str], options: &[&str]) -> Command {
    let words = [before, &[env!("CARGO_BIN_EXE_ticketd")], options].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("TICKETD_"));
        if ours || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

impl Program {
    pub(crate) async fn start(options: &[&str]) -> Self {
        Self::started(program(&[], options)).await
    }

    /// Starts it and waits until it says where it serves.
    pub(crate) async fn started(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        in_time(stdout.read_line(&mut line)).await.expect("its first line");
        let address = line.trim_end().strip_prefix("ticketd serves http://");
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("unexpected first line {line:?}"));
        Self { address, child, _stdout: stdout }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        rustix::process::kill_process(pid.expect("it runs"), signal).expect("it can be told");
    }

    /// Waits for its end without reading what it writes to stderr.
    pub(crate) async fn ended_unread(mut self) -> (ExitStatus, ChildStderr) {
        let stderr = self.child.stderr.take().expect("its stderr");
        (in_time(self.child.wait()).await.expect("a status"), stderr)
    }

    /// Waits for its end; how it ended, and all that it wrote to stderr.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let mut stderr = self.child.stderr.take().expect("its stderr");
        let mut said = String::new();
        in_time(stderr.read_to_string(&mut said)).await.expect("text");
        (in_time(self.child.wait()).await.expect("a status"), said)
    }
}

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
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    /// Headers that every request bears, each with its line end.
    headers: String,
    /// Whether the answer that comes next has no body, whatever it says.
    head: bool,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = in_time(TcpStream::connect(address)).await.expect("a connection");
        Self { stream: BufReader::new(stream), headers: String::new(), head: false }
    }

    /// The same where there may be no server.
    pub(crate) async fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = in_time(TcpStream::connect(address)).await.ok()?;
        Some(Self { stream: BufReader::new(stream), headers: String::new(), head: false })
    }

    /// Every request from now on bears this header.
    pub(crate) fn with(mut self, header: &str) -> Self {
        self.headers += header;
        self.headers += "\r\n";
        self
    }

    /// Sends bytes as they are. The server may have turned away already.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        in_time(self.stream.write_all(bytes)).await.is_ok()
    }

    /// Says that nothing more will be sent; answers are still read.
    pub(crate) async fn finish(&mut self) {
        in_time(self.stream.shutdown()).await.expect("the line is there");
    }

    /// Hangs up in a way that the server cannot mistake: nothing can be sent to it any more.
    pub(crate) fn cut(self) {
        let stream = self.stream.into_inner().into_std().expect("a stream");
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("is set");
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
        self.head = method == "HEAD";
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

    async fn read_answer(&mut self) -> Option<Answer> {
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
        let mut answer = Answer { status, headers, body: Vec::new() };
        if self.head || status == 304 {
            return Some(answer);
        }
        if answer.header("transfer-encoding") == "chunked" {
            loop {
                let size = usize::from_str_radix(&self.read_line().await?, 16).expect("a size");
                let chunk = self.read_bytes(size).await?;
                answer.body.extend(chunk);
                self.read_line().await?;
                if size == 0 {
                    return Some(answer);
                }
            }
        }
        let length = answer.header("content-length").parse().expect("a length");
        answer.body = self.read_bytes(length).await?;
        Some(answer)
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

/// A session with a connection of its own. It says who it is in a header.
pub(crate) struct SessionInfo {
    pub(crate) id: String,
    address: SocketAddr,
    client: Client,
}

impl SessionInfo {
    pub(crate) async fn open(address: SocketAddr, name: &str) -> Self {
        Self::open_for(address, name, 60_000).await
    }

    pub(crate) async fn open_for(address: SocketAddr, name: &str, ttl_ms: u32) -> Self {
        let mut client = Client::connect(address).await;
        let opened = client.ask(&format!("POST /sessions?name={name}&ttl={ttl_ms}")).await;
        let id = opened.json().as_str().expect("an id").to_owned();
        let client = client.with(&format!("Ticketd-Session: {id}"));
        Self { id, address, client }
    }

    /// The same session by a further connection.
    pub(crate) async fn again(&self) -> Self {
        self.again_at(self.address).await
    }

    /// The same session at another server, which knows it.
    pub(crate) async fn again_at(&self, address: SocketAddr) -> Self {
        let client = Client::connect(address).await;
        let client = client.with(&format!("Ticketd-Session: {}", self.id));
        Self { id: self.id.clone(), address, client }
    }

    /// Every request from now on bears this header, too.
    pub(crate) fn with(mut self, header: &str) -> Self {
        self.client = self.client.with(header);
        self
    }

    /// Ends the session.
    pub(crate) async fn close(mut self) {
        let request = format!("DELETE /sessions/{}", self.id);
        assert_eq!(self.ask(&request).await.said(), "200 \"Ok\"");
    }

    /// Status and body of the answer in one line.
    pub(crate) async fn says(&mut self, request: &str) -> String {
        self.ask(request).await.said()
    }

    /// Issues a ticket.
    pub(crate) async fn issue(&mut self, resource: &str, ticket: &str, data: &str) {
        let request = format!("POST /tickets/{resource}?name={ticket}");
        assert_eq!(self.ask_with(&request, data).await.said(), "200 \"Ok\"");
    }

    /// Claims a ticket: its name, empty when there is none to get.
    pub(crate) async fn claim(&mut self, resource: &str) -> String {
        claimed(&self.ask(&format!("POST /claims/{resource}")).await)
    }
}

impl std::ops::Deref for SessionInfo {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for SessionInfo {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// The name of the ticket in the answer to a claim, empty when nothing was claimed.
pub(crate) fn claimed(answer: &Answer) -> String {
    let claim = answer.json();
    let name = claim["Ticket"]["Name"].as_str().expect("a name").to_owned();
    assert_eq!(claim["Claimed"], !name.is_empty(), "{claim}");
    name
}

/// Waits until so many wait in all queues together.
pub(crate) async fn until_waits(address: SocketAddr, waits: usize) {
    let mut client = Client::connect(address).await;
    in_time(async { while client.ask("GET /status").await.json()["Waits"] != waits {} }).await;
}
