//! An access file with some of everything, and questions to its gate.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use serde_json::{Value, json};
use ticketd::access::{
    Denied, FileFault, Gate, Moment, NamedFile, Policy, RefusedToken, Shown, Subject, Token,
    read_policy,
};

use super::signing::{ED, ES, HS, RS, SigningKey};

/// The second in which all happens.
pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The file; `NAME` in `name-file` stands for what [`World`] has under it.
pub(super) const FILE: &str = r#"
[[principal]]
name = "builder"
token-sha256 = ["{builder}", "{spare}"]
certificate = ["dns:Builder.example.org", "uri:spiffe://example.org/builder"]
allow = [
  { to = ["lock", "watch"], on = ["build/*", "deploy"] },
  { to = ["work"], on = ["jobs"], priority = 4 },
]
sessions = 1000
rate = 500

[[principal]]
name = "ops"
token-sha256 = ["{ops}"]
allow = [{ to = ["admin"] }]

[[principal]]
name = "meter"
token-sha256 = ["{meter}"]
allow = [{ to = ["metrics"] }]

[[signer]]
name = "ed"
issuer = "https://ed.example.org"
algorithm = "EdDSA"
key-file = "ed.pem"
audience = "ticketd"
allow = [{ to = ["lock", "watch"], on = ["doc/*"] }]
sessions = 10
all-sessions = 100000

[[signer]]
name = "es"
issuer = "https://es.example.org"
algorithm = "ES256"
key-file = "es.pem"
audience = "ticketd"
allow = [{ to = ["admin"] }]

[[signer]]
name = "rs"
issuer = "https://rs.example.org"
algorithm = "RS256"
key-file = "rs.pem"
audience = "ticketd"

[[signer]]
name = "hs"
issuer = "https://hs.example.org"
algorithm = "HS256"
secret-file = "hs.secret"
audience = "ticketd"

[[signer]]
name = "set"
issuer = "https://set.example.org"
algorithm = "EdDSA"
jwks-file = "set.json"
audience = "ticketd"

[anonymous]
allow = [{ to = ["watch"], on = ["public/*"] }]
sockets = 3
"#;

/// The token of somebody in the file.
pub(super) fn token(name: &str) -> Token {
    let mut random = [0; 32];
    random[..name.len()].copy_from_slice(name.as_bytes());
    Token::from_random(random)
}

/// An access file, and the files beside it.
pub(super) struct World {
    pub(super) text: String,
    pub(super) files: HashMap<String, Vec<u8>>,
}

impl World {
    /// The whole of [`FILE`], with keys that were made for this run.
    pub(super) fn new() -> Self {
        let mut files = HashMap::new();
        for (name, key) in [("ed.pem", &ED), ("es.pem", &ES), ("rs.pem", &RS), ("hs.secret", &HS)] {
            files.insert(name.to_owned(), key.file());
        }
        let set = key_set([ED.jwk("k1"), ES.jwk("k1"), RS.jwk("k2"), HS.jwk("k3")]);
        files.insert("set.json".to_owned(), set);
        let mut text = FILE.to_owned();
        for name in ["builder", "spare", "ops", "meter"] {
            text = text.replace(&format!("{{{name}}}"), &token(name).hash().to_string());
        }
        Self { text, files }
    }

    /// A file of this text only.
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::new() }
    }

    /// Another text in one place.
    pub(super) fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.text.contains(old), "{old} is in the file");
        self.text = self.text.replacen(old, new, 1);
        self
    }

    /// Another file beside it.
    pub(super) fn with_file(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.to_owned(), bytes.into());
        self
    }

    pub(super) fn read(&self) -> (Result<Policy, FileFault>, Vec<NamedFile>) {
        let read = read_policy(self.text.as_bytes(), |path| {
            self.files.get(path).cloned().ok_or_else(|| "no such file".to_owned())
        });
        (read.policy, read.named)
    }

    pub(super) fn policy(&self) -> Policy {
        self.read().0.unwrap_or_else(|fault| panic!("{fault}"))
    }

    pub(super) fn gate(&self) -> Gate {
        Gate::new(self.policy())
    }
}

/// A JSON Web Key Set.
pub(super) fn key_set(keys: impl IntoIterator<Item = Value>) -> Vec<u8> {
    json!({"keys": keys.into_iter().collect::<Vec<_>>()}).to_string().into_bytes()
}

/// Good claims of the signer `name`, with some members put in place or, if null, taken away.
pub(super) fn claims(name: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": format!("https://{name}.example.org"),
        "sub": "ann",
        "aud": "ticketd",
        "exp": NOW + 600,
    });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (member, value) in changes {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(&member)),
            value => claims[&member] = value,
        }
    }
    claims
}

/// A good token of the signer `ed`, changed.
pub(super) fn ed(changes: Value) -> String {
    ED.jwt(&claims("ed", changes))
}

/// The moment `s` seconds after [`NOW`].
pub(super) fn after(s: i64) -> Moment {
    let unix_s = NOW.checked_add_signed(s).expect("in time");
    Moment { unix_s, steady_ms: unix_s * 1000 }
}

/// What the gate says to a token, each time from another address, so that none fails too often.
pub(super) fn show(gate: &Gate, token: &str, now: Moment) -> Result<Subject, RefusedToken> {
    static ADDRESS: AtomicU32 = AtomicU32::new(0x0a00_0000);
    let address = Ipv4Addr::from(ADDRESS.fetch_add(1, Relaxed));
    match gate.prove(&Shown::in_message(token), address.into(), now) {
        Ok(subject) => Ok(subject),
        Err(denied) => {
            assert_eq!(denied.detail(), "the token is not good");
            assert_eq!(denied.challenge(), "Bearer error=\"invalid_token\"");
            match denied {
                Denied::Bad { refused, .. } => Err(refused),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A token that `key` signs for `name`, good or not.
pub(super) fn signed(key: &SigningKey, name: &str) -> String {
    key.jwt(&claims(name, json!({})))
}
