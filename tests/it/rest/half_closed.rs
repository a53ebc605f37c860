//! Clients that have finished sending, and still read: half-closed connections are normal HTTP.

use std::net::SocketAddr;

use ticketd::driver::Driver;
use ticketd::server::{Config, PersistenceConfig, Server};

use crate::support::{Client, Dir, Served, SessionInfo, in_time, until_waits};

/// How many clients do the same.
const CLIENTS: usize = 40;

/// A server that keeps everything, or nothing.
async fn served(dir: Option<&Dir>) -> Served {
    let persistence = dir.map(|dir| PersistenceConfig {
        dir: dir.path().to_owned(),
        ..PersistenceConfig::default()
    });
    Served::with(Config { persistence, ..Config::default() }).await
}

/// Tells a story to a server that keeps nothing, and to one that keeps everything.
async fn with_and_without_a_journal(story: impl AsyncFn(SocketAddr)) {
    for dir in [None, Some(Dir::new())] {
        let server = served(dir.as_ref()).await;
        story(server.address).await;
        server.stop().await;
    }
}

/// Any request, then `shutdown(SHUT_WR)`: of 40 clients 15 to 26 were answered, and none of a
/// server with a journal, which carried half of the requests out all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_finished_sending_is_answered() {
    with_and_without_a_journal(async |address| {
        let one = SessionInfo::open(address, "one").await;
        let mut asked = Vec::new();
        for number in 0..CLIENTS {
            let mut client = one.again().await;
            client.send(&format!("POST /tickets/work?name=t{number}")).await;
            client.finish().await;
            asked.push(client);
        }
        for mut client in asked {
            assert_eq!(client.answer().await.said(), "200 \"Ok\"");
            assert!(client.answer_or_end().await.is_none(), "the connection ends");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_request_is_answered_to_who_has_finished_sending() {
    with_and_without_a_journal(async |address| {
        let one = SessionInfo::open(address, "one").await;
        for (request, says) in [
            ("POST /sessions?ttl=x", "200 \""),
            ("POST /tickets/work?name=t", "200 \"Ok\""),
            ("POST /claims/work?wait=5000", "200 {\"Claimed\":true"),
            ("GET /claims/work?name=t", "200 true"),
            ("DELETE /claims/work?name=t", "200 \"Ok\""),
            ("POST /locks/db", "200 true"),
            ("POST /locks/work", "409 resource is of the other kind"),
            ("POST /locks/disk?wait=5000", "200 true"),
            ("DELETE /locks/db", "200 \"ok\""),
            ("GET /dump/resources", "200 {\"db\":"),
            ("GET /status", "200 {"),
            ("GET /nope", "404 not found"),
        ] {
            let mut client = one.again().await;
            client.send(request).await;
            client.finish().await;
            let said = client.answer().await.said();
            assert!(said.starts_with(says), "{request}: {said}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_was_sent_before_the_end_is_answered_in_order() {
    with_and_without_a_journal(async |address| {
        let mut all = Vec::new();
        for number in 0..CLIENTS {
            let mut client = SessionInfo::open(address, "one").await;
            let lock = format!("/locks/db-{number}");
            for method in ["POST", "DELETE", "DELETE", "POST"] {
                client.send(&format!("{method} {lock}")).await;
            }
            client.finish().await;
            all.push(client);
        }
        for mut client in all {
            for says in ["200 true", "200 \"ok\"", "404 not locked", "200 true"] {
                assert_eq!(client.answer().await.said(), says);
            }
            assert!(client.answer_or_end().await.is_none(), "the connection ends");
        }
    })
    .await;
}

/// Nobody can tell it from one who hung up, so it cannot stay in the queue. It is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_finished_sending_leaves_the_queue_and_is_told() {
    with_and_without_a_journal(async |address| {
        let mut holder = SessionInfo::open(address, "holder").await;
        holder.ask("POST /locks/db").await;
        let mut waiter = SessionInfo::open(address, "waiter").await;
        waiter.send("POST /locks/db?wait=60000").await;
        until_waits(address, 1).await;
        waiter.finish().await;
        assert_eq!(waiter.answer().await.said(), "200 false");
        until_waits(address, 0).await;
        let mut claimer = SessionInfo::open(address, "claimer").await;
        claimer.send("POST /claims/work?wait=60000").await;
        claimer.finish().await;
        assert_eq!(claimer.answer().await.json()["Claimed"], false);
        until_waits(address, 0).await;
    })
    .await;
}

/// With a further request behind the one that waits, the server did not see the end of the line
/// until it had answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_behind_a_further_request_leaves_the_queue() {
    with_and_without_a_journal(async |address| {
        let mut holder = SessionInfo::open(address, "holder").await;
        holder.ask("POST /locks/db").await;
        for reads in [true, false] {
            let mut waiter = SessionInfo::open(address, "waiter").await;
            waiter.send("POST /locks/db?wait=60000").await;
            waiter.send("POST /locks/own").await;
            until_waits(address, 1).await;
            assert!(waiter.is_quiet().await);
            if reads {
                waiter.finish().await;
                assert_eq!(waiter.answer().await.said(), "200 false");
                assert_eq!(waiter.answer().await.said(), "200 true");
                waiter.again().await.close().await;
            } else {
                drop(waiter);
            }
            until_waits(address, 0).await;
        }
    })
    .await;
}

/// A line that is cut, and not only closed, can be answered no more: what was granted, but not
/// durable, is taken back.
#[tokio::test]
async fn a_grant_that_is_not_durable_when_the_line_is_cut_is_undone() {
    let driver = Driver::gated(500);
    let server = Server::bind_with(Config::default(), driver.clone()).await.expect("a free port");
    let address = server.address().expect("an address");
    let serving = tokio::spawn(server.run(std::future::pending()));
    let mut opening = Client::connect(address).await;
    opening.send("POST /sessions").await;
    in_time(async {
        while driver.status().counts.sessions == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    driver.make_durable();
    let session = opening.answer().await.json();
    let session = session.as_str().expect("an id");
    let mut client = Client::connect(address).await;
    client.send(&format!("POST /locks/db?sessid={session}")).await;
    let until_locks = async |locks| {
        while driver.status().counts.locks != locks {
            tokio::task::yield_now().await;
        }
    };
    in_time(until_locks(1)).await;
    client.cut();
    in_time(until_locks(0)).await;
    serving.abort();
}
