//! What is large is told as what is small is, though it comes piece by piece.

use serde_json::{Map, Value, json};

use crate::support::{Answer, Served, SessionInfo};

/// More than is seen in one visit, and more than one slice.
const MANY: usize = 1100;

async fn shown(info: &mut SessionInfo) -> Answer {
    let request = format!("GET /sessions/{}", info.id);
    info.ask(&request).await
}

fn is_streamed(answer: &Answer) -> bool {
    answer.header("transfer-encoding") == "chunked"
}

fn text(answer: Answer) -> String {
    String::from_utf8(answer.body).expect("is text")
}

/// Puts `entries` into an empty session's or resource's text, where it lists such.
fn with(empty: &str, list: &str, entries: &[String]) -> String {
    let begin = empty.find(list).expect("is listed") + list.len();
    format!("{}{}{}", &empty[..begin], entries.join(","), &empty[begin..])
}

#[tokio::test]
async fn large_sessions_and_resources_are_told_like_small_ones() {
    let server = Served::start().await;
    let mut issuer = SessionInfo::open(server.address, "issuer").await;
    let mut worker = SessionInfo::open(server.address, "worker").await;
    let (of_issuer, of_worker) = (shown(&mut issuer).await, shown(&mut worker).await);
    assert!(!is_streamed(&of_issuer));
    let (of_issuer, of_worker) = (text(of_issuer), text(of_worker));
    let ticket = |name: &str, claimant: &str| {
        format!(
            "{{\"Name\":\"{name}\",\"ResourceName\":\"jobs\",\"Data\":\"eA==\",\
             \"Issuer\":{of_issuer},\"Claimant\":{claimant}}}"
        )
    };
    let (mut issued, mut claimed) = (Vec::new(), Vec::new());
    let mut by_name = Map::new();
    // In an order that is not that of the names.
    for name in (0..MANY).map(|number| format!("job-{}", number * 789 % MANY)) {
        issuer.issue("jobs", &name, "x").await;
        let claimant = if claimed.len() < 600 { &of_worker } else { "null" };
        let text = ticket(&name, claimant);
        if claimant != "null" {
            assert_eq!(worker.claim(&format!("jobs?name={name}")).await, name);
            claimed.push(text.clone());
        }
        by_name.insert(name, serde_json::from_str::<Value>(&text).expect("is JSON"));
        issued.push(text);
    }
    let answer = shown(&mut issuer).await;
    assert!(is_streamed(&answer));
    assert_eq!(text(answer), with(&of_issuer, "\"Issuances\":[", &issued));
    let answer = shown(&mut worker).await;
    assert!(is_streamed(&answer));
    assert_eq!(text(answer), with(&of_worker, "\"Tickets\":[", &claimed));

    // serde_json keeps the members in order of their names, as the dump has them.
    let jobs = json!({"Name": "jobs", "IsLock": false, "Tickets": by_name});
    assert_eq!(worker.says("POST /locks/printer").await, "200 true");
    let printer = worker.ask("GET /dump/resources/printer").await;
    assert!(!is_streamed(&printer));
    let answer = issuer.ask("GET /dump/resources/jobs").await;
    assert!(is_streamed(&answer));
    let of_jobs = text(answer);
    assert_eq!(serde_json::from_str::<Value>(&of_jobs).expect("is JSON"), json!({"jobs": jobs}));
    let of_printer = text(printer);
    let entries = [&of_jobs, &of_printer].map(|of_one| of_one[1..of_one.len() - 1].to_owned());
    let both = with("{}", "{", &entries);
    assert_eq!(text(issuer.ask("GET /dump/resources").await), both);

    let (of_issuer, of_worker) = (shown(&mut issuer).await, shown(&mut worker).await);
    let mut sessions = [&issuer.id, &worker.id]
        .map(Clone::clone)
        .into_iter()
        .zip([of_issuer, of_worker].map(text))
        .collect::<Vec<_>>();
    sessions.sort();
    let entries: Vec<_> = sessions.iter().map(|(id, text)| format!("\"{id}\":{text}")).collect();
    assert_eq!(text(issuer.ask("GET /dump/sessions").await), with("{}", "{", &entries));
}
