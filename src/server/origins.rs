//! Who of the browsers may come: by which names this server is called, and which pages may use it.
//! One place for REST and for the upgrade.
//!
//! A page sends requests to any server it likes, with no more than its browser's word on where the
//! page is from (`Origin`, `Sec-Fetch-Site`). A rebound name makes a page look like our own; only
//! `Host` tells.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{HOST, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::notices::NoticeKind;
use crate::wire::{AllowedOrigin, Code, KnownHost, Problem, Unfit, is_host};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Names under these are given by whoever runs the network, and cannot be had on the internet.
const PRIVATE: [&str; 6] =
    [".localhost", ".local", ".internal", ".home.arpa", ".svc", ".cluster.local"];
/// Most characters of a refused name that are told.
const TOLD_MAX: usize = 100;

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// A name that is not ours.
    Host(String),
    /// What is no name at all, or several.
    NoHost(String),
    /// A page of this origin, or of another site that its browser does not name.
    Page(Option<String>),
}

impl Foreign {
    /// What the log tells. A header may hold anything, so it is escaped.
    pub(crate) fn notice(&self) -> (NoticeKind, String) {
        match self {
            Self::Host(name) | Self::NoHost(name) => (NoticeKind::Host, format!("{name:?}")),
            Self::Page(Some(origin)) => (NoticeKind::Page, format!("{origin:?}")),
            Self::Page(None) => (NoticeKind::Page, "without an origin".to_owned()),
        }
    }

    pub(crate) fn problem(&self) -> Problem {
        let detail = match self {
            Self::Host(name) => {
                format!("this server does not know itself as {name}; if it should: --host {name}")
            }
            Self::NoHost(_) => "Host must be one name of this server".to_owned(),
            Self::Page(Some(origin)) => {
                let option = option_for(origin);
                let option = option.map(|it| format!("; if they should: --allow-origin {it}"));
                let option = option.unwrap_or_default();
                format!("pages of {origin} may not use this server{option}")
            }
            Self::Page(None) => "pages of other sites may not use this server".to_owned(),
        };
        Problem::new(Code::Forbidden, detail)
    }
}

/// What would let an origin's pages in, if it can be let in by itself. It may be copied into a
/// shell.
fn option_for(origin: &str) -> Option<String> {
    match origin.parse() {
        Ok(AllowedOrigin::Of(origin)) => Some(origin),
        Err(Unfit::Null) => Some("'*'".to_owned()),
        _ => None,
    }
}

/// Host and port of a URL. The host is in small letters and ends without a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority<'a> {
    host: Cow<'a, str>,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    fn read(text: &'a str) -> Option<Self> {
        let at = match text.starts_with('[') {
            true => text.find(']')? + 1,
            false => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(at);
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            Some("") => None,
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Some(port.parse().ok()?),
            Some(_) => return None,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_small = !host.bytes().any(|byte| byte.is_ascii_uppercase());
        let host: Cow<'a, str> =
            if is_small { host.into() } else { host.to_ascii_lowercase().into() };
        is_host(&host).then_some(Self { host, port })
    }

    fn is_address(&self) -> bool {
        match self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host.parse::<Ipv6Addr>().is_ok(),
            None => self.host.parse::<Ipv4Addr>().is_ok(),
        }
    }
}

/// What a request says of the name it asks for.
enum AskedHost<'a> {
    /// HTTP/1.0 may say nothing.
    Nothing,
    Authority(Authority<'a>),
    /// What cannot be a name, or several.
    Odd(String),
}

fn asked(parts: &Parts) -> AskedHost<'_> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    // The target's authority counts where it has one (RFC 9112, section 3.2.2).
    let text = match (parts.uri.authority(), hosts.next(), hosts.next()) {
        (Some(authority), ..) => {
            authority.as_str().rsplit('@').next().unwrap_or_default().as_bytes()
        }
        (None, None, _) => return AskedHost::Nothing,
        (None, Some(host), None) => host.as_bytes(),
        (None, Some(_), Some(_)) => return AskedHost::Odd("several names".to_owned()),
    };
    match str::from_utf8(text).ok().and_then(Authority::read) {
        Some(authority) => AskedHost::Authority(authority),
        None => AskedHost::Odd(told(text)),
    }
}

/// Host and port that a request asks for, if it is a name and not an address of version 6.
pub(crate) fn asked_name(parts: &Parts) -> Option<String> {
    let AskedHost::Authority(Authority { host, port }) = asked(parts) else { return None };
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    is_name.then(|| format!("{host}{port}"))
}

/// As much of a header's text as is told, whatever it holds.
fn told(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(TOLD_MAX).collect()
}

/// Whether a browser may be asking. Other programs can say anything anyway.
fn may_be_browser(headers: &HeaderMap) -> bool {
    let mozilla =
        || headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE) || mozilla()
}

/// What is known of names and pages.
#[derive(Debug)]
pub(crate) struct Origins {
    allowed: Vec<AllowedOrigin>,
    hosts: Vec<KnownHost>,
    /// The machine's name, in small letters.
    machine: String,
    /// Only this machine reaches the server.
    loopback: bool,
}

impl Origins {
    /// `loopback` says that the server listens on nothing else.
    pub(crate) fn new(allowed: &[AllowedOrigin], hosts: &[KnownHost], loopback: bool) -> Self {
        let uname = rustix::system::uname();
        let machine = uname.nodename().to_string_lossy().to_ascii_lowercase();
        Self { allowed: allowed.to_vec(), hosts: hosts.to_vec(), machine, loopback }
    }

    /// Whether a request may come: it asks for a name of ours, and no foreign page sent it. Only
    /// what is under `/api` and the metrics are asked about: all else is the same for everybody.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Foreign> {
        let path = parts.uri.path();
        let guarded = path.starts_with("/api/") || matches!(path, "/metrics" | "/metrics/");
        if !guarded {
            return Ok(());
        }
        let host = match asked(parts) {
            AskedHost::Nothing => None,
            AskedHost::Authority(host) if self.is_ours(&host) => Some(host),
            AskedHost::Authority(Authority { host, .. }) if self.matters(&parts.headers) => {
                return Err(Foreign::Host(host.chars().take(TOLD_MAX).collect()));
            }
            AskedHost::Authority(host) => Some(host),
            AskedHost::Odd(text) if self.matters(&parts.headers) => {
                return Err(Foreign::NoHost(text));
            }
            AskedHost::Odd(_) => None,
        };
        self.check_page(&parts.headers, host.as_ref())
    }

    /// Whether a request is of no page, of our own, or of one that is allowed by name.
    pub(crate) fn is_known(&self, parts: &Parts) -> bool {
        if !parts.headers.contains_key(ORIGIN) {
            return true;
        }
        let host = match asked(parts) {
            AskedHost::Authority(host) => Some(host),
            AskedHost::Nothing | AskedHost::Odd(_) => None,
        };
        let by_name = |origin: &HeaderValue| {
            let is_it = |allowed: &AllowedOrigin| match allowed {
                AllowedOrigin::Of(allowed) => origin == allowed.as_str(),
                AllowedOrigin::Any => false,
            };
            self.allowed.iter().any(is_it)
        };
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        origins.all(|origin| by_name(origin) || self.is_own(origin, host.as_ref()))
    }

    /// Whether a name that is not ours is a reason to refuse.
    fn matters(&self, headers: &HeaderMap) -> bool {
        self.loopback || !self.hosts.is_empty() || may_be_browser(headers)
    }

    fn is_ours(&self, host: &Authority<'_>) -> bool {
        let name = &*host.host;
        host.is_address()
            || self.hosts.iter().any(|known| known.is(name))
            || !name.contains(['.', '[', ':'])
            || name == self.machine
            || PRIVATE.iter().any(|end| name.len() > end.len() && name.ends_with(end))
    }

    fn check_page(&self, headers: &HeaderMap, host: Option<&Authority<'_>>) -> Result<(), Foreign> {
        let mut named = false;
        for origin in headers.get_all(ORIGIN) {
            named = true;
            if !self.allows(origin) && !self.is_own(origin, host) {
                return Err(Foreign::Page(Some(told(origin.as_bytes()))));
            }
        }
        let near = |site: &HeaderValue| site == "same-origin" || site == "none";
        if named || headers.get_all(SEC_FETCH_SITE).iter().all(near) {
            return Ok(());
        }
        Err(Foreign::Page(None))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.allowed.iter().any(|allowed| match allowed {
            AllowedOrigin::Any => true,
            AllowedOrigin::Of(known) => known.as_bytes().eq_ignore_ascii_case(origin.as_bytes()),
        })
    }

    /// Whether a page is of this server: of the host and port that it asks for, or of a name that
    /// was given, for a proxy may ask for another name than its pages have.
    fn is_own(&self, origin: &HeaderValue, host: Option<&Authority<'_>>) -> bool {
        let (Ok(origin), Some(host)) = (origin.to_str(), host) else { return false };
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let default = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let Some(page) = Authority::read(authority) else { return false };
        let port = page.port.unwrap_or(default);
        let same_port = port == host.port.unwrap_or(default);
        let given = |known: &KnownHost| *known != KnownHost::Any && known.is(&page.host);
        (page.host == host.host && same_port)
            || ((same_port || port == 80 || port == 443) && self.hosts.iter().any(given))
    }
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
