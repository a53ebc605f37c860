//! Lists of resources and of tickets, as REST answers them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::machine::{Figures, Name, Note, Party, SessionId, SessionRef, TicketState, TicketView};

use super::figures::write_figures;
use super::json::{Object, object};

/// A page of the resources that there are, in order of their names; behind `after` the next begins.
#[must_use]
pub fn resources(page: &[(Name, Figures)], after: Option<&Name>) -> String {
    let mut list = vec![b'['];
    for (name, figures) in page {
        if list.len() > 1 {
            list.push(b',');
        }
        let mut entry = Object::begin(&mut list);
        entry.member("resource", name.as_str());
        write_figures(&mut entry, *figures);
        entry.end();
    }
    list.push(b']');
    object(|page| {
        page.written("resources", &list).member("after", after.map(Name::as_str));
    })
}

/// A ticket in a list.
#[derive(Debug, Serialize)]
pub struct ListedTicket {
    ticket: String,
    number: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data64: Option<String>,
    priority: u8,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(rename = "left", skip_serializing_if = "Option::is_none")]
    left_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    session_ref: Option<String>,
}

impl ListedTicket {
    /// What is told of a ticket; of its claim, or of its delay, so many ms are left. What it
    /// carries is told only to who may know it.
    #[must_use]
    pub fn new(
        view: &TicketView,
        left_ms: Option<u32>,
        with_data: bool,
        session_ref: impl Fn(&SessionId) -> SessionRef,
    ) -> Self {
        let (mut data, mut data64) = (None, None);
        if with_data {
            match std::str::from_utf8(view.data.as_bytes()) {
                Ok(text) => data = Some(text.to_owned()),
                Err(_) => data64 = Some(BASE64.encode(view.data.as_bytes())),
            }
        }
        let claimant = match &view.claim {
            Some((Party::Here(info), _)) => Some(info),
            _ => None,
        };
        Self {
            ticket: view.ticket.as_str().to_owned(),
            number: view.number,
            state: state_name(view.state),
            data,
            data64,
            priority: view.priority,
            attempt: view.attempt,
            note: view.note.as_ref().map(Note::as_str).map(str::to_owned),
            left_ms,
            session: claimant.map(|info| info.name.as_str().to_owned()),
            session_ref: claimant.map(|info| session_ref(&info.id).to_string()),
        }
    }
}

/// How a ticket stands, as told.
fn state_name(state: TicketState) -> &'static str {
    match state {
        TicketState::Free => "free",
        TicketState::Held => "held",
        TicketState::Delayed { .. } => "delayed",
        TicketState::Dead => "dead",
    }
}

/// A page of a resource's tickets, in order of their age.
#[derive(Debug, Serialize)]
pub struct TicketList {
    /// In order of their numbers.
    pub tickets: Vec<ListedTicket>,
    /// Behind which the next page begins, if there is one.
    pub after: Option<u64>,
}
