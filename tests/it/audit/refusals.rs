//! Who is refused, and what administrators do.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Place, said};
use crate::access::served::{Guarded, everybody, token};
use crate::support::{Client, in_time};

#[tokio::test]
async fn owners_lacking_rights_and_what_an_administrator_closes() {
    let place = Place::new();
    let guarded = Guarded::with(&everybody(), place.config()).await;
    let session = guarded.open(Some("lock")).await;
    let mut lock = guarded.client(Some("lock")).await;
    let ask = |line: &str| format!("{line}{session}");
    assert_eq!(lock.ask(&ask("POST /locks/x%2Fdb?sessid=")).await.status, 403);
    assert_eq!(lock.ask(&ask("DELETE /tickets/r%2Fjobs?name=t&sessid=")).await.status, 403);
    assert_eq!(lock.ask("GET /status").await.status, 403);
    let mut admin = guarded.client(Some("admin")).await;
    let listed = admin.ask("GET /sessions").await.json();
    let session_ref = listed["sessions"][0]["ref"].as_str().expect("a ref").to_owned();
    assert_eq!(admin.ask(&format!("DELETE /sessions/{session_ref}")).await.status, 200);
    guarded.served.stop().await;
    let lines = place.lines();
    assert_eq!(
        lines.iter().map(said).collect::<Vec<_>>(),
        [
            "s session-opened",
            "s session-adopted",
            "s right-refused x/db lock",
            "s right-refused r/jobs t issue",
            "right-refused metrics",
            "s session-closed",
            "s session-ended closed",
        ]
    );
    let owners: Vec<_> = lines.iter().map(|line| line["owner"].as_str()).collect();
    let lock = Some("lock");
    assert_eq!(owners, [None, lock, lock, lock, lock, Some("admin"), lock]);
    assert_eq!(lines[5]["ref"], json!(session_ref));
    assert!(!place.text().contains(&session));
}

#[tokio::test]
async fn a_bad_token_is_told_until_its_address_is_put_off() {
    let place = Place::new();
    let guarded = Guarded::by_place(&place).await;
    let wrong = token("wrong");
    let client = Client::connect(guarded.address()).await;
    let mut client = client.with(&format!("Authorization: Bearer {}", wrong.as_str()));
    let mut statuses = Vec::new();
    for _ in 0..25 {
        statuses.push(client.ask("POST /sessions").await.status);
    }
    assert_eq!(statuses.iter().filter(|&&status| status == 401).count(), 20);
    // Who shows nothing has shown no token.
    assert_eq!(guarded.client(None).await.ask("POST /sessions").await.status, 401);
    guarded.served.stop().await;
    let lines = place.lines();
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().all(|line| line["what"] == "token-refused"));
    assert_eq!(lines[0]["address"], "127.0.0.1");
    assert!(lines[0]["reason"].is_string());
    assert!(!place.text().contains(&wrong.as_str()[4..]));
}

#[tokio::test]
async fn a_socket_that_lacks_a_right_is_told_of() {
    let place = Place::new();
    let guarded = Guarded::by_place(&place).await;
    let url = format!("ws://{}/api/v1/ws", guarded.address());
    let stream = in_time(TcpStream::connect(guarded.address())).await.expect("a connection");
    let request = url.into_client_request().expect("a request");
    let (mut socket, _) = in_time(client_async(request, stream)).await.expect("an upgrade");
    for request in [
        json!({"id": 1, "op": "hello", "name": "tab", "token": token("none").as_str()}),
        json!({"id": 2, "op": "lock", "resource": "r/db"}),
    ] {
        socket.send(Message::text(request.to_string())).await.expect("it is there");
        let answer = in_time(socket.next()).await.expect("an answer").expect("a message");
        let answer: Value = serde_json::from_slice(&answer.into_data()).expect("JSON");
        assert_eq!(answer["id"], request["id"], "{answer}");
    }
    drop(socket);
    guarded.served.stop().await;
    let lines: Vec<_> = place.lines();
    let refused = lines.iter().find(|line| line["what"] == "right-refused").expect("a line");
    assert_eq!(said(refused), "tab right-refused r/db lock");
    assert_eq!(refused["owner"], "none");
}

impl Guarded {
    async fn by_place(place: &Place) -> Self {
        Self::with(&everybody(), place.config()).await
    }
}
