//! What a request shows: its `Authorization`, read.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longest header that is read; it has room for the longest JWT as a password in base64.
const HEADER_MAX_BYTES: usize = 16 * 1024;

/// Padding may be missing: it says nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is shown. `Debug` says nothing of the token.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown<'a> {
    /// Nothing at all.
    Nothing,
    /// Something that can be a token.
    Token(Cow<'a, str>),
    /// Something that cannot be one, whatever was meant.
    Bad,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Token(_) => "a token",
            Self::Bad => "no token",
        })
    }
}

impl<'a> Shown<'a> {
    /// Reads all `Authorization` headers of a request. Two of them are a bad token, for two
    /// readers could choose differently.
    pub fn in_headers(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => credentials(value).map_or(Self::Bad, Self::Token),
            (Some(_), Some(_)) => Self::Bad,
        }
    }

    /// Takes the `token` of a message, which counts before a header.
    #[must_use]
    pub fn in_message(token: &'a str) -> Self {
        Self::Token(Cow::Borrowed(token))
    }
}

/// The token in one header's value.
fn credentials(value: &[u8]) -> Option<Cow<'_, str>> {
    if value.len() > HEADER_MAX_BYTES {
        return None;
    }
    let value = str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Cow::Borrowed(rest));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(BASE64.decode(rest).ok()?).ok()?;
        let (_user, password) = pair.split_once(':')?;
        return Some(Cow::Owned(password.to_owned()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Shown<'_> {
        Shown::in_headers([value.as_bytes()])
    }

    fn token(text: &str) -> Shown<'_> {
        Shown::Token(Cow::Borrowed(text))
    }

    #[test]
    fn bearer_and_basic_show_a_token() {
        for value in ["Bearer tkd_x", "bearer tkd_x", "BEARER   tkd_x", " Bearer tkd_x\t"] {
            assert_eq!(shown(value), token("tkd_x"), "{value}");
        }
        // x:tkd_x, :tkd_x, and one without its padding.
        for value in ["Basic eDp0a2RfeA==", "basic OnRrZF94", "BASIC eDp0a2RfeA"] {
            assert_eq!(shown(value), token("tkd_x"), "{value}");
        }
        // The user ends at the first colon: x:a:b.
        assert_eq!(shown("Basic eDphOmI="), token("a:b"));
    }

    #[test]
    fn everything_else_is_a_bad_token() {
        assert_eq!(Shown::in_headers([]), Shown::Nothing);
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "tkd_x",
            "Digest a=b",
            "Bearer\ttkd_x",
            "Basic",
            "Basic !",
            "Basic eA==",
        ] {
            assert_eq!(shown(value), Shown::Bad, "{value}");
        }
        assert_eq!(Shown::in_headers([&b"Bearer \xff"[..]]), Shown::Bad);
        assert_eq!(Shown::in_headers([&b"Bearer a"[..], b"Bearer a"]), Shown::Bad);
        let long = format!("Bearer {}", "a".repeat(HEADER_MAX_BYTES));
        assert_eq!(shown(&long), Shown::Bad);
        assert_eq!(format!("{:?}", shown("Bearer tkd_x")), "a token");
    }
}
