//! Names and pages, case by case.

use axum::http::Request;

use super::*;

fn request(target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(target);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}

fn origins(allowed: &[&str], hosts: &[&str], loopback: bool) -> Origins {
    let allowed: Vec<_> = allowed.iter().map(|text| text.parse().unwrap()).collect();
    let hosts: Vec<_> = hosts.iter().map(|text| text.parse().unwrap()).collect();
    Origins { machine: "box.corp.example".to_owned(), ..Origins::new(&allowed, &hosts, loopback) }
}

fn check(origins: &Origins, headers: &[(&str, &str)]) -> Result<(), Foreign> {
    origins.check(&request("/api/v1/status", headers))
}

#[test]
fn names_that_cannot_be_rebound_are_ours() {
    let origins = origins(&[], &["t.example.org", "*.x.example", "bücher.example"], true);
    for (host, ours) in [
        ("127.0.0.1", true),
        ("127.0.0.1:8001", true),
        ("192.0.2.7", true),
        ("[::1]", true),
        ("[::1]:8001", true),
        ("[2001:DB8::1]:80", true),
        ("localhost", true),
        ("LOCALHOST:8001", true),
        ("localhost.", true),
        ("a.b.localhost:1", true),
        ("test", true),
        ("ticketd:8001", true),
        ("ticketd.local", true),
        ("ticketd.internal", true),
        ("nas.home.arpa", true),
        ("ticketd.default.svc", true),
        ("ticketd.default.svc.cluster.local", true),
        ("box.corp.example", true),
        ("Box.Corp.Example.:8001", true),
        ("t.example.org", true),
        ("T.EXAMPLE.ORG.:8001", true),
        ("a.x.example", true),
        ("a.b.x.example:9", true),
        ("xn--bcher-kva.example", true),
        ("x.example", false),
        ("ax.example", false),
        (".x.example", false),
        ("evil.example", false),
        ("evil.example:8001", false),
        ("t.example.org.evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("localhost.evil.example", false),
        ("evil.locals", false),
        (".local", false),
        ("1.2.3", false),
        ("[::1].evil.example", false),
        ("[::zz]", false),
        ("[::1", false),
        ("::1", false),
        ("evil.example@localhost", false),
        ("local/host", false),
        ("a:b", false),
        ("a:99999", false),
        ("bücher.example", false),
        ("", false),
        ("..", false),
        (":8001", false),
    ] {
        assert_eq!(check(&origins, &[("host", host)]).is_ok(), ours, "{host:?}");
    }
    assert!(check(&origins, &[]).is_ok(), "HTTP/1.0 need not name a host");
    let two = [("host", "localhost"), ("host", "localhost")];
    assert!(check(&origins, &two).is_err());
}

/// The target's authority is what was asked for, whatever `Host` says.
#[test]
fn an_absolute_target_counts_before_the_host() {
    let origins = origins(&[], &[], true);
    for (target, host, ours) in [
        ("http://localhost:8001/api/v1/status", "evil.example", true),
        ("http://evil.example/api/v1/status", "localhost", false),
        ("http://localhost@evil.example/api/v1/status", "localhost", false),
        ("http://me@localhost/api/v1/status", "localhost", true),
    ] {
        let asked = origins.check(&request(target, &[("host", host)]));
        assert_eq!(asked.is_ok(), ours, "{target}");
    }
}

#[test]
fn another_name_is_refused_where_a_browser_may_ask_or_names_are_known() {
    const HOST: (&str, &str) = ("host", "t.example.org:8001");
    let open = origins(&["*"], &[], false);
    let agent = |agent| ("user-agent", agent);
    for (headers, refused) in [
        (&[HOST][..], false),
        (&[HOST, agent("curl/8.5.0")], false),
        (&[HOST, agent("Not Mozilla/5.0")], false),
        (&[HOST, agent("Mozilla/5.0 (X11)")], true),
        (&[HOST, ("origin", "http://t.example.org:8001")], true),
        (&[HOST, ("sec-fetch-site", "same-origin")], true),
        (&[("host", "a b"), agent("Mozilla/5.0")], true),
        (&[("host", "a b")], false),
    ] {
        assert_eq!(check(&open, headers).is_err(), refused, "{headers:?}");
    }
    assert!(check(&origins(&[], &[], true), &[HOST]).is_err());
    assert!(check(&origins(&[], &["u.example.org"], false), &[HOST]).is_err());
    assert!(check(&origins(&[], &["*"], true), &[HOST]).is_ok());
    assert_eq!(
        check(&origins(&[], &[], true), &[HOST]).unwrap_err().problem().detail,
        "this server does not know itself as t.example.org; if it should: --host t.example.org"
    );
}

/// What is told may be copied into a shell, and must be an option that is taken.
#[test]
fn a_refusal_says_which_option_helps_if_one_does() {
    let origins = origins(&[], &[], true);
    let may_not = |page: &str| format!("pages of {page} may not use this server");
    for (origin, option) in [
        ("https://evil.example", "; if they should: --allow-origin https://evil.example"),
        ("HTTPS://Evil.Example:443", "; if they should: --allow-origin https://evil.example"),
        ("null", "; if they should: --allow-origin '*'"),
        ("chrome-extension://abc", ""),
        ("https://evil.example;reboot", ""),
        ("https://$(reboot)", ""),
        ("*", ""),
    ] {
        let refused = check(&origins, &[("host", "a"), ("origin", origin)]).unwrap_err();
        assert_eq!(refused.problem().detail, may_not(origin) + option);
    }
    for host in ["a.b;reboot", "$(reboot)", "a b"] {
        let refused = check(&origins, &[("host", host)]).unwrap_err();
        assert_eq!(refused.problem().detail, "Host must be one name of this server", "{host}");
    }
}

#[test]
fn pages_come_from_the_own_host_or_an_allowed_one() {
    let origins = origins(&["https://app.example"], &["t.example.org", "*.x.example"], false);
    for (origin, host, may) in [
        ("http://a:8001", Some("a:8001"), true),
        ("http://A:8001", Some("a:8001"), true),
        ("HTTP://a:8001", Some("A:8001"), true),
        ("http://a", Some("a:80"), true),
        ("http://a:80", Some("a"), true),
        ("https://a", Some("a"), true),
        ("https://a", Some("a:443"), true),
        ("http://[::1]:8001", Some("[::1]:8001"), true),
        ("http://localhost.:8001", Some("localhost:8001"), true),
        ("https://a", Some("a:80"), false),
        ("http://a:8002", Some("a:8001"), false),
        ("http://a", Some("a:8001"), false),
        ("http://b:8001", Some("a:8001"), false),
        ("ws://a:8001", Some("a:8001"), false),
        ("ftp://a", Some("a"), false),
        ("http://evil", Some("a:8001"), false),
        ("http://a:8001@evil.example", Some("a:8001"), false),
        ("http://a:8001/x", Some("a:8001"), false),
        ("null", Some("a:8001"), false),
        ("", Some("a:8001"), false),
        ("a:8001", Some("a:8001"), false),
        ("http://a:8001", None, false),
        ("http://t.example.org", Some("a:8001"), true),
        ("https://t.example.org", Some("a:8001"), true),
        ("https://b.x.example", Some("a:8001"), true),
        ("http://t.example.org:8001", Some("a:8001"), true),
        ("http://t.example.org:8002", Some("a:8001"), false),
        ("https://app.example", Some("a:8001"), true),
        ("https://app.example", None, true),
        ("HTTPS://App.Example", Some("a:8001"), true),
        ("http://app.example", Some("a:8001"), false),
        ("https://app.example:8443", Some("a:8001"), false),
        ("https://app.example.evil.example", Some("a:8001"), false),
    ] {
        let mut headers = vec![("origin", origin), ("sec-fetch-site", "cross-site")];
        headers.extend(host.map(|host| ("host", host)));
        assert_eq!(check(&origins, &headers).is_ok(), may, "{origin:?} {host:?}");
    }
    let two = [("host", "a"), ("origin", "http://a"), ("origin", "http://evil.example")];
    assert!(check(&origins, &two).is_err());
}

#[test]
fn null_comes_only_where_all_may_and_any_name_makes_no_page_our_own() {
    let null = [("host", "a:8001"), ("origin", "null")];
    assert!(check(&origins(&["*"], &[], true), &null).is_ok());
    let foreign = [("host", "evil.example"), ("origin", "http://evil.example:80")];
    let other = [("host", "a"), ("origin", "http://evil.example")];
    let any_name = origins(&[], &["*"], true);
    assert!(check(&any_name, &foreign).is_ok(), "that is what any name means");
    assert!(check(&any_name, &other).is_err());
    assert!(check(&any_name, &null).is_err());
}

#[test]
fn without_an_origin_the_site_must_be_near() {
    let origins = origins(&["*"], &[], true);
    for (site, may) in [
        ("same-origin", true),
        ("none", true),
        ("same-site", false),
        ("cross-site", false),
        ("", false),
        ("NONE", false),
    ] {
        let headers = [("host", "a"), ("sec-fetch-site", site)];
        assert_eq!(check(&origins, &headers).is_ok(), may, "{site:?}");
    }
}

#[test]
fn what_is_the_same_for_everybody_is_for_everybody() {
    let origins = origins(&[], &[], true);
    let foreign = [("host", "evil.example"), ("origin", "http://evil.example")];
    for (path, free) in [
        ("/", true),
        ("/healthz", true),
        ("/readyz", true),
        ("/client/index.js", true),
        ("/docs/protocol.md", true),
        ("/console", true),
        ("/api/v1/status", false),
        ("/api/v1/ws", false),
        ("/api/v1/status/", false),
        ("/metrics", false),
        ("/metrics/", false),
    ] {
        assert_eq!(origins.check(&request(path, &foreign)).is_ok(), free, "{path}");
    }
}
