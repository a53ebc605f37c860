//! Commands as bytes: a byte that says which, then its fields in order. Optional fields come last,
//! after a byte that says which of them there are.

use super::primitives::{
    Bad, Reader, flags, has, put_bytes, put_name, put_number, put_owner, put_request,
};
use crate::machine::{
    Command, Fence, Name, NodeId, Reach, RequestId, SessionId, WaitId, WaitOrigin, WaitRequest,
    WaitTimeout,
};

const BOOT: u8 = 1;
const OPEN: u8 = 2;
const CLOSE: u8 = 3;
const EXPIRE: u8 = 4;
const ISSUE: u8 = 5;
const REVOKE: u8 = 6;
const CLAIM: u8 = 7;
const RELEASE: u8 = 8;
const LOCK: u8 = 9;
const UNLOCK: u8 = 10;
const CANCEL: u8 = 11;
const TIME_OUT: u8 = 12;
const WITHDRAW: u8 = 13;
const WATCH: u8 = 14;
const UNWATCH: u8 = 15;
const FORGET: u8 = 16;
const CONDEMN: u8 = 17;
// From here on: of servers that share a log.
const JOIN: u8 = 18;
const LEAVE: u8 = 19;
const BURY: u8 = 20;
const WITHDRAW_AT_NODE: u8 = 21;
// From here on: of those who may do what.
const ADOPT: u8 = 22;
const REVOKE_IN_REACH: u8 = 23;
const FORBID: u8 = 24;
const BLIND: u8 = 25;

/// Appends `command` to `out`.
pub fn encode_command(command: &Command, out: &mut Vec<u8>) {
    use Command as C;
    match command {
        C::Boot { fence } => put_tagged_number(BOOT, fence.0, out),
        C::Join { node } => put_tagged_number(JOIN, node.0, out),
        C::Leave { node } => put_tagged_number(LEAVE, node.0, out),
        C::Bury { node } => put_tagged_number(BURY, node.0, out),
        C::Open { session, name, ttl, source } => {
            put_session(OPEN, session, out);
            put_bytes(name.as_str().as_bytes(), out);
            put_number(ttl.as_ms().into(), out);
            put_bytes(source.as_bytes(), out);
        }
        C::Adopt { session, owner } => {
            put_session(ADOPT, session, out);
            put_owner(owner, out);
        }
        C::Close { session } => put_session(CLOSE, session, out),
        C::Expire { sessions } => put_sessions(EXPIRE, sessions, out),
        C::Condemn { sessions } => put_sessions(CONDEMN, sessions, out),
        C::Issue { session, resource, ticket, data, notify } => {
            put_place(ISSUE, session, resource, out);
            put_name(ticket, out);
            put_bytes(data.as_bytes(), out);
            out.push(flags([*notify]));
        }
        C::Revoke { session, resource, ticket, reach } => {
            let is_bounded = *reach != Reach::Any;
            put_place(if is_bounded { REVOKE_IN_REACH } else { REVOKE }, session, resource, out);
            put_name(ticket, out);
            if is_bounded {
                out.push(flags([*reach == Reach::IssuedOrClaimed]));
            }
        }
        C::Claim { session, resource, ticket, wait_request, again } => {
            put_place(CLAIM, session, resource, out);
            out.push(flags([ticket.is_some(), wait_request.is_some(), *again]));
            ticket.iter().for_each(|ticket| put_name(ticket, out));
            put_wait_request(wait_request.as_ref(), out);
        }
        C::Release { session, resource, ticket, fence, by_socket } => {
            put_place(RELEASE, session, resource, out);
            put_name(ticket, out);
            put_release(*fence, *by_socket, out);
        }
        C::Lock { session, resource, wait_request } => {
            put_place(LOCK, session, resource, out);
            out.push(flags([wait_request.is_some()]));
            put_wait_request(wait_request.as_ref(), out);
        }
        C::Unlock { session, resource, fence, by_socket } => {
            put_place(UNLOCK, session, resource, out);
            put_release(*fence, *by_socket, out);
        }
        C::Cancel { session, wait } => {
            put_session(CANCEL, session, out);
            put_number(wait.0, out);
        }
        C::TimeOut { wait } => put_tagged_number(TIME_OUT, wait.0, out),
        C::Forbid { wait } => put_tagged_number(FORBID, wait.0, out),
        C::Withdraw { wait, request } => put_withdraw(*wait, *request, out),
        C::Watch { session, resource, changes } => {
            put_place(WATCH, session, resource, out);
            out.push(flags([*changes]));
        }
        C::Unwatch { session, resource } => put_place(UNWATCH, session, resource, out),
        C::Blind { session, resource } => put_place(BLIND, session, resource, out),
        C::Forget { up_to } => put_tagged_number(FORGET, *up_to, out),
    }
}

/// Reads one command.
///
/// # Errors
/// [`Bad`] when the bytes do not begin with one.
pub fn decode_command(from: &mut Reader<'_>) -> Result<Command, Bad> {
    use Command as C;
    Ok(match from.byte()? {
        BOOT => C::Boot { fence: from.fence()? },
        JOIN => C::Join { node: from.node()? },
        LEAVE => C::Leave { node: from.node()? },
        BURY => C::Bury { node: from.node()? },
        OPEN => C::Open {
            session: from.session()?,
            name: from.session_name()?,
            ttl: from.ttl()?,
            source: from.text()?.into(),
        },
        ADOPT => C::Adopt { session: from.session()?, owner: from.owner()? },
        CLOSE => C::Close { session: from.session()? },
        CONDEMN => C::Condemn { sessions: sessions(from)? },
        EXPIRE => C::Expire { sessions: sessions(from)? },
        ISSUE => C::Issue {
            session: from.session()?,
            resource: from.name()?,
            ticket: from.name()?,
            data: from.data()?,
            notify: has(from.flags(1)?, 0),
        },
        tag @ (REVOKE | REVOKE_IN_REACH) => {
            let (session, resource, ticket) = (from.session()?, from.name()?, from.name()?);
            let reach = if tag == REVOKE { Reach::Any } else { reach(from)? };
            C::Revoke { session, resource, ticket, reach }
        }
        CLAIM => {
            let (session, resource, flags) = (from.session()?, from.name()?, from.flags(7)?);
            let ticket = if has(flags, 0) { Some(from.name()?) } else { None };
            let wait_request = if has(flags, 1) { Some(wait_request(from)?) } else { None };
            C::Claim { session, resource, ticket, wait_request, again: has(flags, 2) }
        }
        RELEASE => {
            let (session, resource, ticket) = (from.session()?, from.name()?, from.name()?);
            let (fence, by_socket) = release(from)?;
            C::Release { session, resource, ticket, fence, by_socket }
        }
        LOCK => {
            let (session, resource, flags) = (from.session()?, from.name()?, from.flags(1)?);
            let wait_request = if has(flags, 0) { Some(wait_request(from)?) } else { None };
            C::Lock { session, resource, wait_request }
        }
        UNLOCK => {
            let (session, resource) = (from.session()?, from.name()?);
            let (fence, by_socket) = release(from)?;
            C::Unlock { session, resource, fence, by_socket }
        }
        CANCEL => C::Cancel { session: from.session()?, wait: from.wait()? },
        TIME_OUT => C::TimeOut { wait: from.wait()? },
        FORBID => C::Forbid { wait: from.wait()? },
        WITHDRAW => C::Withdraw { wait: from.wait()?, request: from.request_alone()? },
        WITHDRAW_AT_NODE => C::Withdraw { wait: from.wait()?, request: from.request_of_node()? },
        WATCH => C::Watch {
            session: from.session()?,
            resource: from.name()?,
            changes: has(from.flags(1)?, 0),
        },
        UNWATCH => C::Unwatch { session: from.session()?, resource: from.name()? },
        BLIND => C::Blind { session: from.session()?, resource: from.name()? },
        FORGET => C::Forget { up_to: from.number()? },
        other => return Err(Bad::Choice("command", other)),
    })
}

/// A reach that is bounded.
fn reach(from: &mut Reader<'_>) -> Result<Reach, Bad> {
    let with_claims = has(from.flags(1)?, 0);
    Ok(if with_claims { Reach::IssuedOrClaimed } else { Reach::Issued })
}

fn put_session(tag: u8, session: &SessionId, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&session.0);
}

fn put_place(tag: u8, session: &SessionId, resource: &Name, out: &mut Vec<u8>) {
    put_session(tag, session, out);
    put_name(resource, out);
}

fn put_sessions(tag: u8, sessions: &[SessionId], out: &mut Vec<u8>) {
    put_tagged_number(tag, sessions.len() as u64, out);
    sessions.iter().for_each(|session| out.extend_from_slice(&session.0));
}

fn put_withdraw(wait: WaitId, request: RequestId, out: &mut Vec<u8>) {
    let with_node = request.node != NodeId::ALONE;
    put_tagged_number(if with_node { WITHDRAW_AT_NODE } else { WITHDRAW }, wait.0, out);
    put_request(request, with_node, out);
}

fn put_tagged_number(tag: u8, number: u64, out: &mut Vec<u8>) {
    out.push(tag);
    put_number(number, out);
}

fn sessions(from: &mut Reader<'_>) -> Result<Vec<SessionId>, Bad> {
    let count = usize::try_from(from.number()?).map_err(|_| Bad::Short)?;
    let bytes = from.take(count.checked_mul(20).ok_or(Bad::Short)?)?;
    let (ids, _) = bytes.as_chunks();
    Ok(ids.iter().copied().map(SessionId).collect())
}

fn put_release(fence: Option<Fence>, by_socket: bool, out: &mut Vec<u8>) {
    out.push(flags([fence.is_some(), by_socket]));
    fence.iter().for_each(|fence| put_number(fence.0, out));
}

fn release(from: &mut Reader<'_>) -> Result<(Option<Fence>, bool), Bad> {
    let flags = from.flags(3)?;
    let fence = if has(flags, 0) { Some(from.fence()?) } else { None };
    Ok((fence, has(flags, 1)))
}

fn put_wait_request(wait_request: Option<&WaitRequest>, out: &mut Vec<u8>) {
    let Some(WaitRequest { origin, timeout }) = wait_request else { return };
    let (is_request, with_node) = match origin {
        WaitOrigin::Socket => (false, false),
        WaitOrigin::Request(request) => (true, request.node != NodeId::ALONE),
    };
    out.push(flags([is_request, matches!(timeout, WaitTimeout::Session), with_node]));
    if let WaitOrigin::Request(request) = origin {
        put_request(*request, with_node, out);
    }
    if let WaitTimeout::Ms(ms) = timeout {
        put_number((*ms).into(), out);
    }
}

fn wait_request(from: &mut Reader<'_>) -> Result<WaitRequest, Bad> {
    let flags = from.flags(7)?;
    let origin = match (has(flags, 0), has(flags, 2)) {
        (false, false) => WaitOrigin::Socket,
        (true, false) => WaitOrigin::Request(from.request_alone()?),
        (true, true) => WaitOrigin::Request(from.request_of_node()?),
        (false, true) => return Err(Bad::Choice("option", flags)),
    };
    let timeout = if has(flags, 1) { WaitTimeout::Session } else { from.ms()? };
    Ok(WaitRequest { origin, timeout })
}
