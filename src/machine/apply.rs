//! The one door: a command comes in, a reply and events go out. A table of contents of the rest.

use super::command::{Applied, Command, Refusal, Reply};
use super::event::{Event, WaitEndReason};
use super::tables::Machine;

impl Machine {
    /// Carries out one command and appends what it has to announce to `events`.
    ///
    /// # Panics
    /// When the tables disagree, which is a bug: the caller must not go on.
    pub fn apply(&mut self, command: &Command, events: &mut Vec<Event>) -> Applied {
        assert!(self.touched.is_empty() && self.freed.is_empty(), "a command was left half done");
        let (mark, fence, told) = (self.emptied_mark, self.next_fence, events.len());
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
            for wait in keys.map(|key| &self.tables.waits[key]) {
                events.extend(wait.origins().map(|(origin, timeout)| Event::WaitBegan {
                    session: session.info.id,
                    wait: wait.id,
                    origin,
                    timeout,
                }));
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
            C::Open { session, name, ttl, source } => {
                out.push(Event::SessionOpened { session: *session, ttl: *ttl });
                Ok(self.open(*session, name.clone(), *ttl, source.clone()))
            }
            C::Adopt { session, owner } => self.adopt(*session, owner),
            C::Close { session } => self.close(*session, out),
            C::Condemn { sessions } => Ok(self.condemn(sessions, out)),
            C::Expire { sessions } => Ok(self.expire(sessions, out)),
            C::Issue { session, resource, ticket, data, notify } => {
                self.issue(*session, resource, ticket, data, *notify, out)
            }
            C::Revoke { session, resource, ticket, reach } => {
                self.revoke(*session, resource, ticket, *reach, out)
            }
            C::Claim { session, resource, ticket, wait_request, again } => match ticket {
                Some(ticket) => self.claim_named(*session, resource, ticket, *wait_request, out),
                None => self.claim_any(*session, resource, *wait_request, *again, out),
            },
            C::Release { session, resource, ticket, fence, by_socket } => {
                self.release(*session, resource, ticket, *fence, *by_socket, out)
            }
            C::Lock { session, resource, wait_request } => {
                self.lock(*session, resource, *wait_request, out)
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
            C::Forget { up_to } => Ok(self.forget(*up_to, out)),
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
            | Reply::Adopted(false),
        ) => false,
        Ok(Reply::Granted { fresh: false, .. }) => matches!(
            command,
            Command::Lock { wait_request: Some(_), .. }
                | Command::Claim { wait_request: Some(_), .. }
        ),
        Ok(_) => true,
    }
}
