//! What has the shape of no token: it is refused before it is hashed.

use serde_json::json;
use ticketd::access::{BadToken, RefusedToken};

use super::signing::{ED, message};
use super::world::{World, after, claims, ed, show, token};

#[test]
fn what_is_no_token_is_refused() {
    let gate = World::new().gate();
    let good = ed(json!({}));
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = signed.split_once('.').expect("three parts");
    let ours = token("builder");
    let ours = ours.as_str();
    let padding = "x".repeat(8192);
    let long = ED.jwt(&claims("ed", json!({"jti": padding})));
    for text in [
        String::new(),
        " ".to_owned(),
        ours.to_uppercase(),
        format!("{ours} "),
        format!("{ours}="),
        ours.replace("tkd_", "tkd-"),
        ours[..ours.len() - 1].to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{good}="),
        format!("{good}.e30"),
        format!("{header}.{payload}.{signature}.{payload}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.\u{200b}{payload}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        good.replace('.', ":"),
        format!("{}.", message(r#"{"alg":"none"}"#, "{}")),
        format!("{}+/.{signature}", signed),
        long.clone(),
    ] {
        let shape = Err(RefusedToken { signer: None, why: BadToken::Shape });
        assert_eq!(show(&gate, &text, after(0)).map(drop), shape, "{text}");
    }
    assert!(long.len() > 8192);
    let most = "x".repeat(6144 - 300);
    let longest = ED.jwt(&claims("ed", json!({"jti": most})));
    assert!(longest.len() <= 8192 && show(&gate, &longest, after(0)).is_ok());
    let unknown = Err(RefusedToken { signer: None, why: BadToken::Unknown });
    assert_eq!(show(&gate, token("stranger").as_str(), after(0)).map(drop), unknown);
}

/// The log says which signer, once one is known; it never has a token.
#[test]
fn a_refusal_names_the_signer() {
    let gate = World::new().gate();
    let token = ed(json!({"sub": null}));
    let refused = show(&gate, &token, after(0)).expect_err("no subject");
    assert_eq!(refused.signer.as_ref().map(|name| name.as_str()), Some("ed"));
    assert_eq!(refused.why.to_string(), "has no `sub`");
    for part in token.split('.') {
        assert!(!format!("{refused:?}").contains(part));
    }
    let elsewhere = show(&gate, &ed(json!({"iss": "x"})), after(0)).expect_err("no issuer");
    assert_eq!(elsewhere.signer, None);
}
