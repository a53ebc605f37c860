//! The access file counts whole or not at all, and says in which line it is wrong.

use serde_json::json;
use ticketd::access::{BadFile, BadKey, BadRule, NamedFile, Right, SigningAlgorithm, first_file};
use ticketd::machine::{BadName, Name};

use super::signing::{ED, ES, HS, RS, SigningKey, pem};
use super::world::{World, after, key_set, show, signed, token};

/// Public keys that no signer may have: of 1024 bits, and of other curves.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOSXwM9tgFoHgHEiS0LBwvhAAg
AKMjqggHCsnPzYMQqiv5hJkaSGKB29e/DrFj1zjEkn9UdcBQrrJfbbjT+2o5CfI3
f8euMSHBekKWzR5TE7H8hJfscEd5YHkAmFBeSDInDqHro9US2O0RowXx9wJNB122
u91oCMcMxuHvXUmIEwIDAQAB
-----END PUBLIC KEY-----
";
const P_384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEaIO9CNmY4jE/o/mS2x3BFKdIdxwGdwWQ
1HECLX0GbSBgYNi2l8k6DG/6MRNt6EndERuMF/mkWGgTwg0Kur43pNTZk0nWvJz4
JHCpYUbOAIwotWh3E8jaku8IDJSVn9G0
-----END PUBLIC KEY-----
";
const SECP_256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE9VFBdMUDyuNxBqoXrxgbzYL9Coxh+noF
mnceCdjdFPU+U/KOubfTRTHaggdRlmQltotLnQE0bFsM0XKVKW3AWw==
-----END PUBLIC KEY-----
";
const ED_448: &str = "-----BEGIN PUBLIC KEY-----
MEMwBQYDK2VxAzoAvzvWHf2yt8lB7TB+O82HD5irYCK0z6wHGiJxbOF5Hae1oB/i
IT36R0n2blfz98VLF7lloLn93yeA
-----END PUBLIC KEY-----
";

/// What is wrong with a text, and in which line.
fn fault(text: &str) -> (usize, BadFile) {
    let fault = World::of(text).read().0.expect_err(text);
    assert!(!fault.to_string().contains('\n'), "{fault}");
    (fault.line, fault.why)
}

/// A file of one principal with these lines after its name.
fn principal(lines: &str) -> String {
    format!("[[principal]]\nname = \"a\"\n{lines}\n")
}

#[test]
fn the_files_that_it_names_are_told_good_or_bad() {
    let named = |path: &str, secret| NamedFile { path: path.to_owned(), secret };
    let (policy, files) = World::new().read();
    assert!(policy.is_ok());
    let all = ["ed.pem", "es.pem", "rs.pem", "hs.secret", "set.json"]
        .map(|path| named(path, path == "hs.secret"));
    assert_eq!(files, all);
    let (policy, files) = World::new().with("es.pem", "../no.pem").read();
    let fault = policy.expect_err("there is none");
    assert_eq!(fault.why, BadFile::Unreadable("../no.pem".to_owned(), "no such file".to_owned()));
    assert_eq!(fault.to_string(), format!("line {}: ../no.pem: no such file", fault.line));
    assert_eq!(files, [named("ed.pem", false), named("../no.pem", false)]);
    let line = World::new().text.lines().position(|line| line.contains("es.pem"));
    assert_eq!(fault.line, 1 + line.expect("it is there"));
}

#[test]
fn nothing_is_there_that_is_not_known() {
    for (text, line, part) in [
        ("[[principal]]\nname = \"a\"\n\nalow = []\n".to_owned(), 4, "alow"),
        ("principals = []\n".to_owned(), 1, "principals"),
        ("\n[anonymous]\nname = \"a\"\n".to_owned(), 3, "name"),
        (principal("all-sessions = 5"), 3, "all-sessions"),
        (principal("sessions = -1"), 3, "-1"),
        (principal("sessions = 1.5"), 3, "1.5"),
        (principal("rate = \"fast\""), 3, "fast"),
        (principal("issued = 4294967296"), 3, "4294967296"),
        (principal("name = \"b\""), 3, "duplicate"),
        (principal("allow = [\n  { on = [\"a\"] },\n]"), 4, "to"),
        (principal("allow = [\n  { to = [\"lock\"], on = [\"a\"], of = 1 },\n]"), 4, "of"),
        (principal("allow = [[[\"lock\"], [\"a\"], 9]]"), 3, "table"),
        (principal("allow = [{ to = \"lock\", on = [\"a\"] }]"), 3, "lock"),
        (principal("token-sha256 = \"00\""), 3, "sequence"),
        ("[[principal]]\ntoken-sha256 = []\n".to_owned(), 1, "name"),
        ("principal = [[\"a\", [], [], [], 1, 1, 1, 1]]\n".to_owned(), 1, "table"),
        ("[principal]\nname = \"a\"\n".to_owned(), 1, "sequence"),
        ("[[signer]]\nname = \"a\"\n".to_owned(), 1, "issuer"),
        ("a = \n".to_owned(), 1, ""),
        ("[[principal]\n".to_owned(), 1, ""),
    ] {
        let (at, why) = fault(&text);
        let BadFile::Shape(why) = why else { panic!("{text}: {why:?}") };
        assert!(why.contains(part), "{text}: {why}");
        assert_eq!(at, line, "{text}: {why}");
    }
    assert_eq!(World::of("").read().0.map(|policy| policy.anonymous().is_none()), Ok(true));
    let broken = ticketd::access::read_policy(b"\n\n# \xff\n", |_| Ok(Vec::new()));
    let fault = broken.policy.expect_err("no UTF-8");
    assert_eq!((fault.line, fault.why), (3, BadFile::Encoding));
}

#[test]
fn no_name_hash_or_certificate_is_there_twice() {
    let hash = token("a").hash().to_string();
    let upper = hash.to_uppercase();
    let one = format!("token-sha256 = [\"{hash}\"]");
    for (text, line, why) in [
        ("[[principal]]\nname = \"\"\n".to_owned(), 2, BadFile::Name(BadName::Empty)),
        ("[[principal]]\nname = \"a\\n\"\n".to_owned(), 2, BadFile::Name(BadName::Control)),
        (principal("[[principal]]\nname = \"a\""), 4, BadFile::NameTwice("a".to_owned())),
        (principal("token-sha256 = [\"00\"]"), 3, BadFile::Hash),
        (principal(&format!("token-sha256 = [\"{}g\"]", &hash[1..])), 3, BadFile::Hash),
        (
            principal(&format!("token-sha256 = [\"{}\"]", token("a").as_str())),
            3,
            BadFile::TokenAsHash,
        ),
        (principal(&format!("token-sha256 = [\n\"{hash}\",\n\"{upper}\"]")), 5, BadFile::HashTwice),
        (principal(&format!("{one}\n[[principal]]\nname = \"b\"\n{one}")), 6, BadFile::HashTwice),
        (principal("certificate = [\"builder\"]"), 3, BadFile::Certificate),
        (principal("certificate = [\"dns:\"]"), 3, BadFile::Certificate),
        (principal("certificate = [\"cn:builder\"]"), 3, BadFile::Certificate),
        (principal("certificate = [\"dns:*.example.org\"]"), 3, BadFile::Certificate),
        (
            principal("certificate = [\"dns:a.example\", \"dns:A.example\"]"),
            3,
            BadFile::CertificateTwice,
        ),
    ] {
        assert_eq!(fault(&text), (line, why), "{text}");
    }
    // A plain token that stands in some other wrong place is not said again.
    let (_, why) = fault(&principal(&format!("sessions = \"{}\"", token("a").as_str())));
    let said = why.to_string();
    assert!(said.contains("tkd_…") && !said.contains(&token("a").as_str()[4..]), "{said}");
}

#[test]
fn a_rule_says_what_and_on_which_names() {
    let rule = |rule: &str| {
        let (line, why) = fault(&principal(&format!("allow = [\n  {rule},\n]")));
        assert_eq!(line, 4, "{rule}");
        let BadFile::Rule(why) = why else { panic!("{rule}: {why:?}") };
        why
    };
    for (text, why) in [
        ("{ to = [] }", BadRule::NoRight),
        ("{ to = [], on = [\"a\"] }", BadRule::NoRight),
        ("{ to = [\"locks\"], on = [\"a\"] }", BadRule::UnknownRight("locks".to_owned())),
        ("{ to = [\"admin\"], on = [\"*\"] }", BadRule::NoNames(Right::Admin)),
        ("{ to = [\"lock\", \"metrics\"], on = [\"a\"] }", BadRule::NoNames(Right::Metrics)),
        ("{ to = [\"metrics\"], on = [] }", BadRule::NoNames(Right::Metrics)),
        ("{ to = [\"lock\"] }", BadRule::NamesMissing(Right::Lock)),
        ("{ to = [\"lock\"], on = [] }", BadRule::NamesMissing(Right::Lock)),
        ("{ to = [\"metrics\", \"work\"] }", BadRule::NamesMissing(Right::Work)),
        ("{ to = [\"lock\"], on = [\"a\", \"\"] }", BadRule::Pattern(BadName::Empty)),
        ("{ to = [\"lock\"], on = [\"a\\u0000\"] }", BadRule::Pattern(BadName::Control)),
        ("{ to = [\"lock\"], on = [\"a\"], priority = 10 }", BadRule::Priority),
        ("{ to = [\"lock\"], on = [\"a\"], priority = -1 }", BadRule::Priority),
    ] {
        assert_eq!(rule(text), why, "{text}");
    }
    // The word that is to blame has its own line.
    let (line, _) = fault(&principal("allow = [{ to = [\"lock\"], on = [\n\"a\",\n\"\"] }]"));
    assert_eq!(line, 5);
}

/// A signer whose keys are in `file`, given by `key`.
fn signer(algorithm: &str, key: &str, file: impl Into<Vec<u8>>) -> World {
    let text = format!(
        "[[signer]]\nname = \"s\"\nissuer = \"https://s.example.org\"\naudience = \"ticketd\"\n\
         algorithm = \"{algorithm}\"\n{key} = \"file\"\n"
    );
    World::of(&text).with_file("file", file)
}

/// What is wrong with the keys of a signer.
fn misfit(algorithm: &str, key: &str, file: Vec<u8>) -> BadKey {
    let fault = signer(algorithm, key, file).read().0.expect_err("it does not fit");
    assert_eq!(fault.line, 6, "{algorithm} {key}");
    match fault.why {
        BadFile::Key(path, why) if path == "file" => why,
        other => panic!("{algorithm} {key}: {other:?}"),
    }
}

#[test]
fn a_key_fits_its_algorithm() {
    use SigningAlgorithm::{EdDsa, Es256, Rs256};
    let private = pem("PRIVATE KEY", &ED.public());
    let two = [ED.file(), ED.file()].concat();
    for (algorithm, key, file, why) in [
        ("EdDSA", "key-file", ES.file(), BadKey::DoesNotFit(EdDsa)),
        ("EdDSA", "key-file", RS.file(), BadKey::DoesNotFit(EdDsa)),
        ("ES256", "key-file", ED.file(), BadKey::DoesNotFit(Es256)),
        ("RS256", "key-file", ED.file(), BadKey::DoesNotFit(Rs256)),
        ("RS256", "key-file", ES.file(), BadKey::DoesNotFit(Rs256)),
        ("EdDSA", "key-file", ED_448.into(), BadKey::DoesNotFit(EdDsa)),
        ("ES256", "key-file", P_384.into(), BadKey::DoesNotFit(Es256)),
        ("ES256", "key-file", SECP_256K1.into(), BadKey::DoesNotFit(Es256)),
        ("RS256", "key-file", RSA_1024.into(), BadKey::RsaBits),
        ("EdDSA", "key-file", private.clone().into(), BadKey::NotOnePublicKey),
        ("EdDSA", "key-file", pem("CERTIFICATE", &ED.public()).into(), BadKey::NotOnePublicKey),
        ("RS256", "key-file", pem("RSA PRIVATE KEY", b"0").into(), BadKey::NotOnePublicKey),
        ("EdDSA", "key-file", two, BadKey::NotOnePublicKey),
        ("EdDSA", "key-file", ED.public(), BadKey::NotOnePublicKey),
        ("EdDSA", "key-file", Vec::new(), BadKey::NotOnePublicKey),
        ("EdDSA", "key-file", pem("PUBLIC KEY", b"0").into(), BadKey::DoesNotFit(EdDsa)),
        (
            "HS256",
            "secret-file",
            b"31 bytes are one byte too few.."[..31].into(),
            BadKey::ShortSecret,
        ),
        ("HS256", "secret-file", b"31 bytes are one byte too few..\n".into(), BadKey::ShortSecret),
        ("HS256", "secret-file", Vec::new(), BadKey::ShortSecret),
        ("HS256", "secret-file", ED.file(), BadKey::PemAsSecret),
        ("HS256", "secret-file", private.into(), BadKey::PemAsSecret),
    ] {
        assert_eq!(misfit(algorithm, key, file), why, "{algorithm} {key}");
    }
}

#[test]
fn a_key_set_has_keys_that_fit() {
    use SigningAlgorithm::{EdDsa, Es256, Rs256};
    let mut jwk = ES.jwk("k");
    jwk["x"] = jwk["y"].clone();
    let with = |member: &str, value: serde_json::Value| {
        let mut jwk = ED.jwk("k");
        jwk[member] = value;
        key_set([jwk])
    };
    let short = json!({"kty": "RSA", "n": "A".repeat(342), "e": "AQAB"});
    let even = json!({"kty": "RSA", "n": format!("{}A", "_".repeat(341)), "e": "AQAA"});
    let large = "_".repeat(1408);
    for (algorithm, file, why) in [
        ("EdDSA", ED.file(), BadKey::NotKeySet),
        ("EdDSA", b"{}".into(), BadKey::NotKeySet),
        ("EdDSA", ED.jwk("k").to_string().into(), BadKey::NotKeySet),
        ("EdDSA", key_set([]), BadKey::NoneFits(EdDsa)),
        ("EdDSA", key_set([ES.jwk("k"), HS.jwk("k")]), BadKey::NoneFits(EdDsa)),
        ("EdDSA", with("use", json!("enc")), BadKey::NoneFits(EdDsa)),
        ("EdDSA", with("key_ops", json!(["sign"])), BadKey::NoneFits(EdDsa)),
        ("EdDSA", with("alg", json!("HS256")), BadKey::NoneFits(EdDsa)),
        ("EdDSA", with("crv", json!("Ed448")), BadKey::NoneFits(EdDsa)),
        ("EdDSA", with("x", json!("AAAA")), BadKey::DoesNotFit(EdDsa)),
        ("EdDSA", with("x", json!("")), BadKey::DoesNotFit(EdDsa)),
        ("EdDSA", with("d", json!("AAAA")), BadKey::PrivateKey),
        ("EdDSA", key_set([ED.jwk("k"), ED.jwk("k")]), BadKey::KidTwice),
        ("ES256", key_set([jwk]), BadKey::DoesNotFit(Es256)),
        ("RS256", key_set([short]), BadKey::DoesNotFit(Rs256)),
        ("RS256", key_set([even]), BadKey::DoesNotFit(Rs256)),
        ("RS256", key_set([json!({"kty": "RSA", "n": "____", "e": "AQAB"})]), BadKey::RsaBits),
        ("RS256", key_set([json!({"kty": "RSA", "n": large, "e": "AQAB"})]), BadKey::RsaBits),
    ] {
        assert_eq!(misfit(algorithm, "jwks-file", file), why, "{algorithm}");
    }
}

#[test]
fn a_signer_has_one_file_and_its_own_words() {
    let hs = signer("HS256", "secret-file", HS.file()).text;
    let ed = signer("EdDSA", "key-file", ED.file()).text;
    for (text, line, why) in [
        (hs.replace("secret-file", "key-file"), 6, BadFile::SecretFile),
        (hs.replace("secret-file", "jwks-file"), 6, BadFile::SecretFile),
        (ed.replace("key-file", "secret-file"), 6, BadFile::SecretFile),
        (format!("{ed}jwks-file = \"b\"\n"), 2, BadFile::KeyFiles),
        (format!("{hs}key-file = \"b\"\n"), 2, BadFile::KeyFiles),
        (ed.replace("key-file = \"file\"", ""), 2, BadFile::KeyFiles),
        (ed.replace("EdDSA", "ES512"), 5, BadFile::Algorithm),
        (ed.replace("EdDSA", "none"), 5, BadFile::Algorithm),
        (ed.replace("https://s.example.org", ""), 3, BadFile::Empty("issuer")),
        (ed.replace("\"ticketd\"", "\"\""), 4, BadFile::Empty("audience")),
        (format!("{ed}{ed}"), 8, BadFile::NameTwice("s".to_owned())),
        (format!("{ed}{}", ed.replace("\"s\"", "\"t\"")), 8, BadFile::SignerTwice),
    ] {
        let bad = signer("EdDSA", "key-file", ED.file());
        let fault = World { text: text.clone(), ..bad }.read().0.expect_err(&text);
        assert_eq!((fault.line, fault.why), (line, why), "{text}");
    }
}

#[test]
fn a_secret_of_one_line_of_text_ends_before_the_line_does() {
    let key = SigningKey::Hs(b"0123456789abcdef0123456789abcdef".to_vec());
    let file = |end: &str| [key.file(), end.into()].concat();
    for (end, good) in [("", true), ("\n", true), ("\r\n", true), ("\n\n", false), (" ", false)] {
        let gate = signer("HS256", "secret-file", file(end)).gate();
        assert_eq!(show(&gate, &signed(&key, "s"), after(0)).is_ok(), good, "{end:?}");
    }
    let binary = SigningKey::Hs([&[0xff; 40][..], b"\n"].concat());
    let gate = signer("HS256", "secret-file", binary.file()).gate();
    assert!(show(&gate, &signed(&binary, "s"), after(0)).is_ok(), "bytes are taken as they are");
}

#[test]
fn the_first_file_lets_its_token_in() {
    let name = |text| Name::parse(text).expect("a name");
    for (text, admin) in [("ops", true), ("builder", false), (r#"a "b" \ 'c' #é"#, false)] {
        let new = token("new");
        let gate = World::of(&first_file(&name(text), &new.hash(), admin)).gate();
        let subject = show(&gate, new.as_str(), after(0)).expect(text);
        assert_eq!(subject.owner().map(|owner| owner.parts().0), Some(text));
        assert_eq!(subject.rules().may_at_all(Right::Admin), admin);
        assert!(subject.rules().may(Right::Lock, "anything"));
        assert_eq!(subject.rules().may(Right::Force, "anything"), admin);
    }
}
