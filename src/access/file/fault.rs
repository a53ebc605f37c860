//! Why an access file does not count, and in which line.

use std::fmt;

use crate::access::jwt::BadKey;
use crate::access::rule_shape::BadRule;
use crate::machine::BadName;

/// The first thing that is wrong with a file; because of it nothing in the file counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: BadFile,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for FileFault {}

/// What can be wrong with an access file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFile {
    /// Not UTF-8.
    Encoding,
    /// Not TOML, or not of the file's shape: an unknown key, a missing one, another type.
    Shape(String),
    /// The name of an entry is none.
    Name(BadName),
    /// Two entries of a kind have this name.
    NameTwice(String),
    /// A `token-sha256` that is not 64 hex digits.
    Hash,
    /// A `token-sha256` that is a token itself.
    TokenAsHash,
    /// The same `token-sha256` again.
    HashTwice,
    /// A `certificate` that is neither `dns:…` nor `uri:…`, whole.
    Certificate,
    /// The same `certificate` again.
    CertificateTwice,
    /// A rule that is none.
    Rule(BadRule),
    /// An algorithm that there is not.
    Algorithm,
    /// An `issuer` or `audience` with nothing in it.
    Empty(&'static str),
    /// Two signers that could not be told apart by issuer, audience and algorithm.
    SignerTwice,
    /// A signer without a file of keys, or with more than one.
    KeyFiles,
    /// HS256 without `secret-file`, or `secret-file` with another algorithm.
    SecretFile,
    /// A file that was not to be had.
    Unreadable(String, String),
    /// A file whose key does not fit.
    Key(String, BadKey),
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("is not UTF-8"),
            Self::Shape(why) => f.write_str(why),
            Self::Name(why) => write!(f, "a name {why}"),
            Self::NameTwice(name) => write!(f, "the name {name:?} a second time"),
            Self::Hash => f.write_str("`token-sha256` is 64 hex digits, as `ticketd token` prints"),
            Self::TokenAsHash => {
                f.write_str("a token itself; here stands its hash, which `ticketd token` prints")
            }
            Self::HashTwice => f.write_str("the same `token-sha256` a second time"),
            Self::Certificate => f.write_str("`certificate` is dns:NAME or uri:URI, whole"),
            Self::CertificateTwice => f.write_str("the same `certificate` a second time"),
            Self::Rule(why) => fmt::Display::fmt(why, f),
            Self::Algorithm => f.write_str("`algorithm` is EdDSA, ES256, RS256 or HS256"),
            Self::Empty(key) => write!(f, "`{key}` must not be empty"),
            Self::SignerTwice => {
                f.write_str("a second signer of the same issuer, audience and algorithm")
            }
            Self::KeyFiles => {
                f.write_str("one of `key-file`, `jwks-file` and `secret-file` stands here")
            }
            Self::SecretFile => f.write_str("`secret-file` is for HS256, and for nothing else"),
            Self::Unreadable(path, why) => write!(f, "{path}: {why}"),
            Self::Key(path, why) => write!(f, "{path}: {why}"),
        }
    }
}

/// Takes what may be a token out of words that somebody else chose.
pub(super) fn without_tokens(text: &str) -> String {
    let mut parts = text.split("tkd_");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
        clean.push_str("tkd_…");
        clean.push_str(rest);
    }
    clean
}
