//! `GET /sessions/{id}` with 100 000 issued tickets held everybody up for up to 850 ms, and a dump
//! of their resource likewise: both were one look under the driver's lock. They are gathered in
//! slices since, and what happens between two of those is told here.

use std::collections::BTreeMap;

use futures::FutureExt;
use ticketd::driver::{Answer, Driver, Lefts, Seen, Unavailable, Viewed};
use ticketd::machine::{
    Command, Conduct, Data, Fence, IssuedState, LockAsk, Machine, Name, Parting, Reach, Reply,
    SLICE_MAX, Scan, SessionId, SessionName, SessionView, TicketTerms, TicketView, Ttl,
};

use crate::rng::Rng;
use crate::support::new_session;

/// Takes several slices.
const MANY: usize = 3 * SLICE_MAX;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn session(number: u8) -> SessionId {
    SessionId([number; 20])
}

fn open(number: u8) -> Command {
    let name = SessionName::parse("").expect("a name");
    let ttl = Ttl::new(60_000).expect("a ttl");
    Command::Open {
        session: session(number),
        name,
        ttl,
        source: "here".into(),
        conduct: Conduct::default(),
    }
}

fn issue(session: SessionId, resource: &str, ticket: &str) -> Command {
    let (resource, ticket) = (name(resource), name(ticket));
    let data = Data::new(b"").expect("is short");
    Command::Issue { session, resource, ticket, data, notify: false, terms: TicketTerms::default() }
}

fn revoke(session: SessionId, resource: &str, ticket: &str) -> Command {
    Command::Revoke {
        session,
        resource: name(resource),
        ticket: name(ticket),
        reach: Reach::Any,
        fence: None,
    }
}

fn claim(session: SessionId, resource: &str, ticket: &str) -> Command {
    let (resource, ticket) = (name(resource), Some(name(ticket)));
    Command::Claim { session, resource, ticket, wait_request: None, again: false, hold_ms: None }
}

fn release(session: SessionId, resource: &str, ticket: &str) -> Command {
    let (resource, ticket) = (name(resource), name(ticket));
    Command::Release {
        session,
        resource,
        ticket,
        fence: None,
        by_socket: true,
        parting: Parting::default(),
    }
}

fn apply(machine: &mut Machine, command: &Command) -> Reply {
    machine.apply(command, &mut Vec::new()).reply.expect("is accepted")
}

fn ticket(number: usize) -> String {
    format!("t{number}")
}

/// A machine in which session 1 issued many tickets in `jobs`, and session 2 is there, too.
fn full() -> Machine {
    let mut machine = Machine::new();
    apply(&mut machine, &open(1));
    apply(&mut machine, &open(2));
    for number in 0..MANY {
        apply(&mut machine, &issue(session(1), "jobs", &ticket(number)));
    }
    machine
}

fn slice<K, V>(all: &mut Vec<(K, V)>, seen: Option<Vec<(K, V)>>) {
    let seen = seen.expect("is there");
    assert!(seen.len() <= SLICE_MAX);
    all.extend(seen);
}

/// Something happens to some ticket; its name.
fn change(machine: &mut Machine, rng: &mut Rng) -> String {
    let ticket = ticket(rng.below(MANY));
    let (one, two) = (session(1), session(2));
    let commands = match rng.below(5) {
        0 => vec![revoke(one, "jobs", &ticket)],
        // Its key in the table is another's by then.
        1 => vec![
            revoke(one, "jobs", &ticket),
            issue(two, "jobs", "x"),
            issue(one, "jobs", &ticket),
            revoke(two, "jobs", "x"),
        ],
        2 => vec![issue(two, "jobs", &ticket)],
        3 => vec![issue(two, "jobs", &ticket), issue(one, "jobs", &ticket)],
        _ => vec![claim(two, "jobs", &ticket), release(two, "jobs", &ticket)],
    };
    for command in &commands {
        // What is gone cannot be revoked or claimed.
        let _ = machine.apply(command, &mut Vec::new());
    }
    machine.check();
    ticket
}

#[test]
fn what_stays_is_seen_once_whatever_else_comes_and_goes() {
    for seed in 0..8 {
        let mut rng = Rng::new(seed);
        let mut machine = full();
        let (mut issued, mut tickets) = (Vec::new(), Vec::new());
        let (mut of_session, mut of_resource) = (Scan::default(), Scan::default());
        let mut changed: BTreeMap<String, ()> = BTreeMap::new();
        while !(of_session.done && of_resource.done) {
            if !of_session.done {
                slice(&mut issued, machine.issued_slice(&session(1), &mut of_session));
            }
            if !of_resource.done {
                slice(&mut tickets, machine.tickets_slice("jobs", &mut of_resource));
            }
            for _ in 0..30 {
                changed.insert(change(&mut machine, &mut rng), ());
            }
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, TicketView { ticket, .. }) in &issued {
            *seen.entry(ticket.as_str()).or_default() += 1;
        }
        assert!(seen.values().all(|&times| times == 1), "seed {seed}: seen twice");
        let mut of_resource: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, _) in &tickets {
            *of_resource.entry(name.as_str()).or_default() += 1;
        }
        for number in 0..MANY {
            let name = ticket(number);
            if !changed.contains_key(&name) {
                assert_eq!(seen.get(&*name), Some(&1), "seed {seed}: {name}");
                assert_eq!(of_resource.get(&*name), Some(&1), "seed {seed}: {name}");
            }
        }
        assert!(!changed.is_empty());
    }
}

#[test]
fn a_ticket_whose_issuer_issues_it_again_has_stayed() {
    let mut machine = full();
    let (mut issued, mut scan) = (Vec::new(), Scan::default());
    slice(&mut issued, machine.issued_states_slice(&session(1), &mut scan));
    for number in [0, MANY - 1] {
        apply(&mut machine, &issue(session(1), "jobs", &ticket(number)));
    }
    while !scan.done {
        slice(&mut issued, machine.issued_states_slice(&session(1), &mut scan));
    }
    let names: Vec<_> = issued.iter().map(|(_, IssuedState { ticket, .. })| ticket).collect();
    let all: Vec<_> = (0..MANY).map(|number| name(&ticket(number))).collect();
    assert_eq!(names, all.iter().collect::<Vec<_>>());
}

#[test]
fn the_key_of_a_session_that_ended_is_not_taken_for_it() {
    let mut machine = full();
    let mut scan = Scan::default();
    assert!(machine.issued_slice(&session(1), &mut scan).is_some());
    apply(&mut machine, &Command::Close { session: session(1), by_other: false });
    // It has the former's key, and its tickets have the keys of the former's.
    apply(&mut machine, &open(3));
    for number in 0..MANY {
        apply(&mut machine, &issue(session(3), "jobs", &ticket(number)));
    }
    assert_eq!(machine.issued_slice(&session(1), &mut scan), None);
    let mut scan = Scan::default();
    assert!(machine.tickets_slice("jobs", &mut scan).is_some());
    apply(&mut machine, &Command::Close { session: session(3), by_other: false });
    let up_to = machine.emptied_mark();
    while apply(&mut machine, &Command::Forget { up_to }) == (Reply::Forgotten { more: true }) {}
    apply(&mut machine, &issue(session(2), "other", "t1"));
    assert_eq!(machine.tickets_slice("jobs", &mut scan), None);
}

#[test]
fn claims_are_seen_once_though_one_is_released_and_claimed_again() {
    let mut machine = full();
    for number in 0..MANY {
        apply(&mut machine, &claim(session(2), "jobs", &ticket(number)));
    }
    let (mut seen, mut scan): (Vec<(Fence, TicketView)>, _) = (Vec::new(), Scan::default());
    slice(&mut seen, machine.claims_slice(&session(2), &mut scan));
    // One that was seen comes behind, and the one to go on behind goes.
    for number in [3, SLICE_MAX - 1] {
        apply(&mut machine, &release(session(2), "jobs", &ticket(number)));
        apply(&mut machine, &claim(session(2), "jobs", &ticket(number)));
    }
    while !scan.done {
        slice(&mut seen, machine.claims_slice(&session(2), &mut scan));
    }
    let mut names: Vec<_> = seen.iter().map(|(_, view)| view.ticket.clone()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), seen.len()), (MANY, MANY));
}

fn driver() -> (Driver, Vec<SessionId>) {
    let driver = Driver::gated(500);
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let mut opening = Box::pin(driver.open(new_session("", 60_000), None));
        assert!((&mut opening).now_or_never().is_none());
        driver.make_durable();
        sessions.push(opening.now_or_never().expect("is durable").expect("is opened"));
    }
    (driver, sessions)
}

/// Asks for it, which is applied by that, but not answered.
fn begin(driver: &Driver, command: Command) -> impl Future<Output = Result<Answer, Unavailable>> {
    let (Command::Issue { session, .. }
    | Command::Claim { session, .. }
    | Command::Lock { session, .. }
    | Command::Close { session, by_other: false }) = command
    else {
        panic!("nobody asks for {command:?}")
    };
    let mut pending = Box::pin(driver.request(session, command));
    assert!((&mut pending).now_or_never().is_none());
    pending
}

/// The same, and it is answered.
fn tell(driver: &Driver, command: Command) {
    let pending = begin(driver, command);
    driver.make_durable();
    let answer = pending.now_or_never().expect("is durable").expect("the server is there");
    assert!(answer.reply.is_ok());
    answer.hand_over();
}

async fn view(driver: &Driver, id: SessionId) -> Option<Seen<SessionView>> {
    driver.view(&id).await.expect("the server is there")
}

#[tokio::test]
async fn what_is_gathered_is_what_one_look_would_have_seen() {
    let (driver, sessions) = driver();
    let [one, two] = sessions[..] else { panic!("two sessions") };
    for number in 0..MANY {
        tell(&driver, issue(one, "jobs", &ticket(MANY - number)));
        if number % 3 == 0 {
            tell(&driver, claim(two, "jobs", &ticket(MANY - number)));
        }
    }
    tell(&driver, issue(two, "jobs", &ticket(7)));
    for lock in ["b", "a"] {
        let (session, resource) = (two, name(lock));
        tell(
            &driver,
            Command::Lock { session, resource, wait_request: None, ask: LockAsk::default() },
        );
    }
    driver.make_durable();
    for id in sessions {
        assert!(matches!(view(&driver, id).await, Some(Seen::Large)));
        let gathered = id.gather(&driver).await.expect("the server is there");
        let seen = driver.query(|machine| machine.session_view(&id)).await;
        let gathered = gathered.map(|(view, _)| view);
        assert_eq!(gathered, seen.expect("the server is there"));
    }
    let jobs = name("jobs");
    let gathered = jobs.gather(&driver).await.expect("the server is there").expect("is known");
    let seen = driver.query(|machine| machine.resource_view("jobs")).await;
    let mut seen = seen.expect("the server is there").expect("is known");
    seen.tickets.sort_by(|a, b| a.ticket.cmp(&b.ticket));
    assert_eq!(gathered, (seen, Lefts::default()));
}

/// The first session has issued many tickets.
fn issued() -> (Driver, Vec<SessionId>) {
    let (driver, sessions) = driver();
    for number in 0..MANY {
        tell(&driver, issue(sessions[0], "jobs", &ticket(number)));
    }
    driver.make_durable();
    (driver, sessions)
}

#[tokio::test]
async fn who_ends_while_it_is_gathered_is_not_there() {
    let (driver, sessions) = issued();
    let mut gathering = Box::pin(sessions[0].gather(&driver));
    assert!((&mut gathering).now_or_never().is_none(), "it was seen in one look");
    let closing = begin(&driver, Command::Close { session: sessions[0], by_other: false });
    // Nor is that told before it is durable.
    for _ in 0..10 {
        assert!((&mut gathering).now_or_never().is_none(), "it was told before it was durable");
    }
    driver.make_durable();
    assert_eq!(gathering.await.expect("the server is there"), None);
    assert!(closing.await.is_ok());
    assert!(view(&driver, sessions[0]).await.is_none());
}

#[tokio::test]
async fn nothing_gathered_is_told_before_it_is_durable() {
    let (driver, sessions) = issued();
    let mut gathering = Box::pin(sessions[0].gather(&driver));
    assert!((&mut gathering).now_or_never().is_none(), "it was seen in one look");
    let claiming = begin(&driver, claim(sessions[1], "jobs", &ticket(MANY - 1)));
    for _ in 0..10 {
        assert!((&mut gathering).now_or_never().is_none(), "it was told before it was durable");
    }
    driver.make_durable();
    let (view, _) = gathering.await.expect("the server is there").expect("is there");
    assert!(view.issued.last().is_some_and(|last| last.claim.is_some()));
    assert_eq!(view.issued.len(), MANY);
    assert!(claiming.await.is_ok());
}
