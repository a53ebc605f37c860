//! A client times out and asks again, in the moment in which its first request is given up. What it
//! is told by the second holds: once the first was confirmed it is not undone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;

use ticketd::driver::Driver;
use ticketd::machine::{Command, LockAsk, Name, Reply, SessionId};

use crate::support::new_session;

/// Before the bug was mended one of some thousand went wrong.
const TRIES: u32 = 10_000;

async fn open(driver: &Driver, name: &str) -> SessionId {
    driver.open(new_session(name, 600_000), None).await.expect("is open")
}

async fn ask(driver: &Driver, session: SessionId, command: Command) -> Reply {
    let answer = driver.request(session, command).await.expect("is kept");
    answer.hand_over();
    answer.reply.clone().expect("is carried out")
}

/// Once two sessions had the lock: the share of the first answer was taken apart before the lock
/// was had, so that whoever confirmed the grant in between found nothing to tell.
#[test]
fn what_was_confirmed_is_not_undone() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let driver = Driver::gated(500);
    let stop = Arc::new(AtomicBool::new(false));
    let disk = thread::spawn({
        let (driver, stop) = (driver.clone(), stop.clone());
        let inside = runtime.handle().clone();
        move || {
            let _inside = inside.enter();
            while !stop.load(Ordering::Relaxed) {
                driver.make_durable();
                thread::yield_now();
            }
        }
    });
    let one = runtime.block_on(open(&driver, "one"));
    let two = runtime.block_on(open(&driver, "two"));
    let resource = Name::parse("db").expect("a name");
    let lock = |session| Command::Lock {
        session,
        resource: resource.clone(),
        wait_request: None,
        ask: LockAsk::default(),
    };
    let unlock = |session| {
        let resource = resource.clone();
        Command::Unlock { session, resource, fence: None, by_socket: true }
    };
    for _ in 0..TRIES {
        let mut first = Box::pin(driver.request(one, lock(one)));
        let polled = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if matches!(polled, Poll::Ready(_)) {
            continue;
        }
        let start = Arc::new(Barrier::new(2));
        let second = thread::spawn({
            let (driver, start, again) = (driver.clone(), start.clone(), lock(one));
            let inside = runtime.handle().clone();
            move || {
                start.wait();
                inside.block_on(ask(&driver, one, again))
            }
        });
        start.wait();
        drop(first);
        let told = second.join().expect("no panic");
        assert!(matches!(told, Reply::Granted { .. }), "{told:?}");
        let other = runtime.block_on(ask(&driver, two, lock(two)));
        assert_eq!(other, Reply::NotGranted, "the other was told {told:?}");
        runtime.block_on(ask(&driver, one, unlock(one)));
    }
    stop.store(true, Ordering::Relaxed);
    disk.join().expect("no panic");
}
