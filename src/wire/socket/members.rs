//! A request's members as they came, before anybody asks what they mean. Any JSON object is read:
//! unknown members are passed over, however deep, and the last of a name counts.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a request, as they came.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    pub(super) id: Value<'a>,
    pub(super) op: Value<'a>,
    pub(super) resource: Value<'a>,
    pub(super) ticket: Value<'a>,
    pub(super) wait: Value<'a>,
    pub(super) fence: Value<'a>,
    pub(super) data: Value<'a>,
    pub(super) data64: Value<'a>,
    pub(super) notify: Value<'a>,
    pub(super) changes: Value<'a>,
    pub(super) name: Value<'a>,
    pub(super) ttl: Value<'a>,
    pub(super) session: Value<'a>,
    pub(super) attempt: Value<'a>,
    pub(super) liveness: Value<'a>,
}

/// A member's value, as far as a request can use it.
#[derive(Debug, Default)]
pub(super) enum Value<'a> {
    #[default]
    Missing,
    Bool(bool),
    Whole(u64),
    Text(Cow<'a, str>),
    /// Something that no request uses: a list, an object, a fraction, a negative number.
    Strange,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Text(key)) = map.next_key()? {
                    let member = match &*key {
                        "id" => &mut members.id,
                        "op" => &mut members.op,
                        "resource" => &mut members.resource,
                        "ticket" => &mut members.ticket,
                        "wait" => &mut members.wait,
                        "fence" => &mut members.fence,
                        "data" => &mut members.data,
                        "data64" => &mut members.data64,
                        "notify" => &mut members.notify,
                        "changes" => &mut members.changes,
                        "name" => &mut members.name,
                        "ttl" => &mut members.ttl,
                        "session" => &mut members.session,
                        "attempt" => &mut members.attempt,
                        "liveness" => &mut members.liveness,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *member = map.next_value()?;
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Value::Bool(flag))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Value::Whole(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(u64::try_from(number).map_or(Value::Strange, Value::Whole))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Value::Strange)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Value::Missing)
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Strange)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Strange)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// An object's id and op, unread: for objects with numbers or strings that no type holds.
#[derive(Debug, Default)]
pub(super) struct Strange<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) op: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Strange<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Strange<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut strange = Strange::default();
                while let Some(Bytes(key)) = map.next_key()? {
                    let value = map.next_value()?;
                    match &*key {
                        b"id" => strange.id = Some(value),
                        b"op" => strange.op = Some(value),
                        _ => {}
                    }
                }
                Ok(strange)
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// A string that need not be UTF-8.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Read)
    }
}
