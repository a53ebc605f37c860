//! Commands on what is held, and on what may be: locks and tickets. A command that says nothing new
//! is written as version 1 wrote it first.

use super::asks::{
    bounded_reach, lock_ask, parting, put_bounded_reach, put_lock_ask, put_parting, put_reach,
    put_release, put_terms, put_wait_request, reach, release, terms, wait_request,
};
use super::primitives::{
    Bad, Reader, flags, has, put_bytes, put_name, put_number, put_place, put_session,
};
use super::tags::{
    CLAIM, CLAIM_FIRST, CLAIM_FOR, FORCE, ISSUE, ISSUE_ON_TERMS, LOCK, LOCK_AS, RELEASE,
    RELEASE_WITH, REVIVE, REVOKE, REVOKE_GRANT, REVOKE_IN_REACH, TAKE_BACK, TOUCH, UNLOCK,
};
use crate::machine::{
    CLAIM_FIRST_MAX, Command, Fence, LockAsk, Name, Parting, Reach, SessionId, TicketTerms,
    WaitTimeout,
};

pub(super) fn encode_hold_command(command: &Command, out: &mut Vec<u8>) {
    use Command as C;
    match command {
        C::Issue { session, resource, ticket, data, notify, terms } => {
            let is_plain = *terms == TicketTerms::default();
            put_place(if is_plain { ISSUE } else { ISSUE_ON_TERMS }, session, resource, out);
            put_name(ticket, out);
            put_bytes(data.as_bytes(), out);
            if is_plain {
                out.push(flags([*notify]));
            } else {
                put_terms(*notify, terms, out);
            }
        }
        C::Revoke { session, resource, ticket, reach, fence } => {
            put_revoke((session, resource, ticket), *reach, *fence, out);
        }
        C::Claim { session, resource, ticket, wait_request, again, hold_ms } => {
            put_place(if hold_ms.is_some() { CLAIM_FOR } else { CLAIM }, session, resource, out);
            out.push(flags([ticket.is_some(), wait_request.is_some(), *again]));
            ticket.iter().for_each(|ticket| put_name(ticket, out));
            hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
            put_wait_request(wait_request.as_ref(), out);
        }
        C::ClaimFirst { session, resources, wait, hold_ms } => {
            put_session(CLAIM_FIRST, session, out);
            put_number(resources.len() as u64, out);
            resources.iter().for_each(|resource| put_name(resource, out));
            let is_whole = *wait == Some(WaitTimeout::Session);
            out.push(flags([wait.is_some(), is_whole, hold_ms.is_some()]));
            if let Some(WaitTimeout::Ms(ms)) = wait {
                put_number((*ms).into(), out);
            }
            hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
        }
        C::Release { session, resource, ticket, fence, by_socket, parting } => {
            let is_plain = *parting == Parting::default();
            put_place(if is_plain { RELEASE } else { RELEASE_WITH }, session, resource, out);
            put_name(ticket, out);
            if is_plain {
                put_release(*fence, *by_socket, out);
            } else {
                put_parting(*fence, *by_socket, parting, out);
            }
        }
        C::Lock { session, resource, wait_request, ask } => {
            let is_plain = *ask == LockAsk::default();
            put_place(if is_plain { LOCK } else { LOCK_AS }, session, resource, out);
            if is_plain {
                out.push(flags([wait_request.is_some()]));
                put_wait_request(wait_request.as_ref(), out);
            } else {
                put_lock_ask(ask, wait_request.as_ref(), out);
            }
        }
        C::Unlock { session, resource, fence, by_socket } => {
            put_place(UNLOCK, session, resource, out);
            put_release(*fence, *by_socket, out);
        }
        _ => encode_rarer(command, out),
    }
}

/// Those that few clients give.
fn encode_rarer(command: &Command, out: &mut Vec<u8>) {
    use Command as C;
    match command {
        C::Revive { session, resource, ticket } => {
            out.push(REVIVE);
            out.push(flags([session.is_some(), ticket.is_some()]));
            session.iter().for_each(|session| out.extend_from_slice(&session.0));
            put_name(resource, out);
            ticket.iter().for_each(|ticket| put_name(ticket, out));
        }
        C::Touch { session, resource, ticket, fence, hold_ms } => {
            put_place(TOUCH, session, resource, out);
            put_name(ticket, out);
            out.push(flags([fence.is_some(), hold_ms.is_some()]));
            fence.iter().for_each(|fence| put_number(fence.0, out));
            hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
        }
        C::Force { by, resource, ticket, fence } => {
            out.push(FORCE);
            out.push(flags([by.is_some(), ticket.is_some(), fence.is_some()]));
            by.iter().for_each(|session| out.extend_from_slice(&session.0));
            put_name(resource, out);
            ticket.iter().for_each(|ticket| put_name(ticket, out));
            fence.iter().for_each(|fence| put_number(fence.0, out));
        }
        C::TakeBack { session, resource, ticket, fence } => {
            put_place(TAKE_BACK, session, resource, out);
            put_number(fence.0, out);
            out.push(flags([ticket.is_some()]));
            ticket.iter().for_each(|ticket| put_name(ticket, out));
        }
        other => unreachable!("{other:?} is on nothing that is held"),
    }
}

fn put_revoke(
    (session, resource, ticket): (&SessionId, &Name, &Name),
    reach: Reach,
    fence: Option<Fence>,
    out: &mut Vec<u8>,
) {
    let tag = match (fence, reach) {
        (Some(_), _) => REVOKE_GRANT,
        (None, Reach::Any) => REVOKE,
        (None, _) => REVOKE_IN_REACH,
    };
    put_place(tag, session, resource, out);
    put_name(ticket, out);
    if let Some(fence) = fence {
        put_reach(reach, out);
        put_number(fence.0, out);
    } else if reach != Reach::Any {
        put_bounded_reach(reach, out);
    }
}

pub(super) fn decode_hold_command(tag: u8, from: &mut Reader<'_>) -> Result<Command, Bad> {
    use Command as C;
    Ok(match tag {
        ISSUE | ISSUE_ON_TERMS => {
            let (session, resource, ticket) = place(from)?;
            let data = from.data()?;
            let (notify, terms) = if tag == ISSUE {
                (has(from.flags(1)?, 0), TicketTerms::default())
            } else {
                terms(from)?
            };
            C::Issue { session, resource, ticket, data, notify, terms }
        }
        REVOKE | REVOKE_IN_REACH | REVOKE_GRANT => {
            let (session, resource, ticket) = place(from)?;
            let (reach, fence) = match tag {
                REVOKE => (Reach::Any, None),
                REVOKE_IN_REACH => (bounded_reach(from)?, None),
                _ => (reach(from)?, Some(from.fence()?)),
            };
            C::Revoke { session, resource, ticket, reach, fence }
        }
        CLAIM | CLAIM_FOR => {
            let (session, resource, flags) = (from.session()?, from.name()?, from.flags(7)?);
            let ticket = from.optional(has(flags, 0), Reader::name)?;
            let hold_ms = from.optional(tag == CLAIM_FOR, Reader::hold_ms)?;
            let wait_request = from.optional(has(flags, 1), wait_request)?;
            C::Claim { session, resource, ticket, wait_request, again: has(flags, 2), hold_ms }
        }
        CLAIM_FIRST => claim_first(from)?,
        RELEASE | RELEASE_WITH => {
            let (session, resource, ticket) = place(from)?;
            let (fence, by_socket, parting) = if tag == RELEASE {
                let (fence, by_socket) = release(from)?;
                (fence, by_socket, Parting::default())
            } else {
                parting(from)?
            };
            C::Release { session, resource, ticket, fence, by_socket, parting }
        }
        LOCK => {
            let (session, resource, flags) = (from.session()?, from.name()?, from.flags(1)?);
            let wait_request = from.optional(has(flags, 0), wait_request)?;
            C::Lock { session, resource, wait_request, ask: LockAsk::default() }
        }
        LOCK_AS => {
            let (session, resource) = (from.session()?, from.name()?);
            let (ask, wait_request) = lock_ask(from)?;
            C::Lock { session, resource, wait_request, ask }
        }
        UNLOCK => {
            let (session, resource) = (from.session()?, from.name()?);
            let (fence, by_socket) = release(from)?;
            C::Unlock { session, resource, fence, by_socket }
        }
        _ => return decode_rarer(tag, from),
    })
}

/// Those that few clients give.
fn decode_rarer(tag: u8, from: &mut Reader<'_>) -> Result<Command, Bad> {
    use Command as C;
    Ok(match tag {
        REVIVE => {
            let flags = from.flags(3)?;
            let session = from.optional(has(flags, 0), Reader::session)?;
            let resource = from.name()?;
            C::Revive { session, resource, ticket: from.optional(has(flags, 1), Reader::name)? }
        }
        TOUCH => {
            let ((session, resource, ticket), flags) = (place(from)?, from.flags(3)?);
            let fence = from.optional(has(flags, 0), Reader::fence)?;
            let hold_ms = from.optional(has(flags, 1), Reader::hold_ms)?;
            C::Touch { session, resource, ticket, fence, hold_ms }
        }
        FORCE => {
            let flags = from.flags(7)?;
            let by = from.optional(has(flags, 0), Reader::session)?;
            let resource = from.name()?;
            let ticket = from.optional(has(flags, 1), Reader::name)?;
            C::Force { by, resource, ticket, fence: from.optional(has(flags, 2), Reader::fence)? }
        }
        TAKE_BACK => {
            let (session, resource, fence) = (from.session()?, from.name()?, from.fence()?);
            let flags = from.flags(1)?;
            let ticket = from.optional(has(flags, 0), Reader::name)?;
            C::TakeBack { session, resource, ticket, fence }
        }
        other => return Err(Bad::Choice("command", other)),
    })
}

fn place(from: &mut Reader<'_>) -> Result<(SessionId, Name, Name), Bad> {
    Ok((from.session()?, from.name()?, from.name()?))
}

fn claim_first(from: &mut Reader<'_>) -> Result<Command, Bad> {
    let (session, resources) = (from.session()?, from.list(Reader::name)?);
    let is_twice = || (1..resources.len()).any(|n| resources[..n].contains(&resources[n]));
    if !(1..=CLAIM_FIRST_MAX).contains(&resources.len()) || is_twice() {
        return Err(Bad::Value("list of resources"));
    }
    let flags = from.flags(7)?;
    let wait = match (has(flags, 0), has(flags, 1)) {
        (false, false) => None,
        (true, true) => Some(WaitTimeout::Session),
        (true, false) => Some(from.ms()?),
        (false, true) => return Err(Bad::Choice("option", flags)),
    };
    let hold_ms = from.optional(has(flags, 2), Reader::hold_ms)?;
    Ok(Command::ClaimFirst { session, resources, wait, hold_ms })
}
