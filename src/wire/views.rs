//! Sessions and resources as REST shows them, in the original's shapes (protocol, section 2):
//! written in pieces, for some have 100 000 tickets.

use std::iter::once;

use crate::machine::{ResourceView, SessionView, TicketView};

use super::json::json;
use super::rest::{SessionShape, TicketShape, Told, lock};

/// What is larger is the last of its piece, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// The end of a session without tickets.
const NO_TICKETS: &str = "],\"Issuances\":[]}";

/// A session, in pieces.
pub fn session(view: SessionView, told: Told) -> impl Iterator<Item = String> + Send {
    let SessionView { info, claims, issued, locks } = view;
    let mut head = json(&SessionShape::new(&info, told));
    debug_assert!(head.ends_with(NO_TICKETS));
    head.truncate(head.len() - NO_TICKETS.len());
    let told = told.of_others();
    let ticket = move |view| ticket(view, told);
    let claims = claims.into_iter().map(ticket);
    let locks = locks.into_iter().map(move |name| json(&lock(name.as_str(), &info, told)));
    let issued = locks.chain(issued.into_iter().map(ticket));
    pieces(
        once(head)
            .chain(separated(claims))
            .chain(once("],\"Issuances\":[".to_owned()))
            .chain(separated(issued))
            .chain(once("]}".to_owned())),
    )
}

/// A resource, in pieces. Its tickets are written as they come.
pub fn resource(view: ResourceView, told: Told) -> impl Iterator<Item = String> + Send {
    let ResourceView { name, is_lock, holder, tickets } = view;
    let name = name.as_str();
    let head = format!("{{\"Name\":{},\"IsLock\":{is_lock},\"Tickets\":{{", json(&name));
    let held = holder.map(|(holder, _)| member(name, &lock(name, &holder, told)));
    let tickets = tickets
        .into_iter()
        .map(move |ticket| member(ticket.ticket.as_str(), &TicketShape::new(&ticket, told)));
    pieces(
        once(head).chain(separated(held.into_iter().chain(tickets))).chain(once("}}".to_owned())),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it is dropped when it is written")]
fn ticket(view: TicketView, told: Told) -> String {
    json(&TicketShape::new(&view, told))
}

fn member(name: &str, ticket: &TicketShape) -> String {
    format!("{}:{}", json(&name), json(ticket))
}

fn separated(texts: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    texts.enumerate().map(|(number, text)| if number == 0 { text } else { format!(",{text}") })
}

/// Joins texts to pieces.
fn pieces(mut texts: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || {
        let mut piece = texts.next()?;
        while piece.len() < PIECE_BYTES {
            let Some(text) = texts.next() else { break };
            piece.push_str(&text);
        }
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::machine::{Data, Fence, Name, SessionId, SessionInfo, SessionName, Ttl};

    fn info(name: &str) -> Arc<SessionInfo> {
        Arc::new(SessionInfo {
            id: SessionId([0; 20]),
            name: SessionName::parse(name).unwrap(),
            ttl: Ttl::new(5000).unwrap(),
            source: "here".into(),
        })
    }

    fn view(name: &str) -> TicketView {
        TicketView {
            resource: Name::parse("jobs").unwrap(),
            ticket: Name::parse(name).unwrap(),
            data: Data::new(b"x").unwrap(),
            issuer: info("a"),
            claim: None,
        }
    }

    const NOBODY: &str = r#""Id":"000000000000000000000000000","Src":"here","Ttl":5000,"#;

    #[test]
    fn a_session_reads_as_in_the_original() {
        let (locks, none) = (vec![Name::parse("\"db\"").unwrap()], Vec::new());
        let empty = SessionView {
            info: info("a\"b"),
            claims: none.clone(),
            issued: none,
            locks: Vec::new(),
        };
        let head = format!(r#"{{"Name":"a\"b",{NOBODY}"Tickets":[],"Issuances":["#);
        assert_eq!(
            session(empty.clone(), Told::Everything).collect::<String>(),
            format!("{head}]}}")
        );
        let issuer = format!(r#"{{"Name":"a",{NOBODY}"Tickets":[],"Issuances":[]}}"#);
        let full = SessionView { locks, issued: vec![view("j")], ..empty };
        let holder = format!("{head}]}}");
        assert_eq!(
            session(full, Told::Everything).collect::<String>(),
            format!(
                "{head}{{\"Name\":\"\\\"db\\\"\",\"ResourceName\":\"\\\"db\\\"\",\"Data\":\"\",\
                 \"Issuer\":{holder},\"Claimant\":null}},\
                 {{\"Name\":\"j\",\"ResourceName\":\"jobs\",\"Data\":\"eA==\",\
                 \"Issuer\":{issuer},\"Claimant\":null}}]}}"
            )
        );
    }

    #[test]
    fn a_resource_reads_as_in_the_original() {
        let name = Name::parse("jobs").unwrap();
        let empty = ResourceView { name, is_lock: false, holder: None, tickets: Vec::new() };
        let head = r#"{"Name":"jobs","IsLock":false,"Tickets":{"#;
        assert_eq!(
            resource(empty.clone(), Told::Everything).collect::<String>(),
            format!("{head}}}}}")
        );
        let two = ResourceView { tickets: vec![view("a"), view("b")], ..empty.clone() };
        let ticket = |name| {
            let issuer = format!(r#"{{"Name":"a",{NOBODY}"Tickets":[],"Issuances":[]}}"#);
            format!(
                "\"{name}\":{{\"Name\":\"{name}\",\"ResourceName\":\"jobs\",\"Data\":\"eA==\",\
                 \"Issuer\":{issuer},\"Claimant\":null}}"
            )
        };
        let text = format!("{head}{},{}}}}}", ticket("a"), ticket("b"));
        assert_eq!(resource(two, Told::Everything).collect::<String>(), text);
        let lock = ResourceView { is_lock: true, holder: Some((info("a"), Fence(1))), ..empty };
        let text = resource(lock, Told::Everything).collect::<String>();
        let held = r#""jobs":{"Name":"jobs","ResourceName":"jobs","Data":"","Issuer":{"Name":"a","#;
        let head = r#"{"Name":"jobs","IsLock":true,"Tickets":{"#;
        assert!(text.starts_with(&format!("{head}{held}")), "{text}");
    }

    #[test]
    fn much_comes_in_pieces() {
        let name = Name::parse("jobs").unwrap();
        let tickets = (0..10_000).map(|number| view(&format!("job-{number:05}"))).collect();
        let much = ResourceView { name, is_lock: false, holder: None, tickets };
        let pieces: Vec<String> = resource(much, Told::Everything).collect();
        assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() < 2 * PIECE_BYTES));
        let value: serde_json::Value = serde_json::from_str(&pieces.concat()).unwrap();
        assert_eq!(value["Tickets"].as_object().map(serde_json::Map::len), Some(10_000));
    }
}
