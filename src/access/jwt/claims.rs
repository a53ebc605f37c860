//! What a JSON Web Token says, read strictly: each member once, each number whole.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::access::rule_shape::RuleShape;
use crate::access::table::Table;

/// Most audiences of a token.
const AUDIENCES_MAX: usize = 16;

/// What is read of a token's header.
#[derive(Default)]
pub(super) struct JwtHeader {
    pub(super) alg: Option<String>,
    pub(super) kid: Option<String>,
    pub(super) crit: bool,
}

/// What is read of what a token claims.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) aud: Option<Audiences>,
    pub(super) exp: Option<u64>,
    pub(super) nbf: Option<u64>,
    pub(super) allow: Option<Vec<Table<RuleShape<String>>>>,
}

/// Reads one part of a token: base64url without padding, a JSON object in it.
pub(super) fn part<M: JwtPart>(text: &str) -> Option<M> {
    let json = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice::<Whole<M>>(&json).ok().map(|whole| whole.0)
}

/// An object whose members are read one by one.
pub(super) trait JwtPart: Default {
    /// Reads the value of the member `name`, whether it counts or not.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

impl JwtPart for JwtHeader {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "alg" => self.alg = Some(map.next_value()?),
            "kid" => self.kid = Some(map.next_value()?),
            "crit" => {
                map.next_value::<IgnoredAny>()?;
                self.crit = true;
            }
            // `jku`, `x5u`, `jwk` and the like would have the token say whom to believe.
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl JwtPart for Claims {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(map.next_value()?),
            "sub" => self.sub = Some(map.next_value()?),
            "aud" => self.aud = Some(map.next_value()?),
            "exp" => self.exp = Some(map.next_value()?),
            "nbf" => self.nbf = Some(map.next_value()?),
            "allow" => self.allow = Some(map.next_value()?),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// An object that has each member once.
struct Whole<M>(M);

impl<'de, M: JwtPart> Deserialize<'de> for Whole<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<M>(PhantomData<M>);

        impl<'de, M: JwtPart> Visitor<'de> for Object<M> {
            type Value = Whole<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Whole<M>, A::Error> {
                let mut seen = HashSet::new();
                let mut members = M::default();
                while let Some(name) = map.next_key::<String>()? {
                    members.read(&name, &mut map)?;
                    if !seen.insert(name) {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                }
                Ok(Whole(members))
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// Whom a token is for: a string, or a list of at most [`AUDIENCES_MAX`].
pub(super) struct Audiences(Vec<String>);

impl Audiences {
    /// Whether the token is for `audience`.
    pub(super) fn contain(&self, audience: &str) -> bool {
        self.0.iter().any(|one| one == audience)
    }
}

impl<'de> Deserialize<'de> for Audiences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Audiences;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, one: &str) -> Result<Audiences, E> {
                Ok(Audiences(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Audiences, A::Error> {
                let mut audiences = Vec::new();
                while let Some(one) = list.next_element()? {
                    if audiences.len() == AUDIENCES_MAX {
                        return Err(A::Error::custom("too many"));
                    }
                    audiences.push(one);
                }
                Ok(Audiences(audiences))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}
