//! What each route needs of who asks. (Giving back needs nothing, and whose a session is, is asked
//! elsewhere.)

use crate::access::{Needs, Right};
use crate::machine::SessionRef;

use super::request::Call;

/// What a request to a route needs.
pub(super) type NeedsOf = fn(&Call) -> Needs;

/// To have come in.
pub(super) fn nothing(_: &Call) -> Needs {
    Needs::Nothing
}

/// Everything.
pub(super) fn admin(_: &Call) -> Needs {
    Needs::AtAll(Right::Admin)
}

pub(super) fn metrics(_: &Call) -> Needs {
    Needs::AtAll(Right::Metrics)
}

/// Nothing of one's own session; another's, by its ref, is `admin`'s.
pub(super) fn of_session(call: &Call) -> Needs {
    match SessionRef::parse(call.segment()) {
        Some(_) => Needs::AtAll(Right::Admin),
        None => Needs::Nothing,
    }
}

/// A priority that is none is told by who answers, in its turn.
pub(super) fn issue(call: &Call) -> Needs {
    match call.query().ticket_terms() {
        Ok(terms) if terms.priority > 0 => Needs::OnWith(Right::Issue, terms.priority),
        _ => Needs::On(Right::Issue),
    }
}

pub(super) fn revive(_: &Call) -> Needs {
    Needs::On(Right::Issue)
}

/// Which tickets may vanish is asked when they are there.
pub(super) fn reach(_: &Call) -> Needs {
    Needs::Reach
}

pub(super) fn claim(_: &Call) -> Needs {
    Needs::On(Right::Claim)
}

pub(super) fn lock(call: &Call) -> Needs {
    Needs::On(if is_set(call, "steal") { Right::Force } else { Right::Lock })
}

/// Nothing, unless it is another's.
pub(super) fn give_back(call: &Call) -> Needs {
    if is_set(call, "force") { Needs::On(Right::Force) } else { Needs::Nothing }
}

pub(super) fn watch(_: &Call) -> Needs {
    Needs::On(Right::Watch)
}

pub(super) fn force(_: &Call) -> Needs {
    Needs::On(Right::Force)
}

/// What makes no sense is told by who answers, in its turn.
fn is_set(call: &Call, name: &str) -> bool {
    call.query().flag(name).unwrap_or_default()
}
