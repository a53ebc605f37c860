//! Event streams: how a resource stands, told whenever that changes.

use std::time::Duration;

use serde_json::{Value, json};
use ticketd::server::Config;

use crate::access::served::{Guarded, policy, principal};
use crate::support::{Client, Served, SessionInfo};

impl Client {
    /// The data of the next event, which is of the one kind that there is.
    async fn changed(&mut self) -> Value {
        let piece = self.piece().await.expect("an event");
        let data = piece.strip_prefix("event: resource-changed\ndata: ");
        let data = data.and_then(|data| data.strip_suffix("\n\n"));
        let data = data.unwrap_or_else(|| panic!("no event: {piece:?}"));
        serde_json::from_str(data).unwrap_or_else(|why| panic!("{why}: {data}"))
    }

    async fn follow(&mut self, resource: &str) {
        let head = self.open_stream(&format!("GET /resources/{resource}/events")).await;
        assert_eq!((head.status, head.media()), (200, "text/event-stream"));
        assert_eq!(head.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_stream_begins_with_the_state_and_tells_each_change() {
    let server = Served::start().await;
    let mut reader = Client::connect(server.address).await;
    reader.follow("elected").await;
    let state = json!({"resource": "elected", "kind": null, "free": 0, "held": 0, "waiting": 0,
                       "holders": []});
    assert_eq!(reader.changed().await, state);
    let mut leader = SessionInfo::open(server.address, "leader").await;
    let fence = leader.ask_with("POST /locks/elected", "here").await.fence();
    let changed = reader.changed().await;
    let holder = &changed["holders"][0];
    assert_eq!(
        (&holder["session"], &holder["fence"], &holder["data"]),
        (&json!("leader"), &json!(fence), &json!("here"))
    );
    assert_eq!(leader.says("DELETE /locks/elected").await, "200 \"ok\"");
    assert_eq!(reader.changed().await, state);
    // What does not change it is not told.
    assert_eq!(leader.says("DELETE /locks/elected").await, "404 not locked");
    assert!(reader.is_quiet().await);
    // Tickets have no holders.
    let mut reader = Client::connect(server.address).await;
    leader.issue("jobs", "j", "").await;
    reader.follow("jobs").await;
    let state = json!({"resource": "jobs", "kind": "tickets", "free": 1, "held": 0, "waiting": 0});
    assert_eq!(reader.changed().await, state);
    server.stop().await;
}

/// A connection that idles is closed; one that a stream is open on does not idle, however little
/// happens.
#[tokio::test]
async fn a_silent_stream_outlives_the_time_that_connections_may_idle() {
    let server = Served::with(Config { idle_ms: 50, ..Config::default() }).await;
    let mut reader = Client::connect(server.address).await;
    reader.follow("db").await;
    reader.changed().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut one = SessionInfo::open(server.address, "one").await;
    assert_eq!(one.says("POST /locks/db").await, "200 true");
    assert_eq!(reader.changed().await["held"], 1);
    server.stop().await;
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let server = Served::start().await;
    let mut reader = Client::connect(server.address).await;
    reader.follow("db").await;
    reader.changed().await;
    server.stop().await;
    assert_eq!(reader.piece().await, None);
}

#[tokio::test]
async fn there_are_a_thousand_streams_and_one_that_ends_makes_room() {
    let server = Served::start().await;
    let mut readers = Vec::new();
    for _ in 0..1000 {
        let mut reader = Client::connect(server.address).await;
        reader.follow("db").await;
        readers.push(reader);
    }
    let mut late = Client::connect(server.address).await;
    let refused = late.ask("GET /resources/db/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{}", refused.said());
    // Hanging up is noticed at once, though nothing is told.
    readers.pop();
    let again = async {
        while late.open_stream("GET /resources/db/events").await.status != 200 {
            late = Client::connect(server.address).await;
        }
    };
    crate::support::in_time(again).await;
    server.stop().await;
}

#[tokio::test]
async fn a_stream_ends_when_its_right_or_its_proof_does() {
    let file = |on: &str| {
        principal("holder", "allow = [{ to = [\"lock\"], on = [\"*\"] }]")
            + &principal("reader", &format!("allow = [{{ to = [\"watch\"], on = [\"{on}\"] }}]"))
    };
    let guarded = Guarded::by(&file("db")).await;
    let mut holder = guarded.client(Some("holder")).await;
    let refused = holder.ask("GET /resources/db/events").await;
    assert_eq!(refused.said(), "403 this takes the right `watch` on that name");
    let nobody = guarded.client(None).await.ask("GET /resources/db/events").await;
    assert_eq!(nobody.said(), "401 a token is needed");
    for next in [file("other"), principal("holder", "allow = []")] {
        guarded.access.replace(policy(&file("db")));
        let mut reader = guarded.client(Some("reader")).await;
        reader.follow("db").await;
        reader.changed().await;
        guarded.access.replace(policy(&next));
        assert_eq!(reader.piece().await, None);
    }
    guarded.served.stop().await;
}
