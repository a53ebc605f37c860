//! What a session itself knows of what it holds and waits for, from answers and events alone, and
//! what a state after a cut may and may not differ in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ledger::Thing;

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Ms(u64),
    Ever,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Lock {
        resource: String,
        wait: Option<Length>,
    },
    Claim {
        resource: String,
        ticket: Option<String>,
        wait: Option<Length>,
    },
    /// Unlock or release.
    GiveUp {
        thing: Thing,
        fence: u64,
    },
    Issue {
        ticket: (String, String),
    },
    Revoke {
        ticket: (String, String),
    },
    Cancel {
        wait: u64,
    },
    Watch {
        resource: String,
    },
    Unwatch {
        resource: String,
    },
    Session,
}

impl Op {
    /// What it is about.
    pub(super) fn resource(&self) -> Option<&str> {
        match self {
            Op::Lock { resource, .. }
            | Op::Claim { resource, .. }
            | Op::GiveUp { thing: (resource, _), .. }
            | Op::Issue { ticket: (resource, _) }
            | Op::Revoke { ticket: (resource, _) }
            | Op::Watch { resource }
            | Op::Unwatch { resource } => Some(resource),
            Op::Cancel { .. } | Op::Session => None,
        }
    }

    fn asked_wait(&self, of: &str) -> Option<Length> {
        match self {
            Op::Lock { resource, wait } | Op::Claim { resource, wait, .. } if resource == of => {
                *wait
            }
            _ => None,
        }
    }

    fn asks_for(&self, of: &str) -> bool {
        matches!(self, Op::Lock { resource, .. } | Op::Claim { resource, .. } if resource == of)
    }

    pub(super) fn request(&self, id: u64) -> Value {
        let mut request = match self {
            Op::Lock { resource, .. } => json!({"op": "lock", "resource": resource}),
            Op::Claim { resource, ticket: None, .. } => {
                json!({"op": "claim", "resource": resource})
            }
            Op::Claim { resource, ticket, .. } => {
                json!({"op": "claim", "resource": resource, "ticket": ticket})
            }
            Op::GiveUp { thing: (resource, None), fence } => {
                json!({"op": "unlock", "resource": resource, "fence": fence})
            }
            Op::GiveUp { thing: (resource, ticket), fence } => {
                json!({"op": "release", "resource": resource, "ticket": ticket, "fence": fence})
            }
            Op::Issue { ticket: (resource, ticket) } => {
                json!({"op": "issue", "resource": resource, "ticket": ticket, "notify": true})
            }
            Op::Revoke { ticket: (resource, ticket) } => {
                json!({"op": "revoke", "resource": resource, "ticket": ticket})
            }
            Op::Cancel { wait } => json!({"op": "cancel", "wait": wait}),
            Op::Watch { resource } => json!({"op": "watch", "resource": resource, "changes": true}),
            Op::Unwatch { resource } => json!({"op": "unwatch", "resource": resource}),
            Op::Session => json!({"op": "session"}),
        };
        request["id"] = id.into();
        if let Op::Lock { wait: Some(wait), .. } | Op::Claim { wait: Some(wait), .. } = self {
            request["wait"] = match wait {
                Length::Ms(ms) => (*ms).into(),
                Length::Ever => true.into(),
            };
        }
        request
    }
}

/// A place in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) resource: String,
    /// It may end by itself, for all one knows.
    pub(super) timed: bool,
    pub(super) position: u64,
}

/// What a session has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// With their fences.
    pub(super) holds: BTreeMap<Thing, u64>,
    pub(super) waits: BTreeMap<u64, Wait>,
    pub(super) issued: BTreeSet<(String, String)>,
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// What an answer, an event or an entry of a state grants: the thing and its fence.
pub(super) fn granted(value: &Value) -> (Thing, u64) {
    let ticket = value.get("ticket").map(text);
    ((text(&value["resource"]), ticket), number(&value["fence"]))
}

impl View {
    /// Adds what a state, or a part of one, lists.
    pub(super) fn add(&mut self, state: &Value) {
        let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
        self.holds.extend(list("holds").iter().map(granted));
        for wait in list("waits") {
            let (resource, position) = (text(&wait["resource"]), number(&wait["position"]));
            self.waits.insert(number(&wait["wait"]), Wait { resource, timed: false, position });
        }
        let issued = list("issued");
        self.issued.extend(issued.iter().map(|t| (text(&t["resource"]), text(&t["ticket"]))));
    }

    /// Whether a state says the same of what is held, waited for and issued.
    pub(super) fn agrees(&self, state: &Self) -> Result<(), String> {
        let of = |view: &Self| -> Vec<(u64, String)> {
            view.waits.iter().map(|(&id, wait)| (id, wait.resource.clone())).collect()
        };
        let same = self.holds == state.holds && of(self) == of(state);
        if same && self.issued == state.issued {
            return Ok(());
        }
        Err(format!("the session thinks {self:?}\nthe server says {state:?}"))
    }

    /// What must hold of the state that a session finds after a cut, with these requests in
    /// doubt. Takes it over.
    pub(super) fn resume(&mut self, mut state: Self, doubt: &[Op]) -> Result<(), String> {
        let fail = |what: &str, which: &dyn std::fmt::Debug, state: &Self| {
            Err(format!("{what} {which:?}\nin doubt {doubt:?}\nbefore {self:?}\nafter {state:?}"))
        };
        for (thing, fence) in &self.holds {
            let given_up = Op::GiveUp { thing: thing.clone(), fence: *fence };
            let kept = state.holds.get(thing) == Some(fence);
            if !kept && !doubt.contains(&given_up) && !may_vanish(thing) {
                return fail("lost hold", thing, &state);
            }
        }
        for (thing, fence) in &state.holds {
            let waited = self.waits.values().any(|wait| wait.resource == thing.0);
            let known = self.holds.get(thing) == Some(fence);
            if !known && !waited && !doubt.iter().any(|op| op.asks_for(&thing.0)) {
                return fail("hold from nowhere", thing, &state);
            }
        }
        for (id, wait) in &self.waits {
            let known = |thing: &Thing| self.holds.get(thing) == state.holds.get(thing);
            let kept = match state.waits.get(id) {
                Some(now) => now.resource == wait.resource && now.position <= wait.position,
                None => {
                    let new = |thing: &Thing| thing.0 == wait.resource && !known(thing);
                    wait.timed
                        || doubt.contains(&Op::Cancel { wait: *id })
                        || state.holds.keys().any(new)
                        // Granted and revoked.
                        || is_of_tickets(&wait.resource)
                }
            };
            if !kept {
                return fail("lost wait", id, &state);
            }
        }
        for (id, wait) in &mut state.waits {
            let asked = doubt.iter().find_map(|op| op.asked_wait(&wait.resource));
            wait.timed = match (self.waits.get(id), asked) {
                // A longer wish may have come through or not.
                (Some(known), _) => known.timed,
                (None, Some(length)) => length != Length::Ever,
                (None, None) => return fail("wait from nowhere", id, &self.clone()),
            };
        }
        *self = state;
        Ok(())
    }
}

/// Locks begin with an L.
pub(super) fn is_of_tickets(resource: &str) -> bool {
    !resource.starts_with('L')
}

/// Tickets of the parties' own come and go; those of the keeper, with a k, stay.
pub(super) fn may_vanish(thing: &Thing) -> bool {
    thing.1.as_ref().is_some_and(|ticket| !ticket.starts_with('k'))
}
