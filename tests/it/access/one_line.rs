//! One connection on which several show who they are: each request is asked for itself, whatever
//! the one before it showed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ticketd::server::Config;

use crate::support::Client;

use super::served::{Guarded, everybody, policy, principal, token};

const FOREIGN: &str = "Origin: https://elsewhere.example.org\r\n";

fn bearer(text: &str) -> String {
    format!("Authorization: Bearer {text}\r\n")
}

fn of(name: &str) -> String {
    bearer(token(name).as_str())
}

fn basic(name: &str) -> String {
    let pair = format!("x:{}", token(name).as_str());
    format!("Authorization: Basic {}\r\n", STANDARD.encode(pair))
}

/// The status of an answer to who bears these headers.
async fn status(client: &mut Client, headers: &str, request: &str) -> u16 {
    client.bear(headers);
    client.ask(request).await.status
}

#[tokio::test]
async fn another_header_is_somebody_else() {
    let guarded = Guarded::by(&everybody()).await;
    let look = format!("GET /sessions/{}", guarded.open(Some("lock")).await);
    let mut client = guarded.client(None).await;
    let good = token("lock").as_str().to_owned();
    let [mut first, mut last] = [good.clone(), good.clone()];
    first.replace_range(4..5, if good[4..5] == *"A" { "B" } else { "A" });
    last.replace_range(46..47, if good[46..47] == *"A" { "B" } else { "A" });
    for _ in 0..2 {
        for (headers, expected) in [
            (of("lock"), 200),
            (of("lock"), 200),
            (of("work"), 404),
            (of("lock"), 200),
            (bearer(&first), 401),
            (of("lock"), 200),
            (bearer(&last), 401),
            (bearer(&good[..46]), 401),
            (bearer(&format!("{good}A")), 401),
            (basic("lock"), 200),
            (String::new(), 401),
            (of("lock") + &of("lock"), 401),
            (of("lock"), 200),
        ] {
            assert_eq!(status(&mut client, &headers, &look).await, expected, "{headers}");
        }
    }
    guarded.served.stop().await;
}

#[tokio::test]
async fn the_same_header_is_who_the_file_of_now_says() {
    let may = principal("one", r#"allow = [{ to = ["lock"], on = ["*"] }]"#);
    let guarded = Guarded::by(&may).await;
    let lock = format!("POST /locks/db?sessid={}", guarded.open(Some("one")).await);
    let mut client = guarded.client(None).await;
    let mayn_t = principal("one", "allow = []");
    let another = may.replace("name = \"one\"", "name = \"other\"");
    let ends = principal("two", "allow = []");
    for (file, expected) in
        [(&mayn_t, 403), (&may, 200), (&another, 404), (&may, 200), (&ends, 401), (&may, 200)]
    {
        guarded.access.replace(policy(file));
        for _ in 0..2 {
            assert_eq!(status(&mut client, &of("one"), &lock).await, expected, "{file}");
        }
    }
    guarded.served.stop().await;
}

#[tokio::test]
async fn what_browsers_send_by_themselves_counts_by_who_asks() {
    let allow_origins = vec!["*".parse().expect("an origin")];
    let config = Config { allow_origins, ..Config::default() };
    let guarded = Guarded::with(&everybody(), config).await;
    let look = format!("GET /sessions/{}", guarded.open(Some("lock")).await);
    let mut client = guarded.client(None).await;
    for (headers, expected) in [
        (basic("lock"), 200),
        (basic("lock") + FOREIGN, 401),
        (of("lock") + FOREIGN, 200),
        (of("lock") + &basic("work"), 401),
        (of("lock") + &basic("work") + FOREIGN, 200),
        (basic("lock"), 200),
        (basic("lock") + FOREIGN, 401),
    ] {
        assert_eq!(status(&mut client, &headers, &look).await, expected, "{headers}");
    }
    guarded.served.stop().await;
}

#[tokio::test]
async fn the_clients_of_a_proxy_are_each_themselves() {
    let trust_proxies = vec!["127.0.0.1".parse().expect("a network")];
    let config = Config { trust_proxies, ..Config::default() };
    let guarded = Guarded::with(&everybody(), config).await;
    let look = format!("GET /sessions/{}", guarded.open(Some("lock")).await);
    let mut proxy = guarded.client(None).await;
    let mut ask = async |client: &str, headers: &str| {
        status(&mut proxy, &format!("X-Forwarded-For: {client}\r\n{headers}"), &look).await
    };
    for number in 0..25 {
        assert_eq!(ask("192.0.2.1", &of("lock")).await, 200);
        assert_eq!(ask("192.0.2.2", &of("work")).await, 404);
        assert_eq!(ask("192.0.2.2", "").await, 401);
        // One fails too often; the others do not pay for it.
        let refused = if number < 20 { 401 } else { 429 };
        assert_eq!(ask("192.0.2.3", &bearer("tkd_")).await, refused, "{number}");
        assert_eq!(ask("192.0.2.3", &of("lock")).await, 200);
    }
    assert_eq!(ask("192.0.2.1", &bearer("tkd_")).await, 401);
    guarded.served.stop().await;
}
