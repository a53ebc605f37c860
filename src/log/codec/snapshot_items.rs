//! What a snapshot's parts are made of. An item that has nothing new is written as version 1 wrote
//! it first.

use super::asks::{attempts, mode, priority};
use super::primitives::{Bad, Reader, flags, has, put_bytes, put_name, put_number, put_request};
use crate::machine::{
    DelaySnapshot, HoldSnapshot, Kind, LOSS_DELAY_MAX_MS, Mode, NodeId, PauseSnapshot,
    ResourceSnapshot, SessionInfo, SnapshotParty, TicketSnapshot, TicketTerms, WaitSnapshot,
    WaitTimeout, WatchSnapshot,
};

pub(super) const SESSION: u8 = 1;
pub(super) const RESOURCE: u8 = 2;
pub(super) const TICKET: u8 = 3;
pub(super) const WAIT: u8 = 4;
pub(super) const WATCH: u8 = 5;
pub(super) const CONDEMNED: u8 = 6;
pub(super) const NODE: u8 = 7;
/// Whose the session before it is.
pub(super) const OWNER: u8 = 8;
/// What time it was.
pub(super) const CLOCK: u8 = 9;
/// How the session before it wants to be taken.
pub(super) const CONDUCT: u8 = 10;
/// A grant of the lock before it.
pub(super) const HOLD: u8 = 11;
/// A ticket of which more is to be said than of those before.
pub(super) const TICKET_IN_FULL: u8 = 12;

pub(super) fn put_session_info(tag: u8, info: &SessionInfo, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&info.id.0);
    put_bytes(info.name.as_str().as_bytes(), out);
    put_number(info.ttl.as_ms().into(), out);
    put_bytes(info.source.as_bytes(), out);
}

pub(super) fn info(from: &mut Reader<'_>) -> Result<SessionInfo, Bad> {
    Ok(SessionInfo {
        id: from.session()?,
        name: from.session_name()?,
        ttl: from.ttl()?,
        source: from.text()?.into(),
    })
}

/// A resource, with its grant if it is a lock that one holds, of which there is nothing new to say.
/// Whether its grants are yet to be written.
pub(super) fn put_resource(resource: &ResourceSnapshot, out: &mut Vec<u8>) -> bool {
    out.push(RESOURCE);
    put_name(&resource.name, out);
    let is_lock = resource.last == Kind::Lock;
    let emptied = resource.emptied;
    let lock = match &resource.locks[..] {
        [lock] if is_plain(lock) => Some(lock),
        _ => None,
    };
    let (paused, serving) = match resource.pause {
        PauseSnapshot::None => (false, false),
        PauseSnapshot::Paused => (true, false),
        PauseSnapshot::Serving => (false, true),
    };
    let known = resource.known;
    out.push(flags([known, is_lock, emptied.is_some(), lock.is_some(), paused, serving]));
    emptied.iter().for_each(|&number| put_number(number, out));
    lock.iter().for_each(|lock| put_plain_hold(lock, out));
    lock.is_none()
}

pub(super) fn resource(from: &mut Reader<'_>) -> Result<ResourceSnapshot, Bad> {
    let (name, flags) = (from.name()?, from.flags(63)?);
    let emptied = from.optional(has(flags, 2), Reader::number)?;
    let lock = from.optional(has(flags, 3), plain_hold)?;
    Ok(ResourceSnapshot {
        name,
        known: has(flags, 0),
        last: if has(flags, 1) { Kind::Lock } else { Kind::Tickets },
        emptied,
        pause: match (has(flags, 4), has(flags, 5)) {
            (false, false) => PauseSnapshot::None,
            (true, false) => PauseSnapshot::Paused,
            (false, true) => PauseSnapshot::Serving,
            (true, true) => return Err(Bad::Choice("option", flags)),
        },
        locks: Vec::from_iter(lock),
        tickets: Vec::new(),
        waits: Vec::new(),
        watches: Vec::new(),
    })
}

/// Whether there is nothing to be said of a grant but whose it is, and its number.
fn is_plain(hold: &HoldSnapshot) -> bool {
    let HoldSnapshot { holder, fence: _, since_ms, mode, data, hold_ms } = hold;
    let is_here = matches!(holder, SnapshotParty::Here(_));
    let is_timeless = *since_ms == 0 && hold_ms.is_none();
    is_here && is_timeless && *mode == Mode::Exclusive && data.is_none()
}

/// The holder and the number alone.
fn put_plain_hold(hold: &HoldSnapshot, out: &mut Vec<u8>) {
    if let SnapshotParty::Here(session) = &hold.holder {
        out.extend_from_slice(&session.0);
    }
    put_number(hold.fence.0, out);
}

fn plain_hold(from: &mut Reader<'_>) -> Result<HoldSnapshot, Bad> {
    Ok(HoldSnapshot {
        holder: SnapshotParty::Here(from.session()?),
        fence: from.fence()?,
        since_ms: 0,
        mode: Mode::Exclusive,
        data: None,
        hold_ms: None,
    })
}

pub(super) fn put_hold(hold: &HoldSnapshot, out: &mut Vec<u8>) {
    let HoldSnapshot { holder, fence, since_ms, mode, data, hold_ms } = hold;
    let is_shared = *mode == Mode::Shared;
    put_party(holder, out);
    put_number(fence.0, out);
    put_number(*since_ms, out);
    out.push(flags([is_shared, data.is_some(), hold_ms.is_some()]));
    data.iter().for_each(|data| put_bytes(data.as_bytes(), out));
    hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
}

pub(super) fn hold(from: &mut Reader<'_>) -> Result<HoldSnapshot, Bad> {
    let (holder, fence, since_ms) = (party(from)?, from.fence()?, from.number()?);
    let (is_here, flags) = (matches!(holder, SnapshotParty::Here(_)), from.flags(7)?);
    // A lost hold stays for as long as its session wished.
    let hold_ms = if is_here { Reader::hold_ms } else { loss_delay_ms };
    Ok(HoldSnapshot {
        holder,
        fence,
        since_ms,
        mode: mode(has(flags, 0)),
        data: from.optional(has(flags, 1), Reader::data)?,
        hold_ms: from.optional(has(flags, 2), hold_ms)?,
    })
}

fn loss_delay_ms(from: &mut Reader<'_>) -> Result<u32, Bad> {
    from.within(1..=LOSS_DELAY_MAX_MS, "delay")
}

/// A session, or the name of one that is gone.
fn put_party(party: &SnapshotParty, out: &mut Vec<u8>) {
    match party {
        SnapshotParty::Here(session) => {
            out.push(flags([false]));
            out.extend_from_slice(&session.0);
        }
        SnapshotParty::Gone(name) => {
            out.push(flags([true]));
            put_bytes(name.as_str().as_bytes(), out);
        }
    }
}

fn party(from: &mut Reader<'_>) -> Result<SnapshotParty, Bad> {
    Ok(if has(from.flags(1)?, 0) {
        SnapshotParty::Gone(from.session_name()?)
    } else {
        SnapshotParty::Here(from.session()?)
    })
}

/// Whether a ticket has only what those before had.
fn is_plain_ticket(ticket: &TicketSnapshot) -> bool {
    let TicketSnapshot { issuer, claim, number, terms, attempts, delay, dead, note, .. } = ticket;
    let is_fresh = *number == 0 && *attempts == 0 && delay.is_none() && !dead && note.is_none();
    is_fresh
        && matches!(issuer, SnapshotParty::Here(_))
        && *terms == TicketTerms::default()
        && claim.as_ref().is_none_or(is_plain)
}

pub(super) fn put_ticket(ticket: &TicketSnapshot, out: &mut Vec<u8>) {
    let is_plain = is_plain_ticket(ticket);
    out.push(if is_plain { TICKET } else { TICKET_IN_FULL });
    put_name(&ticket.name, out);
    put_bytes(ticket.data.as_bytes(), out);
    if !is_plain {
        return put_rest_in_full(ticket, out);
    }
    if let SnapshotParty::Here(issuer) = &ticket.issuer {
        out.extend_from_slice(&issuer.0);
    }
    put_number(ticket.place, out);
    put_number(ticket.issued, out);
    out.push(flags([ticket.notify, ticket.claim.is_some()]));
    ticket.claim.iter().for_each(|claim| put_plain_hold(claim, out));
}

fn put_rest_in_full(ticket: &TicketSnapshot, out: &mut Vec<u8>) {
    let TicketSnapshot { claim, notify, terms, delay, dead, note, .. } = ticket;
    let TicketTerms { stay, priority, attempts, hold_ms, only_new: _, delay_ms: _ } = *terms;
    put_party(&ticket.issuer, out);
    let numbers = [ticket.place, ticket.issued, ticket.number, ticket.attempts.into()];
    numbers.into_iter().for_each(|number| put_number(number, out));
    out.push(priority);
    let (is_claimed, is_delayed, has_note) = (claim.is_some(), delay.is_some(), note.is_some());
    let (is_bound, is_timed) = (attempts.is_some(), hold_ms.is_some());
    out.push(flags([*notify, stay, *dead, is_claimed, is_delayed, has_note, is_bound, is_timed]));
    claim.iter().for_each(|claim| put_hold(claim, out));
    if let Some(DelaySnapshot { delay, delay_ms, until_ms }) = *delay {
        [delay.0, delay_ms.into(), until_ms].into_iter().for_each(|n| put_number(n, out));
    }
    note.iter().for_each(|note| put_bytes(note.as_str().as_bytes(), out));
    attempts.iter().for_each(|&most| put_number(most.into(), out));
    hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
}

pub(super) fn ticket(from: &mut Reader<'_>) -> Result<TicketSnapshot, Bad> {
    let (name, data, issuer) = (from.name()?, from.data()?, from.session()?);
    let (place, issued, flags) = (from.number()?, from.number()?, from.flags(3)?);
    Ok(TicketSnapshot {
        name,
        data,
        issuer: SnapshotParty::Here(issuer),
        claim: from.optional(has(flags, 1), plain_hold)?,
        notify: has(flags, 0),
        place,
        issued,
        number: 0,
        terms: TicketTerms::default(),
        attempts: 0,
        delay: None,
        dead: false,
        note: None,
    })
}

pub(super) fn ticket_in_full(from: &mut Reader<'_>) -> Result<TicketSnapshot, Bad> {
    let (name, data, issuer) = (from.name()?, from.data()?, party(from)?);
    let (place, issued, number) = (from.number()?, from.number()?, from.number()?);
    let counted = from.within(0..=u32::MAX, "count of attempts")?;
    let (priority, flags) = (priority(from)?, from.byte()?);
    let claim = from.optional(has(flags, 3), hold)?;
    let delay = from.optional(has(flags, 4), delay)?;
    let note = from.optional(has(flags, 5), Reader::note)?;
    let terms = TicketTerms {
        stay: has(flags, 1),
        priority,
        attempts: from.optional(has(flags, 6), attempts)?,
        hold_ms: from.optional(has(flags, 7), Reader::hold_ms)?,
        ..TicketTerms::default()
    };
    let (notify, dead, attempts) = (has(flags, 0), has(flags, 2), counted);
    let ticket = TicketSnapshot {
        name,
        data,
        issuer,
        claim,
        notify,
        place,
        issued,
        number,
        terms,
        attempts,
        delay,
        dead,
        note,
    };
    if is_plain_ticket(&ticket) { Err(Bad::Value("ticket")) } else { Ok(ticket) }
}

fn delay(from: &mut Reader<'_>) -> Result<DelaySnapshot, Bad> {
    Ok(DelaySnapshot {
        delay: from.delay()?,
        delay_ms: from.within(0..=u32::MAX, "delay")?,
        until_ms: from.number()?,
    })
}

pub(super) fn put_wait(wait: &WaitSnapshot, out: &mut Vec<u8>) {
    out.push(WAIT);
    put_number(wait.id.0, out);
    out.extend_from_slice(&wait.session.0);
    let whole_session = wait.socket == Some(WaitTimeout::Session);
    let with_nodes = wait.requests.iter().any(|request| request.node != NodeId::ALONE);
    let (named, by_socket) = (wait.ticket.is_some(), wait.socket.is_some());
    let (data, hold_ms, several) = (&wait.data, wait.hold_ms, wait.of_several);
    let (is_dated, is_shared) = (wait.since_ms > 0, wait.mode == Mode::Shared);
    let more = flags([is_dated, is_shared, data.is_some(), hold_ms.is_some(), several.is_some()]);
    out.push(flags([named, by_socket, whole_session, wait.merges, with_nodes, more != 0]));
    wait.ticket.iter().for_each(|ticket| put_name(ticket, out));
    if let Some(WaitTimeout::Ms(ms)) = wait.socket {
        put_number(ms.into(), out);
    }
    put_number(wait.requests.len() as u64, out);
    wait.requests.iter().for_each(|&request| put_request(request, with_nodes, out));
    if more != 0 {
        out.push(more);
        if is_dated {
            put_number(wait.since_ms, out);
        }
        data.iter().for_each(|data| put_bytes(data.as_bytes(), out));
        hold_ms.iter().for_each(|&ms| put_number(ms.into(), out));
        several.iter().for_each(|&nth| out.push(nth));
    }
}

pub(super) fn wait(from: &mut Reader<'_>) -> Result<WaitSnapshot, Bad> {
    let (id, session, flags) = (from.wait()?, from.session()?, from.flags(63)?);
    let ticket = from.optional(has(flags, 0), Reader::name)?;
    let socket = match (has(flags, 1), has(flags, 2)) {
        (false, false) => None,
        (true, true) => Some(WaitTimeout::Session),
        (true, false) => Some(from.ms()?),
        (false, true) => return Err(Bad::Choice("option", flags)),
    };
    let with_nodes = has(flags, 4);
    let requests =
        from.list(|from| if with_nodes { from.request() } else { from.request_alone() })?;
    if with_nodes && requests.iter().all(|request| request.node == NodeId::ALONE) {
        return Err(Bad::Value("node"));
    }
    let more = from.optional(has(flags, 5), |from| from.flags(31))?;
    if more == Some(0) {
        return Err(Bad::Choice("option", 0));
    }
    let more = more.unwrap_or(0);
    let since_ms = from.optional(has(more, 0), Reader::number)?;
    if since_ms == Some(0) {
        return Err(Bad::Value("time"));
    }
    Ok(WaitSnapshot {
        id,
        session,
        ticket,
        socket,
        requests,
        merges: has(flags, 3),
        since_ms: since_ms.unwrap_or(0),
        mode: mode(has(more, 1)),
        data: from.optional(has(more, 2), Reader::data)?,
        hold_ms: from.optional(has(more, 3), Reader::hold_ms)?,
        of_several: from.optional(has(more, 4), Reader::byte)?,
    })
}

pub(super) fn put_watch(watch: &WatchSnapshot, out: &mut Vec<u8>) {
    out.push(WATCH);
    out.extend_from_slice(&watch.session.0);
    put_number(watch.number, out);
    out.push(flags([watch.changes]));
}

pub(super) fn watch(from: &mut Reader<'_>) -> Result<WatchSnapshot, Bad> {
    let (session, number) = (from.session()?, from.number()?);
    Ok(WatchSnapshot { session, changes: has(from.flags(1)?, 0), number })
}
