//! Requests. Whatever is a JSON object gets an answer; what is wrong with it is told.

use serde_json::value::RawValue;

use crate::machine::{NUMBER_END, WaitId};
use crate::wire::problem::Problem;

use super::meaning::flag;
use super::members::{Members, Odd, Value};
use super::op::{NoObject, Op, Request};

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

impl Members<'_> {
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
            "lock" => self.lock()?,
            "unlock" if flag(&self.force, "force")? => {
                Op::Force { resource: self.resource()?, ticket: None, fence: self.fence()? }
            }
            "unlock" => Op::Unlock { resource: self.resource()?, fence: self.fence()? },
            "claim" => self.claim()?,
            "touch" => {
                let (resource, ticket) = (self.resource()?, self.ticket()?);
                Op::Touch { resource, ticket, fence: self.fence()?, hold_ms: self.hold()? }
            }
            "release" => self.release()?,
            "issue" => self.issue()?,
            "revoke" => {
                let (resource, ticket) = (self.resource()?, self.ticket()?);
                Op::Revoke { resource, ticket, fence: self.fence()? }
            }
            "revive" => Op::Revive { resource: self.resource()?, ticket: self.optional_ticket()? },
            "pause" => match self.paused {
                Value::Missing => return Err(Problem::bad("paused is missing")),
                _ => {
                    Op::Pause { resource: self.resource()?, paused: flag(&self.paused, "paused")? }
                }
            },
            "look" => Op::Look { resource: self.resource()?, limit: self.limit()? },
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{
        Conduct, Fence, LockAsk, Mode, Name, Parting, SessionName, TicketTerms, WAIT_MAX_MS,
        WaitTimeout,
    };
    use crate::wire::query;
    use crate::wire::socket::op::{ClaimWish, Hello, Who};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn plain_lock(resource: &str, wait: Option<WaitTimeout>) -> Op {
        let (resource, ask) = (name(resource), LockAsk::default());
        Op::Lock { resource, wait, ask, progress: false }
    }

    fn op(text: &str) -> Result<Op, String> {
        read(text).unwrap().op.map_err(|problem| problem.detail)
    }

    #[test]
    fn unknown_members_are_ignored_however_deep_and_the_last_of_a_name_counts() {
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        let text = format!(r#"{{"id":1,"x":{deep},"op":"lock","resource":"a","resource":"b"}}"#);
        assert_eq!(op(&text), Ok(plain_lock("b", None)));
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
        assert_eq!(op(lock), Ok(plain_lock("a", Some(WaitTimeout::Ms(30_000)))));
        let unlock = r#"{"id":1,"op":"unlock","resource":"a","fence":4711.0}"#;
        let fence = Some(Fence(4711));
        assert_eq!(op(unlock), Ok(Op::Unlock { resource: resource(), fence }));
        assert_eq!(
            op(r#"{"id":1,"op":"cancel","wait":1.7e1}"#),
            Ok(Op::Cancel { wait: WaitId(17) })
        );
        let hello = op(r#"{"id":1,"op":"hello","ttl":1e4}"#);
        let ttl = query::ttl(10_000).unwrap();
        let (name, conduct) = (SessionName::parse("").unwrap(), Conduct::default());
        let who = Who::New { name, ttl, conduct };
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
            let expected = length.map(|wait| plain_lock("a", wait));
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

    /// A request of an op with these members.
    fn of(op_name: &str, members: &str) -> Result<Op, String> {
        op(&format!(r#"{{"id":1,"op":"{op_name}","resource":"a",{members}}}"#))
    }

    #[test]
    fn a_lock_is_asked_for_in_one_way_at_a_time() {
        let ask = |members| match of("lock", members) {
            Ok(Op::Lock { ask, .. }) => Ok(ask),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        let plain = LockAsk::default();
        assert_eq!(ask(r#""mode":"exclusive""#), Ok(plain.clone()));
        assert_eq!(ask(r#""mode":"shared""#), Ok(LockAsk { mode: Mode::Shared, ..plain.clone() }));
        let data = Some(query::data(b"x").unwrap());
        assert_eq!(ask(r#""data":"x""#), Ok(LockAsk { data, ..plain.clone() }));
        let data = Some(query::data(b"").unwrap());
        assert_eq!(
            ask(r#""data":"","fence":7"#),
            Ok(LockAsk { data, fence: Some(Fence(7)), ..plain.clone() })
        );
        assert_eq!(ask(r#""steal":true,"wait":9"#), Ok(LockAsk { steal: true, ..plain }));
        for wrong in [
            r#""mode":"both""#,
            r#""mode":1"#,
            r#""steal":true,"mode":"shared""#,
            r#""steal":true,"fence":7"#,
            r#""steal":1"#,
            r#""data":"x","data64":"eA==""#,
            r#""progress":"yes""#,
        ] {
            assert!(ask(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn several_resources_stand_instead_of_one() {
        let claim = |members: &str| op(&format!(r#"{{"id":1,"op":"claim",{members}}}"#));
        let names = vec![name("a"), name("b")];
        let wish = ClaimWish { wait: None, hold_ms: Some(100), progress: false };
        assert_eq!(
            claim(r#""resources":["a","b"],"hold":100"#),
            Ok(Op::ClaimFirst { resources: names, wish })
        );
        let many = |count: usize| {
            let names: Vec<_> = (0..count).map(|number| format!("\"{number}\"")).collect();
            claim(&format!(r#""resources":[{}]"#, names.join(",")))
        };
        assert!(many(32).is_ok());
        for wrong in [many(0), many(33)] {
            let why = "resources must be a list of 1 to 32 different names".to_owned();
            assert_eq!(wrong, Err(why));
        }
        let deep = format!(r#""resources":["a",{}{}]"#, "[".repeat(9000), "]".repeat(9000));
        for wrong in [
            r#""resources":["a","a"]"#,
            r#""resources":["a",1]"#,
            r#""resources":["a",""]"#,
            r#""resources":["a",["b"]]"#,
            r#""resources":"a""#,
            r#""resources":["a"],"resource":"b""#,
            r#""resources":["a"],"ticket":"b""#,
            &deep,
        ] {
            assert!(claim(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn force_is_an_end_without_a_parting() {
        let force = |ticket, fence| Ok(Op::Force { resource: name("a"), ticket, fence });
        assert_eq!(of("unlock", r#""force":true"#), force(None, None));
        let (ticket, fence) = (Some(name("t")), Some(Fence(7)));
        assert_eq!(of("release", r#""ticket":"t","force":true,"fence":7"#), force(ticket, fence));
        assert!(of("release", r#""ticket":"t","force":true,"dead":true"#).is_err());
        let parting = Parting { delay_ms: 9, untried: true, ..Parting::default() };
        assert_eq!(
            of("release", r#""ticket":"t","force":false,"delay":9,"untried":true,"note":"""#),
            Ok(Op::Release { resource: name("a"), ticket: name("t"), fence: None, parting })
        );
        let long = format!(r#""ticket":"t","note":"{}""#, "n".repeat(256));
        assert!(of("release", &long).is_err());
        assert!(of("pause", r#""paused":null"#).is_err());
        assert_eq!(
            of("pause", r#""paused":false"#),
            Ok(Op::Pause { resource: name("a"), paused: false })
        );
    }

    #[test]
    fn terms_have_bounds() {
        let issue = |members: &str| of("issue", &format!(r#""ticket":"t",{members}"#));
        let terms = TicketTerms { priority: 9, attempts: Some(1000), ..TicketTerms::default() };
        match issue(r#""priority":9,"attempts":1e3"#) {
            Ok(Op::Issue { terms: read, .. }) => assert_eq!(read, terms),
            other => panic!("{other:?}"),
        }
        for wrong in [
            r#""priority":10"#,
            r#""priority":-1"#,
            r#""attempts":0"#,
            r#""attempts":1001"#,
            r#""hold":99"#,
            r#""hold":86400001"#,
            r#""hold":true"#,
            r#""delay":2592000001"#,
            r#""stay":1"#,
            r#""new":"yes""#,
        ] {
            assert!(issue(wrong).is_err(), "{wrong}");
        }
    }
}
