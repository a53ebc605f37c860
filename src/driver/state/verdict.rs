//! What is found of a session: whose it is, what there is to tell, whether it may go on.

use std::sync::Arc;

use crate::access::{Rules, Subject};
use crate::machine::{Owner, SessionInfo};

/// What a session is to who names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) enum NamedAs {
    /// It may be named; or there is none, as will turn out.
    Own,
    /// It is nobody's until now, and becomes its.
    Free(Owner),
    /// It is another's, which is told as if there were none.
    Hidden,
}

/// What there is to tell of a session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Who it is.
    pub info: Arc<SessionInfo>,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// How long ago it was last heard, in ms.
    pub heard_ms: u64,
    /// How much it holds.
    pub holds: usize,
    /// Its places in queues.
    pub waits: usize,
    /// The tickets that it issued.
    pub issued: usize,
}

/// What is found of who speaks for a session.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Nothing has changed.
    Stays,
    /// Its proof ends in so many ms.
    Expiring {
        /// How soon.
        left_ms: u32,
    },
    /// It may do this from now on.
    Renewed(Subject),
    /// It has shown nothing since the server started; it may do this at most.
    AtMost(Rules),
    /// Its proof is no longer good.
    Ended {
        /// What its owner may do at most from now on; `None` is as before: only time has passed.
        at_most: Option<Rules>,
    },
}
