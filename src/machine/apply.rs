//! The one door: a command comes in, a reply and events go out. A table of contents of the rest.

use super::claims::NamedClaim;
use super::command::{Applied, Command, Refusal, Reply};
use super::event::{Event, WaitEndReason};
use super::extras::Pause;
use super::tables::Machine;
use super::tally::CLOCK_MAX_MS;
use super::tickets::Issue;

impl Machine {
    /// Carries out one command and appends what it has to announce to `events`.
    ///
    /// # Panics
    /// When the tables disagree, which is a bug: the caller must not go on.
    pub fn apply(&mut self, command: &Command, events: &mut Vec<Event>) -> Applied {
        assert!(self.touched.is_empty() && self.freed.is_empty(), "a command was left half done");
        let (mark, fence, told) = (self.emptied_mark, self.next_fence, events.len());
        self.count_for(command);
        let reply = self.carry_out(command, events);
        if !self.touched.is_empty() {
            self.announce_changes(events);
        }
        if self.emptied_mark != mark {
            events.push(Event::Emptied { up_to: self.emptied_mark });
        }
        let changed = changes(command, &reply);
        assert!(changed || self.next_fence == fence, "what changed nothing took a fence");
        assert!(reply.is_ok() || events.len() == told, "a refusal announced something");
        Applied { reply, changed }
    }

    /// Announces what there is, as if it began now: to whoever follows the events from here on.
    pub fn announce(&self, events: &mut Vec<Event>) {
        let mut sessions: Vec<_> =
            self.tables.sessions.iter().map(|(_, session)| session).collect();
        sessions.retain(|session| !session.condemned);
        sessions.sort_unstable_by_key(|session| session.info.id);
        for session in &sessions {
            let (id, ttl) = (session.info.id, session.info.ttl);
            events.push(Event::SessionOpened { session: id, ttl });
        }
        for session in sessions {
            let keys = session.waits.keys(&self.tables.waits, |wait| &wait.in_session);
            let waits = keys.map(|key| &self.tables.waits[key]);
            for wait in waits.filter(|wait| wait.leads()) {
                events.extend(wait.origins().map(|(origin, timeout)| Event::WaitBegan {
                    session: session.info.id,
                    wait: wait.id,
                    origin,
                    timeout,
                }));
            }
        }
        for &hold in self.tables.timed.values() {
            self.tell_of_time(hold, events);
        }
        for (&fence, &hold) in &self.tables.lost {
            let delay_ms = self.tables.holds[hold].hold_ms().unwrap_or_default();
            events.push(Event::HoldLost { fence, delay_ms });
        }
        for &ticket in self.tables.delayed.values() {
            let extra = self.tables.tickets[ticket].extra.as_ref();
            events.extend(extra.and_then(|extra| extra.delay).map(|delay| Event::DelayBegan {
                delay: delay.id,
                delay_ms: delay.ms,
                until_ms: delay.until_ms,
            }));
        }
        for (name, &key) in &self.tables.known {
            if self.pause_of(key) == Pause::Serving {
                events.push(Event::Serving { resource: name.clone() });
            }
        }
        if !self.tables.emptied.is_empty() {
            events.push(Event::Emptied { up_to: self.emptied_mark });
        }
        assert!(self.touched.is_empty(), "what there is was announced amid a command");
    }

    fn carry_out(&mut self, command: &Command, out: &mut Vec<Event>) -> Result<Reply, Refusal> {
        use Command as C;
        match command {
            C::Boot { fence } => Ok(self.boot(*fence, out)),
            C::Join { node } => Ok(self.join_node(*node)),
            C::Leave { node } | C::Bury { node } => Ok(self.part_node(*node, out)),
            C::Open { session, name, ttl, source, conduct } => {
                out.push(Event::SessionOpened { session: *session, ttl: *ttl });
                Ok(self.open(*session, name.clone(), *ttl, source.clone(), *conduct))
            }
            C::Adopt { session, owner } => self.adopt(*session, owner),
            C::Close { session, by_other } => self.close(*session, *by_other, out),
            C::Condemn { sessions } => Ok(self.condemn(sessions, out)),
            C::Expire { sessions } => Ok(self.expire(sessions, out)),
            C::Issue { session, resource, ticket, data, notify, terms } => {
                let issue = Issue { resource, ticket, data, notify: *notify, terms };
                self.issue(*session, &issue, out)
            }
            C::Lock { session, resource, wait_request, ask } => {
                self.lock(*session, resource, *wait_request, ask, out)
            }
            C::Unlock { session, resource, fence, by_socket } => {
                self.unlock(*session, resource, *fence, *by_socket, out)
            }
            C::Cancel { session, wait } => self.cancel(*session, *wait, out),
            C::TimeOut { wait } => Ok(self.end_wait(*wait, WaitEndReason::TimedOut, out)),
            C::Forbid { wait } => Ok(self.end_wait(*wait, WaitEndReason::Forbidden, out)),
            C::Withdraw { wait, request } => Ok(self.withdraw(*wait, *request, out)),
            C::Watch { session, resource, changes } => self.watch(*session, resource, *changes),
            C::Unwatch { session, resource } => self.unwatch(*session, resource),
            C::Blind { session, resource } => self.blind(*session, resource, out),
            C::Pause { session, resource, paused } => self.pause(*session, resource, *paused, out),
            C::Serve { resource } => Ok(self.serve(resource, out)),
            C::Clock { ms } => {
                self.clock_ms = (*ms).min(CLOCK_MAX_MS);
                Ok(Reply::Done)
            }
            C::Forget { up_to } => Ok(self.forget(*up_to, out)),
            _ => self.carry_out_claims(command, out),
        }
    }

    /// What becomes of tickets that are there, and of grants.
    fn carry_out_claims(
        &mut self,
        command: &Command,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        use Command as C;
        match command {
            C::Revoke { session, resource, ticket, reach, fence } => {
                self.revoke(*session, resource, ticket, *reach, *fence, out)
            }
            C::Revive { session, resource, ticket } => {
                self.revive(*session, resource, ticket.as_ref(), out)
            }
            C::Ripen { delays } => Ok(self.ripen(delays, out)),
            C::Claim { session, resource, ticket, wait_request, again, hold_ms } => match ticket {
                Some(ticket) => {
                    self.claim_named(*session, resource, ticket, *wait_request, *hold_ms, out)
                }
                None => self.claim_any(*session, resource, *wait_request, *again, *hold_ms, out),
            },
            C::ClaimFirst { session, resources, wait, hold_ms } => {
                self.claim_first(*session, resources, *wait, *hold_ms, out)
            }
            C::Touch { session, resource, ticket, fence, hold_ms } => {
                let claim = NamedClaim { resource, ticket, fence: *fence };
                self.touch(*session, claim, *hold_ms, out)
            }
            C::Release { session, resource, ticket, fence, by_socket, parting } => {
                let claim = NamedClaim { resource, ticket, fence: *fence };
                self.release(*session, claim, *by_socket, parting, out)
            }
            C::Force { by, resource, ticket, fence } => {
                self.force(*by, resource, ticket.as_ref(), *fence, out)
            }
            C::TakeBack { session, resource, ticket, fence } => {
                Ok(self.take_back(*session, resource, ticket.as_ref(), *fence, out))
            }
            C::EndHolds { fences } => Ok(self.end_timed(fences, out)),
            C::EndLost { fences } => Ok(self.end_lost(fences, out)),
            other => unreachable!("{other:?} is carried out elsewhere"),
        }
    }
}

/// Whether anything changed, which the reply tells.
fn changes(command: &Command, reply: &Result<Reply, Refusal>) -> bool {
    match reply {
        Err(_)
        | Ok(
            Reply::NotGranted
            | Reply::Released(false)
            | Reply::Cancelled(false)
            | Reply::Adopted(false)
            | Reply::Deadlock(_)
            | Reply::Revived(0),
        ) => false,
        Ok(Reply::Granted { fresh: false, .. }) => match command {
            Command::Lock { wait_request, ask, .. } => wait_request.is_some() || ask.data.is_some(),
            Command::Claim { wait_request, .. } => wait_request.is_some(),
            _ => false,
        },
        Ok(_) => true,
    }
}
