//! An image as bytes: a head with the counters, then parts of about [`CHUNK_BYTES`] made of whole
//! items. What stands in a resource follows it, if need be in the next part.

use super::{Bad, Reader, flags, has, put_bytes, put_name, put_number};
use crate::machine::{
    Fence, Image, Kind, Length, Party, ResourceImage, SessionId, SessionImage, TicketImage,
    WaitImage, WatchImage,
};

/// A part ends with the item that reaches this many bytes.
pub const CHUNK_BYTES: usize = 64 << 10;

const SESSION: u8 = 1;
const RESOURCE: u8 = 2;
const TICKET: u8 = 3;
const WAIT: u8 = 4;
const WATCH: u8 = 5;
const CONDEMNED: u8 = 6;

/// Gives the head of `image`, then its parts, to `each`.
///
/// # Errors
/// The first that `each` returns; then nothing more is given.
pub fn encode_image<E>(
    image: &Image,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
    let counts = [image.sessions.len() as u64, image.resources.len() as u64];
    let counters = [image.next_fence, image.next_wait, image.serial, image.emptied_mark];
    counters.into_iter().chain(counts).for_each(|number| put_number(number, &mut out));
    each(&out)?;
    out.clear();
    let mut end_item = |out: &mut Vec<u8>| {
        if out.len() < CHUNK_BYTES {
            return Ok(());
        }
        each(out)?;
        out.clear();
        Ok(())
    };
    for SessionImage { party, condemned } in &image.sessions {
        put_party(if *condemned { CONDEMNED } else { SESSION }, party, &mut out);
        end_item(&mut out)?;
    }
    for resource in &image.resources {
        put_resource(resource, &mut out);
        end_item(&mut out)?;
        for ticket in &resource.tickets {
            put_ticket(ticket, &mut out);
            end_item(&mut out)?;
        }
        for wait in &resource.waits {
            put_wait(wait, &mut out);
            end_item(&mut out)?;
        }
        for watch in &resource.watches {
            put_watch(watch, &mut out);
            end_item(&mut out)?;
        }
    }
    if out.is_empty() { Ok(()) } else { each(&out) }
}

fn put_party(tag: u8, party: &Party, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&party.id.0);
    put_bytes(party.name.as_str().as_bytes(), out);
    put_number(party.ttl.as_ms().into(), out);
    put_bytes(party.source.as_bytes(), out);
}

fn put_resource(resource: &ResourceImage, out: &mut Vec<u8>) {
    out.push(RESOURCE);
    put_name(&resource.name, out);
    let is_lock = resource.last == Kind::Lock;
    let (emptied, lock) = (resource.emptied, resource.lock);
    out.push(flags([resource.known, is_lock, emptied.is_some(), lock.is_some()]));
    emptied.iter().for_each(|&number| put_number(number, out));
    put_grant(lock, out);
}

fn put_ticket(ticket: &TicketImage, out: &mut Vec<u8>) {
    out.push(TICKET);
    put_name(&ticket.name, out);
    put_bytes(ticket.data.as_bytes(), out);
    out.extend_from_slice(&ticket.issuer.0);
    put_number(ticket.place, out);
    put_number(ticket.issued, out);
    out.push(flags([ticket.notify, ticket.claim.is_some()]));
    put_grant(ticket.claim, out);
}

fn put_grant(grant: Option<(SessionId, Fence)>, out: &mut Vec<u8>) {
    let Some((session, fence)) = grant else { return };
    out.extend_from_slice(&session.0);
    put_number(fence.0, out);
}

fn put_wait(wait: &WaitImage, out: &mut Vec<u8>) {
    out.push(WAIT);
    put_number(wait.id.0, out);
    out.extend_from_slice(&wait.session.0);
    let whole_session = wait.socket == Some(Length::Session);
    out.push(flags([wait.ticket.is_some(), wait.socket.is_some(), whole_session, wait.shared]));
    wait.ticket.iter().for_each(|ticket| put_name(ticket, out));
    if let Some(Length::Ms(ms)) = wait.socket {
        put_number(ms.into(), out);
    }
    put_number(wait.requests.len() as u64, out);
    wait.requests.iter().for_each(|request| put_number(request.0, out));
}

fn put_watch(watch: &WatchImage, out: &mut Vec<u8>) {
    out.push(WATCH);
    out.extend_from_slice(&watch.session.0);
    put_number(watch.number, out);
    out.push(flags([watch.changes]));
}

/// Puts an image together from its head and parts.
#[derive(Debug)]
pub struct ImageReader {
    image: Image,
    sessions: u64,
    resources: u64,
}

impl ImageReader {
    /// Begins with the head.
    ///
    /// # Errors
    /// [`Bad`] when it is none.
    pub fn new(head: &[u8]) -> Result<Self, Bad> {
        let mut from = Reader::new(head);
        let image = Image {
            next_fence: from.number()?,
            next_wait: from.number()?,
            serial: from.number()?,
            emptied_mark: from.number()?,
            ..Image::default()
        };
        let (sessions, resources) = (from.number()?, from.number()?);
        if from.is_empty() {
            Ok(Self { image, sessions, resources })
        } else {
            Err(Bad::Order("bytes behind the head"))
        }
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// [`Bad`] when it is none.
    pub fn part(&mut self, part: &[u8]) -> Result<(), Bad> {
        let mut from = Reader::new(part);
        while !from.is_empty() {
            let tag = from.byte()?;
            let Image { sessions, resources, .. } = &mut self.image;
            match (tag, resources.last_mut()) {
                (SESSION | CONDEMNED, None) => {
                    let (party, condemned) = (party(&mut from)?, tag == CONDEMNED);
                    sessions.push(SessionImage { party, condemned });
                }
                (RESOURCE, _) => resources.push(resource(&mut from)?),
                (TICKET, Some(at)) => at.tickets.push(ticket(&mut from)?),
                (WAIT, Some(at)) => at.waits.push(wait(&mut from)?),
                (WATCH, Some(at)) => at.watches.push(watch(&mut from)?),
                (SESSION | CONDEMNED | TICKET | WAIT | WATCH, _) => {
                    return Err(Bad::Order("an item"));
                }
                _ => return Err(Bad::Choice("item", tag)),
            }
        }
        Ok(())
    }

    /// The image, when all of it has come.
    ///
    /// # Errors
    /// [`Bad`] when there is more or less than the head said.
    pub fn finish(self) -> Result<Image, Bad> {
        let Self { image, sessions, resources } = self;
        let found = (image.sessions.len() as u64, image.resources.len() as u64);
        if found == (sessions, resources) { Ok(image) } else { Err(Bad::Value("count of items")) }
    }
}

fn party(from: &mut Reader<'_>) -> Result<Party, Bad> {
    Ok(Party {
        id: from.session()?,
        name: from.session_name()?,
        ttl: from.ttl()?,
        source: from.text()?.into(),
    })
}

fn resource(from: &mut Reader<'_>) -> Result<ResourceImage, Bad> {
    let (name, flags) = (from.name()?, from.flags(15)?);
    Ok(ResourceImage {
        name,
        known: has(flags, 0),
        last: if has(flags, 1) { Kind::Lock } else { Kind::Tickets },
        emptied: if has(flags, 2) { Some(from.number()?) } else { None },
        lock: if has(flags, 3) { Some(grant(from)?) } else { None },
        tickets: Vec::new(),
        waits: Vec::new(),
        watches: Vec::new(),
    })
}

fn ticket(from: &mut Reader<'_>) -> Result<TicketImage, Bad> {
    let (name, data, issuer) = (from.name()?, from.data()?, from.session()?);
    let (place, issued, flags) = (from.number()?, from.number()?, from.flags(3)?);
    let claim = if has(flags, 1) { Some(grant(from)?) } else { None };
    Ok(TicketImage { name, data, issuer, claim, notify: has(flags, 0), place, issued })
}

fn grant(from: &mut Reader<'_>) -> Result<(SessionId, Fence), Bad> {
    Ok((from.session()?, from.fence()?))
}

fn wait(from: &mut Reader<'_>) -> Result<WaitImage, Bad> {
    let (id, session, flags) = (from.wait()?, from.session()?, from.flags(15)?);
    let ticket = if has(flags, 0) { Some(from.name()?) } else { None };
    let socket = match (has(flags, 1), has(flags, 2)) {
        (false, false) => None,
        (true, true) => Some(Length::Session),
        (true, false) => Some(from.ms()?),
        (false, true) => return Err(Bad::Choice("option", flags)),
    };
    let mut requests = Vec::new();
    for _ in 0..from.number()? {
        requests.push(from.request()?);
    }
    Ok(WaitImage { id, session, ticket, socket, requests, shared: has(flags, 3) })
}

fn watch(from: &mut Reader<'_>) -> Result<WatchImage, Bad> {
    let (session, number) = (from.session()?, from.number()?);
    Ok(WatchImage { session, changes: has(from.flags(1)?, 0), number })
}
