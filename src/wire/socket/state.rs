//! The whole state of a session, in as many frames as it takes.

use std::vec;

use serde::Serialize;

use crate::machine::{
    DATA_MAX_BYTES, Grant, IssuedState, Kind, NAME_MAX_BYTES, SessionState, WaitState, WatchState,
};
use crate::wire::rest::json;
use crate::wire::write_id;

use super::FRAME_MAX_BYTES;
use super::write::{FiguresMember, Ticket};

/// Bytes of lists in one frame, beyond which no entry is begun.
const LISTS_MAX_BYTES: usize = 48 * 1024;
/// More than the largest entry takes: a hold, with three names, of which a character may be
/// written as two, and data, of which a byte may be written as six; and its members.
const ENTRY_MAX_BYTES: usize = 3 * 2 * NAME_MAX_BYTES + 6 * DATA_MAX_BYTES + 256;
/// More than the rest of a frame takes: a name, two ids, numbers, and its members.
const HEAD_MAX_BYTES: usize = 2 * NAME_MAX_BYTES + 512;

const _: () = assert!(LISTS_MAX_BYTES + ENTRY_MAX_BYTES + HEAD_MAX_BYTES <= FRAME_MAX_BYTES);

/// The frames of a state: parts, then the `ok` with the rest. Written one by one, as they are
/// asked for.
#[derive(Debug)]
pub struct StateFrames {
    id: Option<u64>,
    head: Option<Head>,
    holds: vec::IntoIter<Grant>,
    waits: vec::IntoIter<WaitState>,
    watches: vec::IntoIter<WatchState>,
    issued: vec::IntoIter<IssuedState>,
}

#[derive(Debug)]
struct Head {
    session: String,
    name: String,
    ttl: u32,
    resumed: bool,
    epoch: String,
    ping: u32,
}

impl StateFrames {
    /// The frames that answer the request of that id.
    #[must_use]
    pub fn new(
        id: Option<u64>,
        state: SessionState,
        resumed: bool,
        epoch: &str,
        ping_ms: u32,
    ) -> Self {
        let head = Head {
            session: write_id(&state.info.id),
            name: json(&state.info.name.as_str()),
            ttl: state.info.ttl.as_ms(),
            resumed,
            epoch: epoch.to_owned(),
            ping: ping_ms,
        };
        Self {
            id,
            head: Some(head),
            holds: state.holds.into_iter(),
            waits: state.waits.into_iter(),
            watches: state.watches.into_iter(),
            issued: state.issued.into_iter(),
        }
    }
}

/// Lists under way: `"holds":[…],"waits":[…]`.
#[derive(Default)]
struct Lists {
    text: String,
}

impl Lists {
    /// Appends as many entries as fit; false when some are left.
    fn fill<T>(
        &mut self,
        name: &str,
        entries: &mut vec::IntoIter<T>,
        write: impl Fn(&T) -> String,
    ) -> bool {
        let separator = if self.text.is_empty() { "" } else { "," };
        self.text += &format!("{separator}\"{name}\":[");
        let mut separator = "";
        while self.text.len() < LISTS_MAX_BYTES {
            let Some(entry) = entries.next() else { break };
            self.text += separator;
            self.text += &write(&entry);
            separator = ",";
        }
        self.text.push(']');
        entries.as_slice().is_empty()
    }
}

impl Iterator for StateFrames {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let head = self.head.take()?;
        let mut lists = Lists::default();
        let all = lists.fill("holds", &mut self.holds, hold)
            && lists.fill("waits", &mut self.waits, wait)
            && lists.fill("watches", &mut self.watches, watch)
            && lists.fill("issued", &mut self.issued, issued);
        let id = json(&self.id);
        if !all {
            self.head = Some(head);
            return Some(format!("{{\"id\":{id},\"part\":{{{}}}}}", lists.text));
        }
        let Head { session, name, ttl, resumed, epoch, ping } = head;
        Some(format!(
            "{{\"id\":{id},\"ok\":{{\"session\":\"{session}\",\"name\":{name},\"ttl\":{ttl},\
             \"resumed\":{resumed},\"epoch\":\"{epoch}\",\"ping\":{ping},{}}}}}",
            lists.text
        ))
    }
}

fn hold(grant: &Grant) -> String {
    #[derive(Serialize)]
    struct Lock<'a> {
        resource: &'a str,
        fence: u64,
        waiting: u32,
    }
    match grant {
        Grant::Lock(grant) => json(&Lock {
            resource: grant.resource.as_str(),
            fence: grant.fence.0,
            waiting: grant.waiting,
        }),
        Grant::Ticket(grant) => json(&Ticket::from(grant)),
    }
}

fn wait(wait: &WaitState) -> String {
    #[derive(Serialize)]
    struct Wait<'a> {
        wait: u64,
        resource: &'a str,
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ticket: Option<&'a str>,
        position: u32,
    }
    json(&Wait {
        wait: wait.wait.0,
        resource: wait.resource.as_str(),
        kind: match wait.kind {
            Kind::Lock => "lock",
            Kind::Tickets => "ticket",
        },
        ticket: wait.ticket.as_ref().map(|ticket| ticket.as_str()),
        position: wait.position,
    })
}

fn watch(watch: &WatchState) -> String {
    #[derive(Serialize)]
    struct Watch<'a> {
        resource: &'a str,
        changes: bool,
        #[serde(flatten)]
        figures: FiguresMember,
    }
    json(&Watch {
        resource: watch.resource.as_str(),
        changes: watch.changes,
        figures: watch.figures.into(),
    })
}

fn issued(ticket: &IssuedState) -> String {
    #[derive(Serialize)]
    struct Issued<'a> {
        resource: &'a str,
        ticket: &'a str,
        claimed: bool,
    }
    json(&Issued {
        resource: ticket.resource.as_str(),
        ticket: ticket.ticket.as_str(),
        claimed: ticket.claimed,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::machine::{Name, SessionId, SessionInfo, SessionName, Ttl};

    #[test]
    fn a_large_state_comes_in_parts_that_fit_and_lack_nothing() {
        let info = Arc::new(SessionInfo {
            id: SessionId([7; 20]),
            name: SessionName::parse(&"\"".repeat(255)).unwrap(),
            ttl: Ttl::new(5000).unwrap(),
            source: "here".into(),
        });
        let name = Name::parse(&"\\".repeat(255)).unwrap();
        let ticket = IssuedState { resource: name.clone(), ticket: name, claimed: true };
        let issued = vec![ticket; 10_000];
        let state = SessionState { info, holds: vec![], waits: vec![], watches: vec![], issued };
        let frames: Vec<String> = StateFrames::new(Some(9), state, true, "e", 7).collect();
        assert!(frames.len() > 100 && frames.iter().all(|frame| frame.len() <= FRAME_MAX_BYTES));
        let mut count = 0;
        for (at, frame) in frames.iter().enumerate() {
            let value: serde_json::Value = serde_json::from_str(frame).unwrap();
            assert_eq!(value["id"], 9);
            let last = at + 1 == frames.len();
            assert_eq!(value.get("ok").is_some(), last);
            let lists = if last { &value["ok"] } else { &value["part"] };
            count += lists["issued"].as_array().map_or(0, Vec::len);
        }
        assert_eq!(count, 10_000);
    }
}
