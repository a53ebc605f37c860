//! The table of routes, whole: every route × everybody × whose session is named.

use ticketd::server::Config;

use crate::access::served::{ALL_RIGHTS, Guarded, everybody, policy, principal};
use crate::support::{Client, until_waits_by};

/// A request: its line with `S` for the session, what it takes, whether its session must be one.
struct Request {
    line: &'static str,
    takes: &'static str,
    names: bool,
}

const fn request(line: &'static str, takes: &'static str, names: bool) -> Request {
    Request { line, takes, names }
}

const REQUESTS: [Request; 39] = [
    request("POST /sessions?name=n&ttl=60000&delay=10&blocking=true", "", false),
    request("GET /sessions", "admin", false),
    request("PUT /sessions/S", "", true),
    request("GET /sessions/S", "", true),
    request("POST /tickets/r%2Fjobs?name=t1&sessid=S", "issue", true),
    request("POST /tickets/r%2Fjobs?name=t2&stay=true&priority=9&sessid=S", "issue", true),
    request("DELETE /tickets/r%2Fjobs?name=t1&sessid=S", "reach", true),
    request("DELETE /tickets/r%2Fjobs?name=t1&fence=7&sessid=S", "reach", true),
    request("POST /claims/r%2Fjobs?sessid=S", "claim", true),
    request("POST /claims/r%2Fjobs?sessid=S&wait=10&hold=60000", "claim", true),
    request("PUT /claims/r%2Fjobs?name=t2&sessid=S", "claim", true),
    request("GET /claims/r%2Fjobs?name=t1&sessid=S", "", true),
    request("DELETE /claims/r%2Fjobs?name=t1&sessid=S", "", true),
    request("DELETE /claims/r%2Fjobs?name=t1&sessid=S&note=n&delay=1", "", true),
    request("DELETE /claims/r%2Fjobs?name=t1&sessid=S&force=true", "force", true),
    request("DELETE /claims/r%2Fjobs?name=t1&force=true", "force", false),
    request("POST /locks/r%2Fdb?sessid=S", "lock", true),
    request("POST /locks/r%2Fdb?sessid=S&mode=shared", "lock", true),
    request("POST /locks/r%2Fdb?sessid=S&steal=false", "lock", true),
    request("POST /locks/r%2Fdb?sessid=S&steal=true", "force", true),
    request("DELETE /locks/r%2Fdb?sessid=S", "", true),
    request("DELETE /locks/r%2Fdb?sessid=S&force=true", "force", true),
    request("DELETE /locks/r%2Fdb?force=true", "force", false),
    request("PUT /resources/r%2Fdb?paused=false", "force", false),
    request("PUT /resources/r%2Fdb?paused=false&sessid=S", "force", true),
    request("POST /resources/r%2Fjobs/revive", "issue", false),
    request("POST /resources/r%2Fjobs/revive?name=t2&sessid=S", "issue", true),
    request("GET /resources/r%2Fdb", "watch", false),
    request("GET /resources/r%2Fdb?fence=7", "watch", false),
    request("GET /resources/r%2Fjobs?fence=7&ticket=t1", "watch", false),
    request("GET /resources/r%2Fjobs/tickets", "watch", false),
    request("GET /resources?prefix=r%2F", "watch", false),
    request("GET /resources?prefix=r", "admin", false),
    request("GET /resources", "admin", false),
    request("GET /dump/sessions", "admin", false),
    request("GET /dump/resources", "admin", false),
    request("GET /dump/resources/r%2Fjobs", "admin", false),
    request("GET /status", "metrics", false),
    request("DELETE /sessions/S", "", true),
];

/// Whether somebody may do that, as the contract's table says.
fn may(who: &str, takes: &str) -> bool {
    match takes {
        "" | "reach" => true,
        _ if who == "admin" => true,
        "claim" => matches!(who, "claim" | "work"),
        right => who == right,
    }
}

#[tokio::test]
async fn every_route_for_everybody_and_every_session() {
    let open_to_all = "[anonymous]\nallow = [{ to = [\"watch\"], on = [\"r/*\"] }]\n";
    let guarded = Guarded::by(&(everybody() + open_to_all)).await;
    let others = guarded.open(Some("elsewhere")).await;
    let unknown = "3MVYUZwU1jzrVL6ihH9SHy7QRTe";
    let mut asked = 0;
    let callers = ALL_RIGHTS.into_iter().chain(["elsewhere", "none", "metrics", "admin"]);
    for who in callers.map(Some).chain([None]) {
        let name = who.unwrap_or("watch");
        let mut client = guarded.client(who).await;
        for Request { line, takes, names } in REQUESTS {
            let own = guarded.open(who).await;
            for (whose, session) in [("own", &own[..]), ("another's", &others), ("no", unknown)] {
                if whose == "another's" && who == Some("elsewhere") {
                    continue;
                }
                let line = line
                    .replace("=S", &format!("={session}"))
                    .replace("/S", &format!("/{session}"));
                let answer = client.ask(&line).await;
                let said = answer.said();
                let at = format!("{line} of {whose} session by {who:?}: {said}");
                asked += 1;
                if !may(name, takes) {
                    assert_eq!(answer.status, 403, "{at}");
                    assert!(said.contains("this takes the right"), "{at}");
                } else if takes == "reach" && !matches!(name, "issue" | "admin") {
                    // Nothing of its own is there, and nothing is said of what is.
                    assert_eq!(said, "403 not allowed", "{at}");
                } else if names && whose != "own" {
                    assert_eq!(said, "404 session not found", "{at}");
                } else {
                    assert!(!matches!(answer.status, 401 | 403), "{at}");
                    assert!(!said.contains("session not found"), "{at}");
                }
                // Ids are told to nobody but their own.
                let told = said.matches(&others[..]).count() + said.matches(unknown).count();
                assert_eq!(told, 0, "{at}");
            }
        }
    }
    assert!(asked > 1000, "{asked}");
    guarded.served.stop().await;
}

#[tokio::test]
async fn who_shows_nothing_or_something_bad_learns_nothing() {
    let guarded = Guarded::by(&everybody()).await;
    let mut nobody = guarded.client(None).await;
    let bad = "Authorization: Bearer tkd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut liar = Client::connect(guarded.address()).await.with(bad);
    for (number, Request { line, .. }) in REQUESTS.iter().enumerate() {
        let answer = nobody.ask(line).await;
        assert_eq!(answer.said(), "401 a token is needed", "{line}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let answer = liar.ask(line).await;
        // Of one address the 21st failure in a minute, and what comes after, is put off.
        if number < 20 {
            assert_eq!(answer.said(), "401 the token is not good", "{line} {number}");
            assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        } else {
            assert_eq!(answer.said(), "429 the token is not good", "{line} {number}");
            assert!(answer.header("retry-after").parse::<u64>().expect("seconds") > 0);
        }
    }
    assert!(REQUESTS.len() > 20);
    // Who shows a good one is not refused for what others did; what has no state needs none.
    assert_eq!(guarded.client(Some("admin")).await.ask("GET /status").await.status, 200);
    assert_eq!(nobody.ask_at("GET /healthz").await.status, 200);
    assert_eq!(nobody.ask("GET /nowhere").await.status, 404);
    assert_eq!(nobody.ask("PATCH /sessions").await.status, 405);
    guarded.served.stop().await;
}

#[tokio::test]
async fn the_original_clients_manners_count() {
    let guarded = Guarded::by(&everybody()).await;
    // x:tkd_… in base64, as user information of a URL becomes.
    let pair = format!("x:{}", crate::access::served::token("lock").as_str());
    let basic = base64(&pair);
    let mut client = Client::connect(guarded.address()).await;
    client = client.with(&format!("Authorization: Basic {basic}"));
    let id = client.ask("POST /sessions?name=go&ttl=60000").await.json();
    let id = id.as_str().expect("an id");
    assert_eq!(client.ask(&format!("POST /locks/r%2Fdb?sessid={id}")).await.said(), "200 true");
    assert_eq!(client.ask(&format!("POST /locks/x%2Fdb?sessid={id}")).await.status, 403);
    guarded.served.stop().await;
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, &byte| bits << 8 | usize::from(byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            out.push(DIGITS[bits >> (18 - 6 * digit) & 63].into());
        }
    }
    out
}

#[tokio::test]
async fn ids_and_addresses_are_told_to_nobody() {
    let guarded = Guarded::by(&everybody()).await;
    let (holder, issuer) = (guarded.open(Some("work")).await, guarded.open(Some("issue")).await);
    let issue = format!("POST /tickets/r%2Fjobs?name=t1&sessid={issuer}");
    assert_eq!(guarded.client(Some("issue")).await.ask(&issue).await.said(), "200 \"Ok\"");
    let mut worker = guarded.client(Some("work")).await;
    let claim = worker.ask(&format!("POST /claims/r%2Fjobs?sessid={holder}")).await.json();
    assert_eq!(claim["Claimed"], true);
    for party in ["Issuer", "Claimant"] {
        assert_eq!(claim["Ticket"][party]["Id"], "", "{claim}");
        assert_eq!(claim["Ticket"][party]["Src"], "", "{claim}");
    }
    // One's own session shows its own id, and nothing of others.
    let own = worker.ask(&format!("GET /sessions/{holder}")).await.json();
    assert_eq!(own["Id"], holder);
    assert_eq!(own["Tickets"][0]["Issuer"]["Id"], "");
    let mut admin = guarded.client(Some("admin")).await;
    let listed = admin.ask("GET /sessions").await.json();
    let listed = listed["sessions"].as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    let of = |owner: &str| {
        let is = |it: &&serde_json::Value| it["owner"]["principal"] == owner;
        listed.iter().find(is).expect("is listed").clone()
    };
    assert_eq!((&of("work")["holds"], &of("issue")["issued"]), (&1.into(), &1.into()));
    let dump = admin.ask("GET /dump/sessions").await.json();
    let reference = of("work")["ref"].as_str().expect("a ref").to_owned();
    assert_eq!(dump[&reference]["Id"], "");
    assert!(dump[&reference]["Src"].as_str().expect("an address").starts_with("127.0.0.1"));
    // By its ref a session is looked at and closed, by `admin` alone.
    let by_ref = format!("/sessions/{reference}");
    assert_eq!(worker.ask(&format!("GET {by_ref}")).await.status, 403);
    assert_eq!(admin.ask(&format!("GET {by_ref}")).await.json()["name"], "s");
    assert_eq!(admin.ask(&format!("DELETE {by_ref}")).await.said(), "200 \"Ok\"");
    let gone = worker.ask(&format!("GET /sessions/{holder}")).await;
    assert_eq!(gone.said(), "404 session not found");
    guarded.served.stop().await;
}

#[tokio::test]
async fn a_session_without_an_owner_is_adopted_by_the_first_who_names_it() {
    let guarded = Guarded::by(&(everybody() + "[anonymous]\nallow = []\n")).await;
    let id = guarded.open(None).await;
    let mut nobody = guarded.client(None).await;
    assert_eq!(nobody.ask(&format!("PUT /sessions/{id}")).await.status, 200);
    let mut lock = guarded.client(Some("lock")).await;
    assert_eq!(lock.ask(&format!("POST /locks/r%2Fdb?sessid={id}")).await.said(), "200 true");
    for who in [None, Some("admin"), Some("work")] {
        let mut other = guarded.client(who).await;
        assert_eq!(other.ask(&format!("GET /sessions/{id}")).await.said(), "404 session not found");
        assert_eq!(
            other.ask(&format!("DELETE /locks/r%2Fdb?sessid={id}")).await.said(),
            "404 session not found"
        );
    }
    assert_eq!(lock.ask(&format!("DELETE /locks/r%2Fdb?sessid={id}")).await.said(), "200 \"ok\"");
    guarded.served.stop().await;
}

#[tokio::test]
async fn quotas_bound_sessions_issues_and_requests() {
    let file =
        principal("few", "allow = [{ to = [\"issue\"], on = [\"*\"] }]\nsessions = 2\nissued = 3")
            + &principal("slow", "allow = []\nrate = 5");
    let guarded = Guarded::by(&file).await;
    let (first, _second) = (guarded.open(Some("few")).await, guarded.open(Some("few")).await);
    let mut few = guarded.client(Some("few")).await;
    let third = few.ask("POST /sessions?name=n&ttl=60000").await;
    assert_eq!((third.status, third.header("retry-after")), (429, "1"), "{}", third.said());
    for number in 0..3 {
        let issue = format!("POST /tickets/jobs?name=t{number}&sessid={first}");
        assert_eq!(few.ask(&issue).await.said(), "200 \"Ok\"");
    }
    let issue = format!("POST /tickets/jobs?name=t9&sessid={first}");
    assert_eq!(few.ask(&issue).await.status, 429);
    // Issued again, a ticket is no more than before.
    let again = format!("POST /tickets/jobs?name=t1&sessid={first}");
    assert_eq!(few.ask(&again).await.said(), "200 \"Ok\"");
    // What ends makes room.
    assert_eq!(few.ask(&format!("DELETE /sessions/{first}")).await.status, 200);
    guarded.open(Some("few")).await;
    let mut slow = guarded.client(Some("slow")).await;
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(slow.ask("GET /sessions/0").await.status == 429);
    }
    assert!(refused >= 10, "{refused}");
    guarded.served.stop().await;
}

#[tokio::test]
async fn a_wait_ends_when_its_right_or_its_proof_does() {
    let may = |on: &str| {
        principal("holder", "allow = [{ to = [\"lock\"], on = [\"*\"] }]")
            + &principal("metrics", "allow = [{ to = [\"metrics\"] }]")
            + &principal("waiter", &format!("allow = [{{ to = [\"lock\"], on = [\"{on}\"] }}]"))
    };
    let guarded = Guarded::with(&may("*"), Config::default()).await;
    let (holder, waiter) = (guarded.open(Some("holder")).await, guarded.open(Some("waiter")).await);
    let mut first = guarded.client(Some("holder")).await;
    assert_eq!(first.ask(&format!("POST /locks/db?sessid={holder}")).await.said(), "200 true");
    let wait = format!("POST /locks/db?sessid={waiter}&wait=60000");
    for (file, said) in [
        (may("other"), "403 this takes the right `lock` on that name"),
        (principal("holder", "allow = []"), "401 the token is not good"),
    ] {
        guarded.access.replace(policy(&may("*")));
        let mut second = guarded.client(Some("waiter")).await;
        second.send(&wait).await;
        until_waits_by(guarded.client(Some("metrics")).await, 1).await;
        guarded.access.replace(policy(&file));
        assert_eq!(second.answer().await.said(), said);
    }
    // The holder kept what it held.
    guarded.access.replace(policy(&may("*")));
    assert_eq!(first.ask(&format!("DELETE /locks/db?sessid={holder}")).await.said(), "200 \"ok\"");
    guarded.served.stop().await;
}

/// A body takes a while; what was asked before it is asked again behind it.
#[tokio::test]
async fn a_right_that_goes_while_the_body_comes_is_gone() {
    let file =
        |right: &str| principal("p", &format!("allow = [{{ to = [\"{right}\"], on = [\"*\"] }}]"));
    let guarded = Guarded::by(&file("issue")).await;
    let id = guarded.open(Some("p")).await;
    for (next, said) in [
        (file("watch"), "403 this takes the right `issue` on that name"),
        (principal("other", "allow = []"), "401 the token is not good"),
    ] {
        guarded.access.replace(policy(&file("issue")));
        let mut client = guarded.client(Some("p")).await;
        let head = format!(
            "POST /api/v1/tickets/jobs?name=t1&sessid={id} HTTP/1.1\r\nHost: a\r\n\
             Authorization: Bearer {}\r\nContent-Length: 4\r\n\r\nda",
            crate::access::served::token("p").as_str()
        );
        assert!(client.write(head.as_bytes()).await);
        // The request is being read when its session is pinned: it is not heard for 0 ms.
        assert!(client.is_quiet().await);
        guarded.access.replace(policy(&next));
        assert!(client.write(b"ta").await);
        assert_eq!(client.answer().await.said(), said);
    }
    guarded.served.stop().await;
}
