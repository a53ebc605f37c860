//! Another file: whose proof is still good under it, and which rules they have now.

use serde_json::json;
use ticketd::access::{Policy, Right, Shown, Subject};

use super::signing::{ED, ES, RS, SigningKey};
use super::world::{HOST, NOW, World, after, claims, ed, key_set, show, signed, token};

/// Somebody of each kind, as the first file lets them in.
fn everybody(world: &World) -> Vec<(&'static str, Subject)> {
    let gate = world.gate();
    let who = |text: &str| show(&gate, text, after(0)).expect("good");
    let policy = gate.policy();
    let name = ticketd::access::CertificateName::dns("builder.example.org");
    vec![
        ("anonymous", policy.anonymous().expect("some")),
        ("builder", who(token("builder").as_str())),
        ("spare", who(token("spare").as_str())),
        ("ops", who(token("ops").as_str())),
        ("certificate", policy.by_certificate([name], None).expect("some")),
        ("ed", who(&ed(json!({})))),
        ("es", who(&signed(&ES, "es"))),
        ("rs", who(&signed(&RS, "rs"))),
        ("set", who(&signed(&ED, "set"))),
    ]
}

/// Who is still good under another file; all others are not.
fn still_good(changed: &World) -> Vec<&'static str> {
    let policy = changed.policy();
    let all = everybody(&World::new());
    let good = all.iter().filter(|(_, subject)| policy.renewed(subject, NOW).is_some());
    good.map(|&(name, _)| name).collect()
}

fn all_but(gone: &[&str]) -> Vec<&'static str> {
    let all = everybody(&World::new());
    all.iter().map(|&(name, _)| name).filter(|name| !gone.contains(name)).collect()
}

#[test]
fn a_proof_is_gone_with_its_hash_key_name_or_principal() {
    let world = World::new;
    assert_eq!(still_good(&world()), all_but(&[]));
    // A hash.
    let spare = format!(", \"{}\"", token("spare").hash());
    assert_eq!(still_good(&world().with(&spare, "")), all_but(&["spare"]));
    // A hash that is now another's.
    let ops = token("ops").hash().to_string();
    let swapped = world().with(&spare, "").with(&ops, &token("spare").hash().to_string());
    assert_eq!(still_good(&swapped), all_but(&["spare", "ops"]));
    // A principal's name.
    let renamed = world().with("name = \"builder\"", "name = \"maker\"");
    assert_eq!(still_good(&renamed), all_but(&["builder", "spare", "certificate"]));
    let gone = world().with("\"dns:Builder.example.org\", ", "");
    assert_eq!(still_good(&gone), all_but(&["certificate"]));
    // A signer's name, issuer, audience and algorithm.
    assert_eq!(still_good(&world().with("name = \"es\"", "name = \"e\"")), all_but(&["es"]));
    for (old, new) in [
        ("https://es.example.org", "https://login.example.org"),
        (
            "key-file = \"es.pem\"\naudience = \"ticketd\"",
            "key-file = \"es.pem\"\naudience = \"t\"",
        ),
        (
            "algorithm = \"ES256\"\nkey-file = \"es.pem\"",
            "algorithm = \"RS256\"\nkey-file = \"rs.pem\"",
        ),
    ] {
        assert_eq!(still_good(&world().with(old, new)), all_but(&["es"]), "{new}");
    }
    // A key.
    let other = SigningKey::ed();
    let changed = world().with_file("ed.pem", other.file());
    assert_eq!(still_good(&changed), all_but(&["ed"]));
    let both = key_set([other.jwk("new"), ED.jwk("old")]);
    assert_eq!(still_good(&world().with_file("set.json", both)), all_but(&[]), "its kid is no key");
    let without = key_set([other.jwk("k1")]);
    assert_eq!(still_good(&world().with_file("set.json", without)), all_but(&["set"]));
    // What shows nothing.
    let strict = world().with("[anonymous]", "[[principal]]\nname = \"x\"");
    assert_eq!(still_good(&strict), all_but(&["anonymous"]));
    assert!(still_good(&World::of("")).is_empty());
}

#[test]
fn who_stays_has_the_rules_of_now() {
    let gate = World::new().gate();
    let narrow = json!({"allow": [{"to": ["lock", "watch"], "on": ["doc/7", "new/*"]}]});
    let ann = show(&gate, &ed(narrow), after(0)).expect("good");
    let builder = show(&gate, token("builder").as_str(), after(0)).expect("good");
    let may = |subject: &Subject, name: &str| subject.rules().may(Right::Lock, name);
    assert!(may(&ann, "doc/7") && !may(&ann, "doc/8") && !may(&ann, "new/1"));
    let changed = World::new()
        .with("on = [\"doc/*\"]", "on = [\"new/*\"]")
        .with("on = [\"build/*\", \"deploy\"]", "on = [\"deploy\"]")
        .with("sessions = 1000\n", "sessions = 7\n");
    gate.replace(changed.policy());
    let [ann, builder] = [ann, builder].map(|old| gate.renewed(&old, after(0)).expect("good"));
    assert!(!may(&ann, "doc/7") && may(&ann, "new/1"), "it is narrowed as before");
    assert!(!may(&builder, "build/a") && may(&builder, "deploy"));
    assert_eq!(builder.quotas().sessions, Some(7));
    assert_eq!(ann.ends(), Some(NOW + 630));
    // Time ends it, whatever the file says.
    assert!(gate.renewed(&ann, after(629)).is_some());
    assert!(gate.renewed(&ann, after(630)).is_none());
}

#[test]
fn what_is_remembered_counts_only_under_the_file_of_now() {
    let gate = World::new().gate();
    let token = ed(json!({}));
    let comes_in = |policy: Policy| {
        gate.replace(policy);
        gate.prove(&Shown::in_message(&token), HOST, after(0)).is_ok()
    };
    let other = SigningKey::ed();
    assert!(comes_in(World::new().policy()));
    assert!(!comes_in(World::new().with_file("ed.pem", other.file()).policy()));
    assert!(comes_in(World::new().policy()));
    let issuer = World::new().with("https://ed.example.org", "https://x.example.org");
    assert!(!comes_in(issuer.policy()));
    // One that is for two audiences is still for the second.
    let both = ED.jwt(&claims("ed", json!({"aud": ["ticketd", "t2"]})));
    gate.replace(World::new().policy());
    assert!(show(&gate, &both, after(0)).is_ok());
    let second = "key-file = \"ed.pem\"\naudience = \"ticketd\"";
    gate.replace(World::new().with(second, "key-file = \"ed.pem\"\naudience = \"t2\"").policy());
    assert!(show(&gate, &both, after(0)).is_ok());
    assert!(show(&gate, &token, after(0)).is_err());
}
