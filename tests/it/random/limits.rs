//! What the protocol limits (protocol, section 6) is refused when it is used up, and not before;
//! alone, without the model.

use ticketd::machine::{
    Command, Conduct, Data, Event, FORGET_SLICE, Fence, HOLDS_MAX, ISSUED_MAX, Limit, LockAsk,
    Machine, Name, Reach, Refusal, Reply, RequestId, SessionId, SessionName, TICKETS_MAX,
    TicketTerms, Ttl, WAITERS_MAX, WAITS_MAX, WATCHES_MAX, WaitOrigin, WaitRequest, WaitTimeout,
};

use super::targets::name;

const SOCKET: WaitRequest =
    WaitRequest { origin: WaitOrigin::Socket, timeout: WaitTimeout::Session };

/// A machine to talk to without ceremony.
struct Desk {
    machine: Machine,
    events: Vec<Event>,
}

impl Desk {
    /// With sessions 1 to `sessions`.
    fn new(sessions: u8) -> Self {
        let mut desk = Self { machine: Machine::new(), events: Vec::new() };
        for number in 1..=sessions {
            let name = SessionName::parse("").expect("may be empty");
            let ttl = Ttl::new(5000).expect("is a ttl");
            let source = "192.0.2.1:4711".into();
            let (session, conduct) = (session(number), Conduct::default());
            desk.must(&Command::Open { session, name, ttl, source, conduct });
        }
        desk
    }

    /// What `command` answers; its events are left in `events`, alone.
    fn ask(&mut self, command: &Command) -> Result<Reply, Refusal> {
        self.events.clear();
        let reply = self.machine.apply(command, &mut self.events).reply;
        self.events.retain(|event| !event.is_internal());
        reply
    }

    fn must(&mut self, command: &Command) -> Reply {
        match self.ask(command) {
            Ok(reply) => reply,
            Err(refusal) => panic!("{command:?} is refused: {refusal}"),
        }
    }

    fn granted(&mut self, command: &Command) {
        assert!(matches!(self.must(command), Reply::Granted { .. }), "{command:?}");
    }

    fn queued(&mut self, command: &Command) {
        assert!(matches!(self.must(command), Reply::Queued { .. }), "{command:?}");
    }

    fn limited(&mut self, command: &Command, count: Limit) {
        assert_eq!(self.ask(command), Err(Refusal::Limit(count)), "{command:?}");
        assert_eq!(self.events, []);
    }
}

fn session(number: u8) -> SessionId {
    SessionId([number; 20])
}

fn numbered(number: usize) -> Name {
    name(&format!("n{number}"))
}

fn lock(who: u8, resource: &Name, wait_request: Option<WaitRequest>) -> Command {
    let (session, resource, ask) = (session(who), resource.clone(), LockAsk::default());
    Command::Lock { session, resource, wait_request, ask }
}

fn unlock(who: u8, resource: &Name) -> Command {
    let (session, resource) = (session(who), resource.clone());
    Command::Unlock { session, resource, fence: None, by_socket: true }
}

fn issue(who: u8, resource: &Name, ticket: &Name) -> Command {
    let (session, resource, ticket) = (session(who), resource.clone(), ticket.clone());
    let data = Data::new(b"").expect("is short");
    let (notify, terms) = (false, TicketTerms::default());
    Command::Issue { session, resource, ticket, data, notify, terms }
}

fn claim(
    who: u8,
    resource: &Name,
    ticket: Option<&Name>,
    wait_request: Option<WaitRequest>,
) -> Command {
    let (session, resource, ticket) = (session(who), resource.clone(), ticket.cloned());
    Command::Claim { session, resource, ticket, wait_request, again: false, hold_ms: None }
}

fn request(number: u64) -> WaitRequest {
    WaitRequest {
        origin: WaitOrigin::Request(RequestId::alone(number)),
        timeout: WaitTimeout::Ms(1),
    }
}

#[test]
fn holds() {
    let mut desk = Desk::new(2);
    let set = name("set");
    for number in 0..HOLDS_MAX {
        if number % 2 == 0 {
            desk.granted(&lock(1, &numbered(number), None));
        } else {
            desk.must(&issue(2, &set, &numbered(number)));
            desk.granted(&claim(1, &set, None, None));
        }
    }
    let (more, other, last) = (name("more"), name("other"), name("last"));
    desk.must(&issue(2, &set, &more));
    desk.limited(&lock(1, &other, None), Limit::Holds);
    desk.limited(&lock(1, &other, Some(SOCKET)), Limit::Holds);
    desk.limited(&claim(1, &set, None, None), Limit::Holds);
    desk.limited(&claim(1, &set, Some(&more), None), Limit::Holds);
    // What is held is still confirmed, and what is not free can be waited for.
    desk.granted(&lock(1, &numbered(0), None));
    desk.granted(&claim(1, &set, Some(&numbered(1)), None));
    desk.granted(&lock(2, &other, None));
    desk.queued(&lock(1, &other, Some(SOCKET)));
    desk.must(&unlock(2, &other));
    assert!(matches!(desk.events[..], [Event::Granted { .. }]), "a wait is granted nevertheless");
    // One over now: two must go before one more comes.
    desk.must(&unlock(1, &numbered(0)));
    desk.limited(&lock(1, &last, None), Limit::Holds);
    desk.must(&unlock(1, &numbered(2)));
    desk.granted(&lock(1, &last, None));
    desk.granted(&lock(2, &numbered(0), None));
    desk.machine.check();
}

#[test]
fn waits() {
    let mut desk = Desk::new(3);
    let set = name("set");
    for number in 0..WAITS_MAX {
        let resource = numbered(number);
        desk.granted(&lock(2, &resource, None));
        desk.queued(&lock(1, &resource, Some(SOCKET)));
    }
    let held = name("held");
    desk.granted(&lock(3, &held, None));
    desk.limited(&lock(1, &held, Some(SOCKET)), Limit::Waits);
    desk.limited(&lock(1, &held, Some(request(1))), Limit::Waits);
    desk.limited(&claim(1, &set, None, Some(SOCKET)), Limit::Waits);
    desk.limited(&claim(1, &set, Some(&held), Some(SOCKET)), Limit::Waits);
    // Without a wait nothing is used up, nor by another way to the same place.
    assert_eq!(desk.must(&lock(1, &held, None)), Reply::NotGranted);
    desk.queued(&lock(1, &numbered(0), Some(request(2))));
    desk.granted(&lock(1, &name("free"), Some(SOCKET)));
    desk.must(&unlock(2, &numbered(0)));
    desk.queued(&lock(1, &held, Some(SOCKET)));
    desk.limited(&claim(1, &set, None, Some(SOCKET)), Limit::Waits);
    desk.machine.check();
}

#[test]
fn watches() {
    let mut desk = Desk::new(2);
    let watch = |who, resource, changes| {
        let session = session(who);
        Command::Watch { session, resource, changes }
    };
    for number in 0..WATCHES_MAX {
        desk.must(&watch(1, numbered(number), false));
    }
    let more = name("more");
    desk.limited(&watch(1, more.clone(), false), Limit::Watches);
    desk.must(&watch(2, more.clone(), false));
    // To watch again is to watch otherwise.
    desk.must(&watch(1, numbered(5), true));
    assert!(desk.machine.watchers("n5").eq([(session(1), true)]));
    desk.must(&Command::Unwatch { session: session(1), resource: numbered(5) });
    desk.must(&watch(1, more, false));
    assert!(desk.machine.watchers("more").eq([(session(2), false), (session(1), false)]));
    desk.machine.check();
}

#[test]
fn issued() {
    let mut desk = Desk::new(2);
    let (set, other) = (name("set"), name("other"));
    for number in 0..ISSUED_MAX {
        desk.must(&issue(1, &set, &numbered(number)));
    }
    let more = name("more");
    desk.must(&issue(2, &set, &more));
    desk.limited(&issue(1, &other, &more), Limit::Issued);
    desk.limited(&issue(1, &set, &more), Limit::Issued);
    desk.must(&issue(1, &set, &numbered(0)));
    // Taken over by another, it makes room.
    desk.must(&issue(2, &set, &numbered(0)));
    desk.must(&issue(1, &set, &more));
    desk.limited(&issue(1, &set, &numbered(0)), Limit::Issued);
    let (session, resource, ticket) = (session(2), set.clone(), numbered(7));
    let (reach, fence) = (Reach::Any, None);
    desk.must(&Command::Revoke { session, resource, ticket, reach, fence });
    desk.must(&issue(1, &other, &more));
    assert_eq!(desk.machine.counts().tickets, ISSUED_MAX + 1);
    desk.machine.check();
}

#[test]
fn tickets() {
    let sessions = u8::try_from(TICKETS_MAX / ISSUED_MAX).expect("is small");
    let mut desk = Desk::new(sessions + 1);
    let (set, other, more) = (name("set"), name("other"), name("more"));
    for number in 0..TICKETS_MAX {
        let who = u8::try_from(number / ISSUED_MAX).expect("is small") + 1;
        desk.must(&issue(who, &set, &numbered(number)));
    }
    let late = sessions + 1;
    desk.limited(&issue(late, &set, &more), Limit::Tickets);
    desk.must(&issue(late, &other, &more));
    // The session's own count is looked at first; and what is there may be taken over.
    desk.limited(&issue(1, &set, &more), Limit::Issued);
    desk.must(&issue(late, &set, &numbered(7)));
    desk.limited(&issue(1, &set, &more), Limit::Tickets);
    let (session, resource, ticket) = (session(late), set.clone(), numbered(7));
    let (reach, fence) = (Reach::Any, None);
    desk.must(&Command::Revoke { session, resource, ticket, reach, fence });
    desk.must(&issue(1, &set, &more));
    assert_eq!(desk.machine.counts().tickets, TICKETS_MAX + 1);
}

#[test]
fn waiters() {
    let sessions = u8::try_from(WAITERS_MAX / WAITS_MAX).expect("is small");
    let mut desk = Desk::new(sessions + 1);
    let (set, ticket) = (name("set"), name("ticket"));
    for who in 1..=sessions {
        desk.queued(&claim(who, &set, None, Some(request(u64::from(who)))));
        desk.queued(&claim(who, &set, Some(&ticket), Some(SOCKET)));
        for _ in 2..WAITS_MAX {
            desk.queued(&claim(who, &set, None, Some(SOCKET)));
        }
    }
    let late = sessions + 1;
    desk.limited(&claim(late, &set, None, Some(SOCKET)), Limit::Waiters);
    desk.limited(&claim(late, &set, Some(&ticket), Some(request(1000))), Limit::Waiters);
    // The session's own count is looked at first; and who has a place may join it.
    desk.limited(&claim(1, &set, None, Some(SOCKET)), Limit::Waits);
    let places = desk.machine.counts().waits;
    desk.queued(&claim(1, &set, None, Some(request(1001))));
    desk.queued(&claim(2, &set, Some(&ticket), Some(request(1002))));
    assert_eq!(desk.machine.counts().waits, places);
    desk.queued(&claim(late, &name("elsewhere"), None, Some(SOCKET)));
    // One is served, and the late one stands at the very end.
    desk.must(&issue(late, &set, &name("any")));
    let reply = desk.must(&claim(late, &set, None, Some(SOCKET)));
    let end = u32::try_from(WAITERS_MAX).expect("is small");
    assert!(matches!(reply, Reply::Queued { position, .. } if position == end), "{reply:?}");
    desk.limited(&claim(late, &set, None, Some(SOCKET)), Limit::Waiters);
    desk.machine.check();
}

/// Not a limit on anybody: a slice keeps the step short when much is forgotten.
#[test]
fn forgetting_goes_in_slices() {
    let mut desk = Desk::new(1);
    let many = 2 * FORGET_SLICE + 10;
    for number in 0..many {
        desk.granted(&lock(1, &numbered(number), None));
        desk.must(&unlock(1, &numbered(number)));
    }
    let mark = desk.machine.emptied_mark();
    assert_eq!(usize::try_from(mark), Ok(many));
    // One is used again and emptied again: it is the youngest then, and beyond the mark.
    desk.granted(&lock(1, &numbered(0), None));
    desk.must(&unlock(1, &numbered(0)));
    let forget = Command::Forget { up_to: mark };
    assert_eq!(desk.must(&forget), Reply::Forgotten { more: true });
    assert_eq!(desk.machine.counts().resources, many - FORGET_SLICE);
    for (number, known) in [(0, true), (1, false), (FORGET_SLICE, false), (FORGET_SLICE + 1, true)]
    {
        let found = desk.machine.resource_view(numbered(number).as_str());
        assert_eq!(found.is_some(), known, "{number}");
    }
    assert_eq!(desk.must(&forget), Reply::Forgotten { more: true });
    assert_eq!(desk.must(&forget), Reply::Forgotten { more: false });
    assert_eq!(desk.must(&forget), Reply::Forgotten { more: false });
    assert_eq!(desk.machine.counts().resources, 1);
    desk.must(&Command::Boot { fence: Fence(1) });
    desk.machine.check();
}
