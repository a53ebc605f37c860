//! The program itself, started, asked to stop and killed.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::in_time;

/// The program itself.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    child: Child,
    // Held open, so that nobody finds out what the server does without it.
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
        let url = line.trim_end().strip_prefix("ticketd serves http");
        let address = url.and_then(|url| url.strip_prefix("s").unwrap_or(url).strip_prefix("://"));
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("unexpected first line {line:?}"));
        Self { address, child, _stdout: stdout }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        rustix::process::kill_process(pid.expect("it runs"), signal).expect("it can be told");
    }

    /// Waits until it has written a line to stderr that says this. What comes first is gone.
    pub(crate) async fn until_says(&mut self, what: &str) {
        in_time(self.saying(what)).await;
    }

    /// The same of what it finds out by itself, by two looks at a file.
    pub(crate) async fn until_finds(&mut self, what: &str) {
        let patience = Duration::from_secs(30);
        let saying = tokio::time::timeout(patience, self.saying(what));
        saying.await.expect("it did not find it in time");
    }

    async fn saying(&mut self, what: &str) {
        let stderr = self.child.stderr.as_mut().expect("its stderr");
        let mut line = Vec::new();
        loop {
            match stderr.read_u8().await.expect("it still says something") {
                b'\n' if String::from_utf8_lossy(&line).contains(what) => return,
                b'\n' => line.clear(),
                byte => line.push(byte),
            }
        }
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
