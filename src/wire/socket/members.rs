//! A request's members as they came, before anybody asks what they mean. Any JSON object is read:
//! unknown members are passed over, however deep, and the last of a name counts.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::machine::NUMBER_END;

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
    pub(super) token: Value<'a>,
    pub(super) mode: Value<'a>,
    pub(super) steal: Value<'a>,
    pub(super) force: Value<'a>,
    pub(super) hold: Value<'a>,
    pub(super) progress: Value<'a>,
    pub(super) resources: Value<'a>,
    pub(super) priority: Value<'a>,
    pub(super) delay: Value<'a>,
    pub(super) attempts: Value<'a>,
    pub(super) note: Value<'a>,
    pub(super) dead: Value<'a>,
    pub(super) untried: Value<'a>,
    pub(super) stay: Value<'a>,
    pub(super) is_new: Value<'a>,
    pub(super) paused: Value<'a>,
    pub(super) blocking: Value<'a>,
    pub(super) limit: Value<'a>,
    /// One of these is a number or a string that no type holds.
    pub(super) out_of_range: bool,
}

/// A member's value, as far as a request can use it.
#[derive(Debug, Default)]
pub(super) enum Value<'a> {
    #[default]
    Missing,
    Bool(bool),
    Whole(u64),
    Text(Cow<'a, str>),
    /// A list of strings and of nothing else.
    Texts(Vec<Cow<'a, str>>),
    /// Something that no request uses: another list, an object, a fraction, a negative number.
    Strange,
}

/// A number that was written with a point or an exponent, where it is whole all the same: JSON
/// knows one kind of number, and `1e3` is 1000. Beyond 2^53 not every whole number is one.
fn whole(number: f64) -> Option<u64> {
    let is_whole = (0.0..NUMBER_END as f64).contains(&number) && number.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole")]
    is_whole.then_some(number as u64)
}

impl<'a> Members<'a> {
    /// Where a member of that name goes, if it is one that a request may have.
    fn slot(&mut self, name: &[u8]) -> Option<&mut Value<'a>> {
        Some(match name {
            b"id" => &mut self.id,
            b"op" => &mut self.op,
            b"resource" => &mut self.resource,
            b"ticket" => &mut self.ticket,
            b"wait" => &mut self.wait,
            b"fence" => &mut self.fence,
            b"data" => &mut self.data,
            b"data64" => &mut self.data64,
            b"notify" => &mut self.notify,
            b"changes" => &mut self.changes,
            b"name" => &mut self.name,
            b"ttl" => &mut self.ttl,
            b"session" => &mut self.session,
            b"attempt" => &mut self.attempt,
            b"liveness" => &mut self.liveness,
            b"token" => &mut self.token,
            b"mode" => &mut self.mode,
            b"steal" => &mut self.steal,
            b"force" => &mut self.force,
            b"hold" => &mut self.hold,
            b"progress" => &mut self.progress,
            b"resources" => &mut self.resources,
            b"priority" => &mut self.priority,
            b"delay" => &mut self.delay,
            b"attempts" => &mut self.attempts,
            b"note" => &mut self.note,
            b"dead" => &mut self.dead,
            b"untried" => &mut self.untried,
            b"stay" => &mut self.stay,
            b"new" => &mut self.is_new,
            b"paused" => &mut self.paused,
            b"blocking" => &mut self.blocking,
            b"limit" => &mut self.limit,
            _ => return None,
        })
    }
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
                while let Some(Text(name)) = map.next_key()? {
                    match members.slot(name.as_bytes()) {
                        Some(member) => *member = map.next_value()?,
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
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

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(whole(number).map_or(Value::Strange, Value::Whole))
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
                let mut texts = Some(Vec::new());
                while let Some(ListItem(item)) = seq.next_element()? {
                    texts = texts.zip(item).map(|(mut texts, item)| {
                        texts.push(item);
                        texts
                    });
                }
                Ok(texts.map_or(Value::Strange, Value::Texts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Strange)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What is in a list, if it is a string. What else it is, however deep, is passed over.
struct ListItem<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for ListItem<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = ListItem<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(ListItem(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ListItem(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(ListItem(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(ListItem(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(ListItem(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(ListItem(None))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ListItem(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ListItem(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ListItem(None))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// The members of an object with numbers or strings that no type holds, in its values or in its
/// names. Slower: each name is copied and each value that counts is read twice.
#[derive(Debug, Default)]
pub(super) struct Odd<'a>(pub(super) Members<'a>);

impl<'de> Deserialize<'de> for Odd<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Odd<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Bytes(name)) = map.next_key()? {
                    let value: &'de RawValue = map.next_value()?;
                    let Some(member) = members.slot(&name) else { continue };
                    match serde_json::from_str(value.get()) {
                        Ok(read) => *member = read,
                        Err(_) => members.out_of_range = true,
                    }
                }
                Ok(Odd(members))
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
