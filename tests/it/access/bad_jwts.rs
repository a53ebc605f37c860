//! JSON Web Tokens that are signed as they say and are bad all the same, each by one pitfall, and
//! tokens whose signature is bad.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use ticketd::access::BadToken;
use ticketd::machine::BadName;

use super::signing::{ED, ES, RS, STRANGER, SigningKey, message};
use super::world::{NOW, World, after, claims, ed, key_set, show, signed};

/// A token that is bad, and why the log says it is.
type Bad = (String, BadToken);

fn refuse_all(world: &World, bad: Vec<Bad>) {
    let gate = world.gate();
    for (n, (token, why)) in bad.into_iter().enumerate() {
        // Twice: nothing of it may be remembered.
        for _ in 0..2 {
            let told = show(&gate, &token, after(0)).map(|subject| format!("{subject:?}"));
            assert_eq!(told.map_err(|refused| refused.why), Err(why), "{n}: {token}");
        }
    }
}

/// The signer's own key, and claims with one thing wrong.
#[test]
fn no_claim_is_missing_or_of_another_kind() {
    let refused = |why| move |change: Value| (ed(change), why);
    let mut bad = Vec::new();
    let malformed = [
        json!({"iss": ["https://ed.example.org"]}),
        json!({"aud": 7}),
        json!({"aud": {"ticketd": true}}),
        json!({"aud": [["ticketd"]]}),
        json!({"aud": ["ticketd", 7]}),
        json!({"aud": vec!["ticketd"; 17]}),
        json!({"sub": 7}),
        json!({"exp": "1800000600"}),
        json!({"exp": 1_800_000_600.0}),
        json!({"exp": 1_800_000_600.5}),
        json!({"exp": -1}),
        json!({"exp": 1e300}),
        json!({"exp": true}),
        json!({"exp": [NOW + 600]}),
        json!({"nbf": "0"}),
        json!({"nbf": -1}),
        json!({"nbf": 0.5}),
        json!({"allow": {"to": ["lock"], "on": ["doc/*"]}}),
        json!({"allow": "lock"}),
        json!({"allow": [["lock"]]}),
        json!({"allow": [[["lock"], ["doc/*"], 9]]}),
        json!({"allow": [{"on": ["doc/*"]}]}),
        json!({"allow": [{"to": "lock", "on": ["doc/*"]}]}),
        json!({"allow": [{"to": ["lock"], "on": "doc/*"}]}),
        json!({"allow": [{"to": ["lock"], "on": ["doc/*"], "until": 1}]}),
        json!({"allow": [{"to": ["lock"], "on": ["doc/*"], "priority": 1.5}]}),
    ];
    bad.extend(malformed.map(refused(BadToken::Claims)));
    let not_rules = [
        json!([{"to": []}]),
        json!([{"to": ["lock"]}]),
        json!([{"to": ["lock"], "on": []}]),
        json!([{"to": ["everything"], "on": ["doc/*"]}]),
        json!([{"to": ["lock"], "on": [""]}]),
        json!([{"to": ["lock"], "on": ["a\n"]}]),
        json!([{"to": ["admin"], "on": ["*"]}]),
        json!([{"to": ["lock"], "on": ["doc/*"], "priority": 10}]),
        json!([{"to": ["lock"], "on": ["doc/*"], "priority": -1}]),
        json!([{"to": ["lock"], "on": ["doc/*"]}, {"to": ["nothing"]}]),
    ];
    bad.extend(not_rules.map(|allow| (ed(json!({"allow": allow})), BadToken::Allow)));
    bad.extend([
        (ed(json!({"iss": null})), BadToken::Issuer),
        (ed(json!({"iss": "https://evil.example"})), BadToken::Issuer),
        (ed(json!({"iss": "https://ED.example.org"})), BadToken::Issuer),
        (ed(json!({"iss": "https://ed.example.org/"})), BadToken::Issuer),
        (ed(json!({"aud": null})), BadToken::Audience),
        (ed(json!({"aud": "other"})), BadToken::Audience),
        (ed(json!({"aud": "ticketd2"})), BadToken::Audience),
        (ed(json!({"aud": []})), BadToken::Audience),
        (ed(json!({"sub": null})), BadToken::NoSubject),
        (ed(json!({"sub": ""})), BadToken::Subject(BadName::Empty)),
        (ed(json!({"sub": "s".repeat(256)})), BadToken::Subject(BadName::TooLong)),
        (ed(json!({"sub": "a\u{0}"})), BadToken::Subject(BadName::Control)),
        (ed(json!({"sub": "a\u{85}"})), BadToken::Subject(BadName::Control)),
        (ed(json!({"exp": null})), BadToken::NoEnd),
        (ed(json!({"exp": NOW - 30})), BadToken::Ended),
        (ed(json!({"exp": NOW + 86_401})), BadToken::TooLong),
        (ed(json!({"exp": NOW * 1000})), BadToken::TooLong),
        (ed(json!({"nbf": NOW + 31})), BadToken::NotYet),
    ]);
    refuse_all(&World::new(), bad);
}

/// Texts that two readers could read differently, or that are no objects.
#[test]
fn no_text_is_ambiguous() {
    let good = claims("ed", json!({})).to_string();
    let inside = &good[1..good.len() - 1];
    let signed = |text: &str| ED.sign(r#"{"alg":"EdDSA"}"#, text);
    let mut bad: Vec<_> = [
        format!(r#"{{{inside},"exp":{}}}"#, NOW + 600),
        format!(r#"{{"sub":"root",{inside}}}"#),
        format!(r#"{{{inside},"\u0073ub":"root"}}"#),
        format!(r#"{{{inside},"aud":"ticketd"}}"#),
        format!(r#"{{{inside},"jti":1,"jti":1}}"#),
        format!(r#"{{{inside},"nbf":null}}"#),
        format!(r#"{{{inside},"allow":null}}"#),
        format!(r#"{{{inside},"allow":[],"allow":[]}}"#),
        format!(r#"{{{inside},"allow":[{{"to":["lock"],"to":["lock"],"on":["a"]}}]}}"#),
        format!(r#"{{{inside},"nbf":1e400}}"#),
        format!(r#"{{{inside},"nbf":18446744073709551616}}"#),
        format!(r#"{{{inside},"nbf":00}}"#),
        format!(r#"{{{inside},"nbf":+1}}"#),
        format!(r#"{{{inside},"\ud800":1}}"#),
        format!(r#"{{{inside},}}"#),
        format!("{good}{{}}"),
        format!("{good}\0"),
        format!("\u{feff}{good}"),
        format!("[{good}]"),
        format!("{good:?}"),
        "null".to_owned(),
        "{".to_owned(),
    ]
    .map(|text| (signed(&text), BadToken::Claims))
    .into();
    let headers = [
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"none","\u0061lg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":"a","kid":"a"}"#,
        r#"{"alg":["EdDSA"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"EdDSA","kid":7}"#,
        r#"["EdDSA"]"#,
        r#"{"alg":"EdDSA"}x"#,
        "EdDSA",
    ];
    bad.extend(headers.map(|header| (ED.sign(header, &good), BadToken::Header)));
    let crits = [r#"["exp"]"#, "[]", "null", r#"["b64"],"b64":false"#];
    bad.extend(crits.map(|crit| {
        let header = format!(r#"{{"alg":"EdDSA","crit":{crit}}}"#);
        (ED.sign(&header, &good), BadToken::Critical)
    }));
    refuse_all(&World::new(), bad);
}

/// `alg` is the signer's, whatever the token would have it be.
#[test]
fn no_token_chooses_its_algorithm() {
    let text = claims("ed", json!({})).to_string();
    let mut bad: Vec<_> = [r#"{"typ":"JWT"}"#, r#"{"alg":""}"#, r#"{"alg":"eddsa"}"#]
        .into_iter()
        .chain([r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":"HS256"}"#])
        .chain([r#"{"alg":"Ed25519"}"#, r#"{"alg":"EdDSA "}"#])
        .map(|header| (ED.sign(header, &text), BadToken::Algorithm))
        .collect();
    // What everybody knows is no secret: the public key's bytes, its file, and nothing at all.
    for (name, key) in [("ed", &ED), ("es", &ES), ("rs", &RS), ("set", &ED)] {
        for secret in [key.file(), key.public(), Vec::new()] {
            let forger = SigningKey::Hs(secret);
            bad.push((signed(&forger, name), BadToken::Algorithm));
        }
        // A good signature of another algorithm, by a key of the file, is not the signer's.
        let other = if name == "es" { &RS } else { &ES };
        bad.push((signed(other, name), BadToken::Algorithm));
        let header = json!({"alg": key.alg()}).to_string();
        let text = claims(name, json!({})).to_string();
        bad.push((other.sign(&header, &text), BadToken::Signature));
    }
    let empty = SigningKey::Hs(Vec::new());
    bad.push((signed(&empty, "hs"), BadToken::Signature));
    // A set that has the public key as a secret as well, as some that are on offer do.
    let twin = SigningKey::Hs(ED.public());
    let world = World::new().with_file("set.json", key_set([ED.jwk("k1"), twin.jwk("k2")]));
    let text = claims("set", json!({})).to_string();
    let header = r#"{"alg":"HS256","kid":"k2"}"#;
    bad.push((twin.sign(header, &text), BadToken::Algorithm));
    bad.push((twin.sign(r#"{"alg":"EdDSA","kid":"k2"}"#, &text), BadToken::NoKey));
    refuse_all(&world, bad);
}

/// Nobody but the signer signs, and what was signed is what is read.
#[test]
fn no_signature_but_the_signers_counts() {
    let text = claims("ed", json!({})).to_string();
    let own = STRANGER.jwk("own");
    let mut bad: Vec<_> = [
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "jwk": own}),
        json!({"alg": "EdDSA", "jku": "https://evil.example/keys", "kid": "own"}),
        json!({"alg": "EdDSA", "x5u": "https://evil.example/chain"}),
        json!({"alg": "EdDSA", "x5c": ["MIIB"]}),
    ]
    .map(|header| (STRANGER.sign(&header.to_string(), &text), BadToken::Signature))
    .into();
    let good = ed(json!({}));
    let (message_of_good, signature) = good.rsplit_once('.').expect("three parts");
    let root = claims("ed", json!({"sub": "root"})).to_string();
    let other = message(r#"{"alg":"EdDSA"}"#, &root);
    let with = |message: &str, signature: &[u8]| {
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    let es = message(r#"{"alg":"ES256"}"#, &claims("es", json!({})).to_string());
    let rs = message(r#"{"alg":"RS256"}"#, &claims("rs", json!({})).to_string());
    let hs = message(r#"{"alg":"HS256"}"#, &claims("hs", json!({})).to_string());
    // The last character has bits that count for nothing; they must not make a second spelling.
    let last = signature.chars().last().expect("not empty");
    let spelled = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        _ => 'x',
    };
    bad.extend(
        [
            format!("{other}.{signature}"),
            with(message_of_good, &bytes[..63]),
            with(message_of_good, &[&bytes[..], &[0]].concat()),
            with(message_of_good, &[0; 64]),
            with(message_of_good, &[0]),
            format!("{}{spelled}", &good[..good.len() - 1]),
            // Both numbers zero, which once was good for every message.
            with(&es, &[0; 64]),
            with(&es, &[0xff; 64]),
            with(&rs, &[0; 256]),
            with(&rs, &[1]),
            with(&hs, &[0; 32]),
        ]
        .map(|token| (token, BadToken::Signature)),
    );
    refuse_all(&World::new(), bad);
    // A signature as X.509 has it is of another form; a second form would be a second spelling.
    let (fixed, asn1) = SigningKey::es_asn1();
    let world = World::new().with_file("es.pem", fixed.file());
    assert!(show(&world.gate(), &signed(&fixed, "es"), after(0)).is_ok());
    refuse_all(&world, vec![(signed(&asn1, "es"), BadToken::Signature)]);
}
