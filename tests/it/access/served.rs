//! A server that asks who comes, with a policy that the stories write.

use std::net::SocketAddr;
use std::sync::Arc;

use ticketd::access::{Policy, Token, read_policy};
use ticketd::server::{Access, Config};

use crate::support::{Client, Served};

/// Everybody the tables are asked about: one with each right on `r/*`, one with all of them on
/// names that nobody asks for, one with none, an administrator.
pub(crate) const ALL_RIGHTS: [&str; 6] = ["lock", "claim", "work", "issue", "watch", "force"];

/// The token of a principal.
pub(crate) fn token(name: &str) -> Token {
    let mut random = [7; 32];
    random[..name.len()].copy_from_slice(name.as_bytes());
    Token::from_random(random)
}

/// A principal's entry.
pub(crate) fn principal(name: &str, rest: &str) -> String {
    let hash = token(name).hash();
    format!("[[principal]]\nname = \"{name}\"\ntoken-sha256 = [\"{hash}\"]\n{rest}\n\n")
}

/// The principals of the tables.
pub(crate) fn everybody() -> String {
    let mut file = String::new();
    for right in ALL_RIGHTS {
        let allow = format!("allow = [{{ to = [\"{right}\"], on = [\"r/*\"] }}]");
        file += &principal(right, &allow);
    }
    let all = ALL_RIGHTS.map(|right| format!("\"{right}\"")).join(", ");
    file += &principal("elsewhere", &format!("allow = [{{ to = [{all}], on = [\"x/*\"] }}]"));
    file += &principal("none", "allow = []");
    file += &principal("metrics", "allow = [{ to = [\"metrics\"] }]");
    file += &principal("admin", "allow = [{ to = [\"admin\"] }]");
    file
}

/// A policy, of a file that names no other.
pub(crate) fn policy(file: &str) -> Policy {
    let read = read_policy(file.as_bytes(), |name| Err(name.to_owned()));
    read.policy.unwrap_or_else(|fault| panic!("line {}: {:?} in\n{file}", fault.line, fault.why))
}

/// A server that goes by a policy.
pub(crate) struct Guarded {
    pub(crate) served: Served,
    pub(crate) access: Arc<Access>,
}

impl Guarded {
    pub(crate) async fn by(file: &str) -> Self {
        Self::with(file, Config::default()).await
    }

    pub(crate) async fn with(file: &str, config: Config) -> Self {
        let access = Access::new(policy(file));
        let served = Served::with(Config { access: Some(access.clone()), ..config }).await;
        Self { served, access }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.served.address
    }

    /// A client that shows a principal's token with each request, or nothing.
    pub(crate) async fn client(&self, name: Option<&str>) -> Client {
        let client = Client::connect(self.served.address).await;
        match name {
            None => client,
            Some(name) => client.with(&format!("Authorization: Bearer {}", token(name).as_str())),
        }
    }

    /// A new session of a principal's, or of nobody's.
    pub(crate) async fn open(&self, name: Option<&str>) -> String {
        let answer = self.client(name).await.ask("POST /sessions?name=s&ttl=600000").await;
        assert_eq!(answer.status, 200, "{}", answer.said());
        answer.json().as_str().expect("an id").to_owned()
    }
}
