//! Sessions, grants and ends.

use std::collections::HashMap;

use serde_json::Value;

use ticketd::driver::Driver;
use ticketd::server::Server;

use super::{Place, said};
use crate::support::{Client, Served, SessionInfo, in_time, until_waits};

#[tokio::test]
async fn each_grant_and_each_end_has_its_line_and_nothing_secret_has() {
    let place = Place::new();
    let served = Served::with(place.config()).await;
    let mut one = SessionInfo::open(served.address, "one").await;
    let mut two = SessionInfo::open(served.address, "two").await;
    let ids = [one.id.clone(), two.id.clone()];
    one.ask("POST /locks/db").await;
    one.ask("POST /locks/db").await;
    two.send("POST /locks/db?wait=60000").await;
    until_waits(served.address, 1).await;
    one.ask("DELETE /locks/db").await;
    two.answer().await;
    one.ask("DELETE /locks/db").await;
    one.issue("jobs", "t", "opensesame").await;
    two.claim("jobs").await;
    one.ask("DELETE /tickets/jobs?name=t").await;
    one.issue("jobs", "u", "opensesame").await;
    two.claim("jobs").await;
    two.ask("DELETE /claims/jobs?name=u").await;
    two.claim("jobs").await;
    one.close().await;
    two.close().await;
    served.stop().await;
    let lines = place.lines();
    assert_eq!(
        lines.iter().map(said).collect::<Vec<_>>(),
        [
            "one session-opened",
            "two session-opened",
            "one granted db",
            "one hold-ended db released",
            "two granted db",
            "two granted jobs t",
            "two hold-ended jobs t revoked",
            "two granted jobs u",
            "two hold-ended jobs u released",
            "two granted jobs u",
            "one session-ended closed",
            "two hold-ended jobs u issuer-gone",
            "two hold-ended db closed",
            "two session-ended closed",
        ]
    );
    let text = place.text();
    for secret in ids.iter().map(String::as_str).chain(["opensesame"]) {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let refs: HashMap<_, _> =
        lines.iter().map(|line| (line["session"].to_string(), &line["ref"])).collect();
    assert!(lines.iter().all(|line| line["ref"] == *refs[&line["session"].to_string()]));
    assert_eq!(lines[6]["by"], lines[0]["ref"], "one did it");
    assert!(lines.iter().enumerate().all(|(at, line)| at == 6 || line["by"] == Value::Null));
    assert!(lines[0]["address"].as_str().expect("an address").starts_with("127.0.0.1:"));
    // What ends is what was granted.
    let mut held = HashMap::new();
    for line in &lines {
        let what = (line["session"].to_string(), line["resource"].to_string());
        match line["what"].as_str() {
            Some("granted") => assert_eq!(held.insert(what, line["fence"].clone()), None),
            Some("hold-ended") => assert_eq!(held.remove(&what).as_ref(), Some(&line["fence"])),
            _ => {}
        }
    }
    assert!(held.is_empty());
}

#[tokio::test]
async fn what_expires_is_told_with_all_that_it_held() {
    let place = Place::new();
    let served = Served::with(place.config()).await;
    let mut issuer = SessionInfo::open(served.address, "issuer").await;
    issuer.issue("jobs", "t", "").await;
    let mut brief = SessionInfo::open_for(served.address, "brief", 1000).await;
    let mut next = SessionInfo::open(served.address, "next").await;
    brief.ask("POST /locks/a").await;
    brief.claim("jobs").await;
    brief.ask("POST /locks/b").await;
    next.send("POST /locks/b?wait=60000").await;
    next.answer().await;
    drop(brief);
    let mut client = Client::connect(served.address).await;
    in_time(async { while client.ask("GET /status").await.json()["Sessions"] != 2 {} }).await;
    served.stop().await;
    let lines: Vec<_> = place.lines().iter().map(said).collect();
    assert_eq!(
        lines[6..],
        [
            "brief hold-ended a expired",
            "brief hold-ended jobs t expired",
            "brief hold-ended b expired",
            "brief session-ended expired",
            "next granted b",
        ]
    );
}

/// Behind what was there already, so that a restart keeps the trail.
#[tokio::test]
async fn a_restart_goes_on_behind_what_is_there() {
    let place = Place::new();
    for _ in 0..2 {
        let served = Served::with(place.config()).await;
        SessionInfo::open(served.address, "one").await.close().await;
        served.stop().await;
    }
    let lines: Vec<_> = place.lines().iter().map(said).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[..2], lines[2..]);
}

/// What nobody could be told of had been granted all the same, and is given back.
#[tokio::test]
async fn a_grant_that_is_undone_has_an_end_with_that_reason() {
    let place = Place::new();
    let driver = Driver::gated(500);
    let server = Server::bind_with(place.config(), driver.clone()).await.expect("a free port");
    let address = server.address().expect("an address");
    let serving = tokio::spawn(server.run(std::future::pending()));
    let until_there = async |lines: usize| {
        in_time(async {
            while place.text().matches('\n').count() < lines {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    let mut opening = Client::connect(address).await;
    opening.send("POST /sessions?name=one").await;
    until_there(1).await;
    driver.make_durable();
    let session = opening.answer().await.json();
    let mut client = Client::connect(address).await;
    client.send(&format!("POST /locks/db?sessid={}", session.as_str().expect("an id"))).await;
    until_there(2).await;
    client.cut();
    until_there(3).await;
    let lines = place.lines();
    assert_eq!(said(&lines[1]), "one granted db");
    assert_eq!(said(&lines[2]), "one hold-ended db undelivered");
    assert_eq!(lines[1]["fence"], lines[2]["fence"]);
    serving.abort();
}

#[tokio::test]
async fn what_is_done_by_force_is_told_with_who_did_it() {
    let place = Place::new();
    let served = Served::with(place.config()).await;
    let mut one = SessionInfo::open(served.address, "one").await;
    let mut two = SessionInfo::open(served.address, "two").await;
    one.ask("POST /locks/db?mode=shared").await;
    two.ask("POST /locks/db?mode=shared").await;
    two.ask("POST /locks/db?steal=true").await;
    let mut nobody = Client::connect(served.address).await;
    nobody.ask("DELETE /locks/db?force=true").await;
    nobody.ask("DELETE /locks/db?force=true").await;
    one.issue("jobs", "t", "").await;
    two.claim("jobs").await;
    one.ask("DELETE /claims/jobs?name=t&force=true").await;
    nobody.ask("PUT /resources/jobs?paused=true").await;
    one.ask("PUT /resources/jobs?paused=false").await;
    served.stop().await;
    let lines = place.lines();
    assert_eq!(
        lines[2..].iter().map(said).collect::<Vec<_>>(),
        [
            "one granted db",
            "two granted db",
            "one hold-ended db forced",
            "two hold-ended db forced",
            "two granted db",
            "two hold-ended db forced",
            "forced db",
            "two granted jobs t",
            "two hold-ended jobs t forced",
            "one forced jobs t",
            "paused jobs",
            "one resumed jobs",
        ]
    );
    let by = |line: usize| &lines[2 + line]["by"];
    assert_eq!(by(2), &lines[1]["ref"], "two did it");
    assert_eq!((by(3), by(5)), (&Value::Null, &Value::Null), "its own, and by nobody");
    assert_eq!(by(8), &lines[0]["ref"], "one did it");
    assert!(lines[8]["address"].as_str().is_some_and(|from| from.starts_with("127.0.0.1")));
}

#[tokio::test]
async fn what_ends_by_itself_is_told_and_what_is_lost_twice() {
    let place = Place::new();
    let served = Served::with(place.config()).await;
    let mut issuer = SessionInfo::open(served.address, "issuer").await;
    issuer.issue("jobs", "t", "").await;
    issuer.ask("POST /claims/jobs?hold=1000").await;
    let mut next = SessionInfo::open(served.address, "next").await;
    next.ask("POST /claims/jobs?wait=60000").await;
    let mut client = Client::connect(served.address).await;
    let opened = client.ask("POST /sessions?name=brief&ttl=1000&delay=300").await;
    let brief = opened.json().as_str().expect("an id").to_owned();
    client.ask(&format!("POST /locks/db?sessid={brief}")).await;
    drop(client);
    next.ask("POST /locks/db?wait=60000").await;
    served.stop().await;
    let lines = place.lines();
    let told: Vec<_> = lines[1..].iter().map(said).collect();
    assert_eq!(
        told,
        [
            "issuer granted jobs t",
            "next session-opened",
            "issuer hold-ended jobs t timeout",
            "next granted jobs t",
            "brief session-opened",
            "brief granted db",
            "brief hold-lost db expired",
            "brief session-ended expired",
            "brief hold-ended db timeout",
            "next granted db",
        ]
    );
    assert_eq!(lines[7]["fence"], lines[9]["fence"], "it is the same hold");
    assert_eq!((&lines[7]["ref"], &lines[9]["ref"]), (&lines[6]["ref"], &Value::Null));
}
