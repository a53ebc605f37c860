//! Pages of other origins: shut out unless their origin is allowed.

use ticketd::server::Config;

use crate::support::{Answer, Client, Served};

const OURS: &str = "https://app.example";

async fn serve(origin: &'static str) -> Served {
    let allow_origins = vec![origin.parse().expect("an origin")];
    Served::with(Config { allow_origins, ..Config::default() }).await
}

async fn ask_from(server: &Served, origin: &str, headers: &[&str], request: &str) -> Answer {
    let mut client = Client::connect(server.address).await.with(&format!("Origin: {origin}"));
    for header in headers {
        client = client.with(header);
    }
    client.ask(request).await
}

fn lists(header: &str, item: &str) -> bool {
    header.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(item))
}

#[tokio::test]
async fn by_default_no_other_origin_is_let_in() {
    let server = Served::start().await;
    let preflight = ["Access-Control-Request-Method: DELETE"];
    let answer = ask_from(&server, OURS, &preflight, "OPTIONS /locks/db").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, ""));
    let answer = ask_from(&server, OURS, &[], "GET /status").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, ""));
}

#[tokio::test]
async fn a_page_that_is_allowed_may_do_what_clients_do() {
    let server = serve(OURS).await;
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let headers = [
            &format!("Access-Control-Request-Method: {method}"),
            "Access-Control-Request-Headers: ticketd-session,prefer,content-type,authorization",
        ];
        let answer = ask_from(&server, OURS, &headers, "OPTIONS /claims/work").await;
        assert!((200..300).contains(&answer.status), "{}", answer.said());
        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert!(lists(answer.header("access-control-allow-methods"), method));
        for header in ["ticketd-session", "prefer", "content-type", "authorization"] {
            assert!(lists(answer.header("access-control-allow-headers"), header), "{header}");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_allowed_sees_answers_fences_and_errors() {
    let server = serve(OURS).await;
    let opened = ask_from(&server, OURS, &[], "POST /sessions").await.json();
    let session = format!("Ticketd-Session: {}", opened.as_str().expect("an id"));
    for (request, status) in [
        ("POST /locks/db", 200),
        ("DELETE /locks/none", 404),
        ("GET /nope", 404),
        ("GET /locks/db", 405),
    ] {
        let answer = ask_from(&server, OURS, &[&session], request).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.header("access-control-allow-origin"), OURS, "{request}");
        for header in ["ticketd-fence", "retry-after", "www-authenticate"] {
            assert!(lists(answer.header("access-control-expose-headers"), header), "{header}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert!(lists(answer.header("vary"), "origin"), "{request}");
    }
}

#[tokio::test]
async fn a_page_of_yet_another_origin_is_not_let_in() {
    let server = serve(OURS).await;
    for origin in ["https://evil.example", "http://app.example", "https://app.example:8443", "null"]
    {
        let preflight = ["Access-Control-Request-Method: PUT"];
        let answer = ask_from(&server, origin, &preflight, "OPTIONS /sessions/x").await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let answer = ask_from(&server, origin, &[], "GET /status").await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn all_origins_can_be_let_in() {
    let server = serve("*").await;
    let answer = ask_from(&server, "https://any.example", &[], "GET /status").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

/// 2458 sessions of 24 h were opened in 2 s by a page that a developer had open: a "simple" request
/// is sent without asking first. And under a rebound name a page read all ids.
#[tokio::test]
async fn a_foreign_page_does_nothing_and_a_foreign_name_neither() {
    let server = Served::start().await;
    let mut page = Client::connect(server.address).await.with("Origin: https://evil.example");
    // Not a byte of the body comes, and the answer does.
    let head = "POST /api/v1/sessions?ttl=86400000 HTTP/1.1\r\nHost: localhost\r\n\
                Origin: https://evil.example\r\nContent-Length: 1000\r\n\r\n";
    let mut slow = Client::connect(server.address).await;
    assert!(slow.write(head.as_bytes()).await);
    assert_eq!(slow.answer().await.status, 403);
    let refused = page.ask("POST /sessions?ttl=86400000").await;
    let text = "403 pages of https://evil.example may not use this server; if they should: \
                --allow-origin https://evil.example";
    assert_eq!(refused.said(), text);
    let mut image = Client::connect(server.address).await.with("Sec-Fetch-Site: cross-site");
    assert_eq!(image.ask("GET /status").await.status, 403);
    assert_eq!(image.ask("GET /nope").await.status, 404, "unknown paths come first");
    assert_eq!(image.ask_at("GET /healthz").await.status, 200);
    let mut rebound = Client::connect(server.address).await;
    let request = "GET /api/v1/dump/sessions HTTP/1.1\r\nHost: evil.example:8001\r\n\
                   Accept: application/problem+json\r\n\r\n";
    assert!(rebound.write(request.as_bytes()).await);
    let refused = rebound.answer().await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &"forbidden".into()));
    let mut plain = Client::connect(server.address).await;
    assert_eq!(plain.ask("GET /status").await.json()["Sessions"], 0);
    let upgrade = "GET /api/v1/ws HTTP/1.1\r\nHost: evil.example:8001\r\n\
                   Origin: http://evil.example:8001\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert!(plain.write(upgrade.as_bytes()).await);
    assert_eq!(plain.answer().await.status, 403);
}
