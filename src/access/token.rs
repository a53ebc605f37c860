//! Tokens of our own: `tkd_` and 256 random bits. The file has their hash only.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::machine::Name;

const PREFIX: &str = "tkd_";
const RANDOM_CHARS: usize = 43;

/// A token as one shows it. It is a secret, so `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Makes one of random bytes, which the caller has drawn.
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// The text to show. It is the secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the file has of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}…")
    }
}

/// The SHA-256 of a whole text that is shown: of a token, or of a JWT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Reads 64 hex digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    /// It tells nobody the token, but whoever has a token could look for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256-{:02x}{:02x}…", self.0[0], self.0[1])
    }
}

/// What a text that is shown can be, by its shape alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A token of ours.
    Token,
    /// A JSON Web Token.
    Jwt,
    /// Neither, so it is not even hashed.
    Neither,
}

/// Longest JSON Web Token that is looked at, in bytes.
pub(super) const JWT_MAX_BYTES: usize = 8192;

impl Shape {
    /// Tells by length and characters.
    pub(super) fn of(text: &str) -> Self {
        if let Some(random) = text.strip_prefix(PREFIX)
            && random.len() == RANDOM_CHARS
            && random.bytes().all(is_base64url)
        {
            return Self::Token;
        }
        if text.len() > JWT_MAX_BYTES {
            return Self::Neither;
        }
        let mut parts = 0;
        for part in text.split('.') {
            parts += 1;
            if part.is_empty() || !part.bytes().all(is_base64url) {
                return Self::Neither;
            }
        }
        if parts == 3 { Self::Jwt } else { Self::Neither }
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A whole first file for one principal: of all rights with `admin`, else of those that take part.
#[must_use]
pub fn first_file(name: &Name, hash: &TokenHash, admin: bool) -> String {
    let name = name.as_str().replace('\\', r"\\").replace('"', "\\\"");
    let rule = if admin {
        r#"{ to = ["admin"] }"#
    } else {
        r#"{ to = ["lock", "work", "issue", "watch"], on = ["*"] }"#
    };
    format!(
        "# Who may come in, and what each may do: ticketd --access FILE\n\
         [[principal]]\n\
         name = \"{name}\"\n\
         token-sha256 = [\"{hash}\"]\n\
         allow = [{rule}]\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_itself_to_who_asks_for_its_text_only() {
        let token = Token::from_random([0xff; 32]);
        assert_eq!(token.as_str(), format!("tkd_{}8", "_".repeat(42)));
        assert_eq!(format!("{token:?}"), "tkd_…");
        let hex = token.hash().to_string();
        assert_eq!(TokenHash::parse(&hex), Some(token.hash()));
        assert_eq!(TokenHash::parse(&hex.to_uppercase()), Some(token.hash()));
        assert!(!format!("{:?}", token.hash()).contains(&hex[..8]));
        for bad in [&hex[1..], &format!("{hex}0"), &hex.replace(&hex[..1], "g"), "", "é"] {
            assert_eq!(TokenHash::parse(bad), None);
        }
        // The standard's own example: FIPS 180-2, B.1.
        assert!(TokenHash::of("abc").to_string().starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn what_something_is_shows_in_its_shape() {
        let token = Token::from_random([7; 32]);
        assert_eq!(Shape::of(token.as_str()), Shape::Token);
        assert_eq!(Shape::of("e30.e30.AA"), Shape::Jwt);
        let longest = format!("e30.e30.{}", "A".repeat(JWT_MAX_BYTES - 8));
        assert_eq!(Shape::of(&longest), Shape::Jwt);
        for neither in [
            "",
            "tkd_",
            &token.as_str()[1..],
            &token.as_str()[..46],
            &format!("{}A", token.as_str()),
            &token.as_str().replace("tkd_", "TKD_"),
            &token.as_str().replace('B', "+"),
            "e30.e30",
            "e30.e30.",
            "e30..AA",
            ".e30.AA",
            "e30.e30.AA.AA",
            "e30.e30.AA==",
            "e30.e30.A A",
            &format!("{longest}A"),
        ] {
            assert_eq!(Shape::of(neither), Shape::Neither, "{neither}");
        }
    }
}
