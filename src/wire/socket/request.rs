//! Requests. Whatever is a JSON object gets an answer; what is wrong with it is told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use serde_json::value::RawValue;

use crate::machine::{
    DATA_MAX_BYTES, Data, Fence, NUMBER_END, Name, SessionName, Ttl, WAIT_MAX_MS, WaitId,
    WaitTimeout,
};
use crate::wire::id::{read_id, write_id};
use crate::wire::json::Object;
use crate::wire::problem::Problem;
use crate::wire::query;

use super::members::{Members, Odd, Value};
use super::op::{Hello, NoObject, Op, Request, ShownToken, Who};
use super::ticket::write_data;

/// Reads a frame.
///
/// # Errors
/// When it is no JSON object; everything else is told in the request.
pub fn read(text: &str) -> Result<Request, NoObject> {
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(members) => Ok(members.request()),
        // Perhaps an object all the same, with a number or a string that nobody can hold.
        Err(_) => {
            // Checks the strings' characters too, which reading them as bytes does not.
            let _: &RawValue = serde_json::from_str(text).map_err(|_| NoObject)?;
            let Odd(members) = serde_json::from_str(text).map_err(|_| NoObject)?;
            Ok(members.request())
        }
    }
}

impl<'a> Members<'a> {
    fn request(self) -> Request {
        let id = match self.id {
            Value::Whole(id) if id < NUMBER_END => Some(id),
            _ => None,
        };
        let is_hello = matches!(&self.op, Value::Text(op) if op == "hello");
        let op = match id {
            Some(_) if self.out_of_range => {
                Err(Problem::bad("a number or a string is out of range"))
            }
            Some(_) => self.op(),
            // Which answer would belong to it, the client could not tell: nothing is done.
            None => Err(Problem::bad("id must be an integer from 0 to 2^53-1")),
        };
        Request { id, is_hello, op }
    }

    fn op(self) -> Result<Op, Problem> {
        let Value::Text(op) = &self.op else {
            return Err(Problem::bad("op is missing"));
        };
        Ok(match &**op {
            "hello" => Op::Hello(self.hello()?),
            "auth" => match self.shown()? {
                Some(token) => Op::Auth { token },
                None => return Err(Problem::bad("token is missing")),
            },
            "beat" => Op::Beat,
            "session" => Op::Session,
            "bye" => Op::Bye,
            "lock" => Op::Lock { resource: self.resource()?, wait: self.wait()? },
            "unlock" => Op::Unlock { resource: self.resource()?, fence: self.fence()? },
            "claim" => {
                let ticket = match self.ticket {
                    Value::Missing => None,
                    _ => Some(self.ticket()?),
                };
                Op::Claim { resource: self.resource()?, ticket, wait: self.wait()? }
            }
            "release" => {
                let (resource, ticket) = (self.resource()?, self.ticket()?);
                Op::Release { resource, ticket, fence: self.fence()? }
            }
            "issue" => {
                let (resource, ticket) = (self.resource()?, self.ticket()?);
                let notify = flag(&self.notify, "notify")?;
                Op::Issue { resource, ticket, data: self.data()?, notify }
            }
            "revoke" => Op::Revoke { resource: self.resource()?, ticket: self.ticket()? },
            "cancel" => match self.wait {
                Value::Whole(wait) => Op::Cancel { wait: WaitId(wait) },
                _ => return Err(Problem::bad("wait must be the number of a wait")),
            },
            "watch" => {
                let changes = flag(&self.changes, "changes")?;
                Op::Watch { resource: self.resource()?, changes }
            }
            "unwatch" => Op::Unwatch { resource: self.resource()? },
            _ => return Err(Problem::bad("op is unknown")),
        })
    }

    fn hello(&self) -> Result<Hello, Problem> {
        let beat = match &self.liveness {
            Value::Missing => false,
            Value::Text(way) if way == "ping" => false,
            Value::Text(way) if way == "beat" => true,
            _ => return Err(Problem::bad("liveness must be \"ping\" or \"beat\"")),
        };
        let who = match &self.session {
            Value::Missing => Who::New { name: self.name()?, ttl: self.ttl()? },
            Value::Text(session) => {
                let attempt = match self.attempt {
                    Value::Missing => None,
                    Value::Whole(attempt) if attempt < NUMBER_END => Some(attempt),
                    _ => return Err(Problem::bad("attempt must be an integer below 2^53")),
                };
                Who::Known { session: read_id(session), attempt }
            }
            _ => return Err(Problem::bad("session must be an id")),
        };
        Ok(Hello { beat, who, token: self.shown()? })
    }

    fn shown(&self) -> Result<Option<ShownToken>, Problem> {
        match &self.token {
            Value::Missing => Ok(None),
            Value::Text(token) => Ok(Some(ShownToken((&**token).into()))),
            _ => Err(Problem::bad("token must be a string")),
        }
    }

    fn name(&self) -> Result<SessionName, Problem> {
        let text = match &self.name {
            Value::Missing => "",
            Value::Text(text) => text,
            _ => return Err(Problem::bad("name must be a string")),
        };
        SessionName::parse(text).map_err(|why| Problem::bad(format!("name {why}")))
    }

    fn ttl(&self) -> Result<Ttl, Problem> {
        match self.ttl {
            Value::Missing => query::ttl(query::TTL_DEFAULT_MS),
            Value::Whole(ttl_ms) => query::ttl(i64::try_from(ttl_ms).unwrap_or(i64::MAX)),
            _ => query::ttl(-1),
        }
    }

    fn resource(&self) -> Result<Name, Problem> {
        text_name(&self.resource, "resource")
    }

    fn ticket(&self) -> Result<Name, Problem> {
        text_name(&self.ticket, "ticket")
    }

    fn wait(&self) -> Result<Option<WaitTimeout>, Problem> {
        match self.wait {
            Value::Missing | Value::Bool(false) | Value::Whole(0) => Ok(None),
            Value::Bool(true) => Ok(Some(WaitTimeout::Session)),
            Value::Whole(ms) => match u32::try_from(ms) {
                Ok(ms) if ms <= WAIT_MAX_MS => Ok(Some(WaitTimeout::Ms(ms))),
                _ => Err(Problem::bad("wait must be at most 86400000 ms, or true")),
            },
            Value::Text(_) | Value::Strange => {
                Err(Problem::bad("wait must be a number of ms, or true"))
            }
        }
    }

    fn fence(&self) -> Result<Option<Fence>, Problem> {
        match self.fence {
            Value::Missing => Ok(None),
            Value::Whole(fence) if fence < NUMBER_END => Ok(Some(Fence(fence))),
            _ => Err(Problem::bad("fence must be an integer below 2^53")),
        }
    }

    fn data(&self) -> Result<Data, Problem> {
        match (&self.data, &self.data64) {
            (Value::Missing, Value::Missing) => query::data(&[]),
            (Value::Text(text), Value::Missing) => query::data(text.as_bytes()),
            (Value::Missing, Value::Text(text)) => {
                if text.len() > DATA_MAX_BYTES.div_ceil(3) * 4 {
                    return Err(query::too_large());
                }
                let bytes = BASE64.decode(&**text);
                query::data(&bytes.map_err(|_| Problem::bad("data64 must be padded base64"))?)
            }
            (Value::Missing, _) => Err(Problem::bad("data64 must be a string")),
            (_, Value::Missing) => Err(Problem::bad("data must be a string")),
            _ => Err(Problem::bad("give data or data64, not both")),
        }
    }
}

fn text_name(value: &Value<'_>, what: &str) -> Result<Name, Problem> {
    match value {
        Value::Missing => Err(Problem::bad(format!("{what} is missing"))),
        Value::Text(text) => query::name(text, what),
        _ => Err(Problem::bad(format!("{what} must be a string"))),
    }
}

fn flag(value: &Value<'_>, what: &str) -> Result<bool, Problem> {
    match value {
        Value::Missing => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(Problem::bad(format!("{what} must be true or false"))),
    }
}

impl Op {
    /// Writes it as the request of that id, behind what is in the buffer.
    pub fn write(&self, id: u64, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.member("id", id).member("op", self.name());
        match self {
            Self::Hello(hello) => hello.write(&mut object),
            Self::Auth { token } => {
                object.member("token", &*token.0);
            }
            Self::Beat | Self::Session | Self::Bye => {}
            Self::Lock { resource, wait } => {
                object.member("resource", resource.as_str());
                write_wait(&mut object, *wait);
            }
            Self::Unlock { resource, fence } => {
                object.member("resource", resource.as_str());
                write_fence(&mut object, *fence);
            }
            Self::Claim { resource, ticket, wait } => {
                object.member("resource", resource.as_str());
                if let Some(ticket) = ticket {
                    object.member("ticket", ticket.as_str());
                }
                write_wait(&mut object, *wait);
            }
            Self::Release { resource, ticket, fence } => {
                object.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                write_fence(&mut object, *fence);
            }
            Self::Issue { resource, ticket, data, notify } => {
                object.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                write_data(&mut object, data);
                object.member("notify", notify);
            }
            Self::Revoke { resource, ticket } => {
                object.member("resource", resource.as_str()).member("ticket", ticket.as_str());
            }
            Self::Cancel { wait } => {
                object.member("wait", wait.0);
            }
            Self::Watch { resource, changes } => {
                object.member("resource", resource.as_str()).member("changes", changes);
            }
            Self::Unwatch { resource } => {
                object.member("resource", resource.as_str());
            }
        }
        object.end();
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Auth { .. } => "auth",
            Self::Beat => "beat",
            Self::Session => "session",
            Self::Bye => "bye",
            Self::Lock { .. } => "lock",
            Self::Unlock { .. } => "unlock",
            Self::Claim { .. } => "claim",
            Self::Release { .. } => "release",
            Self::Issue { .. } => "issue",
            Self::Revoke { .. } => "revoke",
            Self::Cancel { .. } => "cancel",
            Self::Watch { .. } => "watch",
            Self::Unwatch { .. } => "unwatch",
        }
    }
}

impl Hello {
    fn write(&self, object: &mut Object<'_>) {
        match &self.who {
            Who::New { name, ttl } => {
                object.member("name", name.as_str()).member("ttl", ttl.as_ms());
            }
            Who::Known { session, attempt } => {
                object.member("session", session.as_ref().map(write_id).unwrap_or_default());
                if let Some(attempt) = attempt {
                    object.member("attempt", attempt);
                }
            }
        }
        object.member("liveness", if self.beat { "beat" } else { "ping" });
        if let Some(token) = &self.token {
            object.member("token", &*token.0);
        }
    }
}

fn write_wait(object: &mut Object<'_>, wait: Option<WaitTimeout>) {
    match wait {
        None => {}
        Some(WaitTimeout::Session) => {
            object.member("wait", true);
        }
        Some(WaitTimeout::Ms(ms)) => {
            object.member("wait", ms);
        }
    }
}

fn write_fence(object: &mut Object<'_>, fence: Option<Fence>) {
    if let Some(Fence(fence)) = fence {
        object.member("fence", fence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn op(text: &str) -> Result<Op, String> {
        read(text).unwrap().op.map_err(|problem| problem.detail)
    }

    #[test]
    fn unknown_members_are_ignored_however_deep_and_the_last_of_a_name_counts() {
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        let text = format!(r#"{{"id":1,"x":{deep},"op":"lock","resource":"a","resource":"b"}}"#);
        assert_eq!(op(&text), Ok(Op::Lock { resource: name("b"), wait: None }));
        assert_eq!(op(r#"{"id":1,"op":"beat","ttl":"soon","wait":{}}"#), Ok(Op::Beat));
        assert_eq!(op(r#"{"\u0069d":1,"op":"b\u0065at"}"#), Ok(Op::Beat));
    }

    /// `"id":1e3` was answered `"id":null`, so that the asker waited for ever. JSON has one kind of
    /// number: 1000, 1000.0 and 1e3 are the same.
    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (id, number) in [
            ("1e3", 1000),
            ("1.0", 1),
            ("10.50e1", 105),
            ("0.0", 0),
            ("-0", 0),
            ("9007199254740991.0", NUMBER_END - 1),
            ("9.007199254740991e15", NUMBER_END - 1),
        ] {
            let request = read(&format!(r#"{{"id":{id},"op":"beat"}}"#)).unwrap();
            assert_eq!((request.id, request.op), (Some(number), Ok(Op::Beat)), "{id}");
        }
        let resource = || name("a");
        let lock = r#"{"id":1,"op":"lock","resource":"a","wait":3e4}"#;
        assert_eq!(
            op(lock),
            Ok(Op::Lock { resource: resource(), wait: Some(WaitTimeout::Ms(30_000)) })
        );
        let unlock = r#"{"id":1,"op":"unlock","resource":"a","fence":4711.0}"#;
        let fence = Some(Fence(4711));
        assert_eq!(op(unlock), Ok(Op::Unlock { resource: resource(), fence }));
        assert_eq!(
            op(r#"{"id":1,"op":"cancel","wait":1.7e1}"#),
            Ok(Op::Cancel { wait: WaitId(17) })
        );
        let hello = op(r#"{"id":1,"op":"hello","ttl":1e4}"#);
        let ttl = query::ttl(10_000).unwrap();
        let who = Who::New { name: SessionName::parse("").unwrap(), ttl };
        assert_eq!(hello, Ok(Op::Hello(Hello { beat: false, who, token: None })));
    }

    /// The whole request was refused for a lone surrogate in the name of a member that nobody
    /// reads; as a value of it the same was passed over.
    #[test]
    fn an_unknown_member_is_ignored_whatever_it_is_called() {
        for more in
            [r#""\ud800":1"#, r#""x\udc00y":{"\ud800":[]}"#, r#""x":"\ud800""#, r#""x":1e999"#]
        {
            let text = format!(r#"{{"id":1,{more},"\u006fp":"watch","resource":"\u00e9"}}"#);
            let watch = Op::Watch { resource: name("é"), changes: false };
            assert_eq!(op(&text), Ok(watch), "{more}");
        }
        // Where it counts, it is told.
        let request = read(r#"{"id":7,"\ud800":1,"op":"lock","resource":"\ud800"}"#).unwrap();
        assert_eq!((request.id, request.is_hello), (Some(7), false));
        assert_eq!(request.op.unwrap_err().detail, "a number or a string is out of range");
        // A character that JSON does not allow in a string is none in a name either.
        assert_eq!(read("{\"id\":1,\"op\":\"beat\",\"\\ud800\u{1}\":1}"), Err(NoObject));
    }

    #[test]
    fn only_proper_ids_are_echoed() {
        for id in [
            "-1",
            "1.5",
            "9007199254740992",
            "9007199254740992.0",
            "-1.0",
            "\"1\"",
            "null",
            "1e400",
        ] {
            let request = read(&format!(r#"{{"id":{id},"op":"beat"}}"#)).unwrap();
            assert_eq!(request.id, None, "{id}");
            assert!(request.op.is_err());
        }
        assert_eq!(read(r#"{"op":"beat"}"#).unwrap().id, None);
        assert_eq!(read(r#"{"id":9007199254740991,"op":"x"}"#).unwrap().id, Some(NUMBER_END - 1));
        assert_eq!(read(r#"{"id":7,"op":"\ud800"}"#).unwrap().id, Some(7));
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for text in ["", "1", "[]", "null", "{", "{}x", "{'id':1}", "\"{}\"", "{\"id\":01}"] {
            assert_eq!(read(text), Err(NoObject), "{text}");
        }
    }

    #[test]
    fn waits_are_numbers_or_true() {
        for (wait, length) in [
            ("0", Ok(None)),
            ("false", Ok(None)),
            ("null", Ok(None)),
            ("true", Ok(Some(WaitTimeout::Session))),
            ("86400000", Ok(Some(WaitTimeout::Ms(WAIT_MAX_MS)))),
            ("86400001", Err("wait must be at most 86400000 ms, or true".to_owned())),
            ("-1", Err("wait must be a number of ms, or true".to_owned())),
        ] {
            let text = format!(r#"{{"id":1,"op":"lock","resource":"a","wait":{wait}}}"#);
            let expected = length.map(|wait| Op::Lock { resource: name("a"), wait });
            assert_eq!(op(&text), expected, "{wait}");
        }
    }

    #[test]
    fn data_comes_as_text_or_as_base64() {
        let issue = |members: &str| {
            op(&format!(r#"{{"id":1,"op":"issue","resource":"a","ticket":"t",{members}}}"#))
        };
        let data = |members| match issue(members) {
            Ok(Op::Issue { data, .. }) => Ok(data.as_bytes().to_vec()),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        assert_eq!(data(r#""data":"\u00e9""#), Ok("é".as_bytes().to_vec()));
        assert_eq!(data(r#""data64":"/w==""#), Ok(vec![0xff]));
        assert!(data(r#""data64":"/w""#).is_err());
        assert!(data(r#""data":"a","data64":"YQ==""#).is_err());
        let text = "a".repeat(1025);
        assert_eq!(data(&format!(r#""data":"{text}""#)).unwrap_err(), query::too_large().detail);
    }
}
