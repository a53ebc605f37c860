//! A JSON Web Key Set (RFC 7517), of which the public keys that fit an algorithm are taken.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::key::{BadKey, SigningAlgorithm, VerifyingKey};

#[derive(Deserialize)]
struct KeySetShape {
    keys: Vec<KeyShape>,
}

/// What is read of a key. Other members mean nothing here.
#[derive(Deserialize)]
struct KeyShape {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<IgnoredAny>,
}

impl KeyShape {
    /// Whether it is meant to verify what `algorithm` signs.
    fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        let kind = match algorithm {
            SigningAlgorithm::EdDsa => ("OKP", Some("Ed25519")),
            SigningAlgorithm::Es256 => ("EC", Some("P-256")),
            SigningAlgorithm::Rs256 => ("RSA", None),
            SigningAlgorithm::Hs256 => return false,
        };
        (self.kty.as_str(), self.crv.as_deref()) == kind
            && self.usage.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
            && self.alg.as_ref().is_none_or(|alg| alg == algorithm.as_str())
    }

    fn key(self, algorithm: SigningAlgorithm) -> Result<VerifyingKey, BadKey> {
        let misfit = BadKey::DoesNotFit(algorithm);
        let number = |text: &Option<String>| {
            let text = text.as_ref().ok_or(misfit)?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| misfit)
        };
        let key = match algorithm {
            SigningAlgorithm::EdDsa => VerifyingKey::from_ed(&number(&self.x)?),
            SigningAlgorithm::Es256 => {
                VerifyingKey::from_p256(&number(&self.x)?, &number(&self.y)?)
            }
            SigningAlgorithm::Rs256 => VerifyingKey::from_rsa(&number(&self.n)?, &number(&self.e)?),
            SigningAlgorithm::Hs256 => Err(misfit),
        }?;
        Ok(key.with_kid(self.kid))
    }
}

/// The keys of a set that fit; those of other kinds stand there for others.
pub(in crate::access) fn key_set(
    algorithm: SigningAlgorithm,
    json: &[u8],
) -> Result<Vec<VerifyingKey>, BadKey> {
    let set: KeySetShape = serde_json::from_slice(json).map_err(|_| BadKey::NotKeySet)?;
    if set.keys.iter().any(|key| key.d.is_some()) {
        return Err(BadKey::PrivateKey);
    }
    let fitting = set.keys.into_iter().filter(|key| key.fits(algorithm));
    let keys = fitting.map(|key| key.key(algorithm)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(BadKey::NoneFits(algorithm));
    }
    let mut kids: Vec<_> = keys.iter().filter_map(VerifyingKey::kid).collect();
    kids.sort_unstable();
    if kids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(BadKey::KidTwice);
    }
    Ok(keys)
}
