//! The thread that writes the trail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::SystemTime;

use crate::machine::{SessionId, SessionRef};

use super::line::{AuditLine, lost};

/// Only its owner may read a trail.
const MODE: u32 = 0o600;

/// What is written to.
pub(super) type Out = Box<dyn Write + Send>;
/// What opens it, as often as it is asked.
pub(super) type Opening = Box<dyn FnMut() -> io::Result<Out> + Send>;

/// What the thread does next.
pub(super) enum AuditJob {
    /// Writes a line, behind a count of those that were left out before it.
    Line { before: u64, at: SystemTime, line: Box<AuditLine> },
    /// Looks whether the file is to be opened anew.
    Wake,
    /// Says so: all before it is written.
    Done(SyncSender<()>),
}

/// Opens a file to write behind what is there.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

/// What the thread has.
pub(super) struct AuditWriter {
    out: Out,
    opening: Opening,
    lost: Arc<AtomicU64>,
    reopening: Arc<AtomicBool>,
    session_ref: fn(&SessionId) -> SessionRef,
    /// What was written last did not go well; the log knows.
    is_failing: bool,
    /// What was written last has no line end.
    is_torn: bool,
}

impl AuditWriter {
    pub(super) fn new(
        out: Out,
        opening: Opening,
        lost: Arc<AtomicU64>,
        reopening: Arc<AtomicBool>,
        session_ref: fn(&SessionId) -> SessionRef,
    ) -> Self {
        Self { out, opening, lost, reopening, session_ref, is_failing: false, is_torn: false }
    }

    /// Writes until nobody can tell anything more.
    pub(super) fn run(mut self, jobs: &Receiver<AuditJob>) {
        while let Ok(job) = jobs.recv() {
            if self.reopening.swap(false, Ordering::Acquire) {
                self.reopen();
            }
            match job {
                AuditJob::Line { before, at, line } => self.write_line(before, at, &line),
                AuditJob::Wake => {}
                AuditJob::Done(done) => {
                    let missing = self.lost.swap(0, Ordering::Relaxed);
                    self.write_count(missing);
                    // Who waits for it may have given up.
                    let _ = done.try_send(());
                }
            }
        }
    }

    /// Goes on in a file that is there by the name that the old one may have had. If there cannot
    /// be one, the old one stays.
    fn reopen(&mut self) {
        match (self.opening)() {
            Ok(out) => (self.out, self.is_torn) = (out, false),
            Err(why) => tracing::error!("the audit trail cannot be opened anew: {why}"),
        }
    }

    fn write_line(&mut self, before: u64, at: SystemTime, line: &AuditLine) {
        if !self.write_count(before) || !self.is_written(line.text(at, self.session_ref)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes how many lines are missing; false when that cannot be written either.
    fn write_count(&mut self, missing: u64) -> bool {
        let written = missing == 0 || self.is_written(Ok(lost(missing)));
        if !written {
            self.lost.fetch_add(missing, Ordering::Relaxed);
        }
        written
    }

    fn is_written(&mut self, text: Result<Vec<u8>, serde_json::Error>) -> bool {
        let written = text.map_err(io::Error::from).and_then(|text| self.write(text));
        match &written {
            Err(why) if !self.is_failing => {
                tracing::error!("the audit trail cannot be written: {why}");
            }
            Ok(()) if self.is_failing => tracing::info!("the audit trail is written again"),
            _ => {}
        }
        self.is_failing = written.is_err();
        written.is_ok()
    }

    /// Writes a line whole, or leaves what it wrote of it as a line of its own.
    fn write(&mut self, mut text: Vec<u8>) -> io::Result<()> {
        if self.is_torn {
            text.insert(0, b'\n');
        }
        let mut rest = &text[..];
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.is_torn = !rest.is_empty();
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;
    use std::sync::mpsc::sync_channel;

    use crate::audit::AuditWhat;

    use super::*;

    /// Room for so many bytes, and what was written.
    #[derive(Clone, Default)]
    struct Small(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (room, written) = &mut *self.0.lock().unwrap();
            let count = bytes.len().min(*room);
            *room -= count;
            written.extend(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_torn_stands_by_itself() {
        let small = Small::default();
        let (jobs, to_do) = sync_channel(10);
        let (out, opening) = (small.clone(), Box::new(|| Err(io::ErrorKind::NotFound.into())));
        let (lost, reopening) = (Arc::default(), Arc::default());
        let writer =
            AuditWriter::new(Box::new(out), opening, lost, reopening, |_| SessionRef([0; 8]));
        let thread = std::thread::spawn(move || writer.run(&to_do));
        let (done, is_done) = sync_channel(1);
        for room in [10, 0, 1000] {
            small.0.lock().unwrap().0 = room;
            let line = Box::new(AuditLine::new(AuditWhat::Granted));
            jobs.send(AuditJob::Line { before: 0, at: SystemTime::UNIX_EPOCH, line }).unwrap();
            jobs.send(AuditJob::Done(done.clone())).unwrap();
            is_done.recv().unwrap();
        }
        drop(jobs);
        thread.join().unwrap();
        let written = String::from_utf8(small.0.lock().unwrap().1.clone()).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let whole = "{\"time\":\"1970-01-01T00:00:00.000Z\",\"what\":\"granted\"}";
        assert_eq!(lines, ["{\"time\":\"1", whole, "{\"lost\":2}"]);
    }

    #[test]
    fn only_its_owner_may_read_a_new_file_and_an_old_one_goes_on() {
        let path = std::env::temp_dir().join(format!("ticketd-audit-{}", std::process::id()));
        for _ in 0..2 {
            open_file(&path).unwrap().write_all(b"line\n").unwrap();
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_to_string(&path).unwrap(), "line\nline\n");
        fs::remove_file(&path).unwrap();
    }
}
