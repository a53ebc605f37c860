//! Resources: looked at, listed, paused, and whether a fence is still good.

use serde_json::{Value, json};

use crate::support::{Client, Served, SessionInfo};

#[tokio::test]
async fn how_a_resource_stands_is_told_to_anybody() {
    let server = Served::start().await;
    let mut nobody = Client::connect(server.address).await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let look = nobody.ask("GET /resources/a%2Fb").await.json();
    assert_eq!((&look["resource"], &look["kind"]), (&json!("a/b"), &Value::Null));
    assert_eq!(look["holders"], json!([]));
    holder.issue("a%2Fb", "one", "").await;
    holder.issue("a%2Fb", "two", "").await;
    let claim = holder.ask("POST /claims/a%2Fb").await;
    let look = nobody.ask("GET /resources/a%2Fb/").await.json();
    assert_eq!(
        (&look["kind"], &look["free"], &look["held"]),
        (&json!("tickets"), &json!(1), &json!(1))
    );
    let held = &look["holders"][0];
    assert_eq!(
        (&held["session"], &held["ticket"], &held["fence"]),
        (&json!("holder"), &json!("one"), &json!(claim.fence()))
    );
    assert_eq!((held.get("data"), held.get("left"), &held["attempt"]), (None, None, &json!(1)));
    // It makes nothing known.
    assert_eq!(nobody.ask("GET /dump/resources/unseen").await.status, 404);
    nobody.ask("GET /resources/unseen").await;
    assert_eq!(nobody.ask("GET /dump/resources/unseen").await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_store_asks_whether_a_fence_is_still_good() {
    let server = Served::start().await;
    let mut store = Client::connect(server.address).await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    let lock = holder.ask("POST /locks/db").await.fence();
    holder.issue("jobs", "j", "").await;
    let claim = holder.ask("POST /claims/jobs").await.fence();
    for (question, answer) in [
        (format!("db?fence={lock}"), "true"),
        (format!("db?fence={}", lock + 1), "false"),
        (format!("jobs?fence={claim}&ticket=j"), "true"),
        (format!("jobs?fence={claim}&ticket=k"), "false"),
        (format!("nowhere?fence={lock}"), "false"),
    ] {
        let said = store.ask(&format!("GET /resources/{question}")).await.said();
        assert_eq!(said, format!("200 {answer}"), "{question}");
    }
    holder.ask("DELETE /locks/db").await;
    assert_eq!(store.ask(&format!("GET /resources/db?fence={lock}")).await.said(), "200 false");
    server.stop().await;
}

#[tokio::test]
async fn tickets_are_listed_in_pages_in_order_of_their_age() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    for number in (0..5).rev() {
        let name = format!("t{number}");
        one.issue("jobs", &name, "x").await;
    }
    let bytes = one.ask_with("POST /tickets/jobs?name=bytes&stay=true&priority=3", [0xff]).await;
    assert_eq!(bytes.status, 200);
    assert_eq!(one.claim("jobs").await, "bytes");
    let mut names = Vec::new();
    let mut after = 0;
    loop {
        let page = one.ask(&format!("GET /resources/jobs/tickets?limit=2&after={after}")).await;
        let page = page.json();
        let listed = page["tickets"].as_array().expect("a list");
        assert!(listed.len() <= 2);
        names.extend(listed.iter().map(|it| it["ticket"].as_str().expect("a name").to_owned()));
        match page["after"].as_u64() {
            Some(number) => after = number,
            None => break,
        }
    }
    assert_eq!(names, ["t4", "t3", "t2", "t1", "t0", "bytes"]);
    let held = one.ask("GET /resources/jobs/tickets?state=held").await.json();
    let held = held["tickets"].as_array().expect("a list").clone();
    assert_eq!(held.len(), 1);
    assert_eq!(
        (&held[0]["data64"], &held[0]["priority"], &held[0]["session"]),
        (&json!("/w=="), &json!(3), &json!("one"))
    );
    let free = one.ask("GET /resources/jobs/tickets?state=free").await.json();
    assert_eq!(free["tickets"].as_array().map(Vec::len), Some(5));
    let nothing = one.ask("GET /resources/nowhere/tickets").await.said();
    assert_eq!(nothing, "200 {\"tickets\":[],\"after\":null}");
    // A number that no ticket has was taken, and so was text that is no name.
    for request in ["jobs/tickets?after=9007199254740992", "jobs?ticket=%01"] {
        assert_eq!(one.ask(&format!("GET /resources/{request}")).await.status, 422, "{request}");
    }
    server.stop().await;
}

#[tokio::test]
async fn resources_are_listed_by_what_their_names_begin_with() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    for name in ["b%2Fz", "b%2Fa", "a", "b", "b%2F%C3%A9"] {
        assert_eq!(one.ask(&format!("POST /locks/{name}")).await.said(), "200 true");
    }
    let list = async |client: &mut Client, query: &str| {
        let page = client.ask(&format!("GET /resources{query}")).await.json();
        let names = page["resources"].as_array().expect("a list").iter();
        let names = names.map(|it| it["resource"].as_str().expect("a name").to_owned());
        (names.collect::<Vec<_>>(), page["after"].clone())
    };
    let (all, after) = list(&mut one, "").await;
    assert_eq!(
        (&all[..], after),
        (&["a", "b", "b/a", "b/z", "b/é"].map(str::to_owned)[..], Value::Null)
    );
    let (page, after) = list(&mut one, "?prefix=b%2F&limit=2").await;
    assert_eq!((&page[..], &after), (&["b/a", "b/z"].map(str::to_owned)[..], &json!("b/z")));
    let (page, after) = list(&mut one, "?prefix=b%2F&limit=2&after=b%2Fz").await;
    assert_eq!((page, after), (vec!["b/é".to_owned()], Value::Null));
    let figures = one.ask("GET /resources?prefix=a").await.json();
    let figures = &figures["resources"][0];
    let expected = json!({"resource": "a", "kind": "lock", "free": 0, "held": 1, "waiting": 0});
    assert_eq!(figures, &expected);
    server.stop().await;
}

#[tokio::test]
async fn a_pause_needs_no_session_and_is_seen() {
    let server = Served::start().await;
    let mut nobody = Client::connect(server.address).await;
    let mut one = SessionInfo::open(server.address, "one").await;
    assert_eq!(nobody.ask("PUT /resources/db?paused=true").await.said(), "200 \"Ok\"");
    assert_eq!(one.says("POST /locks/db").await, "200 false");
    let listed = nobody.ask("GET /resources").await.json();
    assert_eq!(listed["resources"][0]["paused"], true);
    assert_eq!(nobody.ask("GET /resources/db").await.json()["paused"], true);
    assert_eq!(one.says("PUT /resources/db?paused=false").await, "200 \"Ok\"");
    assert_eq!(one.says("POST /locks/db").await, "200 true");
    assert_eq!(nobody.ask("GET /resources/db").await.json()["paused"], false);
    for request in ["POST /resources/db", "DELETE /resources/db", "POST /resources"] {
        assert_eq!(nobody.ask(request).await.status, 405, "{request}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_tickets_carry_is_for_those_who_may_claim_them() {
    use crate::access::served::{Guarded, principal};
    let file = principal("farm", "allow = [{ to = [\"issue\"], on = [\"jobs\"] }]")
        + &principal("watcher", "allow = [{ to = [\"watch\"], on = [\"jobs\"] }]")
        + &principal("worker", "allow = [{ to = [\"work\", \"watch\"], on = [\"jobs\"] }]");
    let guarded = Guarded::by(&file).await;
    let farm = guarded.open(Some("farm")).await;
    let issue = format!("POST /tickets/jobs?name=j&sessid={farm}");
    let mut client = guarded.client(Some("farm")).await;
    assert_eq!(client.ask_with(&issue, "secret").await.said(), "200 \"Ok\"");
    for (who, shown) in [("watcher", Value::Null), ("worker", json!("secret"))] {
        let list = guarded.client(Some(who)).await.ask("GET /resources/jobs/tickets").await.json();
        assert_eq!(list["tickets"][0]["data"], shown, "{who}");
    }
    guarded.served.stop().await;
}
