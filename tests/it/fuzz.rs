//! Garbage: whatever comes in is answered or closes the socket as the contract says, and costs
//! nobody else anything. `TICKETD_SEED=n` repeats what failed.

mod draw;
mod garbage;
mod raw;

use serde_json::Value;
use ticketd::machine::NUMBER_END;
use ticketd::wire::Code;
use ticketd::wire::socket::{NoObject, read};

use crate::faults::Seed;
use crate::rng::Rng;

/// Texts that are read.
const TEXTS: usize = 150_000;

/// What is said of all texts is true of this one.
fn check(text: &str) -> Result<(), String> {
    let request = read(text);
    let is_object = draw::is_object(text);
    let parsed = serde_json::from_str::<Value>(text).ok();
    if let Some(value) = &parsed
        && value.is_object() != is_object
    {
        return Err("two opinions on whether this is an object".to_owned());
    }
    let request = match request {
        Ok(request) if is_object => request,
        Ok(request) => return Err(format!("is no object but {request:?}")),
        Err(NoObject) if is_object => return Err("is an object".to_owned()),
        Err(NoObject) => return Ok(()),
    };
    if let Some(value) = parsed {
        let id = whole(&value["id"]);
        if request.id != id {
            return Err(format!("has id {id:?}, not {:?}", request.id));
        }
    }
    match &request.op {
        Ok(op) if request.id.is_none() => Err(format!("{op:?} without an id")),
        Err(problem) if !matches!(problem.code, Code::BadRequest | Code::TooLarge) => {
            Err(format!("{problem:?}"))
        }
        Err(problem) if problem.detail.is_empty() || problem.detail.contains('\n') => {
            Err(format!("{problem:?} is not one line"))
        }
        _ => Ok(()),
    }
}

/// An integer that a client may use, however it is written.
fn whole(value: &Value) -> Option<u64> {
    let float = value.as_f64().filter(|float| float.fract() == 0.0 && *float >= 0.0);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole")]
    let id = value.as_u64().or(float.map(|float| float as u64));
    id.filter(|&id| id < NUMBER_END)
}

#[test]
fn any_object_is_a_request_and_nothing_else_is() {
    let seed = Seed::or(3);
    let mut rng = Rng::new(seed.0);
    let (mut objects, mut asked, mut strange) = (0, 0, 0);
    for n in 0..TEXTS {
        let text = draw::frame(&mut rng);
        if let Err(why) = check(&text) {
            panic!("text {n} {why}: {text:?}");
        }
        let request = read(&text).ok();
        objects += usize::from(request.is_some());
        asked += usize::from(request.is_some_and(|request| request.op.is_ok()));
        strange +=
            usize::from(draw::is_object(&text) && serde_json::from_str::<Value>(&text).is_err());
    }
    println!("{TEXTS} texts: {objects} objects, {asked} of them made sense; {strange} no tree");
    for count in [objects, asked, strange, TEXTS - objects] {
        assert!(count > TEXTS / 100, "the draw is one-sided");
    }
}

/// Whatever nobody can hold in memory is still an object, and its id is echoed where it has one.
#[test]
fn strange_objects_are_answered_by_their_id() {
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    for (text, id) in [
        (r#"{"id":7,"ticket":1e400}"#.to_owned(), Some(7)),
        (r#"{"id":7,"op":"\ud800"}"#.to_owned(), Some(7)),
        (r#"{"id":1e400,"op":"beat"}"#.to_owned(), None),
        (r#"{"id":7,"op":"\ud800","id":8}"#.to_owned(), Some(8)),
        (r#"{"\ud800":1,"id":7,"op":"\ud800"}"#.to_owned(), Some(7)),
        (r#"{"id":-1,"id":9,"op":"beat"}"#.to_owned(), Some(9)),
        (format!(r#"{{"id":7,"op":{deep}}}"#), Some(7)),
        (format!(r#"{{"id":{deep},"op":"beat"}}"#), None),
    ] {
        let request = read(&text).expect("an object");
        assert_eq!(request.id, id, "{}", &text[..text.len().min(60)]);
        let made_sense = id == Some(9);
        assert_eq!(request.op.is_ok(), made_sense, "{:?}", request.op);
    }
}
