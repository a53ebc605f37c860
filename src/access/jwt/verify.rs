//! Whether a JSON Web Token is good. Times are in seconds since 1970.

use std::fmt;
use std::sync::Arc;

use super::claims::{Claims, JwtHeader, part};
use super::key::KeyPrint;
use super::signer::Signer;
use crate::access::rules::Rule;
use crate::machine::{BadName, Name};

/// Clocks may differ by this much.
const LEEWAY_S: u64 = 30;
/// A token ends at most so far ahead.
const LIFE_MAX_S: u64 = 86_400;

/// Why something that was shown proves nothing. It is for the log; outside it is all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadToken {
    /// It has the shape of no token.
    Shape,
    /// A token of ours that the file does not have.
    Unknown,
    /// The header is no base64url of an object that has each member once, of the right kind.
    Header,
    /// The same of the claims; numbers are whole and not below zero.
    Claims,
    /// It has `crit`.
    Critical,
    /// There is no `iss`, or none that a signer has.
    Issuer,
    /// There is no `alg`, or another than the signer's.
    Algorithm,
    /// There is no `aud`, or the signer's is not among it.
    Audience,
    /// No key of the signer has its `kid`.
    NoKey,
    /// No key of the signer made its signature.
    Signature,
    /// There is no `sub`.
    NoSubject,
    /// Its `sub` is no name.
    Subject(BadName),
    /// There is no `exp`.
    NoEnd,
    /// Its `exp` is more than 24 h ahead.
    TooLong,
    /// It has ended.
    Ended,
    /// It has not begun.
    NotYet,
    /// Its `allow` has something that is no rule.
    Allow,
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "has the shape of no token",
            Self::Unknown => "is not in the file",
            Self::Header => "its header is malformed",
            Self::Claims => "its claims are malformed",
            Self::Critical => "has `crit`",
            Self::Issuer => "is of an unknown issuer",
            Self::Algorithm => "its `alg` is not the signer's",
            Self::Audience => "its `aud` is not the signer's",
            Self::NoKey => "no key has its `kid`",
            Self::Signature => "no key made its signature",
            Self::NoSubject => "has no `sub`",
            Self::Subject(why) => return write!(f, "its `sub` {why}"),
            Self::NoEnd => "has no `exp`",
            Self::TooLong => "its `exp` is more than 24 h ahead",
            Self::Ended => "has ended",
            Self::NotYet => "has not begun",
            Self::Allow => "its `allow` is malformed",
        })
    }
}

/// A token that proves nothing: why, and whose it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedToken {
    /// The signer whose `iss` it has.
    pub signer: Option<Name>,
    /// What is wrong with it.
    pub why: BadToken,
}

impl From<BadToken> for RefusedToken {
    fn from(why: BadToken) -> Self {
        Self { signer: None, why }
    }
}

/// What a good token says.
pub(in crate::access) struct VerifiedJwt<'s> {
    pub(in crate::access) signer: &'s Signer,
    pub(in crate::access) key: KeyPrint,
    pub(in crate::access) sub: Name,
    pub(in crate::access) allow: Option<Arc<[Rule]>>,
    /// From when and until when it is good, leeway included; `ends` itself is too late.
    pub(in crate::access) begins: u64,
    pub(in crate::access) ends: u64,
}

/// Verifies a text of a JWT's shape. Of several signers with its issuer the first that knows it
/// counts; if none does, the last one's reason is told.
pub(in crate::access) fn verify<'s>(
    signers: &'s [Signer],
    jwt: &str,
    now: u64,
) -> Result<VerifiedJwt<'s>, RefusedToken> {
    let (message, signature) = jwt.rsplit_once('.').ok_or(BadToken::Shape)?;
    let (header, claims) = message.split_once('.').ok_or(BadToken::Shape)?;
    let header: JwtHeader = part(header).ok_or(BadToken::Header)?;
    if header.crit {
        return Err(BadToken::Critical.into());
    }
    let claims: Claims = part(claims).ok_or(BadToken::Claims)?;
    let mut refused = RefusedToken::from(BadToken::Issuer);
    for signer in signers.iter().filter(|signer| claims.iss.as_deref() == Some(&*signer.issuer)) {
        match signed(signer, &header, &claims, message, signature) {
            Ok(key) => {
                return judged(signer, key, &claims, now)
                    .map_err(|why| RefusedToken { signer: Some(signer.name.clone()), why });
            }
            Err(why) => refused = RefusedToken { signer: Some(signer.name.clone()), why },
        }
    }
    Err(refused)
}

/// The key by which a signer made a token for us.
fn signed(
    signer: &Signer,
    header: &JwtHeader,
    claims: &Claims,
    message: &str,
    signature: &str,
) -> Result<KeyPrint, BadToken> {
    if header.alg.as_deref() != Some(signer.algorithm.as_str()) {
        return Err(BadToken::Algorithm);
    }
    if !claims.aud.as_ref().is_some_and(|aud| aud.contain(&signer.audience)) {
        return Err(BadToken::Audience);
    }
    let mut keys = signer.candidates(header.kid.as_deref()).peekable();
    if keys.peek().is_none() {
        return Err(BadToken::NoKey);
    }
    keys.find(|key| key.verifies(message.as_bytes(), signature))
        .map(|key| key.print())
        .ok_or(BadToken::Signature)
}

/// What a token whose signature is good says, if that is good, too.
fn judged<'s>(
    signer: &'s Signer,
    key: KeyPrint,
    claims: &Claims,
    now: u64,
) -> Result<VerifiedJwt<'s>, BadToken> {
    let sub = claims.sub.as_ref().ok_or(BadToken::NoSubject)?;
    let sub = Name::parse(sub).map_err(BadToken::Subject)?;
    let exp = claims.exp.ok_or(BadToken::NoEnd)?;
    if exp > now.saturating_add(LIFE_MAX_S) {
        return Err(BadToken::TooLong);
    }
    let begins = claims.nbf.unwrap_or_default().saturating_sub(LEEWAY_S);
    let ends = exp.saturating_add(LEEWAY_S);
    if now >= ends {
        return Err(BadToken::Ended);
    }
    if now < begins {
        return Err(BadToken::NotYet);
    }
    let allow = match &claims.allow {
        None => None,
        Some(shapes) => {
            let rules = shapes.iter().map(|shape| shape.0.rule().map_err(|_| BadToken::Allow));
            Some(rules.collect::<Result<_, _>>()?)
        }
    };
    Ok(VerifiedJwt { signer, key, sub, allow, begins, ends })
}
