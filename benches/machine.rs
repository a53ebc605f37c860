//! How fast the machine is by itself, on one processor: `cargo bench --bench machine`.

#[path = "machine/line.rs"]
mod line;
mod support;

use std::time::Duration;

use support::servers::Cores;
use support::{Dice, Outcome, Target, figure, heading, median, now, since, wanted};
use ticketd::machine::{
    Command, Conduct, Data, Event, LockAsk, Machine, Mode, Name, Parting, Reply, SessionId,
    SessionName, TicketTerms, Ttl, WaitOrigin, WaitRequest, WaitTimeout,
};

/// Names of locks, tickets of the large resource, waiters of the long queue.
const MANY: usize = 100_000;
/// The same of the small.
const FEW: usize = 10;
/// Tickets of the largest queue of work.
const MOST: usize = 1_000_000;
/// Sessions that wait to read together.
const READERS: usize = 10_000;
/// Turns that each figure is the median of.
const TURNS: usize = 9;

fn main() -> Outcome {
    Cores::share_out()?;
    heading("machine: one processor, no server");
    // First, while the process has no memory of others to use again.
    if wanted("memory") {
        memory()?;
    }
    if wanted("locks") {
        locks()?;
    }
    if wanted("claims") {
        claims()?;
    }
    if wanted("queue") {
        line::queue()?;
    }
    if wanted("readers") {
        readers()?;
    }
    if wanted("growth") {
        growth()?;
    }
    Ok(())
}

/// A machine under test. Nothing that it is told may be refused.
struct Bench {
    machine: Machine,
    events: Vec<Event>,
    sessions: Vec<SessionId>,
}

impl Bench {
    fn new(sessions: usize) -> Outcome<Self> {
        let (machine, events) = (Machine::new(), Vec::with_capacity(16));
        let mut bench = Self { machine, events, sessions: Vec::new() };
        for _ in 0..sessions {
            bench.open()?;
        }
        Ok(bench)
    }

    fn apply(&mut self, command: &Command) -> Outcome<Reply> {
        self.events.clear();
        Ok(self.machine.apply(command, &mut self.events).reply?)
    }

    fn open(&mut self) -> Outcome<SessionId> {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&self.sessions.len().to_be_bytes());
        let session = SessionId(id);
        let name = SessionName::parse("worker")?;
        let ttl = Ttl::new(10_000).ok_or("ttl")?;
        let source = "127.0.0.1:40000".into();
        let conduct = Conduct::default();
        self.apply(&Command::Open { session, name, ttl, source, conduct })?;
        self.sessions.push(session);
        Ok(session)
    }

    fn issue(&mut self, session: SessionId, resource: &Name, ticket: &str) -> Outcome {
        self.issue_by(session, resource, ticket, TicketTerms::default())
    }

    fn issue_by(
        &mut self,
        session: SessionId,
        resource: &Name,
        ticket: &str,
        terms: TicketTerms,
    ) -> Outcome {
        let (resource, ticket) = (resource.clone(), Name::parse(ticket)?);
        let data = Data::new(b"some data of a ticket").ok_or("data")?;
        let notify = false;
        self.apply(&Command::Issue { session, resource, ticket, data, notify, terms })?;
        Ok(())
    }

    fn lock(
        &mut self,
        session: SessionId,
        lock: &Name,
        wait_request: Option<WaitRequest>,
    ) -> Outcome<Reply> {
        self.lock_in(Mode::Exclusive, session, lock, wait_request)
    }

    fn lock_in(
        &mut self,
        mode: Mode,
        session: SessionId,
        lock: &Name,
        wait_request: Option<WaitRequest>,
    ) -> Outcome<Reply> {
        let ask = LockAsk { mode, ..LockAsk::default() };
        self.apply(&Command::Lock { session, resource: lock.clone(), wait_request, ask })
    }

    fn unlock(&mut self, session: SessionId, lock: &Name) -> Outcome {
        let resource = lock.clone();
        self.apply(&Command::Unlock { session, resource, fence: None, by_socket: true })?;
        Ok(())
    }

    fn forget_all(&mut self) -> Outcome {
        let up_to = self.machine.emptied_mark();
        while self.apply(&Command::Forget { up_to })? == (Reply::Forgotten { more: true }) {}
        Ok(())
    }
}

/// What the middle one of several turns made a second.
fn per_second(things: usize, mut turn: impl FnMut() -> Outcome) -> Outcome<f64> {
    turn()?;
    let mut rates = Vec::new();
    for _ in 0..TURNS {
        let start = now();
        turn()?;
        rates.push(f64::from(u32::try_from(things)?) / since(start).as_secs_f64());
    }
    Ok(median(&rates))
}

/// `kind-0`, `kind-1` and so on, in no order.
fn names(kind: &str, count: usize) -> Outcome<Vec<Name>> {
    let mut names =
        (0..count).map(|n| Name::parse(&format!("{kind}-{n}"))).collect::<Result<Vec<_>, _>>()?;
    Dice::new().shuffle(&mut names);
    Ok(names)
}

fn locks() -> Outcome {
    let names = names("lock", MANY)?;
    let mut bench = Bench::new(16)?;
    let sessions = bench.sessions.clone();
    let mut pairs = |forget: bool| {
        per_second(MANY, || {
            for (name, &session) in names.iter().zip(sessions.iter().cycle()) {
                bench.lock(session, name, None)?;
                bench.unlock(session, name)?;
            }
            if forget { bench.forget_all() } else { Ok(()) }
        })
    };
    let (kept, forgotten) = (pairs(false)?, pairs(true)?);
    let at_once = per_second(MANY, || {
        for (name, &session) in names.iter().zip(sessions.iter().cycle()) {
            bench.lock(session, name, None)?;
        }
        for (name, &session) in names.iter().zip(sessions.iter().cycle()) {
            bench.unlock(session, name)?;
        }
        Ok(())
    })?;
    figure("lock+unlock pairs/s, 100 000 names", kept, "", Target::AtLeast(1.5e6));
    figure("  all locked, then all unlocked", at_once, "", Target::None);
    figure("  names forgotten and entered anew", forgotten, "", Target::None);
    Ok(())
}

/// Tickets of one resource, and those who claim them.
struct Pool {
    bench: Bench,
    resource: Name,
    rates: Vec<f64>,
}

impl Pool {
    fn new(size: usize, stay: bool) -> Outcome<Self> {
        let mut bench = Bench::new(16)?;
        let resource = Name::parse("jobs")?;
        let terms = TicketTerms { stay, ..TicketTerms::default() };
        for part in names("job", size)?.chunks(MANY) {
            let issuer = bench.open()?;
            for ticket in part {
                bench.issue_by(issuer, &resource, ticket.as_str(), terms)?;
            }
        }
        Ok(Self { bench, resource, rates: Vec::new() })
    }
}

fn claims() -> Outcome {
    let mut pools = [Pool::new(FEW, false)?, Pool::new(MANY, false)?];
    let mut queues = [Pool::new(FEW, true)?, Pool::new(MOST, true)?];
    for _ in 0..TURNS {
        for pool in pools.iter_mut().chain(&mut queues) {
            pool.rates.push(claim_and_release(&mut pool.bench, &pool.resource)?);
        }
    }
    let [few, many] = pools.map(|pool| pool.rates);
    let slower = median(&support::ratios(&few, &many));
    figure("claim+release pairs/s, 10 tickets", median(&few), "", Target::None);
    figure("claim+release pairs/s, 100 000 tickets", median(&many), "", Target::None);
    figure("  slower with 100 000", slower, "x", Target::AtMost(2.0));
    let [few, many] = queues.map(|pool| pool.rates);
    let slower = median(&support::ratios(&few, &many));
    figure("claim+release pairs/s, 10 tickets that stay", median(&few), "", Target::None);
    figure("claim+release pairs/s, 1 000 000 that stay", median(&many), "", Target::None);
    figure("  slower with 1 000 000", slower, "x", Target::AtMost(2.0));
    Ok(())
}

/// The longest step in which all who wait to read are granted.
fn readers() -> Outcome {
    let mut bench = Bench::new(READERS + 1)?;
    let sessions = bench.sessions.clone();
    let lock = Name::parse("index")?;
    let wait_request = WaitRequest { origin: WaitOrigin::Socket, timeout: WaitTimeout::Session };
    let mut steps = Vec::new();
    for _ in 0..TURNS {
        bench.lock(sessions[0], &lock, None)?;
        for &session in &sessions[1..] {
            bench.lock_in(Mode::Shared, session, &lock, Some(wait_request))?;
        }
        let start = now();
        bench.unlock(sessions[0], &lock)?;
        steps.push(since(start).as_secs_f64() * 1e3);
        assert_eq!(bench.machine.figures(lock.as_str()).held as usize, READERS);
        bench.apply(&Command::Force {
            by: None,
            resource: lock.clone(),
            ticket: None,
            fence: None,
        })?;
    }
    figure("10 000 readers granted in one step", median(&steps), "ms", Target::AtMost(5.0));
    Ok(())
}

/// Pairs a second.
fn claim_and_release(bench: &mut Bench, resource: &Name) -> Outcome<f64> {
    let start = now();
    for number in 0..MANY {
        let session = bench.sessions[number % 16];
        let resource = resource.clone();
        let (ticket, wait_request, again, hold_ms) = (None, None, false, None);
        let claim = Command::Claim { session, resource, ticket, wait_request, again, hold_ms };
        let Reply::Granted { grant: ticketd::machine::Grant::Ticket(grant), .. } =
            bench.apply(&claim)?
        else {
            return Err("no ticket is free".into());
        };
        let (resource, ticket, fence) = (grant.resource, grant.ticket, Some(grant.fence));
        let (by_socket, parting) = (true, Parting::default());
        bench.apply(&Command::Release { session, resource, ticket, fence, by_socket, parting })?;
    }
    Ok(f64::from(u32::try_from(MANY)?) / since(start).as_secs_f64())
}

/// The longest step while the tables grow, where a table moves house.
fn growth() -> Outcome {
    let longest = longest_step(MANY, 3)?;
    figure("longest open+issue on the way to 100 000", longest, "ms", Target::AtMost(5.0));
    let longest = longest_step(10 * MANY, 2)?;
    figure("longest open+issue on the way to 1 000 000", longest, "ms", Target::None);
    Ok(())
}

/// In ms, of the turn that was disturbed least.
fn longest_step(count: usize, turns: usize) -> Outcome<f64> {
    let mut longest = Duration::MAX;
    for _ in 0..turns {
        let mut bench = Bench::new(0)?;
        let resource = names("jobs", count)?;
        let mut longest_here = Duration::ZERO;
        for resource in &resource {
            let start = now();
            let session = bench.open()?;
            bench.issue(session, resource, "job")?;
            longest_here = longest_here.max(since(start));
        }
        longest = longest.min(longest_here);
    }
    Ok(longest.as_secs_f64() * 1e3)
}

/// What a held lock and an unclaimed ticket take, all tables counted; names have 6 to 12 bytes.
fn memory() -> Outcome {
    let mut bench = Bench::new(16)?;
    let sessions = bench.sessions.clone();
    let many = f64::from(u32::try_from(MANY)?);
    let empty = resident()?;
    for (number, &session) in (0..MANY).zip(sessions.iter().cycle()) {
        bench.lock(session, &Name::parse(&format!("lock-{number}"))?, None)?;
    }
    let locked = resident()?;
    let resource = Name::parse("jobs")?;
    for (number, &session) in (0..MANY).zip(sessions.iter().cycle()) {
        bench.issue(session, &resource, &format!("ticket-{number}"))?;
    }
    let issued = resident()?;
    figure("memory of a held lock, 100 000 names", (locked - empty) / many, "bytes", Target::None);
    figure("memory of a ticket, 100 000", (issued - locked) / many, "bytes", Target::None);
    Ok(())
}

/// Bytes of memory that this process has.
fn resident() -> Outcome<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u32 = pages.split(' ').nth(1).ok_or("pages")?.parse()?;
    Ok(f64::from(pages) * f64::from(u32::try_from(rustix::param::page_size())?))
}
