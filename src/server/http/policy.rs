//! What browsers are told that a page of ours may do.

use axum::http::HeaderValue;
use axum::http::request::Parts;

use crate::server::origins;

/// What comes from this server may be used, and no text becomes a script.
const BEFORE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'";
const AFTER: &str = "; require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'; \
                     frame-ancestors 'none'";

/// The policy for a page that is asked for. Older browsers do not count sockets as `'self'`, so
/// those of the asked host are named. An address of version 6 cannot be named in a policy.
pub(super) fn policy(asked: &Parts) -> HeaderValue {
    let sockets = origins::asked_name(asked);
    let sockets = sockets.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    let text = format!("{BEFORE}{sockets}{AFTER}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn only_what_is_a_host_is_named_in_it() {
        for (host, named) in [
            ("t.example.org", "connect-src 'self' ws://t.example.org wss://t.example.org;"),
            ("T.example.org.:81", "'self' ws://t.example.org:81 wss://t.example.org:81;"),
            ("127.0.0.1:8001", "'self' ws://127.0.0.1:8001 wss://127.0.0.1:8001;"),
            ("[::1]:8001", "connect-src 'self';"),
            ("a_b", "connect-src 'self';"),
            ("a; script-src *", "connect-src 'self';"),
            ("a *", "connect-src 'self';"),
            ("*", "connect-src 'self';"),
            ("a:80:", "connect-src 'self';"),
            ("", "connect-src 'self';"),
        ] {
            let request = Request::builder().header("host", host).body(()).expect("a request");
            let policy = policy(&request.into_parts().0);
            let policy = policy.to_str().expect("text");
            assert!(policy.contains(named), "{host}: {policy}");
            assert_eq!(policy.matches("script-src").count(), 1, "{host}: {policy}");
        }
    }
}
