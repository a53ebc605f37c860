//! What the machine tells and shows, compared with what the model does.

use std::fmt::Debug;

use ticketd::machine::{
    Event, Fence, Name, ResourceView, SessionId, SessionView, TicketStateKind, TicketView,
};

use super::{History, targets};
use crate::golden::follows_a_clock;

#[track_caller]
pub(super) fn assert_same<T: Debug + PartialEq>(machine: &T, model: &T) {
    assert!(machine == model, "they differ.\nmachine: {machine:#?}\nmodel: {model:#?}");
}

/// What clients are told, and what clocks follow, each in its order.
#[track_caller]
pub(super) fn assert_same_events(machine: Vec<Event>, model: Vec<Event>) {
    let split = |events: Vec<Event>| -> (Vec<Event>, Vec<Event>) {
        let told = events.into_iter().filter(|it| !it.is_internal() || follows_a_clock(it));
        told.partition(Event::is_internal)
    };
    let ((timing, told), (expected_timing, expected)) = (split(machine), split(model));
    assert_same(&in_order(told), &in_order(expected));
    assert_same(&timing, &expected_timing);
}

/// Events as they came, with the `Changed` ones, which must come last, in order of resources.
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    let resource = |event: &Event| -> Option<Name> {
        if let Event::Changed { resource, .. } = event { Some(resource.clone()) } else { None }
    };
    let others = events.iter().take_while(|event| resource(event).is_none()).count();
    let changed = &mut events[others..];
    assert!(changed.iter().all(|event| resource(event).is_some()), "Changed comes last");
    changed.sort_by_key(resource);
    events
}

impl History {
    pub(super) fn compare_views(&mut self) {
        for name in targets::resources() {
            self.compare_resource(&name);
        }
        let (machine, model) = (&self.machine, &self.model);
        let mut names = machine.resource_names();
        names.sort_unstable();
        assert_same(&names, &model.resource_names());
        assert_same(&machine.next_fence(), &model.next_fence());
        let mut sessions: Vec<SessionId> = model.sessions.keys().copied().collect();
        let mut ids = machine.session_ids();
        ids.sort_unstable();
        assert_same(&ids, &sessions);
        // May be an ended one.
        sessions.push(self.draw.session(model));
        for &session in &sessions {
            assert_same(&machine.state(&session), &model.state(session));
            let view = machine.session_view(&session).map(without_numbers);
            assert_same(&view, &model.session_view(session));
            assert_same(&machine.has_session(&session), &model.sessions.contains_key(&session));
        }
        let ended = SessionId([7; 20]);
        assert_same(&machine.state(&ended), &None);
        for _ in 0..10 {
            let session = self.draw.session(model);
            let (resource, ticket) = (self.draw.any_resource(), self.draw.ticket());
            let holds = machine.holds(&session, resource.as_str(), ticket.as_str());
            assert_same(&holds, &model.holds(session, &resource, &ticket));
        }
        self.compare_grants();
        self.compare_pages();
    }

    fn compare_resource(&mut self, name: &Name) {
        let (machine, model, resource) = (&self.machine, &self.model, name.as_str());
        assert_same(&machine.figures(resource), &model.figures(name));
        assert_same(&machine.watchers(resource).collect(), &model.watchers(name));
        let view = machine.resource_view(resource);
        let all = view.as_ref().map(|view| view.tickets.clone()).unwrap_or_default();
        assert!(all.is_sorted_by(|one, next| one.number < next.number), "oldest first");
        let plain = view.map(|view| {
            let tickets = plain(view.tickets);
            ResourceView { tickets, ..view }
        });
        assert_same(&plain, &model.resource_view(name));
        let limit = self.draw.rng.below(4);
        assert_same(&machine.look(resource, limit), &model.look(name, limit));
        let all_of_it = machine.look(resource, usize::MAX);
        assert_same(&all_of_it, &model.look(name, usize::MAX));

        let after = self.draw.rng.pick(&all).map_or(0, |view| view.number);
        use TicketStateKind as K;
        let state = [None, Some(K::Free), Some(K::Held), Some(K::Delayed), Some(K::Dead)];
        let state = state[self.draw.rng.below(5)];
        let page = machine.tickets_page(resource, state, after, limit);
        let suits = |view: &TicketView| state.is_none_or(|state| view.state.kind() == state);
        let later = all.into_iter().filter(|view| view.number > after && suits(view));
        assert_same(&page, &later.take(limit).collect());
    }

    /// Whether grants are in force, and which of them end by themselves.
    fn compare_grants(&mut self) {
        let fences: Vec<Fence> = self.model.holds.iter().map(|hold| hold.fence).collect();
        for _ in 0..5 {
            let right = self.draw.rng.pick(&fences).copied();
            let fence = self.draw.fence(right).or(right).unwrap_or(Fence(1));
            let hold = self.model.holds.iter().find(|hold| hold.fence == fence);
            let resource = match hold {
                Some(hold) if self.draw.rng.chance(7, 8) => hold.resource.clone(),
                _ => self.draw.any_resource(),
            };
            let ticket = hold.and_then(|hold| hold.ticket.clone());
            let other = self.draw.ticket();
            for ticket in [None, ticket.as_ref(), Some(&other)] {
                let good = self.machine.is_good(resource.as_str(), ticket.map(Name::as_str), fence);
                assert_same(&good, &self.model.is_good(&resource, ticket, fence));
            }
            assert_same(&self.machine.timed_claim(fence), &self.model.timed_claim(fence));
        }
    }

    fn compare_pages(&mut self) {
        let (machine, model) = (&self.machine, &self.model);
        let prefix = ["", "", "a", "de", "x"][self.draw.rng.below(5)];
        let after = [None, Some("alpha"), Some("c"), Some("zeta")][self.draw.rng.below(4)];
        let limit = self.draw.rng.below(6);
        let page = machine.resources_page(prefix, after, limit);
        assert_same(&page, &model.resources_page(prefix, after, limit));
    }

    /// After a start the driver is told anew what to time.
    pub(super) fn compare_announced(&self) {
        let mut events = Vec::new();
        self.machine.announce(&mut events);
        self.delays.name(&mut events);
        let mut timing: Vec<Event> = events.into_iter().filter(follows_a_clock).collect();
        timing.sort_by_key(|event| format!("{event:?}"));
        assert_same(&timing, &self.model.to_be_timed());
    }
}

/// The model numbers no tickets.
fn plain(tickets: Vec<TicketView>) -> Vec<TicketView> {
    tickets.into_iter().map(|view| TicketView { number: 0, ..view }).collect()
}

fn without_numbers(view: SessionView) -> SessionView {
    let (claims, issued) = (plain(view.claims), plain(view.issued));
    SessionView { claims, issued, ..view }
}
