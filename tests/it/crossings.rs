//! What crosses: grants, hang-ups, ends of time and slow syncs, at the driver, in virtual time.
//!
//! The driver here is gated: nothing is durable before the story says so. Futures are polled by
//! hand, so that a client can hang up (its future is dropped) at any point.

mod many;
mod time;

use std::pin::Pin;

use futures::FutureExt;
use ticketd::driver::{Answer, Driver, Unavailable};
use ticketd::machine::{
    Command, Counts, Data, Fence, Grant, LockAsk, Name, Refusal, Reply, SessionId, TicketTerms,
    WaitRequest,
};
use tokio::sync::oneshot;

use crate::support::new_session;

/// Something under way.
type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Begins it: it is applied, but not answered.
fn begun<'a, T>(what: impl Future<Output = Result<T, Unavailable>> + Send + 'a) -> Pending<'a, T> {
    let mut pending: Pending<'a, T> = Box::pin(what);
    assert!((&mut pending).now_or_never().is_none(), "it was answered at once");
    pending
}

/// Whether it is still not answered.
fn waits<T>(pending: &mut Pending<'_, T>) -> bool {
    pending.now_or_never().is_none()
}

/// Its answer, which must be there.
fn answered<T>(mut pending: Pending<'_, T>) -> T {
    let answer = (&mut pending).now_or_never().expect("it is not answered");
    answer.expect("the server is there")
}

/// Lets a command be answered, after everything so far became durable.
fn settled<T>(driver: &Driver, what: impl Future<Output = Result<T, Unavailable>> + Send) -> T {
    let pending = begun(what);
    driver.make_durable();
    answered(pending)
}

fn opening(driver: &Driver, ttl_ms: i64) -> impl Future<Output = Result<SessionId, Unavailable>> {
    driver.open(new_session("", ttl_ms), None)
}

fn open(driver: &Driver, ttl_ms: i64) -> SessionId {
    settled(driver, opening(driver, ttl_ms))
}

fn lock(session: SessionId) -> Command {
    Command::Lock { session, resource: name("db"), wait_request: None, ask: LockAsk::default() }
}

fn lock_waiting(session: SessionId) -> impl FnOnce(WaitRequest) -> Command {
    move |wait_request| Command::Lock {
        session,
        resource: name("db"),
        wait_request: Some(wait_request),
        ask: LockAsk::default(),
    }
}

fn unlock(session: SessionId) -> Command {
    Command::Unlock { session, resource: name("db"), fence: None, by_socket: false }
}

fn claim_waiting(session: SessionId) -> impl FnOnce(WaitRequest) -> Command {
    let resource = name("work");
    move |wait_request| Command::Claim {
        session,
        resource,
        ticket: None,
        wait_request: Some(wait_request),
        again: true,
        hold_ms: None,
    }
}

fn issue(session: SessionId) -> Command {
    let data = Data::new(b"").expect("little data");
    let (resource, ticket) = (name("work"), name("t"));
    Command::Issue { session, resource, ticket, data, notify: false, terms: TicketTerms::default() }
}

/// The fence of what an answer grants; `None` when it does not.
fn fence(answer: &Answer) -> Option<Fence> {
    match &answer.reply {
        Ok(Reply::Granted { grant: Grant::Lock(grant), .. }) => Some(grant.fence),
        Ok(Reply::Granted { grant: Grant::Ticket(grant), .. }) => Some(grant.fence),
        Ok(Reply::NotGranted) => None,
        reply => panic!("{reply:?}"),
    }
}

/// An answer that reached its client.
fn handed_over(answer: &Answer) -> Option<Fence> {
    answer.hand_over();
    fence(answer)
}

fn counts(driver: &Driver) -> Counts {
    driver.status().counts
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_it_is_durable_not_even_a_refusal() {
    let driver = Driver::gated(500);
    let session = open(&driver, 60_000);
    let nobody = SessionId([7; 20]);
    let mut granted = begun(driver.request(session, lock(session)));
    // These change nothing, and yet they tell of what came before.
    let mut confirmed = begun(driver.request(session, lock(session)));
    let mut refused = begun(driver.request(nobody, lock(nobody)));
    let mut not_there = begun(driver.request(session, unlock_other(session)));
    let mut waiting = begun(driver.request_waiting(session, 1000, lock_waiting(session)));
    let mut seen = begun(driver.query(|machine| machine.counts().locks));
    let mut unknown = begun(driver.refresh(&nobody));
    let mut opened = begun(opening(&driver, 1000));
    assert_eq!(driver.refresh(&session).now_or_never(), Some(Ok(true)), "a refresh is exempt");
    assert!(waits(&mut granted) && waits(&mut confirmed) && waits(&mut refused));
    assert!(waits(&mut not_there) && waits(&mut waiting) && waits(&mut seen));
    assert!(waits(&mut unknown) && waits(&mut opened));

    driver.make_durable();
    let first = handed_over(&answered(granted));
    assert!(first.is_some());
    assert_eq!(handed_over(&answered(confirmed)), first);
    assert_eq!(handed_over(&answered(waiting)), first);
    assert_eq!(answered(refused).reply, Err(Refusal::SessionNotFound));
    assert_eq!(answered(not_there).reply, Err(Refusal::ResourceNotFound));
    assert_eq!(answered(seen), 1);
    assert!(!answered(unknown));
    answered(opened);
}

fn unlock_other(session: SessionId) -> Command {
    Command::Unlock { session, resource: name("other"), fence: None, by_socket: false }
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_no_more_than_came_before_it() {
    let driver = Driver::gated(500);
    let session = open(&driver, 60_000);
    let early = begun(driver.request(session, lock(session)));
    driver.make_durable();
    let mut late = begun(driver.request(session, issue(session)));
    assert!(handed_over(&answered(early)).is_some());
    assert!(waits(&mut late));
    driver.make_durable();
    assert_eq!(answered(late).reply, Ok(Reply::Done));
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_client_hung_up_before_it_was_durable_passes_on() {
    let driver = Driver::gated(500);
    let (one, two, three) = (open(&driver, 60_000), open(&driver, 60_000), open(&driver, 60_000));
    let first = handed_over(&settled(&driver, driver.request(one, lock(one))));
    let gone = begun(driver.request_waiting(two, 30_000, lock_waiting(two)));
    let next = begun(driver.request_waiting(three, 30_000, lock_waiting(three)));
    let unlocked = begun(driver.request(one, unlock(one)));
    // The lock is granted to the second, whose client goes before it is told.
    drop(gone);
    driver.make_durable();
    assert_eq!(answered(unlocked).reply, Ok(Reply::Done));
    let third = handed_over(&answered(next));
    assert!(third > first);
    assert_eq!((counts(&driver).locks, counts(&driver).waits), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_client_hung_up_while_it_was_synced_passes_on() {
    let driver = Driver::gated(500);
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    // Granted at once, but not yet told.
    let gone = begun(driver.request(one, lock(one)));
    let mut next = begun(driver.request_waiting(two, 30_000, lock_waiting(two)));
    drop(gone);
    assert!(waits(&mut next), "that it passed on is not durable");
    driver.make_durable();
    assert!(handed_over(&answered(next)).is_some());
    assert_eq!((counts(&driver).locks, counts(&driver).waits), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_ticket_whose_claimant_hung_up_before_it_was_told_passes_on() {
    let driver = Driver::gated(500);
    let (issuer, two, three) =
        (open(&driver, 60_000), open(&driver, 60_000), open(&driver, 60_000));
    let gone = begun(driver.request_waiting(two, 30_000, claim_waiting(two)));
    let mut next = begun(driver.request_waiting(three, 30_000, claim_waiting(three)));
    settled(&driver, driver.request(issuer, issue(issuer)));
    assert!(waits(&mut next), "it is the other's");
    // The answer is ready, but nobody fetches it.
    drop(gone);
    assert!(waits(&mut next), "that it passed on is not durable");
    driver.make_durable();
    assert!(handed_over(&answered(next)).is_some());
    assert_eq!((counts(&driver).claims, counts(&driver).waits), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_dropped_unsaid_is_undone_and_one_handed_over_stands() {
    let driver = Driver::gated(500);
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    let unsaid = settled(&driver, driver.request(one, lock(one)));
    let first = fence(&unsaid);
    drop(unsaid);
    assert_eq!(counts(&driver).locks, 0);
    let said = settled(&driver, driver.request(one, lock(one)));
    let second = handed_over(&said);
    assert!(second > first);
    drop(said);
    assert_eq!(fence(&settled(&driver, driver.request(two, lock(two)))), None);
    // Asking again confirms it, and what only confirms undoes nothing.
    let again = settled(&driver, driver.request(one, lock(one)));
    assert_eq!(fence(&again), second);
    drop(again);
    assert_eq!(counts(&driver).locks, 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_requests_for_one_place_it_is_enough_that_one_is_told() {
    for told in [true, false] {
        let driver = Driver::gated(500);
        let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
        handed_over(&settled(&driver, driver.request(one, lock(one))));
        let first = begun(driver.request_waiting(two, 30_000, lock_waiting(two)));
        let second = begun(driver.request_waiting(two, 30_000, lock_waiting(two)));
        settled(&driver, driver.request(one, unlock(one)));
        let (first, second) = (answered(first), answered(second));
        assert_eq!(fence(&first), fence(&second));
        if told {
            first.hand_over();
        }
        drop(first);
        assert_eq!(counts(&driver).locks, 1, "the other may still tell");
        drop(second);
        assert_eq!(counts(&driver).locks, usize::from(told));
    }
}

#[tokio::test(start_paused = true)]
async fn an_undone_grant_does_not_undo_the_one_after_it() {
    let driver = Driver::gated(500);
    let one = open(&driver, 60_000);
    let stale = settled(&driver, driver.request(one, lock(one)));
    settled(&driver, driver.request(one, unlock(one)));
    let fresh = handed_over(&settled(&driver, driver.request(one, lock(one))));
    drop(stale);
    assert_eq!(fence(&settled(&driver, driver.request(one, lock(one)))), fresh);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_behind_its_own_end_is_no_trouble() {
    let driver = Driver::gated(500);
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let gone = begun(driver.request_waiting(two, 30_000, lock_waiting(two)));
    let mut closed = begun(driver.request(two, Command::Close { session: two, by_other: false }));
    assert!(waits(&mut closed));
    drop((gone, closed));
    driver.make_durable();
    assert_eq!((counts(&driver).sessions, counts(&driver).waits), (1, 0));
}

/// A client whose waiting request was granted, but not answered, asks again on another line and is
/// told that it holds the lock. Then the first line is seen to be cut. The grant used to be taken
/// back, behind the back of the one who had been told.
#[tokio::test(start_paused = true)]
async fn a_grant_that_was_confirmed_is_not_taken_back() {
    let driver = Driver::gated(500);
    let (holder, waiter) = (open(&driver, 60_000), open(&driver, 60_000));
    settled(&driver, driver.request(holder, lock(holder))).hand_over();
    let waiting = begun(driver.request_waiting(waiter, 60_000, lock_waiting(waiter)));
    driver.make_durable();
    settled(&driver, driver.request(holder, unlock(holder)));
    let confirmed = settled(&driver, driver.request(waiter, lock(waiter)));
    let told = handed_over(&confirmed);
    assert!(told.is_some());
    drop(waiting);
    let again = settled(&driver, driver.request(waiter, lock(waiter)));
    assert_eq!(handed_over(&again), told);
}

/// A waiting request until its client has closed its side, which it does when told.
fn waiting_until_closed(
    driver: &Driver,
    session: SessionId,
) -> (oneshot::Sender<()>, Pending<'_, Answer>) {
    let (close, closed) = oneshot::channel();
    let gone = move |_| closed.map(|_| ());
    let waiting = driver.request_waiting_unless(session, 30_000, lock_waiting(session), gone);
    (close, begun(waiting))
}

/// Who closes its side while it waits may still read, or may not. So it leaves the queue, and is
/// told so when that is durable.
#[tokio::test(start_paused = true)]
async fn who_closes_its_side_while_it_waits_is_answered_as_if_its_time_were_up() {
    let driver = Driver::gated(500);
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let (close, mut waiting) = waiting_until_closed(&driver, two);
    driver.make_durable();
    assert!(waits(&mut waiting) && counts(&driver).waits == 1);
    close.send(()).expect("it waits");
    assert!(waits(&mut waiting), "that it left is not durable");
    assert_eq!(counts(&driver).waits, 0);
    driver.make_durable();
    assert_eq!(fence(&answered(waiting)), None);
}

/// The same when it was granted, but could not be told: it is told that it was not, and the grant
/// passes on before that is said.
#[tokio::test(start_paused = true)]
async fn who_closes_its_side_before_it_is_told_of_its_grant_has_none() {
    let driver = Driver::gated(500);
    let (one, two, three) = (open(&driver, 60_000), open(&driver, 60_000), open(&driver, 60_000));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let (close, mut waiting) = waiting_until_closed(&driver, two);
    let next = begun(driver.request_waiting(three, 30_000, lock_waiting(three)));
    let _unlocked = begun(driver.request(one, unlock(one)));
    assert!(waits(&mut waiting), "granted, but not durable");
    close.send(()).expect("it waits");
    assert!(waits(&mut waiting), "that it was undone is not durable");
    driver.make_durable();
    assert_eq!(fence(&answered(waiting)), None);
    assert!(handed_over(&answered(next)).is_some());
    assert_eq!((counts(&driver).locks, counts(&driver).waits), (1, 0));
}

/// Only queues are left by closing one's side: what is granted at once is told.
#[tokio::test(start_paused = true)]
async fn who_closed_its_side_and_need_not_wait_is_granted_what_it_asks() {
    let driver = Driver::gated(500);
    let one = open(&driver, 60_000);
    let (close, waiting) = waiting_until_closed(&driver, one);
    let _ = close.send(());
    driver.make_durable();
    assert!(handed_over(&answered(waiting)).is_some());
}
