//! The schemas of docs/asyncapi.yaml, and as much of JSON Schema as they use. A keyword that is
//! not known here fails, so that nothing in them goes unchecked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The messages' schemas, by name.
pub(crate) struct Schemas {
    messages: BTreeMap<String, Value>,
}

impl Schemas {
    pub(crate) fn load() -> Self {
        let text = super::document("asyncapi.yaml");
        let document: Value = serde_yaml_ng::from_str(&text).expect("docs/asyncapi.yaml");
        assert_eq!(document["asyncapi"], "3.0.0");
        let messages = document["components"]["messages"].as_object().expect("messages").clone();
        let listed = document["channels"]["socket"]["messages"].as_object().expect("channel");
        assert!(listed.keys().eq(messages.keys()), "the channel lists other messages");
        Self { messages: messages.into_iter().collect() }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.messages.keys().map(String::as_str)
    }

    pub(crate) fn examples(&self) -> impl Iterator<Item = (String, Value)> {
        self.messages.iter().flat_map(|(name, message)| {
            let examples = message["examples"].as_array().expect(name);
            assert!(!examples.is_empty(), "{name} has no example");
            examples.iter().map(|example| (name.clone(), example["payload"].clone()))
        })
    }

    fn payload(&self, name: &str) -> &Value {
        &self.messages.get(name).unwrap_or_else(|| panic!("no schema {name}"))["payload"]
    }

    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        fits(self.payload(name), value)
    }

    /// The schema of a message from the server.
    pub(crate) fn name_of(&self, value: &Value) -> Result<String, String> {
        if let Some(event) = value["event"].as_str() {
            let name = format!("event-{event}");
            return self.check(&name, value).map(|()| name);
        }
        let answers = self.names().filter(|name| name.starts_with("answer-"));
        let mut fitting = answers.filter(|name| self.check(name, value).is_ok());
        fitting.next().map(str::to_owned).ok_or_else(|| "fits no schema of an answer".to_owned())
    }

    /// The members of a message.
    pub(crate) fn members(&self, name: &str) -> Vec<String> {
        let members = self.payload(name)["properties"].as_object().expect("properties");
        members.keys().cloned().collect()
    }

    /// All members of a message, with those of what is in it: `ok.holds[].fence`.
    pub(crate) fn paths(&self, name: &str) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        collect(self.payload(name), "", &mut paths);
        paths
    }
}

fn collect(schema: &Value, prefix: &str, paths: &mut BTreeSet<String>) {
    for (member, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{member}");
        paths.insert(path.clone());
        collect(below, &format!("{path}."), paths);
    }
    if !schema["items"].is_null() {
        collect(&schema["items"], &format!("{}[].", prefix.trim_end_matches('.')), paths);
    }
    for choices in ["oneOf", "anyOf", "allOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            collect(choice, prefix, paths);
        }
    }
}

/// The members of a value, in the same form.
pub(crate) fn paths_of(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, prefix: &str, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (member, below) in members {
                    let path = format!("{prefix}{member}");
                    paths.insert(path.clone());
                    walk(below, &format!("{path}."), paths);
                }
            }
            Value::Array(items) => {
                for item in items {
                    walk(item, &format!("{}[].", prefix.trim_end_matches('.')), paths);
                }
            }
            _ => {}
        }
    }
    let mut paths = BTreeSet::new();
    walk(value, "", &mut paths);
    paths
}

fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, wanted) in schema.as_object().ok_or("a schema is no object")? {
        let ok = match keyword.as_str() {
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|wanted| is_of_type(wanted, value)),
                wanted => is_of_type(wanted, value),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().is_some_and(|all| all.contains(value)),
            "minimum" => value.as_i64().is_none_or(|number| Some(number) >= wanted.as_i64()),
            "maximum" => value.as_i64().is_none_or(|number| Some(number) <= wanted.as_i64()),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= number(wanted)),
            "maxLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 <= number(wanted))
            }
            "pattern" => value.as_str().is_none_or(|text| matches_pattern(wanted, text)),
            "required" => wanted.as_array().is_some_and(|all| {
                all.iter().all(|member| value.get(member.as_str().unwrap_or("")).is_some())
            }),
            "dependencies" => wanted.as_object().is_some_and(|all| {
                all.iter().filter(|(member, _)| value.get(member.as_str()).is_some()).all(
                    |(_, needs)| {
                        let needs = needs.as_array().expect("a list of members");
                        needs.iter().all(|need| value.get(need.as_str().unwrap_or("")).is_some())
                    },
                )
            }),
            "properties" => {
                for (member, below) in wanted.as_object().ok_or("properties")? {
                    if let Some(value) = value.get(member) {
                        fits(below, value).map_err(|why| format!("{member}: {why}"))?;
                    }
                }
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    fits(wanted, item)?;
                }
                true
            }
            "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= number(wanted)),
            "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= number(wanted)),
            "uniqueItems" => value.as_array().is_none_or(|all| {
                all.iter().enumerate().all(|(at, item)| !all[..at].contains(item))
            }),
            "oneOf" => fitting(wanted, value) == 1,
            "anyOf" => fitting(wanted, value) >= 1,
            "not" => fits(wanted, value).is_err(),
            "description" | "title" => true,
            unknown => panic!("the keyword {unknown} is not checked here"),
        };
        if !ok {
            return Err(format!("{value} does not fit {keyword}: {wanted}"));
        }
    }
    Ok(())
}

fn number(wanted: &Value) -> u64 {
    wanted.as_u64().expect("a number")
}

fn fitting(choices: &Value, value: &Value) -> usize {
    let choices = choices.as_array().expect("choices");
    choices.iter().filter(|choice| fits(choice, value).is_ok()).count()
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        unknown => panic!("the type {unknown} is not checked here"),
    }
}

/// The patterns that there are: an id, a ref, and padded base64.
fn matches_pattern(pattern: &Value, text: &str) -> bool {
    let pattern = pattern.as_str().expect("a pattern");
    let alphanumeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if pattern.contains("{27}") {
        text.len() == 27 && alphanumeric(text)
    } else if pattern.contains("{16}") {
        text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    } else {
        assert!(pattern.contains("=="), "the pattern {pattern} is not checked here");
        let bare = text.trim_end_matches('=').replace(['+', '/'], "a");
        text.len().is_multiple_of(4) && text.len() - bare.len() <= 2 && alphanumeric(&bare)
    }
}
