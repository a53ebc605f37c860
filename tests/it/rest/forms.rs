//! What locks and tickets can do in full, in the forms of REST.

use serde_json::Value;

use crate::support::{Client, Served, SessionInfo};

#[tokio::test]
async fn locks_are_shared_taken_and_ended_by_force() {
    let server = Served::start().await;
    let (mut a, mut b, mut writer) = (
        SessionInfo::open(server.address, "a").await,
        SessionInfo::open(server.address, "b").await,
        SessionInfo::open(server.address, "writer").await,
    );
    let shared = "POST /locks/page?mode=shared";
    let first = a.ask(shared).await;
    let second = b.ask(shared).await;
    assert_eq!((first.said(), second.said()), ("200 true".into(), "200 true".into()));
    assert!(first.fence() < second.fence());
    assert_eq!(writer.says("POST /locks/page").await, "200 false");
    assert_eq!(a.says("POST /locks/page").await, "409 it would wait for ever");
    // Dumps show the first holder under the lock's name, and further ones with their fences.
    let dump = writer.ask("GET /dump/resources/page").await.json();
    let tickets = &dump["page"]["Tickets"];
    assert_eq!(tickets["page"]["Issuer"]["Name"], "a");
    let further = format!("page ({})", second.fence());
    assert_eq!(tickets[&further]["Name"], further);
    assert_eq!(tickets[&further]["Issuer"]["Name"], "b");
    let taken = writer.ask("POST /locks/page?steal=true&wait=1000").await;
    assert_eq!(taken.said(), "200 true");
    assert_eq!(a.says("DELETE /locks/page").await, "404 held by another");
    assert_eq!(writer.says("POST /locks/page?steal=true&mode=shared").await, {
        "422 steal takes a lock exclusively"
    });
    let force = format!("DELETE /locks/page?force=true&fence={}", taken.fence());
    let mut nobody = Client::connect(server.address).await;
    assert_eq!(nobody.ask(&force).await.said(), "200 \"ok\"");
    assert_eq!(nobody.ask("DELETE /locks/page?force=true").await.said(), "404 not locked");
    let unknown = "DELETE /locks/page?force=true&sessid=3MVYUZwU1jzrVL6ihH9SHy7QRTe";
    assert_eq!(nobody.ask(unknown).await.said(), "404 session not found");
    server.stop().await;
}

#[tokio::test]
async fn a_body_is_what_a_lock_s_holder_makes_known() {
    let server = Served::start().await;
    let mut leader = SessionInfo::open(server.address, "leader").await;
    let value = async |client: &mut Client| {
        let look = client.ask("GET /resources/elected").await.json();
        look["holders"][0]["data"].clone()
    };
    let taken = leader.ask_with("POST /locks/elected", "here").await;
    assert_eq!(value(&mut leader).await, "here");
    // An empty body says nothing.
    assert_eq!(leader.ask("POST /locks/elected").await.fence(), taken.fence());
    assert_eq!(value(&mut leader).await, "here");
    let confirm = format!("POST /locks/elected?fence={}&wait=1000", taken.fence());
    assert_eq!(leader.ask_with(&confirm, "there").await.said(), "200 true");
    assert_eq!(value(&mut leader).await, "there");
    let stale = "POST /locks/elected?fence=1";
    assert_eq!(leader.ask_with(stale, "no").await.said(), "404 held by another");
    let large = leader.ask_with("POST /locks/elected", "x".repeat(1025)).await;
    assert_eq!(large.status, 413);
    // A value goes with a wait, and comes with its grant.
    let mut leader = SessionInfo::open(server.address, "other").await;
    let mut next = SessionInfo::open(server.address, "next").await;
    assert_eq!(leader.ask_with("POST /locks/second", "one").await.said(), "200 true");
    let head = format!(
        "POST /api/v1/locks/second?wait=60000&sessid={} HTTP/1.1\r\nHost: test\r\n\
         Content-Length: 3\r\n\r\ntwo",
        next.id
    );
    assert!(next.write(head.as_bytes()).await);
    crate::support::until_waits(server.address, 1).await;
    assert_eq!(leader.says("DELETE /locks/second").await, "200 \"ok\"");
    assert_eq!(next.answer().await.said(), "200 true");
    let look = next.ask("GET /resources/second").await.json();
    assert_eq!(look["holders"][0]["data"], "two");
    server.stop().await;
}

#[tokio::test]
async fn work_is_issued_held_given_back_and_finished() {
    let server = Served::start().await;
    let (mut farm, mut worker) = (
        SessionInfo::open(server.address, "farm").await,
        SessionInfo::open(server.address, "worker").await,
    );
    let issue = "POST /tickets/jobs?name=j&stay=true&attempts=3&new=true&priority=5";
    assert_eq!(farm.ask_with(issue, "x").await.said(), "200 \"Ok\"");
    assert_eq!(farm.ask_with(issue, "x").await.said(), "409 there is such a ticket already");
    farm.close().await;
    let claim = worker.ask("POST /claims/jobs?hold=60000").await;
    let ticket = claim.json()["Ticket"].take();
    assert_eq!(
        (&ticket["Attempt"], &ticket["Hold"], &ticket["Left"]),
        (&1.into(), &60_000.into(), &60_000.into())
    );
    assert_eq!((&ticket["Issuer"]["Name"], &ticket["Issuer"]["Ttl"]), (&"farm".into(), &0.into()));
    // The same claim, asked for again, has what is left.
    let again = worker.ask("POST /claims/jobs").await;
    assert_eq!(again.fence(), claim.fence());
    let left = again.json()["Ticket"]["Left"].as_u64().expect("a time");
    assert!(left <= 60_000);
    let touch = format!("PUT /claims/jobs?name=j&fence={}&hold=30000", claim.fence());
    assert_eq!(worker.says(&touch).await, "200 {\"Left\":30000}");
    let show = format!("GET /sessions/{}", worker.id);
    let own = worker.ask(&show).await.json();
    let shown = &own["Tickets"][0];
    assert_eq!((&shown["Attempt"], &shown["Hold"]), (&1.into(), &30_000.into()), "{own}");
    assert!(shown["Left"].as_u64().is_some_and(|left| left <= 30_000), "{own}");
    let release = "DELETE /claims/jobs?name=j&note=no+such+file&delay=60000";
    assert_eq!(worker.says(release).await, "200 \"Ok\"");
    let list = worker.ask("GET /resources/jobs/tickets").await.json();
    let listed = &list["tickets"][0];
    assert_eq!(
        (&listed["state"], &listed["note"], &listed["attempt"]),
        (&"delayed".into(), &"no such file".into(), &2.into())
    );
    assert!(listed["left"].as_u64().is_some_and(|left| left <= 60_000), "{list}");
    // Issued again without a delay it is free; dead by word it goes to nobody.
    let again = "POST /tickets/jobs?name=j&stay=true";
    assert_eq!(worker.ask_with(again, "y").await.said(), "200 \"Ok\"");
    assert_eq!(worker.claim("jobs").await, "j");
    assert_eq!(worker.says("DELETE /claims/jobs?name=j&dead=true").await, "200 \"Ok\"");
    assert_eq!(worker.claim("jobs").await, "");
    assert_eq!(worker.says("POST /resources/jobs/revive?name=j").await, "200 {\"revived\":1}");
    let claim = worker.ask("POST /claims/jobs").await;
    assert_eq!(claim.json()["Ticket"]["Attempt"], 1);
    assert_eq!(worker.says("DELETE /claims/jobs?name=j&untried=true").await, "200 \"Ok\"");
    let second = worker.ask("POST /claims/jobs").await;
    assert_eq!(second.json()["Ticket"]["Attempt"], 1);
    // Finished by its fence, and by no other.
    let done = |fence| format!("DELETE /tickets/jobs?name=j&fence={fence}");
    assert_eq!(worker.says(&done(claim.fence())).await, "404 held by another");
    assert_eq!(worker.says(&done(second.fence())).await, "200 \"Ok\"");
    server.stop().await;
}

#[tokio::test]
async fn a_claim_is_ended_by_force_without_a_session() {
    let server = Served::start().await;
    let mut worker = SessionInfo::open(server.address, "worker").await;
    worker.issue("jobs", "j", "").await;
    let plain = worker.ask("POST /claims/jobs").await;
    let text = String::from_utf8_lossy(&plain.body).into_owned();
    assert!(!text.contains("Attempt") && !text.contains("Hold"), "{text}");
    let mut nobody = Client::connect(server.address).await;
    let wrong = "DELETE /claims/jobs?name=j&force=true&fence=1";
    assert_eq!(nobody.ask(wrong).await.said(), "404 held by another");
    let both = "DELETE /claims/jobs?name=j&force=true&dead=true";
    assert_eq!(nobody.ask(both).await.status, 422);
    assert_eq!(nobody.ask("DELETE /claims/jobs?name=j&force=true").await.said(), "200 \"Ok\"");
    assert_eq!(worker.says("GET /claims/jobs?name=j").await, "200 false");
    assert_eq!(nobody.ask("DELETE /claims/jobs?name=j").await.said(), "422 sessid is missing");
    server.stop().await;
}

#[tokio::test]
async fn a_circle_is_told_in_a_document() {
    let server = Served::start().await;
    let open = async |name: &str| {
        let mut client = Client::connect(server.address).await;
        let path = format!("POST /sessions?name={name}&ttl=60000&blocking=true&delay=10");
        let id = client.ask(&path).await.json();
        client.with(&format!("Ticketd-Session: {}", id.as_str().expect("an id")))
    };
    let (mut a, mut b) = (open("a").await, open("b").await);
    assert_eq!(a.ask("POST /locks/db").await.said(), "200 true");
    assert_eq!(b.ask("POST /locks/disk").await.said(), "200 true");
    a.send("POST /locks/disk?wait=60000").await;
    crate::support::until_waits(server.address, 1).await;
    let mut b = b.with("Accept: application/problem+json");
    let refused = b.ask("POST /locks/db?wait=60000").await;
    assert_eq!((refused.status, refused.media()), (409, "application/problem+json"));
    let document = refused.json();
    assert_eq!(document["code"], "deadlock");
    let cycle = document["cycle"].as_array().expect("a cycle");
    let told: Vec<_> = cycle.iter().map(|it| (&it["session"], &it["waits"])).collect();
    let text = |text: &str| Value::from(text);
    assert_eq!(told, [(&text("b"), &text("db")), (&text("a"), &text("disk"))]);
    assert_eq!(b.ask("DELETE /locks/disk").await.said(), "200 \"ok\"");
    assert_eq!(a.answer().await.said(), "200 true");
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    one.issue("jobs", "j", "").await;
    for (request, why) in [
        ("POST /locks/db?mode=both", "mode must be \"exclusive\" or \"shared\""),
        ("POST /locks/db?steal=yes", "steal must be true or false"),
        ("POST /locks/db?steal=true&fence=7", "steal takes a lock anew, and fence confirms it"),
        ("POST /tickets/jobs?name=k&priority=10", "priority must be an integer from 0 to 9"),
        ("POST /tickets/jobs?name=k&attempts=0", "attempts must be an integer from 1 to 1000"),
        ("POST /tickets/jobs?name=k&delay=-1", "delay must be an integer from 0 to 2592000000"),
        ("POST /claims/jobs?hold=99", "hold must be an integer from 100 to 86400000"),
        ("PUT /claims/jobs?name=j&hold=x", "hold must be an integer from 100 to 86400000"),
        ("PUT /claims/jobs", "name is missing"),
        ("POST /sessions?delay=60001", "delay must be an integer from 0 to 60000"),
        ("POST /sessions?blocking=1", "blocking must be true or false"),
        ("PUT /resources/jobs", "paused must be true or false"),
        ("PUT /resources/jobs?paused=1", "paused must be true or false"),
        ("GET /resources/jobs?limit=0", "limit must be an integer from 1 to 1000"),
        ("GET /resources/jobs/tickets?state=gone", "state must be free, held, delayed or dead"),
        ("GET /resources/jobs/tickets?after=j", "after must be a ticket's number"),
        ("GET /resources?limit=1001", "limit must be an integer from 1 to 1000"),
    ] {
        assert_eq!(one.says(request).await, format!("422 {why}"), "{request}");
    }
    let long = format!("DELETE /claims/jobs?name=j&note={}", "n".repeat(256));
    assert_eq!(one.ask(&long).await.status, 422);
    assert_eq!(one.says("PUT /claims/jobs?name=j").await, "404 held by another");
    server.stop().await;
}
