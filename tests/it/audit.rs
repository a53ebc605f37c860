//! The audit trail: what it tells, of whom, and what it does not.

mod program;
mod refusals;
mod trail;

use std::path::PathBuf;

use serde_json::Value;
use ticketd::server::{AuditTarget, Config};

use crate::support::Dir;

/// A place for a trail.
struct Place {
    dir: Dir,
}

impl Place {
    fn new() -> Self {
        Self { dir: Dir::new() }
    }

    fn path(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    fn config(&self) -> Config {
        Config { audit: Some(AuditTarget::File(self.path())), ..Config::default() }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).expect("a trail")
    }

    /// Its lines, each of which is an object with a time.
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let lines: Vec<_> = lines.collect();
        for line in &lines {
            let time = line["time"].as_str().expect("a time");
            assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        }
        lines
    }
}

/// What a line says, in one line; owners and times aside.
fn said(line: &Value) -> String {
    let parts = ["session", "what", "resource", "ticket", "reason", "right"];
    let parts = parts.iter().filter_map(|part| line[*part].as_str());
    parts.collect::<Vec<_>>().join(" ")
}
