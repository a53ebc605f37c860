//! The keys that JSON Web Tokens are verified with, and whether a key fits its algorithm.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RsaParameters};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};

/// How a signer signs. There is no other way, and none by which a token could choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA by PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// HMAC with SHA-256: both sides know the secret.
    Hs256,
}

impl SigningAlgorithm {
    const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256];

    /// The word for it in the file and in a token's `alg`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }

    fn of_library(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
            Self::Hs256 => Algorithm::HS256,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shortest RSA key, in bits.
pub(in crate::access) const RSA_MIN_BITS: u32 = 2048;
/// Longest RSA key, in bits: verifying with longer ones takes long.
pub(in crate::access) const RSA_MAX_BITS: u32 = 8192;
/// Shortest secret, in bytes.
pub(in crate::access) const SECRET_MIN_BYTES: usize = 32;

/// Why a file has no key that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// Not exactly one public key in PEM: another PEM, several, or none at all.
    NotOnePublicKey,
    /// A key of another algorithm or curve, or a broken one.
    DoesNotFit(SigningAlgorithm),
    /// An RSA key of too few or too many bits.
    RsaBits,
    /// A secret of too few bytes.
    ShortSecret,
    /// A secret that is a PEM, and so may be known to all.
    PemAsSecret,
    /// No JSON object with a list of `keys`.
    NotKeySet,
    /// The set has a private key in it.
    PrivateKey,
    /// No key of the set fits.
    NoneFits(SigningAlgorithm),
    /// Two keys that fit have the same `kid`.
    KidTwice,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOnePublicKey => f.write_str("is not one public key in PEM"),
            Self::DoesNotFit(algorithm) => write!(f, "has no key for {algorithm}"),
            Self::RsaBits => write!(f, "RSA keys have {RSA_MIN_BITS} to {RSA_MAX_BITS} bits"),
            Self::ShortSecret => write!(f, "a secret has at least {SECRET_MIN_BYTES} bytes"),
            Self::PemAsSecret => f.write_str("is a PEM, which is no secret"),
            Self::NotKeySet => f.write_str("is not a JSON Web Key Set"),
            Self::PrivateKey => f.write_str("has a private key in it, which is not needed here"),
            Self::NoneFits(algorithm) => write!(f, "none of its keys fits {algorithm}"),
            Self::KidTwice => f.write_str("two of its keys have the same `kid`"),
        }
    }
}

/// Tells two keys apart without showing them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::access) struct KeyPrint([u8; 32]);

impl fmt::Debug for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key")
    }
}

/// A key that fits its algorithm.
#[derive(Clone)]
pub(in crate::access) struct VerifyingKey {
    algorithm: SigningAlgorithm,
    key: DecodingKey,
    print: KeyPrint,
    kid: Option<Box<str>>,
}

impl VerifyingKey {
    /// Reads one public key in PEM. A secret is never read from there.
    pub(in crate::access) fn from_pem(
        algorithm: SigningAlgorithm,
        pem: &[u8],
    ) -> Result<Self, BadKey> {
        let text = str::from_utf8(pem).map_err(|_| BadKey::NotOnePublicKey)?;
        let public = ["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"];
        if text.matches("-----BEGIN ").count() != 1 || !public.iter().any(|tag| text.contains(tag))
        {
            return Err(BadKey::NotOnePublicKey);
        }
        let key = match algorithm {
            SigningAlgorithm::EdDsa => DecodingKey::from_ed_pem(pem),
            SigningAlgorithm::Es256 => DecodingKey::from_ec_pem(pem),
            SigningAlgorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
            SigningAlgorithm::Hs256 => return Err(BadKey::DoesNotFit(algorithm)),
        };
        let misfit = BadKey::DoesNotFit(algorithm);
        let key = key.map_err(|_| misfit)?;
        let bytes = key.try_get_as_bytes().map_err(|_| misfit)?.to_vec();
        Self::public(algorithm, key, &bytes)
    }

    /// Takes a public key's own bytes: a point, or an RSA key in DER.
    fn public(algorithm: SigningAlgorithm, key: DecodingKey, bytes: &[u8]) -> Result<Self, BadKey> {
        let misfit = BadKey::DoesNotFit(algorithm);
        match algorithm {
            SigningAlgorithm::EdDsa if bytes.len() == 32 => {
                ParsedPublicKey::new(&ED25519, bytes).map_err(|_| misfit)?;
            }
            SigningAlgorithm::Es256 if bytes.len() == 65 => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).map_err(|_| misfit)?;
            }
            SigningAlgorithm::Rs256 => {
                let bits = RsaParameters::public_modulus_len(bytes).map_err(|_| misfit)?;
                fits_rsa(bits)?;
            }
            _ => return Err(misfit),
        }
        Ok(Self::new(algorithm, key, &[bytes]))
    }

    /// An Ed25519 key by its 32 bytes.
    pub(super) fn from_ed(x: &[u8]) -> Result<Self, BadKey> {
        Self::public(SigningAlgorithm::EdDsa, DecodingKey::from_ed_der(x), x)
    }

    /// A key on P-256 by its coordinates, of 32 bytes each.
    pub(super) fn from_p256(x: &[u8], y: &[u8]) -> Result<Self, BadKey> {
        if (x.len(), y.len()) != (32, 32) {
            return Err(BadKey::DoesNotFit(SigningAlgorithm::Es256));
        }
        let point = [&[4], x, y].concat();
        Self::public(SigningAlgorithm::Es256, DecodingKey::from_ec_der(&point), &point)
    }

    /// An RSA key by its modulus and exponent, the most significant byte first.
    pub(super) fn from_rsa(n: &[u8], e: &[u8]) -> Result<Self, BadKey> {
        let [n, e] = [n, e].map(|number| {
            let zeros = number.iter().take_while(|&&byte| byte == 0).count();
            &number[zeros..]
        });
        let misfit = BadKey::DoesNotFit(SigningAlgorithm::Rs256);
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        if !odd(n) || !odd(e) || e == [1] || e.len() > 4 {
            return Err(misfit);
        }
        let leading = n.first().map_or(8, |byte| byte.leading_zeros());
        fits_rsa(u32::try_from(n.len()).map_err(|_| BadKey::RsaBits)? * 8 - leading)?;
        let key = DecodingKey::from_rsa_raw_components(n, e);
        Ok(Self::new(SigningAlgorithm::Rs256, key, &[n, e]))
    }

    /// Takes a secret. If it is plain text, a line's end after it is not part of it.
    pub(in crate::access) fn from_secret(bytes: &[u8]) -> Result<Self, BadKey> {
        let secret = without_line_end(bytes);
        if secret.windows(11).any(|window| window == b"-----BEGIN ") {
            return Err(BadKey::PemAsSecret);
        }
        if secret.len() < SECRET_MIN_BYTES {
            return Err(BadKey::ShortSecret);
        }
        let key = DecodingKey::from_secret(secret);
        Ok(Self::new(SigningAlgorithm::Hs256, key, &[secret]))
    }

    fn new(algorithm: SigningAlgorithm, key: DecodingKey, parts: &[&[u8]]) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(algorithm.as_str().as_bytes());
        for part in parts {
            digest.update(&part.len().to_be_bytes());
            digest.update(part);
        }
        let mut print = [0; 32];
        print.copy_from_slice(digest.finish().as_ref());
        Self { algorithm, key, print: KeyPrint(print), kid: None }
    }

    /// Gives it the name by which tokens choose it.
    pub(super) fn with_kid(self, kid: Option<String>) -> Self {
        Self { kid: kid.map(String::into_boxed_str), ..self }
    }

    /// The name by which tokens choose it.
    pub(in crate::access) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What tells it from others.
    pub(in crate::access) fn print(&self) -> KeyPrint {
        self.print
    }

    /// Whether it made `signature`, in base64url, for `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.key, self.algorithm.of_library()).unwrap_or(false)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key for {}", self.algorithm)
    }
}

fn fits_rsa(bits: u32) -> Result<(), BadKey> {
    if (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) { Ok(()) } else { Err(BadKey::RsaBits) }
}

/// A file that an editor or `openssl rand -hex` wrote ends in a line's end that nobody means.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.iter().all(|byte| matches!(byte, b' '..=b'~')) { line } else { bytes }
}
