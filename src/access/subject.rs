//! Who came in, by what it was proven, what it may do and until when.

use std::fmt;
use std::sync::Arc;

use super::jwt::KeyPrint;
use super::quotas::Quotas;
use super::rules::Rules;
use super::token::TokenHash;
use crate::machine::Owner;

/// A name in a client's certificate, whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// A DNS name, in lower case.
    Dns(Box<str>),
    /// A URI.
    Uri(Box<str>),
}

impl CertificateName {
    /// A DNS name; upper and lower case are the same.
    #[must_use]
    pub fn dns(name: &str) -> Self {
        Self::Dns(name.to_ascii_lowercase().into())
    }

    /// A URI, as it is spelled.
    #[must_use]
    pub fn uri(uri: &str) -> Self {
        Self::Uri(uri.into())
    }

    /// Reads `dns:…` or `uri:…`; there are no wildcards.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let bad = |c: char| c == '*' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(bad) {
            return None;
        }
        match kind {
            "dns" => Some(Self::dns(name)),
            "uri" => Some(Self::uri(name)),
            _ => None,
        }
    }
}

/// By what somebody was proven; it decides whether a changed file still knows them.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing was shown.
    Nothing,
    /// A token of ours.
    Token(TokenHash),
    /// A name of a client's certificate.
    Certificate(CertificateName),
    /// A signer's token: the key that verified it, and what it had to say to be for us.
    Jwt { key: KeyPrint, issuer: Box<str>, audience: Box<str> },
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Token(_) => "a token",
            Self::Certificate(_) => "a certificate",
            Self::Jwt { .. } => "a signed token",
        })
    }
}

/// Somebody who came in. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Subject(Arc<SubjectParts>);

/// What there is to a subject.
#[derive(Clone, Debug)]
pub(super) struct SubjectParts {
    pub(super) owner: Option<Owner>,
    pub(super) rules: Rules,
    pub(super) quotas: Quotas,
    pub(super) proof: Proof,
    /// The first second since 1970 at which the proof is good.
    pub(super) begins: u64,
    /// The first at which it no longer is; `None` when the file alone ends it.
    pub(super) ends: Option<u64>,
}

impl Subject {
    pub(super) fn new(parts: SubjectParts) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn parts(&self) -> &SubjectParts {
        &self.0
    }

    /// The same somebody with a proof that ends at `ends`.
    pub(super) fn until(&self, ends: Option<u64>) -> Self {
        if ends == self.0.ends {
            return self.clone();
        }
        Self::new(SubjectParts { ends, ..SubjectParts::clone(&self.0) })
    }

    /// Who it is; nobody in particular when nothing was shown.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.0.owner.as_ref()
    }

    /// What it may do.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// How much it may have.
    #[must_use]
    pub fn quotas(&self) -> Quotas {
        self.0.quotas
    }

    /// The second since 1970 at which its proof ends; `None` when the file alone ends it.
    #[must_use]
    pub fn ends(&self) -> Option<u64> {
        self.0.ends
    }

    /// The same somebody, whose proof is good no more and who may do nothing.
    #[must_use]
    pub fn ended(&self) -> Self {
        let rules = Rules::default();
        Self::new(SubjectParts { rules, ends: Some(0), ..SubjectParts::clone(&self.0) })
    }

    /// Whether this is a clone of that very subject.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether a token of ours proved it: that is good for as long as the file is the same.
    #[must_use]
    pub fn is_by_token(&self) -> bool {
        matches!(self.0.proof, Proof::Token(_)) && self.0.ends.is_none()
    }

    /// Whether its proof was found to be good no more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.ends == Some(0)
    }

    /// Whether its proof is good at `now`, in seconds since 1970, as far as time goes.
    #[must_use]
    pub fn is_good_at(&self, now: u64) -> bool {
        self.0.begins <= now && self.0.ends.is_none_or(|ends| now < ends)
    }
}
