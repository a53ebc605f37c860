//! What a request asks of its session.

use crate::driver::{Answered, Asked, RequestMark};
use crate::machine::{Command, Name, Reach, SessionId, WaitOrigin, WaitRequest, WaitTimeout};
use crate::meters::Mark;
use crate::server::access::enter::{Guest, too_many};
use crate::server::meters;
use crate::wire::Code;
use crate::wire::socket::{ClaimWish, Op, Request};

/// What a request asks of the session, and whether its owner may ask so much.
pub(super) fn asked_by(
    guest: &mut Option<Guest>,
    session: SessionId,
    request: Request,
) -> (RequestMark, Asked) {
    let Some(guest) = guest else { return asked(session, request) };
    let mark = mark(&request);
    guest.keep_up();
    if !guest.may_ask() {
        return (mark, Asked::Said(Answered::Limit(too_many().detail)));
    }
    match &request.op {
        Ok(Op::Auth { token }) => (mark, show(guest, &token.0)),
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
/// What a request is answered and counted by.
pub(super) fn mark(request: &Request) -> RequestMark {
    let op = request.op.as_ref().map_or(meters::OpName::Other, meters::OpName::of);
    RequestMark { id: request.id, op: op as u8, came: Mark::now() }
}

fn asked(session: SessionId, request: Request) -> (RequestMark, Asked) {
    let mark = mark(&request);
    let asked = match request.op {
        Err(problem) if problem.code == Code::TooLarge => Asked::TooLarge(problem.detail),
        Err(problem) => Asked::Bad(problem.detail),
        Ok(op) => asked_for(session, op),
    };
    (mark, asked)
}

fn asked_for(session: SessionId, op: Op) -> Asked {
    let by_socket = true;
    Asked::Command(match op {
        Op::Hello(_) => return Asked::Bad("this socket has said hello already".to_owned()),
        // Where nobody is asked, what is shown is passed over.
        Op::Auth { .. } => return Asked::Said(Answered::Done),
        Op::Beat => return Asked::Beat,
        Op::Session => return Asked::State,
        Op::Bye => return Asked::Bye,
        Op::Look { resource, limit } => return Asked::Look(resource, limit),
        Op::Lock { resource, wait, ask, progress } => {
            let wait_request = wait.map(wait_by_socket);
            return waited(progress, Command::Lock { session, resource, wait_request, ask });
        }
        Op::Claim { resource, ticket, wish } => return claim(session, resource, ticket, wish),
        Op::ClaimFirst { resources, wish: ClaimWish { wait, hold_ms, progress } } => {
            return waited(progress, Command::ClaimFirst { session, resources, wait, hold_ms });
        }
        Op::Unlock { resource, fence } => Command::Unlock { session, resource, fence, by_socket },
        Op::Force { resource, ticket, fence } => {
            Command::Force { by: Some(session), resource, ticket, fence }
        }
        Op::Touch { resource, ticket, fence, hold_ms } => {
            Command::Touch { session, resource, ticket, fence, hold_ms }
        }
        Op::Release { resource, ticket, fence, parting } => {
            Command::Release { session, resource, ticket, fence, by_socket, parting }
        }
        Op::Issue { resource, ticket, data, notify, terms } => {
            Command::Issue { session, resource, ticket, data, notify, terms }
        }
        Op::Revoke { resource, ticket, fence } => {
            Command::Revoke { session, resource, ticket, reach: Reach::Any, fence }
        }
        Op::Revive { resource, ticket } => {
            Command::Revive { session: Some(session), resource, ticket }
        }
        Op::Pause { resource, paused } => {
            Command::Pause { session: Some(session), resource, paused }
        }
        Op::Cancel { wait } => Command::Cancel { session, wait },
        Op::Watch { resource, changes } => Command::Watch { session, resource, changes },
        Op::Unwatch { resource } => Command::Unwatch { session, resource },
    })
}

fn claim(session: SessionId, resource: Name, ticket: Option<Name>, wish: ClaimWish) -> Asked {
    let ClaimWish { wait, hold_ms, progress } = wish;
    let (wait_request, again) = (wait.map(wait_by_socket), false);
    let claim = Command::Claim { session, resource, ticket, wait_request, again, hold_ms };
    waited(progress, claim)
}

/// The wish of a socket to wait.
fn wait_by_socket(timeout: WaitTimeout) -> WaitRequest {
    WaitRequest { origin: WaitOrigin::Socket, timeout }
}

/// A command whose wait is told how it moves, if that is wished.
fn waited(progress: bool, command: Command) -> Asked {
    if progress { Asked::Following(command) } else { Asked::Command(command) }
}
