//! A line: what it says, and how it is written.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::machine::{Fence, Name, Owner, SessionId, SessionInfo, SessionName, SessionRef};

/// What a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditWhat {
    /// A session began.
    SessionOpened,
    /// A session without an owner got one.
    SessionAdopted,
    /// A session ended, by itself or by time.
    SessionEnded,
    /// A session was closed by somebody who may close others'.
    SessionClosed,
    /// A lock or a ticket was granted.
    Granted,
    /// A hold ended.
    HoldEnded,
    /// A hold was lost with its session, and stays for a while as nobody's.
    HoldLost,
    /// Somebody ended grants by force, whoever had them.
    Forced,
    /// Nothing of a resource is newly granted.
    Paused,
    /// It is again.
    Resumed,
    /// Dead tickets are free again.
    Revived,
    /// A token was refused.
    TokenRefused,
    /// Somebody asked for what takes a right that it lacks.
    RightRefused,
    /// A file was read again, and counts.
    Reloaded,
    /// A file was read again, and does not count.
    ReloadRefused,
}

/// What is told. No id, token or data of a ticket is in it; of a session's id its ref is written.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// Of what.
    pub what: AuditWhat,
    /// Whose session it is, or who asked.
    pub owner: Option<Owner>,
    /// Which session.
    pub session: Option<Arc<SessionInfo>>,
    /// The name of one that is gone, of which nothing else is known.
    pub gone: Option<SessionName>,
    /// From where it was asked; else the session's address is told.
    pub address: Option<Box<str>>,
    /// Where.
    pub resource: Option<Name>,
    /// Which ticket.
    pub ticket: Option<Name>,
    /// The number of the grant.
    pub fence: Option<Fence>,
    /// Why.
    pub reason: Option<Cow<'static, str>>,
    /// The right that is lacking.
    pub right: Option<&'static str>,
    /// The other session that did it.
    pub by: Option<SessionId>,
}

impl AuditLine {
    /// A line that says nothing else yet.
    #[must_use]
    pub fn new(what: AuditWhat) -> Self {
        Self {
            what,
            owner: None,
            session: None,
            gone: None,
            address: None,
            resource: None,
            ticket: None,
            fence: None,
            reason: None,
            right: None,
            by: None,
        }
    }

    /// Somebody asked for what takes a right that it lacks.
    #[must_use]
    pub fn lacking(owner: Option<Owner>, right: &'static str, resource: Option<&Name>) -> Self {
        let (right, resource) = (Some(right), resource.cloned());
        Self { owner, right, resource, ..Self::new(AuditWhat::RightRefused) }
    }

    /// As it is written, with its line end.
    pub(super) fn text(
        &self,
        at: SystemTime,
        session_ref: fn(&SessionId) -> SessionRef,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let session = self.session.as_deref();
        let written = |id: &SessionId| session_ref(id).to_string();
        let shape = LineShape {
            time: humantime::format_rfc3339_millis(at).to_string(),
            what: self.what,
            owner: self.owner.as_ref().map(AuditedOwner::of),
            session: session.map(|it| &it.name).or(self.gone.as_ref()).map(SessionName::as_str),
            session_ref: session.map(|session| written(&session.id)),
            address: self.address.as_deref().or(session.map(|session| &*session.source)),
            resource: self.resource.as_ref().map(Name::as_str),
            ticket: self.ticket.as_ref().map(Name::as_str),
            fence: self.fence.map(|fence| fence.0),
            reason: self.reason.as_deref(),
            right: self.right,
            by: self.by.as_ref().map(written),
        };
        let mut text = serde_json::to_vec(&shape)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// What is written instead of lines for which there was no room.
pub(super) fn lost(count: u64) -> Vec<u8> {
    format!("{{\"lost\":{count}}}\n").into_bytes()
}

/// How a line is written; what is not known is left out.
#[derive(Serialize)]
struct LineShape<'a> {
    time: String,
    what: AuditWhat,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<AuditedOwner<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
    session_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// A principal is written by its name, a signer's subject by both.
#[derive(Serialize)]
#[serde(untagged)]
enum AuditedOwner<'a> {
    Principal(&'a str),
    Subject { signer: &'a str, sub: &'a str },
}

impl<'a> AuditedOwner<'a> {
    fn of(owner: &'a Owner) -> Self {
        match owner.parts() {
            (name, None) => Self::Principal(name),
            (signer, Some(sub)) => Self::Subject { signer, sub },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::machine::Ttl;

    use super::*;

    fn written(line: &AuditLine) -> String {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_042);
        let text = line.text(at, |id| SessionRef([id.0[0]; 8])).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_line_says_what_is_known_in_this_order() {
        let name = |text| Name::parse(text).unwrap();
        let bare = AuditLine::new(AuditWhat::Reloaded);
        let time = "2027-01-15T08:00:00.042Z";
        assert_eq!(written(&bare), format!("{{\"time\":\"{time}\",\"what\":\"reloaded\"}}\n"));
        let line = AuditLine {
            owner: Some(Owner::Subject { signer: name("web"), sub: name("al\"ice") }),
            session: Some(Arc::new(SessionInfo {
                id: SessionId([0xab; 20]),
                name: SessionName::parse("tab 1").unwrap(),
                ttl: Ttl::new(1000).unwrap(),
                source: "192.0.2.1:4711".into(),
            })),
            resource: Some(name("jobs")),
            ticket: Some(name("t")),
            fence: Some(Fence(7)),
            reason: Some("revoked".into()),
            by: Some(SessionId([0xcd; 20])),
            ..AuditLine::new(AuditWhat::HoldEnded)
        };
        let told = written(&line);
        assert_eq!(
            told,
            format!(
                "{{\"time\":\"{time}\",\"what\":\"hold-ended\",\
                 \"owner\":{{\"signer\":\"web\",\"sub\":\"al\\\"ice\"}},\
                 \"session\":\"tab 1\",\"ref\":\"abababababababab\",\"address\":\"192.0.2.1:4711\",\
                 \"resource\":\"jobs\",\"ticket\":\"t\",\"fence\":7,\"reason\":\"revoked\",\
                 \"by\":\"cdcdcdcdcdcdcdcd\"}}\n"
            )
        );
        let refused = AuditLine {
            owner: Some(Owner::Principal(name("ops"))),
            address: Some("192.0.2.1".into()),
            right: Some("force"),
            ..AuditLine::new(AuditWhat::RightRefused)
        };
        let gone = SessionName::parse("tab 1").ok();
        let (resource, fence) = (Some(name("jobs")), Some(Fence(7)));
        let ended = AuditWhat::HoldEnded;
        let lost = AuditLine { gone, resource, fence, ..AuditLine::new(ended) };
        let rest = "\"session\":\"tab 1\",\"resource\":\"jobs\",\"fence\":7}\n";
        assert!(written(&lost).ends_with(rest), "{}", written(&lost));
        let rest = "\"owner\":\"ops\",\"address\":\"192.0.2.1\",\"right\":\"force\"}\n";
        assert!(written(&refused).ends_with(rest), "{}", written(&refused));
    }
}
