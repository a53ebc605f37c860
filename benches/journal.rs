//! What the journal costs by itself, on disk, without a server: `cargo bench --bench journal`.
//!
//! The disk is that of the temporary directory (`TMPDIR`).

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use support::servers::Cores;
use support::{Outcome, Target, figure, heading, median, now, since, wanted};
use ticketd::journal::{Journal, JournalOptions, Recovered, Sqlite};
use ticketd::log::Batch;
use ticketd::log::codec::encode_command;
use ticketd::machine::{
    Command, Conduct, Data, LockAsk, Machine, Name, SessionId, SessionName, TicketTerms, Ttl,
};

/// Sessions, and tickets, one of each session.
const MANY: u32 = 100_000;
/// Commands behind the snapshot, and how many in a batch.
const COMMANDS: u32 = 1_000_000;
const IN_BATCH: u32 = 50;
/// Appends that are timed one by one.
const APPENDS: usize = 20_000;
/// The same with a sync each.
const SYNCS: usize = 1000;

fn main() -> Outcome {
    Cores::share_out()?;
    heading("journal: one processor, one disk, no server");
    if wanted("appends") {
        appends()?;
    }
    if wanted("restart") {
        restart()?;
    }
    Ok(())
}

/// A directory that goes when this does.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Outcome<Self> {
        let dir = std::env::temp_dir().join(format!("ticketd-bench-{}", std::process::id()));
        fs::create_dir(&dir)?;
        Ok(Self(dir))
    }

    fn open(&self) -> Outcome<Recovered> {
        let store = Arc::new(Sqlite::open(&self.0)?);
        Ok(Journal::open(store, JournalOptions { identity: u64::from(std::process::id()) })?)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn session(number: u32) -> SessionId {
    let mut id = [0; 20];
    id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    id[16..].copy_from_slice(&number.to_be_bytes());
    SessionId(id)
}

fn open(number: u32) -> Outcome<Command> {
    let name = SessionName::parse("worker")?;
    let ttl = Ttl::new(30_000).ok_or("no ttl")?;
    let (session, source) = (session(number), "192.0.2.1:4711".into());
    Ok(Command::Open { session, name, ttl, source, conduct: Conduct::default() })
}

fn issue(number: u32) -> Outcome<Command> {
    let (resource, ticket) = (Name::parse("tickets")?, Name::parse(&format!("ticket-{number}"))?);
    let data = Data::new(&[7; 32]).ok_or("too much data")?;
    let (session, notify, terms) = (session(number), false, TicketTerms::default());
    Ok(Command::Issue { session, resource, ticket, data, notify, terms })
}

/// Takes a lock, or gives it back.
fn lock(number: u32, is_held: bool) -> Outcome<Command> {
    let (session, resource) = (session(number), Name::parse(&format!("lock-{number}"))?);
    Ok(if is_held {
        Command::Unlock { session, resource, fence: None, by_socket: false }
    } else {
        Command::Lock { session, resource, wait_request: None, ask: LockAsk::default() }
    })
}

/// A journal and the machine that it is of.
struct PersistenceStatus {
    machine: Machine,
    journal: Journal,
    bytes: Vec<u8>,
    count: u32,
}

impl PersistenceStatus {
    fn new(recovered: Recovered) -> Self {
        let Recovered { machine, journal, .. } = recovered;
        Self { machine, journal, bytes: Vec::new(), count: 0 }
    }

    fn apply(&mut self, command: &Command) -> Outcome {
        self.machine.apply(command, &mut Vec::new()).reply?;
        encode_command(command, &mut self.bytes);
        self.count += 1;
        Ok(())
    }

    fn append(&mut self, sync: bool) -> Outcome {
        let next_fence = self.machine.next_fence().0;
        self.journal
            .append(&Batch { commands: &self.bytes, count: self.count, next_fence }, sync)?;
        self.bytes.clear();
        self.count = 0;
        Ok(())
    }
}

fn appends() -> Outcome {
    let dir = Dir::new()?;
    let mut kept = PersistenceStatus::new(dir.open()?);
    for number in 0..1000 {
        kept.apply(&open(number)?)?;
    }
    kept.append(true)?;
    let mut timed = |count: usize, sync| -> Outcome<(Vec<f64>, f64)> {
        let (before, mut times) = (kept.journal.size_bytes(), Vec::new());
        for turn in 0..u32::try_from(count)? {
            kept.apply(&lock(turn / 2 % 1000, turn % 2 == 1)?)?;
            let start = now();
            kept.append(sync)?;
            times.push(since(start).as_secs_f64() * 1e6);
        }
        let grown = kept.journal.size_bytes() - before;
        Ok((times, f64::from(u32::try_from(grown)?) / f64::from(u32::try_from(count)?)))
    };
    let (times, grown) = timed(APPENDS, false)?;
    figure("append of one command, written", median(&times), "µs", Target::AtMost(60.0));
    figure("it writes", grown, "bytes", Target::None);
    let (synced, _) = timed(SYNCS, true)?;
    figure("append of one command, synced", median(&synced), "µs", Target::None);
    let mut file = File::create(dir.0.join("plain"))?;
    let mut plain = Vec::new();
    for _ in 0..SYNCS {
        let start = now();
        file.write_all(&[7; 1048])?;
        file.sync_data()?;
        plain.push(since(start).as_secs_f64() * 1e6);
    }
    figure("a write of 1048 bytes and fdatasync", median(&plain), "µs", Target::None);
    Ok(())
}

fn restart() -> Outcome {
    let dir = Dir::new()?;
    let mut kept = PersistenceStatus::new(dir.open()?);
    for number in 0..MANY {
        kept.apply(&open(number)?)?;
        kept.apply(&issue(number)?)?;
        if number % IN_BATCH == 0 {
            kept.append(false)?;
        }
    }
    kept.append(true)?;
    let start = now();
    let mut imaging = kept.journal.begin_snapshot().ok_or("another snapshot")?;
    imaging.run().map_err(|no| format!("{no:?}"))?;
    let ran = since(start);
    figure(
        "a snapshot of 100 000 sessions and tickets",
        ran.as_secs_f64() * 1e3,
        "ms",
        Target::None,
    );
    let start = now();
    let retired = kept.journal.switch(imaging).map_err(|no| format!("{no:?}"))?;
    let switched = since(start).as_secs_f64() * 1e3;
    figure("the switch to it", switched, "ms", Target::AtMost(10.0));
    let start = now();
    retired.remove()?;
    figure("removing the old", since(start).as_secs_f64() * 1e3, "ms", Target::None);
    for turn in 0..COMMANDS {
        kept.apply(&lock(turn / 2 % MANY, turn % 2 == 1)?)?;
        if turn % IN_BATCH == IN_BATCH - 1 {
            kept.append(false)?;
        }
    }
    kept.append(true)?;
    let described = kept.journal.describe();
    let mib = |bytes: u64| u32::try_from(bytes >> 10).map(|kib| f64::from(kib) / 1024.0);
    figure("size of the snapshot", mib(described.snapshot_bytes)?, "MiB", Target::None);
    figure("size of all with a million commands", mib(described.bytes)?, "MiB", Target::None);
    let live = kept.machine.counts();
    drop(kept);
    let start = now();
    let recovered = dir.open()?;
    figure("restart with that", since(start).as_secs_f64(), "s", Target::AtMost(1.0));
    if recovered.machine.counts() != live {
        return Err("what was recovered is not what was kept".into());
    }
    let mut kept = PersistenceStatus::new(recovered);
    let start = now();
    let mut imaging = kept.journal.begin_snapshot().ok_or("another snapshot")?;
    imaging.run().map_err(|no| format!("{no:?}"))?;
    figure("a snapshot of that", since(start).as_secs_f64() * 1e3, "ms", Target::None);
    Ok(())
}
