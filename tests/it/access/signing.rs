//! Keys of signers, and tokens that they sign: whatever text stands in them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key with which tokens are signed.
pub(super) enum SigningKey {
    Ed(Ed25519KeyPair),
    Es(EcdsaKeyPair),
    Rs(RsaKeyPair),
    Hs(Vec<u8>),
}

/// A key that nobody believes, and keys of the world's signers. Making those of RSA takes long.
pub(super) static STRANGER: LazyLock<SigningKey> = LazyLock::new(SigningKey::ed);
pub(super) static ED: LazyLock<SigningKey> = LazyLock::new(SigningKey::ed);
pub(super) static ES: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::es(&ECDSA_P256_SHA256_FIXED_SIGNING));
pub(super) static RS: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::Rs(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")));
pub(super) static HS: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::Hs(b"a secret of exactly 32 bytes, ok".to_vec()));

impl SigningKey {
    pub(super) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().expect("a key"))
    }

    fn es(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self::Es(EcdsaKeyPair::generate(algorithm).expect("a key"))
    }

    /// The same key, with signatures as X.509 has them and JWTs do not.
    pub(super) fn es_asn1() -> (Self, Self) {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("a key");
        let pair = |algorithm| {
            Self::Es(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).expect("a key"))
        };
        (pair(&ECDSA_P256_SHA256_FIXED_SIGNING), pair(&ECDSA_P256_SHA256_ASN1_SIGNING))
    }

    /// The `alg` of what it signs.
    pub(super) fn alg(&self) -> &'static str {
        match self {
            Self::Ed(_) => "EdDSA",
            Self::Es(_) => "ES256",
            Self::Rs(_) => "RS256",
            Self::Hs(_) => "HS256",
        }
    }

    /// The public key in DER, or the secret.
    pub(super) fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed(pair) => pair.public_key().as_der().expect("a key").as_ref().to_vec(),
            Self::Es(pair) => pair.public_key().as_der().expect("a key").as_ref().to_vec(),
            Self::Rs(pair) => pair.public_key().as_der().expect("a key").as_ref().to_vec(),
            Self::Hs(secret) => secret.clone(),
        }
    }

    /// What its signer's key-file or secret-file has in it.
    pub(super) fn file(&self) -> Vec<u8> {
        match self {
            Self::Hs(secret) => secret.clone(),
            _ => pem("PUBLIC KEY", &self.public()).into_bytes(),
        }
    }

    /// The public key as a member of a JSON Web Key Set.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})
            }
            Self::Es(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (text(&point[1..33]), text(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig"})
            }
            Self::Rs(pair) => {
                // A SEQUENCE of the modulus, with a zero before it, and 65537.
                let n = text(&pair.public_key().as_ref()[9..265]);
                json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": kid, "alg": "RS256"})
            }
            Self::Hs(secret) => json!({"kty": "oct", "k": text(secret), "kid": kid}),
        }
    }

    /// A token of these texts.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let message = message(header, claims);
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with the plainest header.
    pub(super) fn jwt(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": self.alg(), "typ": "JWT"}).to_string(), &claims.to_string())
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Es(pair) => pair.sign(&random, message).expect("signed").as_ref().to_vec(),
            Self::Rs(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
                signature
            }
            Self::Hs(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }
}

/// What is signed of a token of these texts.
pub(super) fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A file in PEM.
pub(super) fn pem(tag: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", lines.join("\n"))
}
