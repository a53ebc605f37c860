//! `/metrics`: all is there from the start, and counts what happened.

use std::collections::BTreeMap;

use crate::support::{Client, Served, SessionInfo, until_waits};

/// Each line's value, by its name and labels.
async fn scrape(client: &mut Client) -> BTreeMap<String, f64> {
    let answer = client.ask_at("GET /metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.media(), "text/plain");
    let text = String::from_utf8(answer.body).expect("UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    });
    samples.collect()
}

#[tokio::test]
async fn a_story_is_counted() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let before = scrape(&mut client).await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut two = SessionInfo::open(server.address, "two").await;
    one.ask("POST /locks/db").await;
    let waits = tokio::spawn(async move { two.ask("POST /locks/db?wait=9000").await.status });
    until_waits(server.address, 1).await;
    assert!(scrape(&mut client).await["ticketd_waits"] == 1.0);
    one.ask("DELETE /locks/db").await;
    assert_eq!(waits.await.expect("an answer"), 200);
    one.issue("work", "t", "").await;
    one.ask("POST /locks/%00").await;
    client.ask("GET /nope").await;
    one.close().await;
    let after = scrape(&mut client).await;

    let names: Vec<_> = before.keys().filter(|name| !after.contains_key(*name)).collect();
    assert!(names.is_empty(), "{names:?}");
    let new: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert!(new.is_empty(), "not there from the start: {new:?}");
    for (name, more) in [
        (r#"ticketd_grants_total{kind="lock",how="at-once"}"#, 1.0),
        (r#"ticketd_grants_total{kind="lock",how="waited"}"#, 1.0),
        (r#"ticketd_grants_total{kind="ticket",how="at-once"}"#, 0.0),
        (r#"ticketd_holds_ended_total{kind="lock",reason="released"}"#, 1.0),
        (r#"ticketd_sessions_ended_total{reason="closed"}"#, 1.0),
        (r#"ticketd_requests_total{op="hello",way="rest",code="ok"}"#, 2.0),
        (r#"ticketd_requests_total{op="lock",way="rest",code="ok"}"#, 2.0),
        (r#"ticketd_requests_total{op="issue",way="rest",code="ok"}"#, 1.0),
        (r#"ticketd_requests_total{op="other",way="rest",code="other"}"#, 1.0),
        ("ticketd_sessions", 1.0),
        ("ticketd_waits", 0.0),
        ("ticketd_locks_held", 1.0),
    ] {
        let counted = after[name] - before[name];
        assert!((counted - more).abs() < 1e-9, "{name}: {counted}");
    }
    let waited = r#"ticketd_wait_seconds_count{kind="lock"}"#;
    assert!((after[waited] - 1.0).abs() < 1e-9, "{:?}", after.get(waited));
}

#[tokio::test]
async fn each_family_has_help_and_ends_well_in_open_metrics() {
    let server = Served::start().await;
    let client = Client::connect(server.address).await;
    let mut client = client.with("accept: application/openmetrics-text;version=1.0.0");
    let answer = client.ask_at("GET /metrics").await;
    assert_eq!(answer.media(), "application/openmetrics-text");
    let text = String::from_utf8(answer.body).expect("UTF-8");
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let family = line.split(' ').next().expect("a name");
        assert!(text.contains(&format!("# HELP {family} ")), "{family}");
    }
}

#[tokio::test]
async fn probes_say_in_a_word_how_it_is() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask_at("GET /readyz").await.said(), "200 ready");
    client.ask("POST /drain").await;
    client.ask("POST /drain").await;
    assert_eq!(client.ask_at("GET /readyz").await.said(), "503 draining");
    assert_eq!(client.ask_at("GET /healthz").await.said(), "200 ok");
    assert_eq!(client.ask("POST /sessions?name=x").await.header("retry-after"), "5");
    client.ask("DELETE /drain").await;
    assert_eq!(client.ask_at("GET /readyz").await.said(), "200 ready");
    assert_eq!(client.ask("POST /sessions?name=x").await.status, 200);
}
