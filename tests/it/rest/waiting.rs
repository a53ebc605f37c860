//! Requests that wait in the queue of a lock or of tickets.

use crate::support::{Client, Served, SessionInfo, claimed, until_waits};

#[tokio::test]
async fn a_lock_is_granted_to_a_request_that_waits() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    let fence = holder.ask("POST /locks/db").await.fence();
    waiter.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    assert!(waiter.is_quiet().await);
    assert_eq!(holder.says("DELETE /locks/db").await, "200 \"ok\"");
    let answer = waiter.answer().await;
    assert_eq!(answer.said(), "200 true");
    assert!(answer.fence() > fence);
    assert_eq!(holder.says("POST /locks/db").await, "200 false");
}

#[tokio::test]
async fn a_ticket_is_granted_to_a_request_that_waits() {
    let server = Served::start().await;
    let mut issuer = SessionInfo::open(server.address, "issuer").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    let mut picky = SessionInfo::open(server.address, "picky").await;
    picky.send("POST /claims/work?name=b&wait=60000").await;
    until_waits(server.address, 1).await;
    waiter.send("POST /claims/work?wait=60000").await;
    until_waits(server.address, 2).await;
    // The earlier wait is for another ticket.
    issuer.issue("work", "a", "data of a").await;
    let answer = waiter.answer().await;
    assert_eq!(claimed(&answer), "a");
    assert_eq!(answer.json()["Ticket"]["Data"], "ZGF0YSBvZiBh");
    assert_eq!(answer.json()["Ticket"]["Issuer"]["Name"], "issuer");
    assert_eq!(answer.json()["Ticket"]["Claimant"]["Id"], waiter.id.as_str());
    assert!(picky.is_quiet().await);
    issuer.issue("work", "b", "").await;
    let next = picky.answer().await;
    assert_eq!(claimed(&next), "b");
    assert!(next.fence() > answer.fence());
}

#[tokio::test]
async fn when_the_time_is_up_it_is_as_if_there_were_no_wait() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    holder.ask("POST /locks/db").await;
    let no_ticket = waiter.ask("POST /claims/work").await;
    for request in ["POST /locks/db?wait=300", "POST /claims/work?wait=300"] {
        waiter.send(request).await;
        assert!(waiter.is_quiet().await, "{request}");
        let answer = waiter.answer().await;
        match request.contains("lock") {
            true => assert_eq!(answer.said(), "200 false"),
            false => assert_eq!(answer.said(), no_ticket.said()),
        }
        assert_eq!(answer.header("ticketd-fence"), "");
        until_waits(server.address, 0).await;
    }
    assert_eq!(claimed(&no_ticket), "");
}

#[tokio::test]
async fn a_preference_is_a_wait_in_seconds_and_the_query_goes_before_it() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let waiter = SessionInfo::open(server.address, "waiter").await;
    holder.ask("POST /locks/db").await;
    let client = Client::connect(server.address).await;
    let mut client = client.with("Prefer: respond-async, wait=1");
    let request = format!("POST /locks/db?sessid={}", waiter.id);
    client.send(&request).await;
    until_waits(server.address, 1).await;
    assert!(client.is_quiet().await);
    assert_eq!(client.answer().await.said(), "200 false", "after a second");
    let mut client = Client::connect(server.address).await.with("Prefer: wait=50");
    assert_eq!(client.ask(&format!("{request}&wait=0")).await.said(), "200 false");
    client.send(&request).await;
    until_waits(server.address, 1).await;
    holder.ask("DELETE /locks/db").await;
    assert_eq!(client.answer().await.said(), "200 true");
    // A preference that makes no sense is none.
    for preference in ["wait=soon", "wait=-1", "wait", "wait=", "=", "respond-async"] {
        let client = Client::connect(server.address).await;
        let mut client = client.with(&format!("Prefer: {preference}"));
        let request = format!("POST /locks/db?sessid={}", holder.id);
        assert_eq!(client.ask(&request).await.said(), "200 false", "{preference}");
    }
}

#[tokio::test]
async fn a_wait_is_a_number_of_ms_and_a_long_one_is_shortened() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    holder.ask("POST /locks/db").await;
    for wait in ["-1", "x", "1.5", "true", "0x10", "1s"] {
        for what in ["locks/db", "claims/work"] {
            let answer = waiter.ask(&format!("POST /{what}?wait={wait}")).await;
            assert_eq!(answer.said(), "422 wait must be a number of ms");
        }
    }
    for wait in ["60001", "4294967296", "99999999999999999999999999"] {
        let mut waiter = waiter.again().await;
        waiter.send(&format!("POST /locks/db?wait={wait}")).await;
        until_waits(server.address, 1).await;
        holder.ask("DELETE /locks/db").await;
        assert_eq!(waiter.answer().await.said(), "200 true");
        waiter.ask("DELETE /locks/db").await;
        holder.ask("POST /locks/db").await;
    }
}

#[tokio::test]
async fn waiters_are_served_in_the_order_in_which_they_came() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/db").await;
    let mut waiters = Vec::new();
    for place in 1..=5 {
        let mut waiter = SessionInfo::open(server.address, "waiter").await;
        waiter.send("POST /locks/db?wait=60000").await;
        until_waits(server.address, place).await;
        waiters.push(waiter);
    }
    for mut waiter in waiters {
        holder.ask("DELETE /locks/db").await;
        assert_eq!(waiter.answer().await.said(), "200 true");
        holder = waiter;
    }
}

#[tokio::test]
async fn nobody_barges_past_those_who_wait() {
    let server = Served::start().await;
    let mut issuer = SessionInfo::open(server.address, "issuer").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    let mut late = SessionInfo::open(server.address, "late").await;
    issuer.issue("work", "t", "").await;
    assert_eq!(issuer.claim("work").await, "t");
    waiter.send("POST /claims/work?wait=60000").await;
    until_waits(server.address, 1).await;
    assert_eq!(issuer.says("DELETE /claims/work?name=t").await, "200 \"Ok\"");
    assert_eq!(late.claim("work").await, "");
    assert_eq!(claimed(&waiter.answer().await), "t");
    let held = late.ask("POST /claims/work?name=t").await;
    assert_eq!(claimed(&held), "", "that very ticket is another's");
}

#[tokio::test]
async fn who_hangs_up_leaves_the_queue() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut gone = SessionInfo::open(server.address, "gone").await;
    let mut next = SessionInfo::open(server.address, "next").await;
    for (take, wait, give) in [
        ("POST /locks/db", "POST /locks/db?wait=60000", "DELETE /locks/db"),
        ("POST /claims/work", "POST /claims/work?wait=60000", "DELETE /claims/work?name=t"),
    ] {
        holder.issue("work", "t", "").await;
        holder.ask(take).await;
        let mut hung_up = gone.again().await;
        hung_up.send(wait).await;
        until_waits(server.address, 1).await;
        next.send(wait).await;
        until_waits(server.address, 2).await;
        drop(hung_up);
        until_waits(server.address, 1).await;
        holder.ask(give).await;
        assert!(next.answer().await.fence() > 0);
        // The session itself is as alive as before.
        assert_eq!(gone.says("POST /locks/db").await, "200 false");
    }
}

/// A client sends a waiting request with all that may come behind its line, and hangs up.
async fn waits_and_hangs_up(rest: &str) {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/db").await;
    let waiter = SessionInfo::open(server.address, "waiter").await;
    let mut gone = Client::connect(server.address).await;
    let head = format!("POST /api/v1/locks/db?wait=60000&sessid={}", waiter.id);
    let request = format!("{head} HTTP/1.1\r\nHost: test\r\n{rest}");
    assert!(gone.write(request.as_bytes()).await);
    until_waits(server.address, 1).await;
    drop(gone);
    until_waits(server.address, 0).await;
}

#[tokio::test]
async fn who_hangs_up_behind_a_body_leaves_the_queue() {
    waits_and_hangs_up("Content-Length: 2\r\n\r\n{}").await;
}

#[tokio::test]
async fn who_hangs_up_behind_chunks_leaves_the_queue() {
    waits_and_hangs_up("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn who_has_not_sent_its_body_yet_has_no_place_yet() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/db").await;
    let mut slow = Client::connect(server.address).await;
    let waiter = SessionInfo::open(server.address, "waiter").await;
    let head = format!("POST /api/v1/locks/db?wait=60000&sessid={}", waiter.id);
    let request = format!("{head} HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{{");
    assert!(slow.write(request.as_bytes()).await);
    let mut next = SessionInfo::open(server.address, "next").await;
    next.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    assert!(slow.write(b"}").await);
    until_waits(server.address, 2).await;
    holder.ask("DELETE /locks/db").await;
    assert_eq!(next.answer().await.said(), "200 true", "it came first");
}

#[tokio::test]
async fn a_waiting_request_keeps_its_session_alive() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/db").await;
    let mut brief = SessionInfo::open_for(server.address, "brief", 100).await;
    assert_eq!(brief.says("POST /locks/db?wait=1000").await, "200 false", "not: no such session");
    assert_eq!(brief.says("POST /claims/work?wait=0").await.split(' ').next(), Some("200"));
}

#[tokio::test]
async fn two_requests_of_a_session_share_its_place_and_are_both_answered() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut same = one.again().await;
    let mut next = SessionInfo::open(server.address, "next").await;
    holder.ask("POST /locks/db").await;
    one.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    next.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 2).await;
    same.send("POST /locks/db?wait=60000").await;
    // It has no place of its own; that it waits shows in that it is answered with the other.
    assert!(same.is_quiet().await);
    holder.ask("DELETE /locks/db").await;
    let (first, second) = (one.answer().await, same.answer().await);
    assert_eq!((first.said(), second.said()), ("200 true".to_owned(), "200 true".to_owned()));
    assert_eq!(first.fence(), second.fence());
    assert!(next.is_quiet().await);
}

#[tokio::test]
async fn one_of_two_requests_of_a_session_hangs_up_and_the_place_stays() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut same = one.again().await;
    holder.ask("POST /locks/db").await;
    same.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    one.send("POST /locks/db?wait=300").await;
    assert_eq!(one.answer().await.said(), "200 false", "its own time is up");
    drop(one);
    assert!(same.is_quiet().await);
    holder.ask("DELETE /locks/db").await;
    assert_eq!(same.answer().await.said(), "200 true");
}

#[tokio::test]
async fn a_session_that_is_closed_while_its_request_waits_is_not_found() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    let mut claimer = waiter.again().await;
    holder.ask("POST /locks/db").await;
    waiter.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    claimer.send("POST /claims/work?wait=60000").await;
    until_waits(server.address, 2).await;
    waiter.again().await.close().await;
    assert_eq!(waiter.answer().await.said(), "404 session not found");
    assert_eq!(claimer.answer().await.said(), "404 session not found");
    until_waits(server.address, 0).await;
    assert_eq!(holder.says("DELETE /locks/db").await, "200 \"ok\"");
    assert_eq!(holder.says("POST /locks/db").await, "200 true");
}

#[tokio::test]
async fn a_server_that_stops_answers_those_who_wait() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    holder.ask("POST /locks/db").await;
    waiter.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    server.stop().await;
    assert_eq!(waiter.answer().await.said(), "200 false");
    assert!(waiter.answer_or_end().await.is_none(), "the connection ends");
}
