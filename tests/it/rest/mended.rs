//! What is mended on purpose: each story tells a row of the compatibility table.

use ticketd::server::Config;

use crate::support::{Client, Served, SessionInfo, claimed, in_time};

#[tokio::test]
async fn a_lock_passes_on_at_once_when_its_holder_closes() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut next = SessionInfo::open(server.address, "next").await;
    assert_eq!(holder.says("POST /locks/db").await, "200 true");
    holder.close().await;
    assert_eq!(next.says("POST /locks/db").await, "200 true");
}

#[tokio::test]
async fn the_wrong_kind_of_resource_is_a_conflict() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    one.issue("work", "t", "").await;
    assert_eq!(one.says("POST /locks/db").await, "200 true");
    for request in [
        "POST /locks/work",
        "DELETE /locks/work",
        "POST /tickets/db?name=t",
        "POST /claims/db",
        "GET /claims/db?name=t",
        "DELETE /claims/db?name=t",
    ] {
        assert_eq!(one.ask(request).await.status, 409, "{request}");
    }
}

#[tokio::test]
async fn revoking_an_unknown_ticket_finds_nothing() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    one.issue("work", "t", "").await;
    assert_eq!(one.says("DELETE /tickets/work?name=none").await, "404 ticket not found");
}

#[tokio::test]
async fn nobody_breaks_a_lock_by_revoking_it() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let mut other = SessionInfo::open(server.address, "other").await;
    assert_eq!(holder.says("POST /locks/db").await, "200 true");
    assert_eq!(other.ask("DELETE /tickets/db?name=db").await.status, 409);
    assert_eq!(holder.ask("DELETE /tickets/db?name=db").await.status, 409);
    assert_eq!(other.says("POST /locks/db").await, "200 false");
    assert_eq!(holder.says("DELETE /locks/db").await, "200 \"ok\"");
}

#[tokio::test]
async fn tickets_are_handed_out_in_the_order_in_which_they_became_free() {
    let server = Served::start().await;
    let mut issuer = SessionInfo::open(server.address, "issuer").await;
    let names = ["m", "z", "a", "q", "b", "y"];
    for name in names {
        issuer.issue("work", name, "").await;
    }
    // A re-issue keeps its place.
    issuer.issue("work", "m", "again").await;
    let mut workers = Vec::new();
    for name in names {
        let mut worker = SessionInfo::open(server.address, "worker").await;
        assert_eq!(worker.claim("work").await, name);
        workers.push(worker);
    }
    for back in [3, 0, 5] {
        let request = format!("DELETE /claims/work?name={}", names[back]);
        assert_eq!(workers[back].says(&request).await, "200 \"Ok\"");
    }
    for name in ["q", "m", "y", ""] {
        let mut late = SessionInfo::open(server.address, "late").await;
        assert_eq!(late.claim("work").await, name);
    }
}

#[tokio::test]
async fn what_a_session_issued_and_held_is_gone_with_it() {
    let server = Served::start().await;
    let mut issuer = SessionInfo::open(server.address, "issuer").await;
    let mut leaver = SessionInfo::open(server.address, "leaver").await;
    issuer.issue("work", "kept", "").await;
    leaver.issue("work", "lost", "").await;
    assert_eq!(leaver.claim("work").await, "kept");
    assert_eq!(issuer.claim("work").await, "lost");
    assert_eq!(leaver.says("POST /locks/db").await, "200 true");
    leaver.close().await;
    assert_eq!(issuer.says("GET /claims/work?name=lost").await, "200 false");
    let dump = issuer.ask("GET /dump/resources").await.json();
    let tickets: Vec<_> = dump["work"]["Tickets"].as_object().expect("tickets").keys().collect();
    assert_eq!(tickets, ["kept"]);
    assert!(dump["work"]["Tickets"]["kept"]["Claimant"].is_null());
    assert_eq!(dump["db"]["Tickets"], serde_json::json!({}));
}

#[tokio::test]
async fn nothing_works_for_an_expired_session_nor_brings_it_back() {
    // However long the server may take to end it by itself.
    let config = Config { expire_ms: 60_000, ..Config::default() };
    let server = Served::with(config).await;
    let mut brief = SessionInfo::open_for(server.address, "brief", 50).await;
    assert_eq!(brief.says("POST /locks/db").await, "200 true");
    brief.issue("work", "t", "").await;
    let look = format!("GET /sessions/{}", brief.id);
    let mut other = SessionInfo::open(server.address, "other").await;
    // Looking at it does not keep it alive.
    in_time(async { while other.ask(&look).await.status == 200 {} }).await;
    for request in [
        &format!("PUT /sessions/{}", brief.id),
        &format!("DELETE /sessions/{}", brief.id),
        "POST /locks/db",
        "DELETE /locks/db",
        "POST /claims/work?wait=1000",
        "POST /tickets/work?name=u",
        "GET /claims/work?name=t",
    ] {
        assert_eq!(brief.says(request).await, "404 session not found", "{request}");
    }
    assert_eq!(other.says("POST /locks/db").await, "200 true");
    assert_eq!(other.claim("work").await, "");
}

#[tokio::test]
async fn every_request_of_a_session_keeps_it_alive() {
    let server = Served::start().await;
    let mut issuer = SessionInfo::open(server.address, "issuer").await;
    issuer.issue("work", "t", "").await;
    let mut busy = SessionInfo::open_for(server.address, "busy", 800).await;
    for (request, says) in [
        ("POST /locks/db", "200 true"),
        ("DELETE /locks/none", "404 resource not found"),
        ("GET /claims/work?name=t", "200 false"),
        ("DELETE /claims/work?name=t", "200 \"Ok\""),
        ("DELETE /locks/db", "200 \"ok\""),
        ("POST /tickets/work?name=u", "200 \"Ok\""),
        ("DELETE /tickets/work?name=u", "200 \"Ok\""),
    ] {
        // Time that a session ages is the story here.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(busy.says(request).await, says, "{request}");
    }
}

#[tokio::test]
async fn absurd_ttls_are_refused() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    for ttl in ["0", "-1", "49", "86400001", "-99999999999999999999", "99999999999999999999"] {
        let answer = client.ask(&format!("POST /sessions?ttl={ttl}")).await;
        assert_eq!(answer.said(), "422 ttl must be between 50 and 86400000 ms", "{ttl}");
        assert!(answer.body.ends_with(b"\n"));
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    for (query, ttl) in [("ttl=50", 50), ("ttl=86400000", 86_400_000), ("ttl=soon", 5000)] {
        let id = client.ask(&format!("POST /sessions?{query}")).await.json();
        let id = id.as_str().expect("an id");
        assert_eq!(id.len(), 27);
        assert_eq!(client.ask(&format!("GET /sessions/{id}")).await.json()["Ttl"], ttl);
    }
}

#[tokio::test]
async fn a_ticket_taken_over_is_listed_with_its_new_issuer_only() {
    let server = Served::start().await;
    let mut former = SessionInfo::open(server.address, "former").await;
    let mut heir = SessionInfo::open(server.address, "heir").await;
    let mut worker = SessionInfo::open(server.address, "worker").await;
    former.issue("work", "t", "old").await;
    let fence = worker.ask("POST /claims/work").await.fence();
    heir.issue("work", "t", "new").await;
    let look = format!("GET /sessions/{}", former.id);
    assert_eq!(heir.ask(&look).await.json()["Issuances"], serde_json::json!([]));
    let look = format!("GET /sessions/{}", heir.id);
    assert_eq!(heir.ask(&look).await.json()["Issuances"][0]["Name"], "t");
    // The claim and its fence stay, the data is new, and the former issuer's end means nothing.
    former.close().await;
    let again = worker.ask("POST /claims/work").await;
    assert_eq!((claimed(&again).as_str(), again.fence()), ("t", fence));
    assert_eq!(again.json()["Ticket"]["Data"], "bmV3");
}
