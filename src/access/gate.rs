//! The one question at the entrance: who is it that shows this?

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::failures::Failures;
use super::jwt::{BadToken, RefusedToken};
use super::policy::Policy;
use super::remembered::Remembered;
use super::shown::Shown;
use super::subject::Subject;
use super::token::{Shape, TokenHash};

/// What time it is, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970: by these, proofs end.
    pub unix_s: u64,
    /// Milliseconds of a clock that nobody sets: by these, failures are counted.
    pub steady_ms: u64,
}

/// What is said of a token, whatever is wrong with it.
pub const BAD_TOKEN: &str = "the token is not good";

/// Why somebody does not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nothing was shown, and nobody may come in so.
    Nothing,
    /// What was shown is not good.
    Bad {
        /// Why, for the log.
        refused: RefusedToken,
        /// `Retry-After` in seconds, when the address has failed too often.
        retry_after: Option<u64>,
        /// Whether the log says so: once a second and address.
        logged: bool,
    },
    /// What was shown has not been looked at: the address has failed too often.
    NotLookedAt {
        /// `Retry-After` in seconds.
        retry_after: u64,
    },
}

impl Denied {
    /// What is said outside; whatever is wrong with a token, it is the same.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        match self {
            Self::Nothing => "a token is needed",
            Self::Bad { .. } | Self::NotLookedAt { .. } => BAD_TOKEN,
        }
    }

    /// The `WWW-Authenticate` of an answer 401.
    #[must_use]
    pub fn challenge(&self) -> &'static str {
        match self {
            Self::Nothing => "Bearer",
            Self::Bad { .. } | Self::NotLookedAt { .. } => "Bearer error=\"invalid_token\"",
        }
    }

    /// Whether it is told that it asks too often, and not who it would have to be.
    #[must_use]
    pub fn is_put_off(&self) -> bool {
        self.retry_after().is_some()
    }

    /// After how many seconds to come again; with it the answer is 429, without it 401.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::Bad { retry_after, .. } => *retry_after,
            Self::NotLookedAt { retry_after } => Some(*retry_after),
        }
    }
}

/// Knows who may come in. It is shared: no lock in it is held while a signature is verified.
#[derive(Default)]
pub struct Gate {
    policy: RwLock<Arc<Policy>>,
    remembered: Mutex<Remembered>,
    failures: Mutex<Failures>,
}

impl Gate {
    /// A gate that goes by `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let gate = Self::default();
        gate.replace(policy);
        gate
    }

    /// Goes by another policy from now on.
    pub fn replace(&self, policy: Policy) {
        *self.policy.write() = Arc::new(policy);
    }

    /// What it goes by. Whoever asks about many keeps it for all of them.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.read().clone()
    }

    /// Who it is that shows this from `address`.
    ///
    /// # Errors
    /// How it is answered, and why for the log. A bad token is counted against its address; one
    /// that is good is never refused for what others did, unless it is a new JWT of an address
    /// that floods us with them.
    pub fn prove(
        &self,
        shown: &Shown<'_>,
        address: IpAddr,
        now: Moment,
    ) -> Result<Subject, Denied> {
        let refused = match shown {
            Shown::Nothing => return self.policy().anonymous().ok_or(Denied::Nothing),
            Shown::Bad => BadToken::Shape.into(),
            Shown::Token(text) => match Shape::of(text) {
                Shape::Neither => BadToken::Shape.into(),
                Shape::Token => match self.policy().by_token(TokenHash::of(text)) {
                    Some(subject) => return Ok(subject),
                    None => BadToken::Unknown.into(),
                },
                Shape::Jwt => match self.jwt(text, address, now)? {
                    Ok(subject) => return Ok(subject),
                    Err(refused) => refused,
                },
            },
        };
        let counted = self.failures.lock().count(address, now.steady_ms);
        Err(Denied::Bad { refused, retry_after: counted.retry_after, logged: counted.logged })
    }

    /// The same somebody by the policy of now; `None` when the proof is no longer good.
    #[must_use]
    pub fn renewed(&self, subject: &Subject, now: Moment) -> Option<Subject> {
        self.policy().renewed(subject, now.unix_s)
    }

    /// Of whom a JWT speaks; the outer error is that it has not been looked at.
    fn jwt(
        &self,
        text: &str,
        address: IpAddr,
        now: Moment,
    ) -> Result<Result<Subject, RefusedToken>, Denied> {
        let policy = self.policy();
        let hash = TokenHash::of(text);
        let known = self.remembered.lock().get(hash);
        if let Some(known) = known {
            if let Some(subject) = policy.renewed(&known, now.unix_s) {
                return Ok(Ok(subject));
            }
            self.remembered.lock().forget(hash);
        }
        let looked = self.failures.lock().look(address, now.steady_ms);
        looked.map_err(|retry_after| Denied::NotLookedAt { retry_after })?;
        let verified = policy.by_jwt(text, now.unix_s);
        if let Ok(subject) = &verified {
            self.remembered.lock().put(hash, subject.clone());
        }
        Ok(verified)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a gate")
    }
}
