//! Who holds a lock, and what each makes known: as those are told who watch or look.

use serde::Deserialize;

use crate::machine::{Data, Fence, HolderView, Mode, Party, SessionId, SessionName, SessionRef};

use super::data::{DataMembers, write_data};
use super::json::Object;
use super::understood::{NotUnderstood, session_name, there};

/// Most holders that who watches is told of.
pub const HOLDERS_SHOWN_MAX: usize = 16;
/// Most bytes that they take.
pub const HOLDERS_MAX_BYTES: usize = 16 * 1024;

/// A grant in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who has it: its name, and what it is called where its id must not be told. `None` when it
    /// was lost, and stays for a while as nobody's.
    pub session: Option<(SessionName, SessionRef)>,
    /// The number of the grant.
    pub fence: Fence,
    /// In which mode; exclusive if it is of a ticket.
    pub mode: Mode,
    /// What its holder makes known.
    pub data: Option<Data>,
    /// How long it still stays, in ms, if it ends by itself. Only those who look are told.
    pub left_ms: Option<u32>,
}

/// The first of those who hold a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// In order of their fences.
    pub first: Vec<Holder>,
    /// Whether there are more.
    pub more: bool,
}

impl Holder {
    /// What is told of a holder that ends in so many ms, if it does.
    #[must_use]
    pub fn new(
        view: &HolderView,
        left_ms: Option<u32>,
        session_ref: impl Fn(&SessionId) -> SessionRef,
    ) -> Self {
        let session = match &view.party {
            Party::Here(info) => Some((info.name.clone(), session_ref(&info.id))),
            Party::Gone(_) => None,
        };
        let (fence, mode, data) = (view.fence, view.mode, view.data.clone());
        Self { session, fence, mode, data, left_ms }
    }

    /// Writes who it is.
    pub(super) fn write_session(&self, object: &mut Object<'_>) {
        match &self.session {
            Some((name, session_ref)) => {
                object.member("session", name.as_str()).member("ref", session_ref.to_string());
            }
            None => {
                object.member("session", None::<()>);
            }
        }
    }

    /// Writes how it holds.
    pub(super) fn write_grant(&self, object: &mut Object<'_>) {
        object.member("fence", self.fence.0);
        write_mode(object, self.mode);
        if let Some(data) = &self.data {
            write_data(object, data);
        }
    }
}

impl Holders {
    /// Writes the members, of the list as much as there is room for.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        let (mut list, mut more) = (vec![b'['], self.more || self.first.len() > HOLDERS_SHOWN_MAX);
        for holder in self.first.iter().take(HOLDERS_SHOWN_MAX) {
            let before = list.len();
            if before > 1 {
                list.push(b',');
            }
            let mut entry = Object::begin(&mut list);
            holder.write_session(&mut entry);
            holder.write_grant(&mut entry);
            entry.end();
            if list.len() >= HOLDERS_MAX_BYTES {
                list.truncate(before);
                more = true;
                break;
            }
        }
        list.push(b']');
        object.written("holders", &list).unless_default("more", more);
    }
}

/// Writes a lock's mode, when it is shared.
pub(super) fn write_mode(object: &mut Object<'_>, mode: Mode) {
    if mode == Mode::Shared {
        object.member("mode", "shared");
    }
}

/// Reads a lock's mode.
pub(super) fn read_mode(mode: Option<&str>) -> Mode {
    if mode == Some("shared") { Mode::Shared } else { Mode::Exclusive }
}

/// The members of a holder, as they came.
#[derive(Debug, Deserialize)]
pub(super) struct HolderMembers {
    session: Option<String>,
    r#ref: Option<String>,
    fence: u64,
    mode: Option<String>,
    #[serde(flatten)]
    data: DataMembers,
    left: Option<u32>,
}

impl TryFrom<HolderMembers> for Holder {
    type Error = NotUnderstood;

    fn try_from(members: HolderMembers) -> Result<Self, NotUnderstood> {
        let HolderMembers { session, r#ref, fence, mode, data, left } = members;
        let named = |name: String| {
            let session_ref = r#ref.as_deref().and_then(SessionRef::parse);
            Ok((session_name(&name)?, there(session_ref, "ref")?))
        };
        Ok(Self {
            session: session.map(named).transpose()?,
            fence: Fence(fence),
            mode: read_mode(mode.as_deref()),
            data: data.read()?,
            left_ms: left,
        })
    }
}

/// Reads the list, and whether there are more.
pub(super) fn read_holders(
    first: Vec<HolderMembers>,
    more: bool,
) -> Result<Holders, NotUnderstood> {
    let first = first.into_iter().map(Holder::try_from).collect::<Result<_, _>>()?;
    Ok(Holders { first, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(holders: &Holders) -> serde_json::Value {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        holders.write(&mut object);
        object.end();
        assert!(out.len() < HOLDERS_MAX_BYTES + 64);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn no_more_are_told_than_there_is_room_for() {
        let holder = |bytes: usize| Holder {
            session: Some((SessionName::parse("w").unwrap(), SessionRef([1; 8]))),
            fence: Fence(1),
            mode: Mode::Shared,
            data: Some(Data::new(&vec![1; bytes]).unwrap()),
            left_ms: None,
        };
        for (bytes, many, told, more) in
            [(0, 16, 16, false), (0, 17, 16, true), (1024, 2, 2, false), (1024, 5, 2, true)]
        {
            let holders = Holders { first: vec![holder(bytes); many], more: false };
            let told_of = written(&holders);
            assert_eq!(told_of["holders"].as_array().map(Vec::len), Some(told), "{bytes} {many}");
            assert_eq!(told_of.get("more").is_some(), more, "{bytes} {many}");
        }
        let none = Holders::default();
        assert_eq!(written(&none), serde_json::json!({"holders": []}));
    }
}
