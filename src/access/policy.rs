//! What one access file says, ready to be asked.

use std::collections::HashMap;

use super::jwt::{RefusedToken, Signer, VerifiedJwt, verify};
use super::rules::Rules;
use super::subject::{CertificateName, Proof, Subject, SubjectParts};
use super::token::TokenHash;
use crate::machine::Owner;

/// A whole access file. It is made by reading one, and does not change.
#[derive(Debug, Default)]
pub struct Policy {
    /// The principals, by their tokens.
    pub(super) tokens: HashMap<TokenHash, Subject>,
    /// The principals, by their certificates' names.
    pub(super) certificates: HashMap<CertificateName, Subject>,
    pub(super) signers: Vec<Signer>,
    pub(super) anonymous: Option<Subject>,
}

impl Policy {
    /// Who shows nothing, if such may come in.
    #[must_use]
    pub fn anonymous(&self) -> Option<Subject> {
        self.anonymous.clone()
    }

    /// Whose token has this hash.
    #[must_use]
    pub fn by_token(&self, hash: TokenHash) -> Option<Subject> {
        self.tokens.get(&hash).cloned()
    }

    /// Who has a certificate with these names, which ends at `ends`, in seconds since 1970. The
    /// first name that is somebody's counts.
    pub fn by_certificate(
        &self,
        names: impl IntoIterator<Item = CertificateName>,
        ends: Option<u64>,
    ) -> Option<Subject> {
        names
            .into_iter()
            .find_map(|name| self.certificates.get(&name).map(|subject| subject.until(ends)))
    }

    /// Somebody who has a session and has not shown anything yet, since the server started: what it
    /// may do at most. `None` when the file does not know it.
    #[must_use]
    pub fn by_owner(&self, owner: &Owner) -> Option<Rules> {
        match owner {
            Owner::Principal(_) => {
                let mut all = self.tokens.values().chain(self.certificates.values());
                all.find(|it| it.owner() == Some(owner)).map(|it| it.rules().clone())
            }
            Owner::Subject { signer, .. } => {
                let signer = self.signers.iter().find(|it| it.name == *signer)?;
                Some(Rules::new(signer.allow.clone(), None))
            }
        }
    }

    /// Of whom a JSON Web Token speaks at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why it is not good, for the log.
    pub fn by_jwt(&self, jwt: &str, now: u64) -> Result<Subject, RefusedToken> {
        let VerifiedJwt { signer, key, sub, allow, begins, ends } =
            verify(&self.signers, jwt, now)?;
        Ok(Subject::new(SubjectParts {
            owner: Some(Owner::Subject { signer: signer.name.clone(), sub }),
            rules: Rules::new(signer.allow.clone(), allow),
            quotas: signer.quotas,
            proof: Proof::Jwt {
                key,
                issuer: signer.issuer.clone(),
                audience: signer.audience.clone(),
            },
            begins,
            ends: Some(ends),
        }))
    }

    /// The same somebody under this file, which may be another than it came in by: with its rules
    /// and quotas of now, or `None` when its proof is no longer good.
    #[must_use]
    pub fn renewed(&self, subject: &Subject, now: u64) -> Option<Subject> {
        if !subject.is_good_at(now) {
            return None;
        }
        let parts = subject.parts();
        let renewed = match &parts.proof {
            Proof::Nothing => self.anonymous()?,
            Proof::Token(hash) => self.by_token(*hash)?,
            Proof::Certificate(name) => self.by_certificate([name.clone()], parts.ends)?,
            Proof::Jwt { key, issuer, audience } => {
                let Some(Owner::Subject { signer, .. }) = &parts.owner else { return None };
                let signer = self.signers.iter().find(|now| now.name == *signer)?;
                if signer.issuer != *issuer || signer.audience != *audience || !signer.has(*key) {
                    return None;
                }
                Subject::new(SubjectParts {
                    rules: Rules::new(signer.allow.clone(), parts.rules.narrowed().cloned()),
                    quotas: signer.quotas,
                    ..SubjectParts::clone(parts)
                })
            }
        };
        (renewed.owner() == subject.owner()).then_some(renewed)
    }
}
