//! Origins and names of hosts as options give them, normalised as browsers send them.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// An origin whose pages may use the server, written as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Pages of every origin, `null` included.
    Any,
    /// Pages of this one.
    Of(String),
}

/// A name by which this server is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownHost {
    /// Every name.
    Any,
    /// Every name that ends like this; it begins with a dot.
    Under(String),
    /// This name.
    Is(String),
}

/// Why an option's origin or name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no `http://…` or `https://…` of a host alone.
    NoOrigin,
    /// It has a `*` among other characters.
    Wildcard,
    /// It is `null`.
    Null,
    /// It is no name of a host.
    NoHost,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOrigin => "an origin is like https://example.org, without a path",
            Self::Wildcard => "an origin has no wildcards: name each, or give * for all",
            Self::Null => "null is sent by pages of any origin: only * lets them in",
            Self::NoHost => "a host is a name like t.example.org, *.example.org or *, no port",
        })
    }
}

impl std::error::Error for Unfit {}

impl FromStr for AllowedOrigin {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        match text {
            "*" => return Ok(Self::Any),
            "null" => return Err(Unfit::Null),
            _ if text.contains('*') => return Err(Unfit::Wildcard),
            _ => {}
        }
        // The URL parser mends what nobody should have written; only a host and port pass here.
        let (scheme, authority) = text.split_once("://").ok_or(Unfit::NoOrigin)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let odd = |c: char| c.is_control() || c.is_whitespace() || "/?#@\\".contains(c);
        if authority.is_empty() || authority.contains(odd) {
            return Err(Unfit::NoOrigin);
        }
        let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|_| Unfit::NoOrigin)?;
        let plain = url.host_str().is_some_and(is_host);
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(Unfit::NoOrigin);
        }
        Ok(Self::Of(url.origin().ascii_serialization()))
    }
}

impl FromStr for KnownHost {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (under, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.is_empty() || name.contains('*') {
            return Err(Unfit::NoHost);
        }
        let host = url::Host::parse(name).map_err(|_| Unfit::NoHost)?.to_string();
        let host = host.strip_suffix('.').unwrap_or(&host);
        match host {
            host if !is_host(host) => Err(Unfit::NoHost),
            host if under => Ok(Self::Under(format!(".{host}"))),
            host => Ok(Self::Is(host.to_owned())),
        }
    }
}

/// Whether a text is made as names and addresses of hosts are. More is in no name that one can
/// have, and might mean something to a shell.
#[must_use]
pub fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b))
}

impl KnownHost {
    /// Whether it is this name, which is in small letters and without a dot at its end.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Under(end) => name.len() > end.len() && name.ends_with(end),
            Self::Is(known) => name == known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An origin with `:443`, capital letters or an umlaut was taken and never matched: browsers
    /// send none of these.
    #[test]
    fn allowed_origins_are_written_as_browsers_send_them() {
        for (text, origin) in [
            ("https://example.org", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://example.org:80", "http://example.org"),
            ("https://example.org:8443", "https://example.org:8443"),
            ("HTTPS://Example.ORG/", "https://example.org"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[2001:DB8:0::1]:80", "http://[2001:db8::1]"),
            ("http://0x7f.1:8080", "http://127.0.0.1:8080"),
        ] {
            let expected = AllowedOrigin::Of(origin.to_owned());
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("*".parse(), Ok(AllowedOrigin::Any));
        for (text, why) in [
            ("", Unfit::NoOrigin),
            ("example.org", Unfit::NoOrigin),
            ("https://", Unfit::NoOrigin),
            ("https:///example.org", Unfit::NoOrigin),
            ("https://example.org/path", Unfit::NoOrigin),
            ("https://example.org?", Unfit::NoOrigin),
            ("https://me@example.org", Unfit::NoOrigin),
            ("https://exa mple.org", Unfit::NoOrigin),
            ("https://a;reboot", Unfit::NoOrigin),
            ("https://$(reboot)", Unfit::NoOrigin),
            ("https://example.org:x", Unfit::NoOrigin),
            ("ws://example.org", Unfit::NoOrigin),
            ("https://*.example.org", Unfit::Wildcard),
            ("https://example.org:*", Unfit::Wildcard),
            ("null", Unfit::Null),
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(why), "{text}");
        }
    }

    #[test]
    fn hosts_are_names_without_more() {
        for (text, host) in [
            ("*", KnownHost::Any),
            ("T.Example.Org.", KnownHost::Is("t.example.org".to_owned())),
            ("*.Example.Org", KnownHost::Under(".example.org".to_owned())),
            ("bücher.example", KnownHost::Is("xn--bcher-kva.example".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(host), "{text}");
        }
        for text in ["", "*.", "*x", "a.*", "http://a.b", "a.b:80", "a b", "a/b", "a;b", "$(b)"] {
            assert_eq!(text.parse::<KnownHost>(), Err(Unfit::NoHost), "{text}");
        }
    }
}
