//! Sessions and resources as REST shows them, in the original's shapes (protocol, section 2):
//! written in pieces, for some have 100 000 tickets.

use std::iter::once;

use crate::machine::{Fence, ResourceView, SessionView, TicketView};

use super::json::json;
use super::rest::{SessionShape, TicketShape, Told, lock, party};

/// What is larger is the last of its piece, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// The end of a session without tickets.
const NO_TICKETS: &str = "],\"Issuances\":[]}";

/// A session, in pieces. `left` knows what is left of claims, in ms.
pub fn session(
    view: SessionView,
    told: Told,
    left: impl Fn(Fence) -> Option<u32> + Clone + Send,
) -> impl Iterator<Item = String> + Send {
    let SessionView { info, claims, issued, locks } = view;
    let mut head = json(&SessionShape::new(&info, told));
    debug_assert!(head.ends_with(NO_TICKETS));
    head.truncate(head.len() - NO_TICKETS.len());
    let told = told.of_others();
    let ticket = move |view: TicketView| json(&ticket(&view, told, &left));
    let claims = claims.into_iter().map(ticket.clone());
    let locks = locks
        .into_iter()
        .map(move |name| json(&lock(name.as_str(), name.as_str(), SessionShape::new(&info, told))));
    let issued = locks.chain(issued.into_iter().map(ticket));
    pieces(
        once(head)
            .chain(separated(claims))
            .chain(once("],\"Issuances\":[".to_owned()))
            .chain(separated(issued))
            .chain(once("]}".to_owned())),
    )
}

/// A resource, in pieces. Its tickets are written as they come. Of a lock the first holder is under
/// its name, and further ones with their fences. `left` knows what is left of claims, in ms.
pub fn resource(
    view: ResourceView,
    told: Told,
    left: impl Fn(Fence) -> Option<u32> + Send,
) -> impl Iterator<Item = String> + Send {
    let ResourceView { name, is_lock, holders, tickets } = view;
    let head = format!("{{\"Name\":{},\"IsLock\":{is_lock},\"Tickets\":{{", json(&name.as_str()));
    let held = holders.into_iter().enumerate().map(move |(at, (holder, Fence(fence)))| {
        let entry = match at {
            0 => name.as_str().to_owned(),
            _ => format!("{name} ({fence})"),
        };
        member(&entry, &lock(&entry, name.as_str(), party(&holder, told)))
    });
    let tickets = tickets
        .into_iter()
        .map(move |view| member(view.ticket.as_str(), &ticket(&view, told, &left)));
    pieces(once(head).chain(separated(held.chain(tickets))).chain(once("}}".to_owned())))
}

fn ticket(view: &TicketView, told: Told, left: impl Fn(Fence) -> Option<u32>) -> TicketShape {
    let left_ms = view.claim.as_ref().and_then(|&(_, fence)| left(fence));
    TicketShape::new(view, left_ms, told)
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
    use crate::machine::{
        Data, Name, Party, SessionId, SessionInfo, SessionName, TicketState, Ttl,
    };

    fn nothing(_: Fence) -> Option<u32> {
        None
    }

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
            issuer: Party::Here(info("a")),
            claim: None,
            state: TicketState::Free,
            number: 1,
            priority: 0,
            stays: false,
            attempt: 1,
            hold_ms: None,
            note: None,
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
            session(empty.clone(), Told::Everything, nothing).collect::<String>(),
            format!("{head}]}}")
        );
        let issuer = format!(r#"{{"Name":"a",{NOBODY}"Tickets":[],"Issuances":[]}}"#);
        let full = SessionView { locks, issued: vec![view("j")], ..empty };
        let holder = format!("{head}]}}");
        assert_eq!(
            session(full, Told::Everything, nothing).collect::<String>(),
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
        let empty = ResourceView { name, is_lock: false, holders: Vec::new(), tickets: Vec::new() };
        let head = r#"{"Name":"jobs","IsLock":false,"Tickets":{"#;
        assert_eq!(
            resource(empty.clone(), Told::Everything, nothing).collect::<String>(),
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
        assert_eq!(resource(two, Told::Everything, nothing).collect::<String>(), text);
        let holders = vec![(Party::Here(info("a")), Fence(1))];
        let lock = ResourceView { is_lock: true, holders, ..empty.clone() };
        let text = resource(lock, Told::Everything, nothing).collect::<String>();
        let held = r#""jobs":{"Name":"jobs","ResourceName":"jobs","Data":"","Issuer":{"Name":"a","#;
        let head = r#"{"Name":"jobs","IsLock":true,"Tickets":{"#;
        assert!(text.starts_with(&format!("{head}{held}")), "{text}");
        let gone = Party::Gone(SessionName::parse("b").unwrap());
        let holders = vec![(Party::Here(info("a")), Fence(1)), (gone, Fence(7))];
        let shared = ResourceView { is_lock: true, holders, ..empty };
        let text = resource(shared, Told::Everything, nothing).collect::<String>();
        assert!(text.starts_with(&format!("{head}{held}")), "{text}");
        let further = r#"},"jobs (7)":{"Name":"jobs (7)","ResourceName":"jobs","Data":"","Issuer":{
            "Name":"b","Id":"","Src":"","Ttl":0,"#;
        assert!(text.contains(&further.replace("\n            ", "")), "{text}");
    }

    #[test]
    fn what_is_counted_and_timed_is_shown_of_what_stays_or_is_held() {
        let held = TicketView {
            claim: Some((Party::Here(info("b")), Fence(7))),
            state: TicketState::Held,
            attempt: 3,
            hold_ms: Some(5000),
            ..view("a")
        };
        let left = |fence| (fence == Fence(7)).then_some(400);
        let written = |view: &TicketView| json(&ticket(view, Told::Nothing, left));
        let text = written(&held);
        assert!(text.ends_with(r#","Attempt":3,"Hold":5000,"Left":400}"#), "{text}");
        let stays = TicketView { stays: true, ..view("a") };
        assert!(written(&stays).ends_with(r#""Claimant":null,"Attempt":1}"#));
        // A plain ticket looks as ever, also when its claimant is gone.
        let gone = Some((Party::Gone(SessionName::parse("b").unwrap()), Fence(7)));
        let plain = written(&TicketView { claim: gone, ..view("a") });
        assert!(!plain.contains("Attempt") && !plain.contains("Left"), "{plain}");
        assert!(plain.contains(r#""Claimant":{"Name":"b","Id":"","Src":"","Ttl":0,"#), "{plain}");
    }

    #[test]
    fn much_comes_in_pieces() {
        let name = Name::parse("jobs").unwrap();
        let tickets = (0..10_000).map(|number| view(&format!("job-{number:05}"))).collect();
        let much = ResourceView { name, is_lock: false, holders: Vec::new(), tickets };
        let pieces: Vec<String> = resource(much, Told::Everything, nothing).collect();
        assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() < 2 * PIECE_BYTES));
        let value: serde_json::Value = serde_json::from_str(&pieces.concat()).unwrap();
        assert_eq!(value["Tickets"].as_object().map(serde_json::Map::len), Some(10_000));
    }
}
