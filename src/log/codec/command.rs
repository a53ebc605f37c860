//! Commands as bytes: a byte that says which, then its fields in order. Optional fields come last,
//! after a byte that says which of them there are. Of those on what is held see `hold_command`.

use super::asks::{conduct, put_conduct};
use super::hold_command::{decode_hold_command, encode_hold_command};
use super::primitives::{
    Bad, Reader, flags, has, put_bytes, put_name, put_number, put_numbers, put_owner, put_place,
    put_request, put_session,
};
use super::tags::{
    ADOPT, BLIND, BOOT, BURY, CANCEL, CLOCK, CLOSE, CLOSE_BY_OTHER, CONDEMN, END_HOLDS, END_LOST,
    EXPIRE, FORBID, FORGET, JOIN, LEAVE, OPEN, OPEN_IN_FULL, PAUSE, RIPEN, SERVE, TIME_OUT,
    UNWATCH, WATCH, WITHDRAW, WITHDRAW_AT_NODE,
};
use crate::machine::{Command, Conduct, NodeId, RequestId, SessionId, SessionName, Ttl, WaitId};

/// Appends `command` to `out`.
pub fn encode_command(command: &Command, out: &mut Vec<u8>) {
    use Command as C;
    match command {
        C::Boot { fence } => put_tagged_number(BOOT, fence.0, out),
        C::Join { node } => put_tagged_number(JOIN, node.0, out),
        C::Leave { node } => put_tagged_number(LEAVE, node.0, out),
        C::Bury { node } => put_tagged_number(BURY, node.0, out),
        C::Open { session, name, ttl, source, conduct } => {
            put_open((session, name, *ttl, source), conduct, out);
        }
        C::Adopt { session, owner } => {
            put_session(ADOPT, session, out);
            put_owner(owner, out);
        }
        C::Close { session, by_other } => {
            put_session(if *by_other { CLOSE_BY_OTHER } else { CLOSE }, session, out);
        }
        C::Expire { sessions } => put_sessions(EXPIRE, sessions, out),
        C::Condemn { sessions } => put_sessions(CONDEMN, sessions, out),
        C::Ripen { delays } => {
            out.push(RIPEN);
            put_numbers(delays.iter().map(|delay| delay.0), out);
        }
        C::EndHolds { fences } | C::EndLost { fences } => {
            let of_claims = matches!(command, C::EndHolds { .. });
            out.push(if of_claims { END_HOLDS } else { END_LOST });
            put_numbers(fences.iter().map(|fence| fence.0), out);
        }
        C::Issue { .. }
        | C::Revoke { .. }
        | C::Revive { .. }
        | C::Claim { .. }
        | C::ClaimFirst { .. }
        | C::Touch { .. }
        | C::Release { .. }
        | C::Lock { .. }
        | C::Unlock { .. }
        | C::Force { .. }
        | C::TakeBack { .. } => encode_hold_command(command, out),
        C::Pause { session, resource, paused } => {
            out.push(PAUSE);
            out.push(flags([session.is_some(), *paused]));
            session.iter().for_each(|session| out.extend_from_slice(&session.0));
            put_name(resource, out);
        }
        C::Serve { resource } => {
            out.push(SERVE);
            put_name(resource, out);
        }
        C::Clock { ms } => put_tagged_number(CLOCK, *ms, out),
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
        tag @ (OPEN | OPEN_IN_FULL) => C::Open {
            session: from.session()?,
            name: from.session_name()?,
            ttl: from.ttl()?,
            source: from.text()?.into(),
            conduct: if tag == OPEN { Conduct::default() } else { conduct(from)? },
        },
        ADOPT => C::Adopt { session: from.session()?, owner: from.owner()? },
        CLOSE => C::Close { session: from.session()?, by_other: false },
        CLOSE_BY_OTHER => C::Close { session: from.session()?, by_other: true },
        CONDEMN => C::Condemn { sessions: sessions(from)? },
        EXPIRE => C::Expire { sessions: sessions(from)? },
        RIPEN => C::Ripen { delays: from.list(Reader::delay)? },
        END_HOLDS => C::EndHolds { fences: from.list(Reader::fence)? },
        END_LOST => C::EndLost { fences: from.list(Reader::fence)? },
        PAUSE => {
            let flags = from.flags(3)?;
            let session = from.optional(has(flags, 0), Reader::session)?;
            C::Pause { session, resource: from.name()?, paused: has(flags, 1) }
        }
        SERVE => C::Serve { resource: from.name()? },
        CLOCK => C::Clock { ms: from.number()? },
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
        tag => decode_hold_command(tag, from)?,
    })
}

fn put_open(
    (session, name, ttl, source): (&SessionId, &SessionName, Ttl, &str),
    conduct: &Conduct,
    out: &mut Vec<u8>,
) {
    let is_plain = *conduct == Conduct::default();
    put_session(if is_plain { OPEN } else { OPEN_IN_FULL }, session, out);
    put_bytes(name.as_str().as_bytes(), out);
    put_number(ttl.as_ms().into(), out);
    put_bytes(source.as_bytes(), out);
    if !is_plain {
        put_conduct(conduct, out);
    }
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
