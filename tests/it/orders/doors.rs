//! What the driver's doors promise over a log that orders first.

use std::time::Duration;

use futures::FutureExt;
use ticketd::driver::{
    Answered, Asked, Connection, Cycle, Ending, Message, Next, RequestMark, Unavailable,
};
use ticketd::log::LogFailure;
use ticketd::log::testing::MemoryLog;
use ticketd::machine::{
    Command, Grant, LockAsk, Machine, Name, Party, Reply, SessionId, WaitRequest,
};

use crate::support::new_session;

use super::side::{Ordering, Side};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn lock(session: SessionId, resource: &str) -> Command {
    Command::Lock { session, resource: name(resource), wait_request: None, ask: LockAsk::default() }
}

fn waiting(session: SessionId) -> impl FnOnce(WaitRequest) -> Command {
    move |wait| Command::Lock {
        session,
        resource: name("db"),
        wait_request: Some(wait),
        ask: LockAsk::default(),
    }
}

fn side() -> (MemoryLog, Side<Ordering>) {
    let log = MemoryLog::default();
    (log.clone(), Side::ordered_over(log))
}

impl Side<Ordering> {
    fn open(&mut self, who: &str) -> SessionId {
        let driver = self.driver.clone();
        let new = new_session(who, 1000);
        let opening = async move { driver.open(new, None).await };
        self.now(opening).expect("it works")
    }

    fn connect(&mut self, who: &str) -> Connection {
        self.driver.connect(Some(0), new_session(who, 1000), None).expect("it works")
    }

    fn holder(&mut self) -> Option<SessionId> {
        let driver = self.driver.clone();
        let look = |machine: &Machine| {
            let holders = machine.resource_view("db")?.holders;
            holders.into_iter().find_map(|(party, _)| match party {
                Party::Here(holder) => Some(holder.id),
                Party::Gone(_) => None,
            })
        };
        self.now(async move { driver.query(look).await }).expect("it works")
    }
}

fn told(socket: &Connection) -> Vec<Next> {
    let mut all = Vec::new();
    while let Some(next) = socket.outbox().try_next() {
        let is_end = matches!(next, Next::End(_));
        all.push(next);
        if is_end {
            break;
        }
    }
    all
}

/// Who looks sees what was asked before, and sees it only when it is ordered.
#[tokio::test(start_paused = true)]
async fn a_look_waits_for_what_was_asked_before() {
    let (_, mut side) = side();
    let session = side.open("a");
    let driver = side.driver.clone();
    let mut asked = Box::pin(driver.request(session, lock(session, "db")));
    assert!(asked.as_mut().now_or_never().is_none(), "nothing is applied before it is ordered");
    let look = |machine: &Machine| machine.counts().locks;
    let mut looked = Box::pin(driver.query(look));
    assert!(looked.as_mut().now_or_never().is_none(), "it would look at what is old");
    side.write();
    assert_eq!(looked.now_or_never(), Some(Ok(1)));
    let answer = asked.now_or_never().expect("was ordered").expect("it works");
    answer.hand_over();
    assert!(matches!(answer.reply, Ok(Reply::Granted { fresh: true, .. })));
}

/// What a client no longer wants when the batch is made is not carried out.
#[tokio::test(start_paused = true)]
async fn who_hangs_up_before_the_batch_is_left_out() {
    let (log, mut side) = side();
    let session = side.open("a");
    let before = log.commands().expect("are commands").len();
    let driver = side.driver.clone();
    let mut asked = Box::pin(driver.request(session, lock(session, "db")));
    assert!(asked.as_mut().now_or_never().is_none());
    drop(asked);
    side.write();
    assert_eq!(log.commands().expect("are commands").len(), before);
    assert_eq!(side.holder(), None);
}

/// A client hangs up while its command is on its way to the log, which then grants, or when the
/// grant has come and it has not looked: nobody knows of the grant, so it is taken back.
#[tokio::test(start_paused = true)]
async fn a_grant_to_one_who_hung_up_is_taken_back() {
    let (log, mut side) = side();
    let (a, b) = (side.open("a"), side.open("b"));
    let driver = side.driver.clone();
    for (is_waiting, has_come) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut asked = if is_waiting {
            driver.request_waiting(a, 60_000, waiting(a)).boxed()
        } else {
            driver.request(a, lock(a, "db")).boxed()
        };
        assert!(asked.as_mut().now_or_never().is_none());
        if has_come {
            side.write();
        } else {
            log.fail([LogFailure::Unreachable]);
            assert_eq!(side.writer.cycle(), Ok(Cycle::Full), "it is under way");
        }
        drop(asked);
        side.write();
        assert_eq!(side.holder(), None, "{is_waiting} {has_come}");
    }
    // One who queues is no longer there, either.
    let held = side.now({
        let driver = driver.clone();
        async move { driver.request(b, lock(b, "db")).await }
    });
    held.expect("it works").hand_over();
    let mut asked = driver.request_waiting(a, 60_000, waiting(a)).boxed();
    assert!(asked.as_mut().now_or_never().is_none());
    log.fail([LogFailure::Full]);
    assert_eq!(side.writer.cycle(), Ok(Cycle::Full));
    drop(asked);
    side.write();
    let driver = side.driver.clone();
    let waits = side.now(async move { driver.query(|machine| machine.counts().waits).await });
    assert_eq!(waits, Ok(0));
    assert_eq!(side.holder(), Some(b));
}

/// A socket says hello and goes on at once: it is answered in order, and each answer shows what was
/// asked before it.
#[tokio::test(start_paused = true)]
async fn a_socket_is_answered_in_order() {
    let (_, mut side) = side();
    let socket = side.connect("a");
    let session = socket.session();
    let asked = [
        (Some(1), Asked::Command(lock(session, "db"))),
        (Some(2), Asked::State),
        (Some(3), Asked::Beat),
        (Some(4), Asked::Bad("no".to_owned())),
        (Some(5), Asked::Bye),
    ];
    assert!(socket.ask(asked), "it may speak before it is attached");
    assert!(told(&socket).is_empty(), "nothing is said before it is ordered");
    side.write();
    let all = told(&socket);
    let ids: Vec<_> = all[..5]
        .iter()
        .map(|next| match next {
            Next::Message(Message::Answer(mark, answered)) => (mark.id, answered),
            other => panic!("{other:?}"),
        })
        .collect();
    let [hello, locked, state, beat, bad] = &ids[..] else { panic!("{all:?}") };
    assert!(matches!(hello, (Some(0), Answered::State(state)) if state.session.holds.is_empty()));
    let granted = |reply: &Reply| matches!(reply, Reply::Granted { grant: Grant::Lock(_), .. });
    assert!(matches!(locked, (Some(1), Answered::Reply(Ok(reply))) if granted(reply)));
    assert!(matches!(state, (Some(2), Answered::State(state)) if state.session.holds.len() == 1));
    assert!(matches!(beat, (Some(3), Answered::Beat(1000))));
    assert!(matches!(bad, (Some(4), Answered::Bad(_))));
    assert_eq!(side.holder(), None, "the session has ended");
}

/// What a socket asked and was not ordered yet is void when another speaks for its session.
#[tokio::test(start_paused = true)]
async fn a_replaced_socket_is_not_heard() {
    let (_, mut side) = side();
    let older = side.connect("a");
    side.write();
    older.opened();
    let session = older.session();
    let driver = side.driver.clone();
    let mut again = Box::pin(async move { driver.reconnect(Some(1), session, None, None).await });
    assert!(again.as_mut().now_or_never().is_none(), "the look is behind what was asked");
    side.write();
    let newer = again.now_or_never().expect("was ordered").expect("it lives");
    // It is queued behind the attachment of the newer one, which has not had its turn.
    assert!(older.ask([(Some(2), Asked::Command(lock(session, "db")))]));
    side.write();
    assert_eq!(side.holder(), None);
    assert!(matches!(told(&older)[..], [.., Next::End(Ending::Replaced)]));
    assert!(newer.ask([(Some(2), Asked::Command(lock(session, "db")))]));
    side.write();
    assert_eq!(side.holder(), Some(session));
}

/// A slow log ends nobody who was heard meanwhile, and who was not falls due behind it.
#[tokio::test(start_paused = true)]
async fn what_waits_for_the_log_is_heard() {
    let (log, mut side) = side();
    let (a, b) = (side.open("a"), side.open("b"));
    let driver = side.driver.clone();
    let mut one = Box::pin(driver.request(a, lock(a, "one")));
    assert!(one.as_mut().now_or_never().is_none());
    log.fail([LogFailure::Unreachable]);
    assert_eq!(side.writer.cycle(), Ok(Cycle::Full));
    tokio::time::advance(Duration::from_millis(10)).await;
    assert_eq!(side.writer.cycle(), Ok(Cycle::Wrote));
    one.now_or_never().expect("was ordered").expect("it works").hand_over();
    let mut asked = Box::pin(driver.request(a, lock(a, "db")));
    assert!(asked.as_mut().now_or_never().is_none());
    for _ in 0..60 {
        tokio::time::advance(Duration::from_millis(20)).await;
        drop(side.driver.status());
    }
    side.write();
    asked.now_or_never().expect("was ordered").expect("it works").hand_over();
    assert_eq!(side.holder(), Some(a));
    let known = |machine: &Machine| (machine.has_session(&a), machine.has_session(&b));
    let driver = side.driver.clone();
    let looked = side.now(async move { driver.query(known).await });
    assert_eq!(looked, Ok((true, false)));
}

/// When the log is broken nobody waits for ever.
#[tokio::test(start_paused = true)]
async fn a_broken_log_is_told_to_all() {
    let (log, mut side) = side();
    let session = side.open("a");
    let driver = side.driver.clone();
    let mut asked = Box::pin(driver.request(session, lock(session, "db")));
    let mut looked = Box::pin(driver.query(|machine| machine.counts().locks));
    assert!(asked.as_mut().now_or_never().is_none());
    assert!(looked.as_mut().now_or_never().is_none());
    let socket = side.connect("b");
    log.fail([LogFailure::Overtaken]);
    assert_eq!(side.writer.cycle(), Err(LogFailure::Overtaken));
    let asked = asked.now_or_never().expect("is told");
    assert_eq!(asked.map(drop), Err(Unavailable::Failed));
    assert_eq!(looked.now_or_never(), Some(Err(Unavailable::Failed)));
    let told = told(&socket);
    let [Next::Message(Message::Answer(RequestMark { id: Some(0), .. }, answered)), rest @ ..] =
        &told[..]
    else {
        panic!("its hello is not answered: {told:?}")
    };
    assert!(matches!(answered, Answered::Unavailable(Unavailable::Failed)), "{answered:?}");
    let [Next::Message(Message::GoingAway(0)), Next::End(Ending::GoingAway)] = rest else {
        panic!("{rest:?}")
    };
}
