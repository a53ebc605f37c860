//! How the access file is written. What is unknown is refused.

use serde::Deserialize;
use toml::Spanned;

use crate::access::quotas::Quotas;
use crate::access::rule_shape::RuleShape;
use crate::access::table::Table;

/// A list of rules, each with where it begins.
pub(super) type AllowShape = Vec<Spanned<Table<RuleShape<Spanned<String>>>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileShape {
    #[serde(default)]
    pub(super) principal: Vec<Table<PrincipalShape>>,
    #[serde(default)]
    pub(super) signer: Vec<Table<SignerShape>>,
    pub(super) anonymous: Option<Table<AnonymousShape>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PrincipalShape {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) token_sha256: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) certificate: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) allow: AllowShape,
    sessions: Option<u32>,
    sockets: Option<u32>,
    rate: Option<u32>,
    issued: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SignerShape {
    pub(super) name: Spanned<String>,
    pub(super) issuer: Spanned<String>,
    pub(super) algorithm: Spanned<String>,
    pub(super) audience: Spanned<String>,
    pub(super) key_file: Option<Spanned<String>>,
    pub(super) jwks_file: Option<Spanned<String>>,
    pub(super) secret_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow: AllowShape,
    sessions: Option<u32>,
    all_sessions: Option<u32>,
    sockets: Option<u32>,
    rate: Option<u32>,
    issued: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnonymousShape {
    #[serde(default)]
    pub(super) allow: AllowShape,
    sessions: Option<u32>,
    sockets: Option<u32>,
    rate: Option<u32>,
    issued: Option<u32>,
}

impl PrincipalShape {
    pub(super) fn quotas(&self) -> Quotas {
        let Self { sessions, sockets, rate, issued, .. } = *self;
        Quotas { sessions, sockets, rate, issued, all_sessions: None }
    }
}

impl SignerShape {
    pub(super) fn quotas(&self) -> Quotas {
        let Self { sessions, sockets, rate, issued, all_sessions, .. } = *self;
        Quotas { sessions, sockets, rate, issued, all_sessions }
    }
}

impl AnonymousShape {
    pub(super) fn quotas(&self) -> Quotas {
        let Self { sessions, sockets, rate, issued, .. } = *self;
        Quotas { sessions, sockets, rate, issued, all_sessions: None }
    }
}
