//! What is told of places in queues, of holders, and to streams.

use ticketd::driver::{ChangeEvent, NotFollowed, ResourceStream, WatchedHolders};
use ticketd::machine::{Figures, Kind, Mode};

use super::*;

fn following(socket: &Connection) -> String {
    let wait = lock_waiting(socket.session(), WaitTimeout::Session);
    ask(socket, Asked::Following(wait))
}

/// The first place that a socket has.
async fn wait_of(driver: &Driver, socket: &Connection) -> WaitId {
    let session = socket.session();
    let state = query(driver, |machine| machine.state(&session)).await;
    state.expect("it lives").waits[0].wait
}

async fn cancel(driver: &Driver, socket: &Connection) {
    let wait = wait_of(driver, socket).await;
    command(socket, Command::Cancel { session: socket.session(), wait });
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_it_is_told_how_its_wait_moves_once_a_second_and_the_latest_only() {
    let driver = driver();
    let holder = connect(&driver, "holder");
    command(&holder, lock(holder.session()));
    let others: Vec<_> = (0..5).map(|n| connect(&driver, &format!("w{n}"))).collect();
    for other in &others {
        command(other, lock_waiting(other.session(), WaitTimeout::Session));
    }
    let last = connect(&driver, "last");
    assert_eq!(following(&last), "place 6");
    sleep(5000).await;
    assert!(heard(&last).is_empty(), "nobody left");
    cancel(&driver, &others[0]).await;
    pass(1).await;
    assert_eq!(heard(&last), ["moved to 5"]);
    cancel(&driver, &others[1]).await;
    sleep(500).await;
    cancel(&driver, &others[2]).await;
    sleep(480).await;
    assert!(heard(&last).is_empty(), "once a second");
    pass(20).await;
    assert_eq!(heard(&last), ["moved to 3"]);
    // A slow reader is told the latest.
    cancel(&driver, &others[3]).await;
    sleep(1100).await;
    cancel(&driver, &others[4]).await;
    sleep(1100).await;
    assert_eq!(heard(&last), ["moved to 1"]);
    command(&holder, unlock(holder.session()));
    sleep(5000).await;
    assert_eq!(heard(&last), ["granted"]);
    assert!(others.iter().all(|other| heard(other).is_empty()), "they did not ask for it");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_told_of_a_wait_is_dropped_when_it_ends() {
    let driver = driver();
    let (holder, first, last) =
        (connect(&driver, "holder"), connect(&driver, "first"), connect(&driver, "last"));
    command(&holder, lock(holder.session()));
    command(&first, lock_waiting(first.session(), WaitTimeout::Session));
    following(&last);
    cancel(&driver, &first).await;
    pass(1).await;
    command(&holder, unlock(holder.session()));
    assert_eq!(heard(&last), ["granted"]);
}

/// Requests stand in the same queue.
#[tokio::test(start_paused = true)]
async fn who_waits_behind_a_request_is_told_when_that_leaves() {
    let driver = driver();
    let (holder, last) = (connect(&driver, "holder"), connect(&driver, "last"));
    command(&holder, lock(holder.session()));
    let asks = driver.open(new_session("asks", 86_400_000), None).await.expect("it works");
    let waiting = driver.request_waiting(asks, 60_000, |wish| {
        let (session, resource, ask) = (asks, name("db"), LockAsk::default());
        Command::Lock { session, resource, wait_request: Some(wish), ask }
    });
    let mut waiting = Box::pin(waiting);
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!(following(&last), "place 2");
    drop(waiting);
    pass(1).await;
    assert_eq!(heard(&last), ["moved to 1"]);
}

/// What a watcher is told of a lock: its figures, and the data of those who hold it.
type Told = (u32, Option<Vec<Vec<u8>>>);

fn changes(socket: &Connection) -> Vec<Told> {
    let mut all = Vec::new();
    while let Some(next) = socket.outbox().try_next() {
        if let Next::Message(Message::Change(ChangeEvent::Changed, _, figures, holders)) = next {
            all.push((figures.held, holders.map(|it| values(&it))));
        }
    }
    all
}

fn values(holders: &WatchedHolders) -> Vec<Vec<u8>> {
    let value = |data: &Option<Data>| data.as_ref().map_or(vec![], |data| data.as_bytes().into());
    holders.holders.iter().map(|holder| value(&holder.data)).collect()
}

fn with_value(session: SessionId, value: &[u8], mode: Mode) -> Command {
    lock_as(session, LockAsk { data: Data::new(value), mode, ..LockAsk::default() })
}

#[tokio::test(start_paused = true)]
async fn who_watches_each_change_of_a_lock_is_told_who_holds_it_and_what_that_makes_known() {
    let driver = driver();
    let (leader, watcher) = (connect(&driver, "leader"), connect(&driver, "watcher"));
    let (session, resource) = (watcher.session(), name("db"));
    let watch = |changes| Command::Watch { session, resource: resource.clone(), changes };
    let watching = command(&watcher, watch(true));
    assert!(watching.contains("holders: []"), "nobody leads: {watching}");
    let exclusive = Mode::Exclusive;
    command(&leader, with_value(leader.session(), b"here", exclusive));
    assert_eq!(changes(&watcher), [(1, Some(vec![b"here".to_vec()]))]);
    command(&leader, with_value(leader.session(), b"there", exclusive));
    assert_eq!(changes(&watcher), [(1, Some(vec![b"there".to_vec()]))]);
    assert_eq!(command(&leader, lock(leader.session())), "confirmed");
    assert!(changes(&watcher).is_empty(), "nothing changed");
    command(&leader, with_value(leader.session(), b"1", exclusive));
    command(&leader, with_value(leader.session(), b"2", exclusive));
    assert_eq!(changes(&watcher), [(1, Some(vec![b"2".to_vec()]))], "the latest only");
    command(&leader, unlock(leader.session()));
    assert_eq!(changes(&watcher), [(0, Some(vec![]))]);
    command(&watcher, watch(false));
    command(&leader, with_value(leader.session(), b"3", exclusive));
    assert!(changes(&watcher).is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_many_holders_some_are_told_and_that_there_are_more() {
    let driver = driver();
    let watcher = connect(&driver, "watcher");
    let readers: Vec<_> = (0..17).map(|n| connect(&driver, &format!("r{n}"))).collect();
    let shown = async |count: usize, value: &[u8]| {
        for reader in &readers[..count] {
            command(reader, with_value(reader.session(), value, Mode::Shared));
        }
        let mut stream = driver.follow(&name("db")).await.expect("there is room");
        let (_, holders) = stream.next().await.expect("the server is there");
        holders.map(|it| (it.holders.len(), it.more))
    };
    assert_eq!(shown(16, b"").await, Some((16, false)));
    assert_eq!(shown(17, b"").await, Some((16, true)));
    assert_eq!(shown(17, &[b'x'; 1024]).await, Some((15, true)), "no more than 16 KiB");
    let state = {
        let (session, resource) = (watcher.session(), name("db"));
        command(&watcher, Command::Watch { session, resource, changes: true });
        heard(&watcher);
        assert!(watcher.ask([(Some(1), Asked::State)]));
        watcher.outbox().try_next()
    };
    match state {
        Some(Next::Message(Message::Answer(_, Answered::State(state)))) => {
            let holders = state.holders[0].as_ref().expect("it is a lock");
            assert!(holders.holders.len() == 15 && holders.more);
        }
        other => panic!("{other:?}"),
    }
}

/// What a stream tells now, if there is anything.
fn streamed(stream: &mut ResourceStream) -> Option<(Figures, Option<Vec<Vec<u8>>>)> {
    let (figures, holders) = stream.next().now_or_never()?.expect("the server is there");
    Some((figures, holders.map(|it| values(&it))))
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_how_a_resource_stands_and_then_the_latest() {
    let driver = driver();
    let worker = connect(&driver, "w");
    let mut stream = driver.follow(&name("db")).await.expect("there is room");
    assert_eq!(streamed(&mut stream), Some((Figures::default(), Some(vec![]))));
    sleep(1000).await;
    assert_eq!(streamed(&mut stream), None, "nothing has changed");
    command(&worker, with_value(worker.session(), b"a", Mode::Exclusive));
    sleep(20).await;
    let held = Figures { kind: Some(Kind::Lock), held: 1, ..Figures::default() };
    assert_eq!(streamed(&mut stream), Some((held, Some(vec![b"a".to_vec()]))));
    command(&worker, with_value(worker.session(), b"b", Mode::Exclusive));
    sleep(20).await;
    command(&worker, with_value(worker.session(), b"c", Mode::Exclusive));
    sleep(20).await;
    assert_eq!(streamed(&mut stream), Some((held, Some(vec![b"c".to_vec()]))), "it reads slowly");
    assert_eq!(streamed(&mut stream), None);
    // The end of a session is no command on a resource.
    let bye = Command::Close { session: worker.session(), by_other: false };
    command(&worker, bye);
    sleep(20).await;
    assert_eq!(streamed(&mut stream), Some((Figures::default(), Some(vec![]))));
    driver.dismiss_sockets(0);
    assert!(stream.next().await.is_none(), "it ends at a stop");
}

#[tokio::test(start_paused = true)]
async fn there_are_a_thousand_streams_at_most() {
    let driver = driver();
    let mut streams = Vec::new();
    for n in 0..1000 {
        streams.push(driver.follow(&name(&format!("r{}", n % 7))).await.expect("there is room"));
    }
    let refused = driver.follow(&name("db")).await;
    assert!(matches!(refused, Err(NotFollowed::TooMany)));
    streams.pop();
    assert!(driver.follow(&name("db")).await.is_ok());
}
