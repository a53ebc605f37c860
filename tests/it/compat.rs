//! What the original answered its clients, this server answers too: the recorded conversation in
//! `tests/compat` is held again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use ticketd::server::Config;

use crate::support::{Answer, Client, Served};

const CONVERSATION: &str = include_str!("../compat/conversation.json");

/// Values of earlier answers.
type Captured = BTreeMap<String, String>;

#[tokio::test]
async fn every_answer_is_equivalent_to_the_original_ones() {
    let config = Config { expire_ms: 100, ..Config::default() };
    let server = Served::with(config).await;
    let mut client = Client::connect(server.address).await;
    let steps: Vec<Value> = serde_json::from_str(CONVERSATION).expect("steps");
    assert_eq!(steps.len(), 75);
    let mut captured = Captured::new();
    let mut differences = String::new();
    for step in &steps {
        // The recorded pauses, in which a session ages.
        let pause = step["sleep"].as_u64().unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let answer = exchange(&mut client, step, &captured).await;
        if let (Some(name), 200) = (step["capture"].as_str(), answer.status) {
            captured.insert(name.to_owned(), answer.json().as_str().expect("text").to_owned());
        }
        if let Err(why) = compare(&step["expect"], &answer, &captured) {
            differences += &format!("{}: {why}\n", step["name"]);
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

async fn exchange(client: &mut Client, step: &Value, captured: &Captured) -> Answer {
    let path = fill(step["path"].as_str().expect("a path"), captured);
    let path = path.strip_prefix("/api/v1").expect("a path of the interface");
    let request = format!("{} {path}", step["method"].as_str().expect("a method"));
    match step["body"].as_str() {
        None => client.ask(&request).await,
        Some(body) => {
            let latin_1 = |c| u8::try_from(u32::from(c)).expect("a byte");
            let body: Vec<u8> = fill(body, captured).chars().map(latin_1).collect();
            client.ask_with(&request, body).await
        }
    }
}

fn compare(expected: &Value, answer: &Answer, captured: &Captured) -> Result<(), String> {
    if expected["status"] != answer.status {
        return Err(format!("status {} expected, got {}", expected["status"], answer.said()));
    }
    if expected["type"].as_str().is_some_and(|media| media != answer.media()) {
        return Err(format!("media type {} expected, got {}", expected["type"], answer.media()));
    }
    if let Some(json) = expected.get("json") {
        return agree(&filled(json, captured), &answer.json(), "$");
    }
    match expected["text"].as_str().map(|text| fill(text, captured)) {
        Some(text) if text.as_bytes() != answer.body => {
            Err(format!("text {text:?} expected, got {}", answer.said()))
        }
        _ => Ok(()),
    }
}

/// Puts captured values into their holes.
fn fill(text: &str, captured: &Captured) -> String {
    let put = |text: String, (name, value): (&String, &String)| {
        text.replace(&format!("{{{name}}}"), value)
    };
    captured.iter().fold(text.to_owned(), put)
}

/// The same, all through a JSON value.
fn filled(value: &Value, captured: &Captured) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, captured)),
        Value::Array(items) => items.iter().map(|item| filled(item, captured)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members =
                members.map(|(key, value)| (fill(key, captured), filled(value, captured)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether `got` has all that `want` has. Order in lists does not matter.
fn agree(want: &Value, got: &Value, at: &str) -> Result<(), String> {
    let fails = || Err(format!("{at}: {want} expected, got {got}"));
    match (want, got) {
        (Value::String(hole), Value::String(_)) if hole == "{*}" => Ok(()),
        (Value::String(hole), Value::Number(_)) if hole == "{#}" => Ok(()),
        (Value::Object(wanted), Value::Object(members)) => {
            wanted.iter().try_for_each(|(key, want)| match members.get(key) {
                Some(got) => agree(want, got, &format!("{at}.{key}")),
                None => Err(format!("{at}: member {key:?} is missing")),
            })
        }
        (Value::Array(wanted), Value::Array(items)) if wanted.len() == items.len() => {
            let mut rest: Vec<&Value> = items.iter().collect();
            for want in wanted {
                match rest.iter().position(|got| agree(want, got, at).is_ok()) {
                    Some(found) => drop(rest.swap_remove(found)),
                    None => return Err(format!("{at}: no item like {want} in {got}")),
                }
            }
            Ok(())
        }
        _ if want == got => Ok(()),
        _ => fails(),
    }
}

#[test]
fn differences_are_seen() {
    let json = |text| serde_json::from_str::<Value>(text).expect("JSON");
    for (want, got) in [
        (r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2,1],"a":1,"more":0}"#),
        (r#"["{*}","{#}"]"#, r#"[7,"x"]"#),
    ] {
        assert_eq!(agree(&json(want), &json(got), "$"), Ok(()), "{want} {got}");
    }
    for (want, got) in [
        (r#"{"a":null}"#, "{}"),
        ("[1,1]", "[1,2]"),
        ("[1]", "[1,1]"),
        ("true", "1"),
        (r#""{*}""#, "null"),
        (r#""{#}""#, "true"),
        (r#"{"a":[]}"#, r#"{"a":{}}"#),
    ] {
        assert!(agree(&json(want), &json(got), "$").is_err(), "{want} {got}");
    }
}
