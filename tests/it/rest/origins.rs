//! Pages of other origins: shut out unless their origin is allowed.

use ticketd::server::Config;

use crate::support::{Answer, Client, Served};

const OURS: &str = "https://app.example";

async fn serve(origin: &'static str) -> Served {
    let allow_origins = vec![origin.parse().expect("a header")];
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
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn a_page_that_is_allowed_may_do_what_clients_do() {
    let server = serve(OURS).await;
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let headers = [
            &format!("Access-Control-Request-Method: {method}"),
            "Access-Control-Request-Headers: ticketd-session,prefer,content-type",
        ];
        let answer = ask_from(&server, OURS, &headers, "OPTIONS /claims/work").await;
        assert!((200..300).contains(&answer.status), "{}", answer.said());
        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert!(lists(answer.header("access-control-allow-methods"), method));
        for header in ["ticketd-session", "prefer", "content-type"] {
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
        assert!(lists(answer.header("access-control-expose-headers"), "ticketd-fence"));
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
