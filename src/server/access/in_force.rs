//! A policy in force, which can be replaced while everybody works.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::access::{Denied, Gate, Moment, Policy, Shown, Subject};
use crate::audit::{Audit, AuditLine, AuditWhat};
use crate::machine::Name;
use crate::meters::Counter;

use super::file::AccessFile;
use super::rates::Rates;
use super::seats::Seats;

/// A policy in force, which can be replaced while everybody works.
pub struct Access {
    pub(super) gate: Gate,
    /// Counts how often the policy was replaced.
    changes: watch::Sender<u64>,
    /// What the policy is read from, if it is kept up with a file.
    pub(super) file: Option<AccessFile>,
    /// Counts how often a file was read that did not count.
    refused: AtomicU64,
    /// What is told of who is refused, where there is a trail.
    audit: OnceLock<Audit>,
    started: tokio::time::Instant,
    pub(super) meters: AccessMeters,
    pub(super) rates: Rates,
    pub(super) seats: Arc<Seats>,
}

/// What is counted of who is not let in, or not for so much.
#[derive(Debug, Default)]
pub(crate) struct AccessMeters {
    /// Nothing was shown.
    pub(crate) nothing_shown: Counter,
    /// What was shown is not good.
    pub(crate) bad_tokens: Counter,
    /// What was shown was not looked at: its address has failed too often.
    pub(crate) not_looked_at: Counter,
    /// An owner asks for more than it may have.
    pub(crate) quotas: Counter,
}

impl Access {
    /// Goes by `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Arc<Self> {
        Self::of(policy, None)
    }

    /// Goes by `policy`, which was read from a file.
    pub(super) fn of(policy: Policy, file: Option<AccessFile>) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::new(policy),
            changes: watch::Sender::new(0),
            file,
            refused: AtomicU64::new(0),
            audit: OnceLock::new(),
            started: now(),
            meters: AccessMeters::default(),
            rates: Rates::default(),
            seats: Arc::default(),
        })
    }

    /// Goes by another policy from now on. Within a second nobody has what it no longer gives.
    pub fn replace(&self, policy: Policy) {
        self.gate.replace(policy);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Who is refused is told to this trail from now on.
    pub(crate) fn audit(&self, audit: Audit) {
        // A policy serves one server.
        let _ = self.audit.set(audit);
    }

    /// Tells the trail, if there is one.
    pub(super) fn tell(&self, line: AuditLine) {
        if let Some(audit) = self.audit.get() {
            audit.tell(line);
        }
    }

    /// Another file does not count: the policy stays. Tells how often that has been so.
    pub(super) fn refuse(&self) -> u64 {
        1 + self.refused.fetch_add(1, Ordering::Relaxed)
    }

    /// How often a file was read that did not count.
    #[must_use]
    pub fn refused_files(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Tells when the policy was replaced.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How often the policy was replaced so far.
    pub(crate) fn seen(&self) -> u64 {
        *self.changes.borrow()
    }

    /// What is counted of who is not let in.
    pub(crate) fn meters(&self) -> &AccessMeters {
        &self.meters
    }

    /// Who shows this from `address`.
    pub(crate) fn prove(&self, shown: &Shown<'_>, address: IpAddr) -> Result<Subject, Denied> {
        let proved = self.gate.prove(shown, address, self.moment());
        match &proved {
            Ok(_) => {}
            Err(Denied::Nothing) => self.meters.nothing_shown.count(),
            Err(Denied::Bad { .. }) => self.meters.bad_tokens.count(),
            Err(Denied::NotLookedAt { .. }) => self.meters.not_looked_at.count(),
        }
        if let Err(Denied::Bad { refused, logged, retry_after }) = &proved {
            let signer = refused.signer.as_ref().map(Name::as_str);
            if *logged {
                tracing::warn!(%address, signer, why = %refused.why, "a token was refused");
            }
            // Who is put off has been told of often enough.
            if retry_after.is_none() {
                let why = refused.why;
                let reason = signer.map_or(why.to_string(), |signer| format!("{signer}: {why}"));
                let (reason, address) = (Some(reason.into()), Some(address.to_string().into()));
                self.tell(AuditLine { reason, address, ..AuditLine::new(AuditWhat::TokenRefused) });
            }
        }
        proved
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "proofs end by the wall clock")]
    pub(crate) fn moment(&self) -> Moment {
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
        let steady = now() - self.started;
        Moment { unix_s, steady_ms: u64::try_from(steady.as_millis()).unwrap_or(u64::MAX) }
    }
}

#[expect(clippy::disallowed_methods, reason = "failures are counted, which no replay needs")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("access")
    }
}
