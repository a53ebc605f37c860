//! The documents against the code: every example is read by the server's own reader or fits its
//! schema, and everything that the server writes fits its schema and has no member that it lacks.

mod events;
mod samples;
mod schema;

use std::collections::BTreeMap;

use schema::Schemas;
use serde_json::{Value, json};
use ticketd::wire::socket::{Op, read};

fn document(name: &str) -> String {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The frames of the fenced json blocks, with the line that each is on.
fn frames(document: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut frames = Vec::new();
    for (at, line) in document.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```json";
        } else if inside && !line.trim().is_empty() {
            frames.push((at + 1, line));
        }
    }
    frames
}

fn understood(text: &str) -> Result<Op, String> {
    let request = read(text).map_err(|_| "no object".to_owned())?;
    assert!(request.id.is_some(), "{text}");
    request.op.map_err(|problem| problem.detail)
}

#[test]
fn every_frame_in_the_protocol_document_is_one() {
    let (document, schemas) = (document("protocol.md"), Schemas::load());
    let frames = frames(&document);
    assert!(frames.len() > 40, "only {} frames", frames.len());
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for (line, frame) in frames {
        let at = || format!("docs/protocol.md:{line}: {frame}");
        let (way, text) = frame.split_at(2);
        let value: Value =
            serde_json::from_str(text).unwrap_or_else(|why| panic!("{}: {why}", at()));
        let kind = match way {
            "->" => {
                let read = understood(text);
                let op = value["op"].as_str().unwrap_or_else(|| panic!("{}", at()));
                if op == "dance" {
                    // Shows what an unknown one is answered.
                    assert!(read.is_err());
                    continue;
                }
                assert!(read.is_ok(), "{}: {read:?}", at());
                schemas
                    .check(&format!("request-{op}"), &value)
                    .unwrap_or_else(|w| panic!("{}: {w}", at()));
                format!("request-{op}")
            }
            "<-" => schemas.name_of(&value).unwrap_or_else(|why| panic!("{}: {why}", at())),
            _ => panic!("{}", at()),
        };
        *seen.entry(kind).or_default() += 1;
    }
    for name in schemas.names().filter(|name| !name.starts_with("answer-")) {
        assert!(seen.contains_key(name), "docs/protocol.md shows no {name}");
    }
}

#[test]
fn every_example_in_the_schemas_fits_and_requests_are_understood() {
    let schemas = Schemas::load();
    for (name, example) in schemas.examples() {
        schemas.check(&name, &example).unwrap_or_else(|why| panic!("{name}: {example}: {why}"));
        if name.starts_with("request-") {
            let read = understood(&example.to_string());
            assert!(read.is_ok(), "{name}: {example}: {read:?}");
        }
    }
}

#[test]
fn the_reader_knows_every_member_of_every_request() {
    let schemas = Schemas::load();
    let mut ops = 0;
    for name in schemas.names().filter(|name| name.starts_with("request-")) {
        ops += 1;
        for (_, example) in schemas.examples().filter(|(of, _)| of == name) {
            for member in schemas.members(name) {
                let mut wrong = example.clone();
                wrong[&member] = json!({"no": "such thing"});
                let read = read(&wrong.to_string()).expect("an object");
                let ignored = read.op.is_ok() && !is_of_other_hello(&member, &example);
                assert!(!ignored, "{name}: the reader does not look at {member}: {wrong}");
            }
        }
    }
    assert_eq!(ops, 18, "a request is missing");
}

/// Opening a session and taking one over have members of their own.
fn is_of_other_hello(member: &str, example: &Value) -> bool {
    match example.get("session") {
        Some(_) => matches!(member, "name" | "ttl" | "delay" | "blocking"),
        None => example["op"] == "hello" && member == "attempt",
    }
}

#[test]
fn all_that_the_server_writes_is_in_the_schemas_and_the_other_way_round() {
    let schemas = Schemas::load();
    let mut written: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    for (name, text) in samples::all() {
        let value: Value = serde_json::from_str(&text).expect("JSON");
        schemas.check(&name, &value).unwrap_or_else(|why| panic!("{name}: {text}: {why}"));
        let known = schemas.paths(&name);
        for path in schema::paths_of(&value) {
            assert!(known.contains(&path), "{name}: {path} is not in the schema: {text}");
            written.entry(name.clone()).or_default().insert(path);
        }
    }
    for name in schemas.names().filter(|name| !name.starts_with("request-")) {
        let written = written.get(name).unwrap_or_else(|| panic!("nothing writes {name}"));
        for path in schemas.paths(name) {
            assert!(written.contains(&path), "{name}: nothing writes {path}");
        }
    }
}

/// Comments cited sections by the numbers of another text: the codes as section 4, which is a
/// session's life here, and the limits as 5. (That the number is of the right one, people see.)
#[test]
fn every_section_that_is_cited_is_in_the_protocol_document() {
    let text = document("protocol.md");
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let numbers: Vec<&str> = headings.iter().filter_map(|line| line.split('.').next()).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = ["src", "tests", "benches"].map(|place| root.join(place)).into();
    let mut cited = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let inside = path.read_dir().expect("a directory");
            files.extend(inside.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            for citation in text.split(concat!("protocol, ", "section ")).skip(1) {
                let number: String = citation.chars().take_while(char::is_ascii_digit).collect();
                assert!(numbers.contains(&number.as_str()), "{}: {number}", path.display());
                cited += 1;
            }
            let other = [concat!("section ", "of the protocol"), concat!("of the ", "contract")];
            for other in other {
                assert!(!text.contains(other), "{}: cite the document", path.display());
            }
        }
    }
    assert!(cited > 8, "only {cited} citations");
    // The table of contents names each, and each once.
    for heading in headings {
        let entry = heading.split_once(". ").expect("a number").1;
        assert_eq!(text.matches(&format!("[{entry}](#")).count(), 1, "{heading}");
    }
}
