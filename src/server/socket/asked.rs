//! What a request asks of its session.

use crate::driver::{Answered, Asked};
use crate::machine::{Command, Reach, SessionId, WaitOrigin, WaitRequest, WaitTimeout};
use crate::server::access::enter::{Guest, too_many};
use crate::wire::Code;
use crate::wire::socket::{Op, Request};

/// What a request asks of the session, and whether its owner may ask so much.
pub(super) fn asked_by(
    guest: &mut Option<Guest>,
    session: SessionId,
    request: Request,
) -> (Option<u64>, Asked) {
    let Some(guest) = guest else { return asked(session, request) };
    let id = request.id;
    guest.keep_up();
    if !guest.may_ask() {
        return (id, Asked::Said(Answered::Limit(too_many().detail)));
    }
    match &request.op {
        Ok(Op::Auth { token }) => (id, show(guest, &token.0)),
        _ => asked(session, request),
    }
}

/// Another token is shown. The session's own door says whether it is its owner's.
fn show(guest: &mut Guest, token: &str) -> Asked {
    match Guest::by_token(&guest.access, token, guest.address) {
        Ok(mut shown) => {
            let (owner, subject) = (guest.subject.owner(), shown.subject.clone());
            if shown.subject.owner() == owner {
                guest.becomes(shown);
            } else if owner.is_none() {
                if let Err(problem) = shown.sit(false) {
                    return Asked::Said(Answered::Limit(problem.detail));
                }
                *guest = shown;
            }
            Asked::Renew(subject)
        }
        Err(denied) => Asked::Said(Answered::Unauthorized(denied.detail())),
    }
}

/// What a request asks of the session.
fn asked(session: SessionId, request: Request) -> (Option<u64>, Asked) {
    let by_socket = true;
    let wait_request = |wait: Option<WaitTimeout>| {
        wait.map(|timeout| WaitRequest { origin: WaitOrigin::Socket, timeout })
    };
    let command = match request.op {
        Err(problem) if problem.code == Code::TooLarge => {
            return (request.id, Asked::TooLarge(problem.detail));
        }
        Err(problem) => return (request.id, Asked::Bad(problem.detail)),
        Ok(Op::Hello(_)) => {
            return (request.id, Asked::Bad("this socket has said hello already".to_owned()));
        }
        // Where nobody is asked, what is shown is passed over.
        Ok(Op::Auth { .. }) => return (request.id, Asked::Said(Answered::Done)),
        Ok(Op::Beat) => return (request.id, Asked::Beat),
        Ok(Op::Session) => return (request.id, Asked::State),
        Ok(Op::Bye) => return (request.id, Asked::Bye),
        Ok(Op::Lock { resource, wait }) => {
            Command::Lock { session, resource, wait_request: wait_request(wait) }
        }
        Ok(Op::Unlock { resource, fence }) => {
            Command::Unlock { session, resource, fence, by_socket }
        }
        Ok(Op::Claim { resource, ticket, wait }) => Command::Claim {
            session,
            resource,
            ticket,
            wait_request: wait_request(wait),
            again: false,
        },
        Ok(Op::Release { resource, ticket, fence }) => {
            Command::Release { session, resource, ticket, fence, by_socket }
        }
        Ok(Op::Issue { resource, ticket, data, notify }) => {
            Command::Issue { session, resource, ticket, data, notify }
        }
        Ok(Op::Revoke { resource, ticket }) => {
            Command::Revoke { session, resource, ticket, reach: Reach::Any }
        }
        Ok(Op::Cancel { wait }) => Command::Cancel { session, wait },
        Ok(Op::Watch { resource, changes }) => Command::Watch { session, resource, changes },
        Ok(Op::Unwatch { resource }) => Command::Unwatch { session, resource },
    };
    (request.id, Asked::Command(command))
}
