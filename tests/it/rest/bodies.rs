//! Bodies: a ticket's data of up to 1024 bytes, however it is sent, and not a byte more is read.

use crate::support::{Client, Served, SessionInfo, claimed, in_time};

/// The head of an issuing request up to what it says about its body.
fn head(info: &SessionInfo, about: &str) -> String {
    let id = &info.id;
    let line = format!("POST /api/v1/tickets/work?name=t&sessid={id} HTTP/1.1");
    format!("{line}\r\nHost: test\r\n{about}\r\n\r\n")
}

fn chunks(sizes: &[usize]) -> Vec<u8> {
    let chunk = |&size| [format!("{size:x}\r\n").into_bytes(), vec![b'x'; size], b"\r\n".to_vec()];
    sizes.iter().flat_map(chunk).flatten().collect()
}

#[tokio::test]
async fn data_are_bytes() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let bytes: Vec<u8> = (0..=255).cycle().take(1024).collect();
    assert_eq!(one.ask_with("POST /tickets/work?name=t", &bytes).await.said(), "200 \"Ok\"");
    let claim = one.ask("POST /claims/work").await;
    assert_eq!(claimed(&claim), "t");
    let data = claim.json()["Ticket"]["Data"].as_str().map(str::to_owned);
    assert_eq!(data.map(|data| data[..8].to_owned()), Some("AAECAwQF".to_owned()));
    one.issue("work", "empty", "").await;
    let dump = one.ask("GET /dump/resources/work").await.json();
    assert_eq!(dump["work"]["Tickets"]["empty"]["Data"], "");
}

#[tokio::test]
async fn up_to_1024_bytes_in_chunks_are_taken_and_no_more() {
    let server = Served::start().await;
    let one = SessionInfo::open(server.address, "one").await;
    for (sizes, status) in [
        (&[1024, 0][..], 200),
        (&[1, 1023, 0], 200),
        (&[0], 200),
        (&[1025, 0], 413),
        (&[1024, 1, 0], 413),
        (&[700, 700, 0], 413),
    ] {
        let mut client = Client::connect(server.address).await;
        let request = head(&one, "Transfer-Encoding: chunked").into_bytes();
        client.write(&[request, chunks(sizes)].concat()).await;
        assert_eq!(client.answer().await.status, status, "{sizes:?}");
    }
}

#[tokio::test]
async fn too_large_a_body_is_refused_before_it_comes() {
    let server = Served::start().await;
    let one = SessionInfo::open(server.address, "one").await;
    for length in ["1025", "1073741824", "9223372036854775807"] {
        for expect in ["", "\r\nExpect: 100-continue"] {
            let mut client = Client::connect(server.address).await;
            client.write(head(&one, &format!("Content-Length: {length}{expect}")).as_bytes()).await;
            let answer = client.answer().await;
            assert_eq!(answer.said(), "413 data must be at most 1024 bytes");
        }
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let server = Served::start().await;
    let one = SessionInfo::open(server.address, "one").await;
    for about in ["Transfer-Encoding: chunked", "Content-Length: 1073741824"] {
        let mut client = Client::connect(server.address).await;
        client.write(head(&one, about).as_bytes()).await;
        let megabyte = chunks(&[1024 * 1024]);
        client.write(&megabyte).await;
        assert_eq!(client.answer().await.said(), "413 data must be at most 1024 bytes");
        // What comes after the answer is passed over for a moment, then the server turns away.
        in_time(async { while client.write(&megabyte).await {} }).await;
    }
    assert_eq!(Client::connect(server.address).await.ask("GET /status").await.status, 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_issues_nothing() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    one.issue("work", "other", "").await;
    for (about, part) in
        [("Content-Length: 100", "half"), ("Transfer-Encoding: chunked", "5\r\nha")]
    {
        let mut client = Client::connect(server.address).await;
        client.write(head(&one, about).as_bytes()).await;
        client.write(part.as_bytes()).await;
        drop(client);
    }
    let mut client = Client::connect(server.address).await;
    client.write(head(&one, "Transfer-Encoding: chunked").as_bytes()).await;
    client.write(b"no size\r\n").await;
    assert!(client.answer_or_end().await.is_none_or(|answer| answer.status >= 400));
    let dump = one.ask("GET /dump/resources/work").await.json();
    let tickets = dump["work"]["Tickets"].as_object().expect("tickets");
    assert_eq!(tickets.keys().collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn a_body_where_none_is_needed_is_passed_over() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    assert_eq!(one.ask_with("POST /locks/db", "{}").await.said(), "200 true");
    assert_eq!(one.ask_with("POST /claims/work", [b'x'; 2000]).await.status, 200);
    assert_eq!(one.ask_with("POST /sessions", "{\"name\":1}").await.status, 200);
    assert_eq!(one.says("POST /locks/db").await, "200 true", "the connection is in order");
}
