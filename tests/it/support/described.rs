//! The description of the interface, `docs/openapi.yaml`, and whether an answer is as it says.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::client::Answer;

/// Headers of answers that mean something to this interface.
const MEANT: [&str; 6] = [
    "allow",
    "preference-applied",
    "retry-after",
    "sec-websocket-accept",
    "ticketd-fence",
    "www-authenticate",
];

/// Fails if this is not what the description says of such an answer. A body that is `None` is one
/// that is not read here.
#[track_caller]
pub(crate) fn hold(asked: &Asked, answer: &Answer, body: Option<&[u8]>) {
    if let Err(why) = DESCRIPTION.check(asked, answer, body) {
        panic!("docs/openapi.yaml: {asked:?}: {}: {why}", answer.said());
    }
}

/// The same of what came by an event stream.
#[track_caller]
pub(crate) fn hold_event(piece: &str) {
    let schema = json!({"$ref": "#/components/schemas/ResourceChanged"});
    for data in piece.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let data = serde_json::from_str(data).expect("JSON");
        if let Err(why) = DESCRIPTION.fits(&schema, &data) {
            panic!("docs/openapi.yaml: an event: {data}: {why}");
        }
    }
}

static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::load);

struct Description {
    root: Value,
    /// Its schemas, in which objects have no other members than those described.
    closed: Value,
    /// Those that were needed, by how they are written.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Description {
    fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.yaml");
        let text = std::fs::read_to_string(path).expect(path);
        let root: Value = serde_yaml_ng::from_str(&text).expect("docs/openapi.yaml");
        let mut closed = root["components"]["schemas"].clone();
        close(&mut closed);
        Self { root, closed, validators: Mutex::default() }
    }

    fn check(&self, asked: &Asked, answer: &Answer, body: Option<&[u8]>) -> Result<(), String> {
        let Some(answers) = self.answers(asked, answer)? else { return Ok(()) };
        let described = &answers[&answer.status.to_string()];
        if described.is_null() {
            return Err("this status is not described".to_owned());
        }
        let described = self.resolved(described);
        self.check_headers(&described["headers"], answer)?;
        let Some(contents) = described["content"].as_object() else {
            return if answer.body.is_empty() { Ok(()) } else { Err("it has a body".to_owned()) };
        };
        let media = answer.media();
        let content = contents.get(media).ok_or("this media type is not described")?;
        if media == "text/plain" && !answer.header("content-type").contains("charset=utf-8") {
            return Err("the text's charset is missing".to_owned());
        }
        if contents.len() > 1
            && answer.status >= 400
            && asked.documents != (media == "application/problem+json")
        {
            return Err("it is not the shape that was asked for".to_owned());
        }
        let (Some(body), "GET" | "POST" | "PUT" | "DELETE") = (body, &asked.method[..]) else {
            return Ok(());
        };
        let value = match media {
            "application/json" | "application/problem+json" => {
                serde_json::from_slice(body).map_err(|why| format!("no JSON: {why}"))?
            }
            _ => Value::String(String::from_utf8(body.to_vec()).map_err(|why| why.to_string())?),
        };
        if let (Some(code), Some(examples)) = (value["code"].as_str(), content.get("examples"))
            && media == "application/problem+json"
            && examples.get(code).is_none()
        {
            return Err(format!("{code} is not described"));
        }
        self.fits(&content["schema"], &value)
    }

    /// The answers that are described, by their statuses. `None` when it is nothing of the
    /// interface.
    fn answers(&self, asked: &Asked, answer: &Answer) -> Result<Option<Value>, String> {
        let Asked { method, path, .. } = asked;
        let is_ours = path.starts_with("/api/v1/");
        let path = path.strip_suffix('/').unwrap_or(path);
        let paths = self.root["paths"].as_object().expect("paths");
        let found = paths.iter().find(|(template, _)| fits_path(template, path));
        let generic = |name: &str| {
            let responses = &self.root["components"]["responses"];
            let one_host = responses["OneHost"].clone();
            let refused = responses[name].clone();
            let status = if name == "NotFound" { "404" } else { "405" };
            json!({ status: refused, "400": one_host })
        };
        let Some((_, item)) = found else {
            return Ok(is_ours.then(|| generic("NotFound")));
        };
        let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        // Of a handshake there is no HEAD.
        let is_asked =
            |operation: &&Value| asked.method != "HEAD" || operation["responses"]["101"].is_null();
        match item.get(&method).filter(is_asked) {
            Some(operation) => Ok(Some(operation["responses"].clone())),
            // A browser asks what a page of an allowed origin may do.
            None if method == "options" && answer.status == 200 => Ok(None),
            None => Ok(Some(generic("MethodNotAllowed"))),
        }
    }

    fn check_headers(&self, described: &Value, answer: &Answer) -> Result<(), String> {
        let none = Map::new();
        let described = described.as_object().unwrap_or(&none);
        for (name, header) in described {
            let header = self.resolved(header);
            let text = answer.header(name);
            if text.is_empty() {
                if header["required"] == true {
                    return Err(format!("{name} is missing"));
                }
                continue;
            }
            let number = || text.parse::<u64>().ok().map(Value::from);
            let schema = self.resolved(&header["schema"]);
            let value = if schema["type"] == "integer" { number() } else { None };
            let value = value.unwrap_or_else(|| Value::from(text));
            self.fits(&header["schema"], &value).map_err(|why| format!("{name}: {why}"))?;
        }
        let is_described = |name: &&str| described.keys().any(|it| it.eq_ignore_ascii_case(name));
        let mut other = MEANT.iter().filter(|name| !answer.header(name).is_empty());
        match other.find(|name| !is_described(name)) {
            Some(name) => Err(format!("the header {name} is not described")),
            None => Ok(()),
        }
    }

    /// What a reference leads to.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let pointer = reference.strip_prefix('#').expect("a reference within the description");
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validator(schema);
        validator.validate(value).map_err(|why| format!("{}: {why}", why.instance_path()))
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let key = schema.to_string();
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return found.clone();
        }
        let mut whole = schema.clone();
        whole["components"]["schemas"] = self.closed.clone();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let made = options.build(&whole).unwrap_or_else(|why| panic!("{key}: {why}"));
        let made = Arc::new(made);
        known.insert(key, made.clone());
        made
    }
}

/// Has no object of a schema have other members than those described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && members.contains_key("type") {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a path is one of a template such as `/api/v1/locks/{resource}`.
fn fits_path(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(wanted, segment)| match wanted.starts_with('{') {
            true => !segment.is_empty(),
            false => wanted == segment,
        })
}
