//! The way to the trail: a bounded queue, in front of a thread that writes.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use crate::machine::{SessionId, SessionRef};
use crate::meters::Counter;

use super::line::AuditLine;
use super::writer::{AuditJob, AuditWriter, Opening, open_file};

/// Lines that wait to be written.
pub const LINES_WAITING_MAX: usize = 65_536;
/// How long the end of the server waits for them.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How long it waits between looks for room.
const ROOM_PAUSE: Duration = Duration::from_millis(10);

/// Where the trail is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTarget {
    /// Standard error.
    Stderr,
    /// A file, behind what is there. Only its owner may read one that is new.
    File(PathBuf),
}

/// A way to the thread that writes the trail.
#[derive(Clone)]
pub struct Audit {
    jobs: SyncSender<AuditJob>,
    /// Lines that are missing, and nobody has been told of.
    lost: Arc<AtomicU64>,
    /// All lines that were left out.
    lost_in_all: Arc<Counter>,
    /// The file is to be opened anew.
    reopening: Arc<AtomicBool>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audit")
    }
}

impl Audit {
    /// Opens the target and starts the thread. Sessions are written by their refs.
    ///
    /// # Errors
    /// When it cannot be opened, or there is no thread to be had.
    pub fn open(
        target: AuditTarget,
        session_ref: fn(&SessionId) -> SessionRef,
    ) -> io::Result<Self> {
        match target {
            AuditTarget::Stderr => {
                Self::start(Box::new(|| Ok(Box::new(io::stderr()))), session_ref)
            }
            AuditTarget::File(path) => {
                Self::start(Box::new(move || Ok(Box::new(open_file(&path)?))), session_ref)
            }
        }
    }

    fn start(mut opening: Opening, session_ref: fn(&SessionId) -> SessionRef) -> io::Result<Self> {
        let (jobs, to_do) = sync_channel(LINES_WAITING_MAX);
        let (lost_in_all, reopening) = (Arc::default(), Arc::default());
        let audit = Self { jobs, lost: Arc::default(), lost_in_all, reopening };
        let (lost, reopening) = (audit.lost.clone(), audit.reopening.clone());
        let writer = AuditWriter::new(opening()?, opening, lost, reopening, session_ref);
        let thread = std::thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || writer.run(&to_do))?;
        Ok(audit)
    }

    /// Tells something. Where there is no room it is left out and counted, and the next line for
    /// which there is room is written behind the count.
    pub fn tell(&self, line: AuditLine) {
        let before = self.lost.swap(0, Ordering::Relaxed);
        let job = AuditJob::Line { before, at: now(), line: Box::new(line) };
        if self.jobs.try_send(job).is_err() {
            self.lost.fetch_add(before + 1, Ordering::Relaxed);
            self.lost_in_all.count();
        }
    }

    /// How many lines were left out since the start.
    #[must_use]
    pub fn lost_in_all(&self) -> u64 {
        self.lost_in_all.get()
    }

    /// The file is opened anew, before the next line is written: it may have been moved away.
    pub fn reopen(&self) {
        self.reopening.store(true, Ordering::Release);
        // Where there is no room the thread is awake.
        let _ = self.jobs.try_send(AuditJob::Wake);
    }

    /// Waits a moment until all is written.
    pub fn finish(&self) {
        let (done, is_done) = sync_channel(1);
        let (mut job, mut patience) = (AuditJob::Done(done), FAREWELL_MAX);
        while let Err(TrySendError::Full(back)) = self.jobs.try_send(job) {
            let Some(left) = patience.checked_sub(ROOM_PAUSE) else { return };
            patience = left;
            job = back;
            std::thread::sleep(ROOM_PAUSE);
        }
        let _ = is_done.recv_timeout(patience);
    }
}

#[expect(clippy::disallowed_methods, reason = "a trail says when; nothing depends on it")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, MutexGuard};

    use crate::audit::AuditWhat;

    use super::*;

    /// What the writer is given: each line waits at a gate, and goes wrong as long as it is told.
    struct Slow {
        gate: Arc<Mutex<()>>,
        fails: Arc<AtomicBool>,
        lines: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.gate.lock().unwrap());
            if self.fails.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.lines.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Place {
        gate: Arc<Mutex<()>>,
        fails: Arc<AtomicBool>,
        openings: Arc<AtomicU64>,
        lines: Receiver<String>,
        audit: Audit,
    }

    impl Place {
        fn new() -> Self {
            let (gate, fails, openings) =
                (Arc::<Mutex<()>>::default(), Arc::<AtomicBool>::default(), Arc::default());
            let (sender, lines) = channel();
            let slow = (gate.clone(), fails.clone(), Arc::<AtomicU64>::clone(&openings));
            let opening: Opening = Box::new(move || {
                slow.2.fetch_add(1, Ordering::Relaxed);
                let (gate, fails, lines) = (slow.0.clone(), slow.1.clone(), sender.clone());
                Ok(Box::new(Slow { gate, fails, lines }))
            });
            let audit = Audit::start(opening, |_| SessionRef([0; 8])).unwrap();
            Self { gate, fails, openings, lines, audit }
        }

        fn close_gate(&self) -> MutexGuard<'_, ()> {
            self.gate.lock().unwrap()
        }

        fn tell(&self, count: usize) {
            for _ in 0..count {
                self.audit.tell(AuditLine::new(AuditWhat::Reloaded));
            }
        }

        /// How many lines were written, and how many are said to be lost.
        fn told(&self) -> (usize, usize) {
            self.audit.finish();
            let (mut written, mut lost) = (0, 0);
            for line in self.lines.try_iter() {
                match line.strip_prefix("{\"lost\":") {
                    Some(count) => lost += count.trim_end_matches("}\n").parse::<usize>().unwrap(),
                    None => written += 1,
                }
            }
            (written, lost)
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let place = Place::new();
        let closed = place.close_gate();
        let mut all = LINES_WAITING_MAX + 1000;
        place.tell(all);
        drop(closed);
        // As soon as there is room, the next line says how many were left out before it.
        while place.audit.lost.load(Ordering::Relaxed) > 0 {
            place.tell(1);
            all += 1;
        }
        let (written, lost) = place.told();
        assert_eq!(written + lost, all);
        assert!(lost >= 999 && written > LINES_WAITING_MAX, "{written} {lost}");
    }

    #[test]
    fn what_could_not_be_written_is_counted_too() {
        let place = Place::new();
        place.tell(2);
        assert_eq!(place.told(), (2, 0));
        place.fails.store(true, Ordering::Relaxed);
        place.tell(3);
        assert_eq!(place.told(), (0, 0));
        place.fails.store(false, Ordering::Relaxed);
        place.tell(1);
        assert_eq!(place.told(), (1, 3));
        assert_eq!(place.told(), (0, 0), "it is said once");
    }

    #[test]
    fn the_end_says_what_is_missing_and_does_not_wait_for_a_disk_that_hangs() {
        let place = Place::new();
        place.fails.store(true, Ordering::Relaxed);
        place.tell(3);
        place.audit.finish();
        place.fails.store(false, Ordering::Relaxed);
        assert_eq!(place.told(), (0, 3));
        let closed = place.close_gate();
        place.tell(10);
        place.audit.finish();
        drop(closed);
        assert_eq!(place.told(), (10, 0));
    }

    #[test]
    fn who_asks_has_it_opened_anew() {
        let place = Place::new();
        place.tell(1);
        place.audit.reopen();
        place.tell(1);
        assert_eq!(place.told(), (2, 0));
        assert_eq!(place.openings.load(Ordering::Relaxed), 2);
    }
}
