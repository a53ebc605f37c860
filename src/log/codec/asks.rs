//! How things are asked for, as bytes: what a command may say beyond what it must. What says
//! nothing of it has another form, that of version 1's first commands.

use super::primitives::{Bad, Reader, flags, has, put_bytes, put_number, put_request};
use crate::machine::{
    ATTEMPTS_MAX, Conduct, DELAY_MAX_MS, Fence, LOSS_DELAY_MAX_MS, LockAsk, Mode, NodeId,
    PRIORITY_MAX, Parting, Reach, TicketTerms, WaitOrigin, WaitRequest, WaitTimeout,
};

/// How a session wants to be taken.
pub(super) fn put_conduct(conduct: &Conduct, out: &mut Vec<u8>) {
    out.push(flags([conduct.blocking]));
    put_number(conduct.delay_ms.into(), out);
}

pub(super) fn conduct(from: &mut Reader<'_>) -> Result<Conduct, Bad> {
    let blocking = has(from.flags(1)?, 0);
    let delay_ms = from.within(0..=LOSS_DELAY_MAX_MS, "delay")?;
    said(Conduct { delay_ms, blocking }, "conduct")
}

/// What is not said at all has another form.
fn said<T: Default + PartialEq>(value: T, what: &'static str) -> Result<T, Bad> {
    if value == T::default() { Err(Bad::Value(what)) } else { Ok(value) }
}

/// How a ticket is issued, and whether its issuer is told of claims.
pub(super) fn put_terms(notify: bool, terms: &TicketTerms, out: &mut Vec<u8>) {
    let TicketTerms { stay, only_new, priority, delay_ms, attempts, hold_ms } = *terms;
    let (is_delayed, is_bound, is_timed) = (delay_ms > 0, attempts.is_some(), hold_ms.is_some());
    out.push(flags([notify, stay, only_new, is_delayed, is_bound, is_timed]));
    put_number(priority.into(), out);
    if is_delayed {
        put_number(delay_ms.into(), out);
    }
    attempts.iter().for_each(|&most| put_number(most.into(), out));
    hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
}

pub(super) fn terms(from: &mut Reader<'_>) -> Result<(bool, TicketTerms), Bad> {
    let (flags, priority) = (from.flags(63)?, priority(from)?);
    let delay_ms = from.optional(has(flags, 3), |from| from.within(1..=DELAY_MAX_MS, "delay"))?;
    let attempts = from.optional(has(flags, 4), attempts)?;
    let terms = TicketTerms {
        stay: has(flags, 1),
        only_new: has(flags, 2),
        priority,
        delay_ms: delay_ms.unwrap_or(0),
        attempts,
        hold_ms: from.optional(has(flags, 5), Reader::hold_ms)?,
    };
    Ok((has(flags, 0), said(terms, "ticket's terms")?))
}

pub(super) fn priority(from: &mut Reader<'_>) -> Result<u8, Bad> {
    let priority = from.byte()?;
    if priority <= PRIORITY_MAX { Ok(priority) } else { Err(Bad::Value("priority")) }
}

/// Most attempts of a ticket.
pub(super) fn attempts(from: &mut Reader<'_>) -> Result<u16, Bad> {
    let most = from.within(1..=ATTEMPTS_MAX.into(), "bound of attempts")?;
    u16::try_from(most).map_err(|_| Bad::Value("bound of attempts"))
}

/// How a claim ends: by which grant, by which way, and what becomes of the ticket.
pub(super) fn put_parting(
    fence: Option<Fence>,
    by_socket: bool,
    parting: &Parting,
    out: &mut Vec<u8>,
) {
    let Parting { delay_ms, note, dead, untried } = parting;
    let is_delayed = *delay_ms > 0;
    out.push(flags([fence.is_some(), by_socket, is_delayed, note.is_some(), *dead, *untried]));
    fence.iter().for_each(|fence| put_number(fence.0, out));
    if is_delayed {
        put_number((*delay_ms).into(), out);
    }
    note.iter().for_each(|note| put_bytes(note.as_str().as_bytes(), out));
}

pub(super) fn parting(from: &mut Reader<'_>) -> Result<(Option<Fence>, bool, Parting), Bad> {
    let flags = from.flags(63)?;
    let fence = from.optional(has(flags, 0), Reader::fence)?;
    let delay_ms = from.optional(has(flags, 2), |from| from.within(1..=DELAY_MAX_MS, "delay"))?;
    let parting = Parting {
        delay_ms: delay_ms.unwrap_or(0),
        note: from.optional(has(flags, 3), Reader::note)?,
        dead: has(flags, 4),
        untried: has(flags, 5),
    };
    Ok((fence, has(flags, 1), said(parting, "parting")?))
}

/// The same of a claim that just ends, and of a lock.
pub(super) fn put_release(fence: Option<Fence>, by_socket: bool, out: &mut Vec<u8>) {
    out.push(flags([fence.is_some(), by_socket]));
    fence.iter().for_each(|fence| put_number(fence.0, out));
}

pub(super) fn release(from: &mut Reader<'_>) -> Result<(Option<Fence>, bool), Bad> {
    let flags = from.flags(3)?;
    Ok((from.optional(has(flags, 0), Reader::fence)?, has(flags, 1)))
}

/// How a lock is asked for, and how it is waited for.
pub(super) fn put_lock_ask(ask: &LockAsk, wish: Option<&WaitRequest>, out: &mut Vec<u8>) {
    let LockAsk { mode, data, fence, steal } = ask;
    let (is_shared, has_data) = (*mode == Mode::Shared, data.is_some());
    out.push(flags([wish.is_some(), is_shared, has_data, fence.is_some(), *steal]));
    data.iter().for_each(|data| put_bytes(data.as_bytes(), out));
    fence.iter().for_each(|fence| put_number(fence.0, out));
    put_wait_request(wish, out);
}

pub(super) fn lock_ask(from: &mut Reader<'_>) -> Result<(LockAsk, Option<WaitRequest>), Bad> {
    let flags = from.flags(31)?;
    let ask = LockAsk {
        mode: mode(has(flags, 1)),
        data: from.optional(has(flags, 2), Reader::data)?,
        fence: from.optional(has(flags, 3), Reader::fence)?,
        steal: has(flags, 4),
    };
    Ok((said(ask, "lock's ask")?, from.optional(has(flags, 0), wait_request)?))
}

pub(super) fn mode(is_shared: bool) -> Mode {
    if is_shared { Mode::Shared } else { Mode::Exclusive }
}

/// A reach that is bounded.
pub(super) fn put_bounded_reach(reach: Reach, out: &mut Vec<u8>) {
    out.push(flags([reach == Reach::IssuedOrClaimed]));
}

pub(super) fn bounded_reach(from: &mut Reader<'_>) -> Result<Reach, Bad> {
    let with_claims = has(from.flags(1)?, 0);
    Ok(if with_claims { Reach::IssuedOrClaimed } else { Reach::Issued })
}

/// Any reach.
pub(super) fn put_reach(reach: Reach, out: &mut Vec<u8>) {
    out.push(match reach {
        Reach::Any => 0,
        Reach::IssuedOrClaimed => 1,
        Reach::Issued => 2,
    });
}

pub(super) fn reach(from: &mut Reader<'_>) -> Result<Reach, Bad> {
    Ok(match from.byte()? {
        0 => Reach::Any,
        1 => Reach::IssuedOrClaimed,
        2 => Reach::Issued,
        other => return Err(Bad::Choice("reach", other)),
    })
}

pub(super) fn put_wait_request(wait_request: Option<&WaitRequest>, out: &mut Vec<u8>) {
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

pub(super) fn wait_request(from: &mut Reader<'_>) -> Result<WaitRequest, Bad> {
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
