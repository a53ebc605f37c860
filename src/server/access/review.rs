//! What becomes of everybody when the policy changes, or the wall clock ends a proof.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::access::{Policy, Rules, Subject};
use crate::driver::{Driver, Verdict};
use crate::machine::{Owner, SessionId};

use super::enter::Guest;
use super::in_force::Access;

/// How often proofs are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long before its end a proof's socket is told.
const WARN_S: u64 = 60;

/// Reviews all sessions whenever there is a reason, until the server stops. A restart is one:
/// rights may have changed while nobody looked.
pub(crate) async fn review_all(access: Arc<Access>, driver: Driver, stopping: CancellationToken) {
    let mut changes = access.changes();
    let mut looks = looks();
    changes.mark_changed();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                let (policy, unix_s) = (access.gate.policy(), access.moment().unix_s);
                driver.review(|subject, owner| by_policy(&policy, subject, owner, unix_s)).await;
            }
            _ = looks.tick() => {
                let unix_s = access.moment().unix_s;
                driver.review(|subject, _| by_time(subject, unix_s)).await;
            }
        }
    }
}

fn looks() -> Interval {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// What the policy says of who speaks for a session.
fn by_policy(
    policy: &Policy,
    subject: Option<&Subject>,
    owner: Option<&Owner>,
    unix_s: u64,
) -> Verdict {
    let at_most = |owner| policy.by_owner(owner).unwrap_or_default();
    match (subject.filter(|subject| !subject.has_ended()), owner) {
        (Some(subject), owner) => match policy.renewed(subject, unix_s) {
            Some(renewed) => Verdict::Renewed(renewed),
            None => Verdict::Ended { at_most: Some(owner.map_or_else(Rules::default, at_most)) },
        },
        (None, Some(owner)) => Verdict::AtMost(at_most(owner)),
        // It may be somebody's yet: whoever was there before access was asked for.
        (None, None) => Verdict::Stays,
    }
}

/// What the wall clock says of the proof of who speaks for a session.
fn by_time(subject: Option<&Subject>, unix_s: u64) -> Verdict {
    let Some(subject) = subject.filter(|subject| !subject.has_ended()) else {
        return Verdict::Stays;
    };
    match subject.ends() {
        Some(ends) if ends <= unix_s => Verdict::Ended { at_most: None },
        Some(ends) if ends - unix_s <= WARN_S => {
            let left_ms = u32::try_from((ends - unix_s) * 1000).unwrap_or(u32::MAX);
            Verdict::Expiring { left_ms }
        }
        _ => Verdict::Stays,
    }
}

impl Guest {
    /// It speaks for a session from now on. If the policy was replaced since it was proven, the
    /// review of that may have passed the session before.
    pub(crate) fn attached(&self, driver: &Driver, session: &SessionId) {
        if self.seen != self.access.seen() {
            let (policy, unix_s) = (self.access.gate.policy(), self.access.moment().unix_s);
            driver.review_one(session, |subject, owner| by_policy(&policy, subject, owner, unix_s));
        }
    }
}

/// What a wait by request is cut short by: its proof, or the right to what it waits for, is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The proof is no longer good.
    Proof,
    /// The right is gone.
    Right,
}

impl Access {
    /// Waits until somebody may not wait any more who is `subject` now.
    pub(crate) async fn cut(&self, mut subject: Subject, may: impl Fn(&Rules) -> bool) -> Cut {
        let mut changes = self.changes();
        loop {
            let Some(renewed) = self.gate.renewed(&subject, self.moment()) else {
                return Cut::Proof;
            };
            if !may(renewed.rules()) {
                return Cut::Right;
            }
            subject = renewed;
            let left_s = subject.ends().map(|ends| ends.saturating_sub(self.moment().unix_s));
            let ends = async {
                match left_s {
                    // The wall clock may be set meanwhile.
                    Some(left_s) => tokio::time::sleep(LOOK.min(Duration::from_secs(left_s))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The sender lives as long as `self` does.
                _ = changes.changed() => {}
                () = ends => {}
            }
        }
    }
}
