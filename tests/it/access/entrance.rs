//! The gate: what each may do who shows something, and how one is answered who shows nothing good.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use ticketd::access::{BadToken, CertificateName, Denied, Right, Shown, Subject};
use ticketd::machine::{Name, Owner};

use super::signing::ED;
use super::world::{HOST, NOW, World, after, claims, ed, show, token};

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn principal(name: &str) -> Option<Owner> {
    Some(Owner::Principal(Name::parse(name).expect("a name")))
}

#[test]
fn a_token_brings_the_rights_of_its_principal() {
    let gate = World::new().gate();
    let who = |name: &str| show(&gate, token(name).as_str(), after(0)).expect(name);
    let builder = who("builder");
    assert_eq!(builder.owner(), principal("builder").as_ref());
    assert_eq!(who("spare").owner(), builder.owner(), "several tokens are one principal");
    assert_eq!((builder.ends(), builder.quotas().sessions), (None, Some(1000)));
    assert_eq!((builder.quotas().rate, builder.quotas().sockets), (Some(500), None));
    let rules = builder.rules();
    for (right, name, allowed) in [
        (Right::Lock, "build/a", true),
        (Right::Lock, "deploy", true),
        (Right::Lock, "build", false),
        (Right::Watch, "build/", true),
        (Right::Lock, "jobs", false),
        (Right::Work, "jobs", true),
        (Right::Claim, "jobs", true),
        (Right::Issue, "jobs", false),
        (Right::Force, "build/a", false),
    ] {
        assert_eq!(rules.may(right, name), allowed, "{right} {name}");
    }
    assert!(rules.may_with(Right::Claim, "jobs", 4) && !rules.may_with(Right::Claim, "jobs", 5));
    assert!(rules.may_with(Right::Lock, "deploy", 9));
    assert!(rules.may_finish("jobs") && !rules.may_finish("deploy"));
    assert!(rules.covers(Right::Watch, "build/a") && !rules.covers(Right::Watch, "deploy"));
    assert!(!rules.may_at_all(Right::Metrics) && !rules.may_at_all(Right::Admin));
    for right in Right::ALL {
        assert!(who("ops").rules().may_with(right, "anything", 9), "admin is all of these");
    }
    assert!(who("ops").rules().covers(Right::Watch, ""));
    assert!(who("meter").rules().may_at_all(Right::Metrics));
    assert!(!who("meter").rules().may_at_all(Right::Admin));
    assert!(!who("meter").rules().may(Right::Watch, "a"));
}

#[test]
fn a_certificate_counts_by_a_whole_name() {
    let policy = World::new().policy();
    let who = |name| policy.by_certificate([name], None).and_then(|who| who.owner().cloned());
    assert_eq!(who(CertificateName::dns("builder.EXAMPLE.org")), principal("builder"));
    let id = "spiffe://example.org/builder";
    assert_eq!(who(CertificateName::uri(id)), principal("builder"));
    for other in [
        CertificateName::dns("example.org"),
        CertificateName::dns("a.builder.example.org"),
        CertificateName::dns("*.example.org"),
        CertificateName::dns(id),
        CertificateName::uri("builder.example.org"),
        CertificateName::uri(&id.to_uppercase()),
    ] {
        assert_eq!(who(other.clone()), None, "{other:?}");
    }
    let names = ["nobody", "builder.example.org"].map(CertificateName::dns);
    let ends = Some(NOW + 5);
    let subject = policy.by_certificate(names, ends).expect("the second name is somebody's");
    assert_eq!(subject.ends(), ends);
    assert!(subject.is_good_at(NOW + 4) && !subject.is_good_at(NOW + 5));
    assert!(policy.renewed(&subject, NOW + 5).is_none());
    assert_eq!(policy.renewed(&subject, NOW).expect("good").ends(), ends);
}

#[test]
fn who_shows_nothing_is_anonymous_or_nobody() {
    let gate = World::new().gate();
    let nobody = gate.prove(&Shown::Nothing, HOST, after(0)).expect("anonymous");
    assert_eq!((nobody.owner(), nobody.quotas().sockets), (None, Some(3)));
    assert!(nobody.rules().may(Right::Watch, "public/a"));
    assert!(!nobody.rules().may(Right::Lock, "public/a"));
    // A bad token is not nothing.
    assert!(gate.prove(&Shown::Bad, HOST, after(0)).is_err());
    let strict = World::of("").gate();
    for _ in 0..100 {
        let denied = strict.prove(&Shown::Nothing, HOST, after(0)).expect_err("nobody");
        assert_eq!((denied.detail(), denied.challenge()), ("a token is needed", "Bearer"));
        assert_eq!(denied.retry_after(), None, "to show nothing is not to guess");
    }
}

#[test]
fn a_token_of_ours_alone_is_good_until_the_file_is_another() {
    let gate = World::new().gate();
    for name in ["builder", "spare", "ops", "meter"] {
        assert!(show(&gate, token(name).as_str(), after(0)).expect(name).is_by_token());
    }
    let signed = show(&gate, &ed(json!({})), after(0)).expect("a good one");
    let nobody = gate.prove(&Shown::Nothing, HOST, after(0)).expect("anonymous");
    let names = [CertificateName::dns("builder.example.org")];
    let certified = gate.policy().by_certificate(names, None).expect("somebody's");
    let over = show(&gate, token("ops").as_str(), after(0)).expect("good").ended();
    for (what, other) in
        [("signed", signed), ("nothing", nobody), ("certificate", certified), ("over", over)]
    {
        assert!(!other.is_by_token(), "{what}");
    }
}

#[test]
fn headers_lead_to_the_same_somebody() {
    let gate = World::new().gate();
    let ops = token("ops");
    let basic = |user: &str| {
        use base64::Engine;
        let pair = format!("{user}:{}", ops.as_str());
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let who = |value: &str| {
        let shown = Shown::in_headers([value.as_bytes()]);
        gate.prove(&shown, HOST, after(0)).map(|subject| subject.owner().cloned())
    };
    for value in [format!("Bearer {}", ops.as_str()), basic("x"), basic(""), basic("builder")] {
        assert_eq!(who(&value), Ok(principal("ops")), "{value}");
    }
    for value in [ops.as_str().to_owned(), format!("Token {}", ops.as_str())] {
        assert!(matches!(who(&value), Err(Denied::Bad { .. })), "{value}");
    }
    // A signed token is a password like any other.
    assert!(who(&format!("bearer {}", ed(json!({})))).is_ok());
}

/// How often each answer was given to `times` bad tokens.
fn failing(answers: &mut Vec<Option<u64>>, denied: Result<Subject, Denied>) {
    answers.push(denied.expect_err("bad").retry_after());
}

#[test]
fn the_21st_bad_token_in_a_minute_and_on_is_answered_429() {
    let gate = World::new().gate();
    let mut answers = Vec::new();
    for n in 0..40 {
        let text = token(&n.to_string());
        failing(&mut answers, gate.prove(&Shown::in_message(text.as_str()), HOST, after(0)));
    }
    assert!(answers[..20].iter().all(Option::is_none));
    assert!(answers[20..].iter().all(|after| *after == Some(60)));
    // Others are answered as ever, and who shows a good proof comes in from the same address.
    let other = gate.prove(&Shown::Bad, OTHER, after(0)).expect_err("bad");
    assert_eq!(other.retry_after(), None);
    for shown in [token("builder").as_str(), &ed(json!({}))] {
        assert!(gate.prove(&Shown::in_message(shown), HOST, after(0)).is_ok());
    }
    assert!(gate.prove(&Shown::Nothing, HOST, after(0)).is_ok());
    let later = gate.prove(&Shown::Bad, HOST, after(60)).expect_err("bad");
    assert_eq!(later.retry_after(), None);
}

#[test]
fn of_a_failing_address_50_new_jwts_a_second_are_looked_at() {
    let gate = World::new().gate();
    let known = ed(json!({}));
    assert!(gate.prove(&Shown::in_message(&known), HOST, after(0)).is_ok());
    for _ in 0..20 {
        assert!(gate.prove(&Shown::Bad, HOST, after(0)).is_err());
    }
    let jwt = |n: u32| ED.jwt(&claims("ed", json!({"jti": n})));
    let ask = |n, address, s| gate.prove(&Shown::in_message(&jwt(n)), address, after(s));
    let looked = (0..60).filter(|&n| ask(n, HOST, 1).is_ok()).count();
    assert_eq!(looked, 50);
    assert_eq!(ask(99, HOST, 1).expect_err("no"), Denied::NotLookedAt { retry_after: 1 });
    assert_eq!(ask(99, HOST, 1).expect_err("no").detail(), "the token is not good");
    // Those that were looked at are known; so is the one from before.
    assert!(ask(0, HOST, 1).is_ok() && ask(49, HOST, 1).is_ok());
    assert!(gate.prove(&Shown::in_message(&known), HOST, after(1)).is_ok());
    assert!(gate.prove(&Shown::in_message(token("ops").as_str()), HOST, after(1)).is_ok());
    assert!(ask(99, OTHER, 1).is_ok() && ask(100, HOST, 2).is_ok());
}

#[test]
fn nothing_that_is_printed_has_a_secret_in_it() {
    let gate = World::new().gate();
    let secrets = [token("ops").as_str().to_owned(), ed(json!({"sub": "canary"}))];
    for secret in &secrets {
        let shown = Shown::in_message(secret);
        let subject = gate.prove(&shown, HOST, after(0)).expect("good");
        let bad = format!("{secret}A");
        let denied = gate.prove(&Shown::in_message(&bad), HOST, after(0)).expect_err("bad");
        let text = format!("{shown:?} {subject:?} {denied:?} {gate:?} {:?}", gate.policy());
        for part in secret.split(['.', '_']).filter(|part| part.len() > 3) {
            assert!(!text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("exactly 32 bytes"), "{text}");
    }
    assert_eq!(format!("{:?}", token("ops")), "tkd_…");
    let denied = gate.prove(&Shown::Bad, HOST, after(0)).expect_err("bad");
    assert!(matches!(denied, Denied::Bad { refused, .. } if refused.why == BadToken::Shape));
}
