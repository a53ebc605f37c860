//! What ends by itself, and who is told of it when: holds, lost holds, delays, pauses, progress and
//! streams, at the driver, in virtual time.

mod clock;
mod delays;
mod followed;
mod holds;
mod instants;
mod kept;
mod losses;
mod pauses;
mod restarts;

use std::time::Duration;

use futures::FutureExt;
use ticketd::driver::{
    Answer, Answered, Asked, Connection, Driver, Message, NewSession, Next, Outsider, RequestMark,
};
use ticketd::machine::{
    Command, Conduct, Data, Event, Fence, LockAsk, Machine, Name, Parting, Refusal, Reply,
    SessionId, TicketTerms, WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};

use crate::support::new_session;

const EXPIRE_MS: u32 = 500;
/// How late a timer may be.
const LATE_MS: u64 = 10;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// A driver and its clockwork.
fn driver() -> Driver {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    driver
}

async fn sleep(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Until what is due in so many ms has ended: a timer is late by a ms or two.
async fn pass(ms: u64) {
    sleep(ms + LATE_MS).await;
}

/// A session by socket that beats all the while, so that it does not expire. Its first answer has
/// been read.
fn connect(driver: &Driver, who: &str) -> Connection {
    connect_as(driver, new_session(who, 86_400_000))
}

fn connect_as(driver: &Driver, new: NewSession) -> Connection {
    let socket = driver.connect(Some(0), new, None).expect("it works");
    assert!(socket.outbox().try_next().is_some());
    socket.opened();
    socket
}

/// One whose holds stay for so long when it is lost.
fn lingering(who: &str, ttl_ms: i64, delay_ms: u32) -> NewSession {
    let conduct = Conduct { delay_ms, ..Conduct::default() };
    NewSession { conduct, ..new_session(who, ttl_ms) }
}

/// Asks by a socket, and what that is answered, in short. (What came before is passed over.)
fn ask(socket: &Connection, asked: Asked) -> String {
    heard(socket);
    assert!(socket.ask([(Some(1), asked)]), "it speaks for its session");
    loop {
        match socket.outbox().try_next() {
            Some(Next::Message(Message::Answer(RequestMark { id: Some(1), .. }, answered))) => {
                return short(&answered);
            }
            // What was due before it.
            Some(Next::Message(Message::Event(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn command(socket: &Connection, command: Command) -> String {
    ask(socket, Asked::Command(command))
}

/// What a socket is answered, in short.
fn short(answered: &Answered) -> String {
    match answered {
        Answered::Reply(Ok(reply)) => short_reply(reply),
        Answered::Reply(Err(refusal)) => format!("{refusal:?}"),
        Answered::Confirmed { left_ms, .. } => format!("confirmed, left {left_ms}"),
        other => format!("{other:?}"),
    }
}

fn short_reply(reply: &Reply) -> String {
    match reply {
        Reply::Granted { fresh: true, .. } => "granted".to_owned(),
        Reply::Granted { .. } => "confirmed".to_owned(),
        Reply::Queued { position, .. } => format!("place {position}"),
        other => format!("{other:?}"),
    }
}

/// All that a socket was told, in short.
fn heard(socket: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(Next::Message(message)) = socket.outbox().try_next() {
        all.push(match message {
            Message::ClaimExpiring { ticket, left_ms, .. } => {
                // By as much less as the timer was late.
                let left_ms = u64::from(left_ms).next_multiple_of(LATE_MS);
                format!("{} expiring, left {left_ms}", ticket.as_str())
            }
            Message::WaitMoved { position, .. } => format!("moved to {position}"),
            Message::Event(Event::Granted { .. }) => "granted".to_owned(),
            Message::Event(Event::WaitEnded { .. }) => "wait ended".to_owned(),
            Message::Event(Event::TicketRevoked { ticket, reason, .. }) => {
                format!("{} revoked: {reason:?}", ticket.as_str())
            }
            Message::Event(Event::LockLost { reason, .. }) => format!("lost: {reason:?}"),
            Message::Event(Event::TicketReleased { reason, attempt, dead, .. }) => {
                format!("released: {reason:?}, attempt {attempt}, dead {dead}")
            }
            other => format!("{other:?}"),
        });
    }
    all
}

/// Carries out a command by REST; its answer is handed over.
async fn request(driver: &Driver, session: SessionId, command: Command) -> Result<Reply, Refusal> {
    let answer = driver.request(session, command).await.expect("the server is there");
    answer.hand_over();
    answer.reply.clone()
}

async fn query<T>(driver: &Driver, query: impl FnOnce(&Machine) -> T) -> T {
    driver.query(query).await.expect("the server is there")
}

fn lock_as(session: SessionId, ask: LockAsk) -> Command {
    Command::Lock { session, resource: name("db"), wait_request: None, ask }
}

fn lock(session: SessionId) -> Command {
    lock_as(session, LockAsk::default())
}

fn by_socket(timeout: WaitTimeout) -> Option<WaitRequest> {
    Some(WaitRequest { origin: WaitOrigin::Socket, timeout })
}

/// A lock that a socket waits for.
fn lock_waiting(session: SessionId, timeout: WaitTimeout) -> Command {
    let (resource, ask) = (name("db"), LockAsk::default());
    Command::Lock { session, resource, wait_request: by_socket(timeout), ask }
}

fn unlock(session: SessionId) -> Command {
    Command::Unlock { session, resource: name("db"), fence: None, by_socket: true }
}

fn issue(session: SessionId, ticket: &str, terms: TicketTerms) -> Command {
    let (resource, ticket) = (name("jobs"), name(ticket));
    let data = Data::new(b"").expect("little data");
    Command::Issue { session, resource, ticket, data, notify: false, terms }
}

/// The same; its issuer is told of claims.
fn issue_loudly(session: SessionId, ticket: &str) -> Command {
    let (resource, ticket) = (name("jobs"), name(ticket));
    let (data, terms) = (Data::new(b"").expect("little data"), TicketTerms::default());
    Command::Issue { session, resource, ticket, data, notify: true, terms }
}

fn claim(session: SessionId, hold_ms: Option<u32>) -> Command {
    let resource = name("jobs");
    let (ticket, wait_request, again) = (None, None, false);
    Command::Claim { session, resource, ticket, wait_request, again, hold_ms }
}

/// A claim of whatever ticket, for which a socket waits.
fn claim_waiting(session: SessionId, timeout: WaitTimeout) -> Command {
    let resource = name("jobs");
    let (ticket, wait_request, again, hold_ms) = (None, by_socket(timeout), false, None);
    Command::Claim { session, resource, ticket, wait_request, again, hold_ms }
}

fn touch(session: SessionId, ticket: &str, hold_ms: Option<u32>) -> Command {
    Command::Touch { session, resource: name("jobs"), ticket: name(ticket), fence: None, hold_ms }
}

fn release(session: SessionId, ticket: &str, parting: Parting) -> Command {
    let (resource, ticket, fence) = (name("jobs"), name(ticket), None);
    Command::Release { session, resource, ticket, fence, by_socket: true, parting }
}
