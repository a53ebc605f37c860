//! Good JSON Web Tokens, up to the last second and the last key.

use serde_json::json;
use ticketd::access::{BadToken, Right};
use ticketd::machine::{Name, Owner};

use super::signing::{ED, ES, HS, RS, SigningKey};
use super::world::{NOW, World, after, claims, ed, key_set, show, signed};

fn owner(signer: &str, sub: &str) -> Owner {
    let name = |text| Name::parse(text).expect("a name");
    Owner::Subject { signer: name(signer), sub: name(sub) }
}

#[test]
fn every_algorithm_is_good() {
    let gate = World::new().gate();
    for (name, key) in [("ed", &ED), ("es", &ES), ("rs", &RS), ("hs", &HS)] {
        let subject = show(&gate, &signed(key, name), after(0)).expect(name);
        assert_eq!(subject.owner(), Some(&owner(name, "ann")));
        assert_eq!(subject.ends(), Some(NOW + 630));
    }
    let subject = show(&gate, &ed(json!({})), after(0)).expect("good");
    assert!(subject.rules().may(Right::Lock, "doc/a"));
    assert!(!subject.rules().may(Right::Lock, "deploy"));
    assert_eq!(
        (subject.quotas().sessions, subject.quotas().all_sessions),
        (Some(10), Some(100_000))
    );
}

#[test]
fn what_does_not_count_may_be_anything() {
    let gate = World::new().gate();
    let audiences: Vec<_> = (0..15).map(|n| n.to_string()).chain(["ticketd".to_owned()]).collect();
    for change in [
        json!({"aud": audiences}),
        json!({"aud": ["ticketd"]}),
        json!({"sub": "s".repeat(255)}),
        json!({"sub": "jürgen@example.org"}),
        json!({"iat": "yesterday", "jti": 1e300, "azp": {"exp": [1, 2]}, "": -1}),
        json!({"nbf": 0}),
        json!({"allow": []}),
        json!({"allow": [{"to": ["lock"], "on": ["doc/7"], "priority": 3}, {"to": ["metrics"]}]}),
    ] {
        assert!(show(&gate, &ed(change.clone()), after(0)).is_ok(), "{change}");
    }
    let text = claims("ed", json!({})).to_string();
    for header in [
        r#"{"alg":"EdDSA"}"#,
        " {\"typ\" : 7,\n \"alg\" : \"\\u0045dDSA\"}\t",
        r#"{"alg":"EdDSA","kid":"whoever"}"#,
        r#"{"alg":"EdDSA","jku":"https://evil.example","x5u":7,"x5c":[],"jwk":{"d":[{}]}}"#,
    ] {
        assert!(show(&gate, &ED.sign(header, &text), after(0)).is_ok(), "{header}");
    }
}

#[test]
fn it_is_good_from_30_s_before_nbf_to_30_s_after_exp() {
    let gate = World::new().gate();
    for (change, good) in [
        (json!({"nbf": NOW + 30}), Ok(())),
        (json!({"nbf": NOW + 31}), Err(BadToken::NotYet)),
        (json!({"nbf": u64::MAX}), Err(BadToken::NotYet)),
        (json!({"exp": NOW - 29}), Ok(())),
        (json!({"exp": NOW - 30}), Err(BadToken::Ended)),
        (json!({"exp": 0}), Err(BadToken::Ended)),
        (json!({"exp": NOW + 86_400}), Ok(())),
        (json!({"exp": NOW + 86_401}), Err(BadToken::TooLong)),
        (json!({"exp": u64::MAX}), Err(BadToken::TooLong)),
    ] {
        let told = show(&gate, &ed(change.clone()), after(0));
        assert_eq!(told.map(drop).map_err(|refused| refused.why), good, "{change}");
    }
    // One that is remembered ends like any other, and begins like any other if the clock goes back.
    let token = ed(json!({"nbf": NOW, "exp": NOW + 10}));
    for (s, good) in [(0, true), (39, true), (40, false), (0, true), (-30, true), (-31, false)] {
        assert_eq!(show(&gate, &token, after(s)).is_ok(), good, "{s}");
    }
}

#[test]
fn kid_chooses_and_without_it_eight_are_tried() {
    let keys: Vec<_> = (0..9).map(|_| SigningKey::ed()).collect();
    let jwks = (0..9).map(|n| keys[n].jwk(&format!("k{n}")));
    // What is for others does not count among the eight.
    let others = [ES.jwk("es"), RS.jwk("rs"), HS.jwk("hs"), json!({"kty": "new", "kid": "k0"})];
    let set = key_set(others.into_iter().chain(jwks));
    let gate = World::new().with_file("set.json", set).gate();
    let text = claims("set", json!({})).to_string();
    for (n, key) in keys.iter().enumerate() {
        let token = |kid: &str| key.sign(&format!(r#"{{"alg":"EdDSA"{kid}}}"#), &text);
        let told = |kid: &str| show(&gate, &token(kid), after(0)).map_err(|refused| refused.why);
        assert!(told(&format!(r#","kid":"k{n}""#)).is_ok(), "{n}");
        assert_eq!(told(&format!(r#","kid":"k{}""#, (n + 1) % 9)).err(), Some(BadToken::Signature));
        assert_eq!(told("").err(), (n == 8).then_some(BadToken::Signature), "{n} without kid");
        for kid in ["es", "rs", "hs", "", "../k0", "K0"] {
            let told = told(&format!(r#","kid":"{kid}""#));
            assert_eq!(told.err(), Some(BadToken::NoKey), "{kid}");
        }
    }
    // A set of each algorithm is read.
    for (name, key) in [("ES256", &ES), ("RS256", &RS)] {
        let set = key_set([key.jwk("k")]);
        let last = "algorithm = \"EdDSA\"\njwks-file";
        let new = format!("algorithm = \"{name}\"\njwks-file");
        let gate = World::new().with(last, &new).with_file("set.json", set).gate();
        assert!(show(&gate, &signed(key, "set"), after(0)).is_ok(), "{name}");
    }
}

#[test]
fn signers_of_one_issuer_are_told_apart_by_audience_and_algorithm() {
    let es = "issuer = \"https://es.example.org\"";
    let gate = World::new().with(es, "issuer = \"https://ed.example.org\"").gate();
    let whose = |token: &str| show(&gate, token, after(0)).map(|subject| subject.owner().cloned());
    assert_eq!(whose(&signed(&ED, "ed")), Ok(Some(owner("ed", "ann"))));
    assert_eq!(whose(&signed(&ES, "ed")), Ok(Some(owner("es", "ann"))));
    assert!(whose(&signed(&RS, "ed")).is_err());
    assert!(whose(&signed(&ES, "es")).is_err());
}
