//! Requests as a client writes them.

use crate::machine::{
    Conduct, Fence, LockAsk, Mode, Name, Note, Parting, TicketTerms, WaitTimeout,
};
use crate::wire::data::write_data;
use crate::wire::id::write_id;
use crate::wire::json::Object;

use super::op::{ClaimWish, Hello, Op, Who};

impl Op {
    /// Writes it as the request of that id, behind what is in the buffer.
    pub fn write(&self, id: u64, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.member("id", id).member("op", self.name());
        match self {
            Self::Hello(hello) => hello.write(&mut object),
            Self::Auth { token } => {
                object.member("token", &*token.0);
            }
            Self::Beat | Self::Session | Self::Bye => {}
            Self::Lock { resource, wait, ask, progress } => {
                object.member("resource", resource.as_str());
                write_ask(&mut object, ask);
                write_wait(&mut object, *wait, *progress);
            }
            Self::Unlock { resource, fence } => {
                object.member("resource", resource.as_str());
                write_fence(&mut object, *fence);
            }
            Self::Force { resource, ticket, fence } => {
                write_names(&mut object, resource, ticket.as_ref());
                write_fence(&mut object, *fence).member("force", true);
            }
            Self::Claim { resource, ticket, wish } => {
                write_names(&mut object, resource, ticket.as_ref());
                write_wish(&mut object, *wish);
            }
            Self::ClaimFirst { resources, wish } => {
                let resources: Vec<&str> = resources.iter().map(Name::as_str).collect();
                object.member("resources", resources);
                write_wish(&mut object, *wish);
            }
            Self::Touch { resource, ticket, fence, hold_ms } => {
                write_names(&mut object, resource, Some(ticket));
                write_fence(&mut object, *fence);
                object.optional("hold", *hold_ms);
            }
            Self::Release { resource, ticket, fence, parting } => {
                write_names(&mut object, resource, Some(ticket));
                write_fence(&mut object, *fence);
                write_parting(&mut object, parting);
            }
            Self::Issue { resource, ticket, data, notify, terms } => {
                write_names(&mut object, resource, Some(ticket));
                write_data(&mut object, data);
                object.member("notify", notify);
                write_terms(&mut object, *terms);
            }
            Self::Revoke { resource, ticket, fence } => {
                write_names(&mut object, resource, Some(ticket));
                write_fence(&mut object, *fence);
            }
            Self::Revive { resource, ticket } => {
                write_names(&mut object, resource, ticket.as_ref())
            }
            Self::Pause { resource, paused } => {
                object.member("resource", resource.as_str()).member("paused", paused);
            }
            Self::Look { resource, limit } => {
                object.member("resource", resource.as_str()).member("limit", limit);
            }
            Self::Cancel { wait } => {
                object.member("wait", wait.0);
            }
            Self::Watch { resource, changes } => {
                object.member("resource", resource.as_str()).member("changes", changes);
            }
            Self::Unwatch { resource } => write_names(&mut object, resource, None),
        }
        object.end();
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Auth { .. } => "auth",
            Self::Beat => "beat",
            Self::Session => "session",
            Self::Bye => "bye",
            Self::Lock { .. } => "lock",
            Self::Unlock { .. } | Self::Force { ticket: None, .. } => "unlock",
            Self::Claim { .. } | Self::ClaimFirst { .. } => "claim",
            Self::Touch { .. } => "touch",
            Self::Release { .. } | Self::Force { ticket: Some(_), .. } => "release",
            Self::Issue { .. } => "issue",
            Self::Revoke { .. } => "revoke",
            Self::Revive { .. } => "revive",
            Self::Pause { .. } => "pause",
            Self::Look { .. } => "look",
            Self::Cancel { .. } => "cancel",
            Self::Watch { .. } => "watch",
            Self::Unwatch { .. } => "unwatch",
        }
    }
}

impl Hello {
    fn write(&self, object: &mut Object<'_>) {
        match &self.who {
            Who::New { name, ttl, conduct: Conduct { delay_ms, blocking } } => {
                object.member("name", name.as_str()).member("ttl", ttl.as_ms());
                object.unless_default("delay", *delay_ms);
                object.unless_default("blocking", *blocking);
            }
            Who::Known { session, attempt } => {
                object.member("session", session.as_ref().map(write_id).unwrap_or_default());
                if let Some(attempt) = attempt {
                    object.member("attempt", attempt);
                }
            }
        }
        object.member("liveness", if self.beat { "beat" } else { "ping" });
        if let Some(token) = &self.token {
            object.member("token", &*token.0);
        }
    }
}

fn write_names(object: &mut Object<'_>, resource: &Name, ticket: Option<&Name>) {
    object.member("resource", resource.as_str());
    object.optional("ticket", ticket.map(Name::as_str));
}

fn write_ask(object: &mut Object<'_>, ask: &LockAsk) {
    let LockAsk { mode, data, fence, steal } = ask;
    if *mode == Mode::Shared {
        object.member("mode", "shared");
    }
    if let Some(data) = data {
        write_data(object, data);
    }
    write_fence(object, *fence);
    object.unless_default("steal", *steal);
}

fn write_wish(object: &mut Object<'_>, wish: ClaimWish) {
    object.optional("hold", wish.hold_ms);
    write_wait(object, wish.wait, wish.progress);
}

fn write_parting(object: &mut Object<'_>, parting: &Parting) {
    let Parting { delay_ms, note, dead, untried } = parting;
    object.unless_default("delay", *delay_ms);
    object.optional("note", note.as_ref().map(Note::as_str));
    object.unless_default("dead", *dead);
    object.unless_default("untried", *untried);
}

fn write_terms(object: &mut Object<'_>, terms: TicketTerms) {
    let TicketTerms { stay, only_new, priority, delay_ms, attempts, hold_ms } = terms;
    object.unless_default("stay", stay);
    object.unless_default("new", only_new);
    object.unless_default("priority", priority);
    object.unless_default("delay", delay_ms);
    object.optional("attempts", attempts);
    object.optional("hold", hold_ms);
}

fn write_wait(object: &mut Object<'_>, wait: Option<WaitTimeout>, progress: bool) {
    match wait {
        None => {}
        Some(WaitTimeout::Session) => {
            object.member("wait", true);
        }
        Some(WaitTimeout::Ms(ms)) => {
            object.member("wait", ms);
        }
    }
    object.unless_default("progress", progress);
}

fn write_fence<'o, 'b>(object: &'o mut Object<'b>, fence: Option<Fence>) -> &'o mut Object<'b> {
    object.optional("fence", fence.map(|Fence(fence)| fence))
}
