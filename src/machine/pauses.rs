//! Resources that stand still: nothing of them is newly granted. When that ends, those who wait are
//! served first, so many a step.

use super::command::{Kind, Limit, Refusal, Reply};
use super::event::Event;
use super::extras::Pause;
use super::names::{Name, PAUSED_MAX, SERVE_SLICE, SessionId, WaitId};
use super::rows::{Held, ResourceKey, TicketKey, TicketStanding, WaitKey};
use super::tables::Machine;

impl Machine {
    pub(super) fn pause(
        &mut self,
        session: Option<SessionId>,
        name: &Name,
        paused: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        if let Some(session) = session {
            self.session_key(session)?;
        }
        let pause = self.resource_key(name.as_str()).map_or(Pause::None, |key| self.pause_of(key));
        match (pause, paused) {
            (Pause::Paused, true) | (Pause::None, false) => Ok(Reply::Served { more: false }),
            (Pause::Serving, false) => Ok(Reply::Served { more: true }),
            (Pause::Paused, false) => {
                let key = self.resource_entry(name);
                self.set_pause(key, Pause::Serving);
                Ok(self.serve_slice(key, out))
            }
            (Pause::None | Pause::Serving, true) => {
                if self.tables.paused >= PAUSED_MAX {
                    return Err(Refusal::Limit(Limit::Paused));
                }
                // Nothing below can refuse.
                let key = self.resource_entry(name);
                self.set_pause(key, Pause::Paused);
                Ok(Reply::Served { more: false })
            }
        }
    }

    pub(super) fn pause_of(&self, key: ResourceKey) -> Pause {
        let extra = self.tables.resources[key].extra.as_ref();
        extra.map_or(Pause::None, |extra| extra.pause)
    }

    /// A resource stands still from now on, or no longer.
    pub(super) fn set_pause(&mut self, key: ResourceKey, pause: Pause) {
        self.change(key, |machine| {
            let former =
                std::mem::replace(&mut machine.tables.resources[key].extra_mut().pause, pause);
            machine.tables.paused += usize::from(pause == Pause::Paused);
            machine.tables.paused -= usize::from(former == Pause::Paused);
            if pause != Pause::None {
                machine.become_known(key);
            }
        });
    }

    pub(super) fn serve(&mut self, name: &Name, out: &mut Vec<Event>) -> Reply {
        match self.resource_key(name.as_str()) {
            Some(key) if self.pause_of(key) == Pause::Serving => self.serve_slice(key, out),
            _ => Reply::Served { more: false },
        }
    }

    /// Grants to those who wait, from the head on, as many as a step may.
    fn serve_slice(&mut self, key: ResourceKey, out: &mut Vec<Event>) -> Reply {
        let named = self.named_for_free(key);
        let more = self.change(key, |machine| {
            let mut named = named.into_iter().peekable();
            for _ in 0..SERVE_SLICE {
                let Some((wait, what)) = machine.next_served(key, &mut named) else { break };
                if let Held::Ticket(ticket) = what {
                    machine.leave_free(ticket);
                }
                machine.grant_wait(wait, what, out);
            }
            machine.next_served(key, &mut named).is_some()
        });
        if more {
            let resource = self.tables.resources[key].name.clone();
            out.push(Event::Serving { resource });
        } else {
            self.set_pause(key, Pause::None);
        }
        Reply::Served { more }
    }

    /// The earliest wait that something free suits, and that.
    fn next_served(
        &self,
        key: ResourceKey,
        named: &mut std::iter::Peekable<impl Iterator<Item = (WaitId, WaitKey, TicketKey)>>,
    ) -> Option<(WaitKey, Held)> {
        let resource = &self.tables.resources[key];
        let any = resource.queue.as_ref().and_then(|queue| queue.any.first());
        if resource.kind == Some(Kind::Lock) {
            let mode = self.tables.waits[any?].mode;
            return any.filter(|_| self.fits(key, mode)).map(|wait| (wait, Held::Lock(mode)));
        }
        // A ticket may have gone to one who takes any, or its wait with its session.
        let is_free =
            |ticket: TicketKey| self.tables.tickets[ticket].standing == TicketStanding::Free;
        while named.next_if(|&(.., ticket)| !is_free(ticket)).is_some() {}
        let any =
            any.and_then(|wait| Some((self.tables.waits[wait].id, wait, self.first_free(key)?)));
        let named = named.peek().copied();
        let (_, wait, ticket) = [any, named].into_iter().flatten().min()?;
        Some((wait, Held::Ticket(ticket)))
    }

    /// Those who wait for a certain ticket that is free, first come first.
    fn named_for_free(&self, key: ResourceKey) -> Vec<(WaitId, WaitKey, TicketKey)> {
        let tables = &self.tables;
        let queue = tables.resources[key].queue.as_ref();
        let named = queue.into_iter().flat_map(|queue| queue.named.iter());
        let mut found: Vec<_> = named
            .filter_map(|(name, list)| {
                let ticket = tables.find_ticket(key, name.as_str())?;
                let is_free = tables.tickets[ticket].standing == TicketStanding::Free;
                let wait = list.first().filter(|_| is_free)?;
                Some((tables.waits[wait].id, wait, ticket))
            })
            .collect();
        found.sort_unstable();
        found
    }
}
