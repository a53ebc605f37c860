//! The table of ops, whole, and what becomes of sockets when rights, proofs and tokens change.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use super::client::{Client, Place, TTL_MS};
use crate::access::served::{ALL_RIGHTS, Guarded, everybody, policy, principal, token};

impl Client {
    /// Says `hello` with a principal's token; the state, or why not.
    async fn hello_as(&mut self, who: Option<&str>, mut hello: Value) -> Value {
        hello["op"] = json!("hello");
        hello["ttl"] = json!(TTL_MS);
        if let Some(who) = who {
            hello["token"] = json!(token(who).as_str());
        }
        self.send(hello).await;
        self.next().await.expect("an answer")
    }
}

async fn socket(guarded: &Guarded, who: Option<&str>) -> Client {
    let mut client = Place(guarded.address()).connect().await;
    let state = client.hello_as(who, json!({"name": "s"})).await;
    client.session = state["ok"]["session"].as_str().expect("an id").to_owned();
    client
}

/// An op, and what it takes.
fn ops() -> Vec<(Value, &'static str)> {
    let r = "r/jobs";
    vec![
        (json!({"op": "beat"}), ""),
        (json!({"op": "session"}), ""),
        (json!({"op": "lock", "resource": "r/db"}), "lock"),
        (json!({"op": "lock", "resource": "r/db", "wait": 10}), "lock"),
        (json!({"op": "lock", "resource": "r/db", "mode": "shared", "progress": true}), "lock"),
        (json!({"op": "lock", "resource": "r/db", "steal": true}), "force"),
        (json!({"op": "unlock", "resource": "r/db"}), ""),
        (json!({"op": "unlock", "resource": "r/db", "force": true}), "force"),
        (json!({"op": "claim", "resource": r}), "claim"),
        (json!({"op": "claim", "resource": r, "ticket": "t1"}), "claim"),
        (json!({"op": "claim", "resources": [r, "r/more"], "hold": 60000}), "claim"),
        (json!({"op": "claim", "resources": [r, "x/more"]}), "claim everywhere"),
        (json!({"op": "touch", "resource": r, "ticket": "t1"}), "claim"),
        (json!({"op": "release", "resource": r, "ticket": "t1"}), ""),
        (json!({"op": "release", "resource": r, "ticket": "t1", "force": true}), "force"),
        (json!({"op": "issue", "resource": r, "ticket": "t1"}), "issue"),
        (json!({"op": "issue", "resource": r, "ticket": "t1", "priority": 9}), "issue"),
        (json!({"op": "revoke", "resource": r, "ticket": "t9"}), "reach"),
        (json!({"op": "revoke", "resource": r, "ticket": "t9", "fence": 7}), "reach"),
        (json!({"op": "revive", "resource": r}), "issue"),
        (json!({"op": "pause", "resource": r, "paused": false}), "force"),
        (json!({"op": "look", "resource": r}), "watch"),
        (json!({"op": "watch", "resource": r}), "watch"),
        (json!({"op": "unwatch", "resource": r}), ""),
        (json!({"op": "cancel", "wait": 99}), ""),
        (json!({"op": "auth", "token": "?"}), "bad token"),
        (json!({"op": "bye"}), ""),
    ]
}

fn may(who: &str, takes: &str) -> bool {
    match takes {
        "" => true,
        "reach" => matches!(who, "issue" | "admin"),
        "bad token" => false,
        "claim everywhere" => who == "admin",
        _ if who == "admin" => true,
        "claim" => matches!(who, "claim" | "work"),
        right => who == right,
    }
}

#[tokio::test]
async fn every_op_for_everybody() {
    let open_to_all = "[anonymous]\nallow = [{ to = [\"watch\"], on = [\"r/*\"] }]\n";
    let guarded = Guarded::by(&(everybody() + open_to_all)).await;
    let callers = ALL_RIGHTS.into_iter().chain(["elsewhere", "none", "metrics", "admin"]);
    for who in callers.map(Some).chain([None]) {
        let mut client = socket(&guarded, who).await;
        for (op, takes) in ops() {
            let answer = client.ask_any(op.clone()).await;
            let code = answer["error"]["code"].as_str().unwrap_or("");
            let at = format!("{op} by {who:?}: {answer}");
            match takes {
                "bad token" => assert_eq!(code, "unauthorized", "{at}"),
                takes if may(who.unwrap_or("watch"), takes) => {
                    assert!(!matches!(code, "unauthorized" | "forbidden"), "{at}");
                }
                _ => assert_eq!(code, "forbidden", "{at}"),
            }
        }
    }
    guarded.served.stop().await;
}

#[tokio::test]
async fn hello_takes_a_proof_and_one_s_own_session() {
    let guarded = Guarded::by(&everybody()).await;
    let place = Place(guarded.address());
    let mut client = place.connect().await;
    // Nothing shown, then something bad, then something good, on one socket.
    let refused = client.hello_as(None, json!({})).await;
    assert_eq!(refused["error"], json!({"code": "unauthorized", "message": "a token is needed"}));
    let refused = client.hello_as(None, json!({"token": "tkd_?"})).await;
    let bad = json!({"code": "unauthorized", "message": "the token is not good"});
    assert_eq!(refused["error"], bad);
    let state = client.hello_as(Some("lock"), json!({})).await;
    let session = state["ok"]["session"].as_str().expect("an id").to_owned();
    assert_eq!(state["ok"]["ref"].as_str().expect("a ref").len(), 16);
    client.session.clone_from(&session);
    client.ask(json!({"op": "lock", "resource": "r/db"})).await;
    // Another's is not found, and its socket stays.
    for who in ["admin", "work"] {
        let mut other = place.connect().await;
        let answer = other.hello_as(Some(who), json!({"session": session, "attempt": 9})).await;
        assert_eq!(answer["error"]["code"], "session-not-found", "{who}");
    }
    assert_eq!(client.ask(json!({"op": "beat"})).await, json!({"ttl": TTL_MS}));
    // Its owner takes it over, by a header this time.
    let mut request = place.request();
    let value = format!("Bearer {}", token("lock").as_str());
    request.headers_mut().insert("Authorization", value.parse().expect("a header"));
    let (mut again, _) = place.upgrade(request).await.expect("an upgrade");
    let answer = again.hello_as(None, json!({"session": session, "attempt": 1})).await;
    assert_eq!(answer["ok"]["holds"][0]["resource"], "r/db", "{answer}");
    assert_eq!(client.next().await.expect_err("it was replaced").0, 4501);
    // A bad token in the upgrade's header is answered there.
    let mut request = place.request();
    request.headers_mut().insert("Authorization", "Bearer x".parse().expect("a header"));
    match place.upgrade(request).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 401),
        other => panic!("{:?}", other.map(|_| ())),
    }
    guarded.served.stop().await;
}

#[tokio::test]
async fn what_a_changed_policy_takes_away_and_what_it_leaves() {
    let file = |on: &str| {
        principal("a", "allow = [{ to = [\"lock\"], on = [\"*\"] }]")
            + &principal("b", &format!("allow = [{{ to = [\"lock\", \"watch\"], on = [{on}] }}]"))
    };
    let guarded = Guarded::by(&file("\"*\"")).await;
    let (mut a, mut b) = (socket(&guarded, Some("a")).await, socket(&guarded, Some("b")).await);
    a.ask(json!({"op": "lock", "resource": "db"})).await;
    b.ask(json!({"op": "lock", "resource": "mine"})).await;
    let wait = b.ask(json!({"op": "lock", "resource": "db", "wait": true})).await["wait"].clone();
    b.ask(json!({"op": "watch", "resource": "db"})).await;
    b.ask(json!({"op": "watch", "resource": "other"})).await;
    // Rights on one name are gone: its wait and its watch end, what is held stays.
    guarded.access.replace(policy(&file("\"mine\", \"other\"")));
    let ended =
        json!({"event": "wait-ended", "wait": wait, "resource": "db", "reason": "forbidden"});
    assert_eq!(b.event("wait-ended").await, ended);
    let ended = json!({"event": "watch-ended", "resource": "db", "reason": "forbidden"});
    assert_eq!(b.event("watch-ended").await, ended);
    a.ask(json!({"op": "unlock", "resource": "db"})).await;
    let state = b.ask(json!({"op": "session"})).await;
    assert_eq!((state["holds"].as_array().map(Vec::len), &state["waits"]), (Some(1), &json!([])));
    assert_eq!(state["watches"][0]["resource"], "other");
    // The principal is gone: the socket closes, and its session lives on for its ttl.
    guarded.access.replace(policy(&principal("a", "allow = [{ to = [\"admin\"] }]")));
    assert_eq!(b.next().await.expect_err("it is closed"), (4401, "unauthorized".to_owned()));
    let locked = a.ask_any(json!({"op": "lock", "resource": "mine"})).await;
    assert_eq!(locked["ok"]["granted"], false, "{locked}");
    guarded.served.stop().await;
}

#[tokio::test]
async fn another_token_of_the_same_owner_goes_on() {
    let two = format!(
        "[[principal]]\nname = \"p\"\ntoken-sha256 = [\"{}\", \"{}\"]\n\
         allow = [{{ to = [\"lock\"], on = [\"*\"] }}]\n",
        token("old").hash(),
        token("new").hash()
    );
    let guarded = Guarded::by(&(two.clone() + &principal("other", "allow = []"))).await;
    let mut client = socket(&guarded, Some("old")).await;
    client.ask(json!({"op": "lock", "resource": "db"})).await;
    let auth = |who: &str| json!({"op": "auth", "token": token(who).as_str()});
    let refused = client.ask_any(auth("other")).await;
    assert_eq!(refused["error"]["code"], "forbidden", "{refused}");
    let refused = client.ask_any(auth("nobody")).await;
    assert_eq!(refused["error"]["code"], "unauthorized", "{refused}");
    assert_eq!(client.ask(auth("new")).await, json!({}));
    // The old one is taken back: nothing happens to who has shown the new one.
    let one = two.replace(&format!("\"{}\", ", token("old").hash()), "");
    guarded.access.replace(policy(&one));
    assert_eq!(client.ask(json!({"op": "unlock", "resource": "db"})).await, json!({}));
    guarded.served.stop().await;
}

#[tokio::test]
async fn sockets_are_bounded_by_quota_and_taking_over_is_not() {
    let guarded = Guarded::by(&principal("few", "allow = []\nsockets = 1")).await;
    let place = Place(guarded.address());
    let first = socket(&guarded, Some("few")).await;
    let mut second = place.connect().await;
    let refused = second.hello_as(Some("few"), json!({})).await;
    assert_eq!(refused["error"]["code"], "limit", "{refused}");
    let resumed = second.hello_as(Some("few"), json!({"session": first.session})).await;
    assert_eq!(resumed["ok"]["resumed"], true, "{resumed}");
    guarded.served.stop().await;
}

/// Whoever takes a session over waits and watches by the rights that it shows, not by those of
/// before; and a socket of nobody's ends when the session becomes somebody's.
#[tokio::test]
async fn what_waits_goes_by_who_speaks_now() {
    let file = principal("holder", "allow = [{ to = [\"lock\"], on = [\"*\"] }]")
        + &principal("narrow", "allow = [{ to = [\"lock\"], on = [\"x\"] }]")
        + "[anonymous]\nallow = [{ to = [\"lock\", \"watch\"], on = [\"*\"] }]\n";
    let guarded = Guarded::by(&file).await;
    let mut holder = socket(&guarded, Some("holder")).await;
    holder.ask(json!({"op": "lock", "resource": "db"})).await;
    let mut nobody = socket(&guarded, None).await;
    let wait = nobody.ask(json!({"op": "lock", "resource": "db", "wait": true})).await;
    assert_eq!(wait["position"], 1);
    let mut narrow = Place(guarded.address()).connect().await;
    let hello = json!({"session": nobody.session, "attempt": 1});
    let state = narrow.hello_as(Some("narrow"), hello).await;
    assert_eq!(state["ok"]["resumed"], true, "{state}");
    assert_eq!(state["ok"]["waits"], json!([]), "it has no right to that");
    // The socket that was nobody's has ended, by one or the other.
    assert!(matches!(nobody.closed().await.0, 4401 | 4501));
    // By REST it is adopted as well, and the same becomes of its socket.
    let mut other = socket(&guarded, None).await;
    let refresh = format!("PUT /sessions/{}", other.session);
    let answer = guarded.client(Some("narrow")).await.ask(&refresh).await;
    assert_eq!(answer.said(), "200 \"Ok\"");
    assert_eq!(other.closed().await.0, 4401);
    guarded.served.stop().await;
}
