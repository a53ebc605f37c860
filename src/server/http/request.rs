//! A request as the handlers see it: who asks, about what, and how the answer should look.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_LENGTH};
use axum::http::request::Parts;
use futures::future::BoxFuture;

use crate::machine::{DATA_MAX_BYTES, Data, Name, SessionId, Ttl};
use crate::server::access::enter::{Entered, Guest};
use crate::server::net::idle::UnderWay;
use crate::server::net::limits::Admission;
use crate::server::net::peer::Peer;
use crate::wire::{Code, Problem, query, read_id};

/// How long a request's body may take to arrive.
const BODY_MAX: Duration = Duration::from_secs(20);
/// Most bytes of a body that means nothing and is read to its end all the same.
const USELESS_MAX_BYTES: usize = 64 * 1024;
/// The header that names the session instead of the query.
pub(crate) const SESSION_HEADER: &str = "ticketd-session";

/// The header that may say how long to wait (RFC 7240).
const PREFER: &str = "prefer";

/// How long a client would wait for a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitWish {
    pub(crate) ms: u32,
    /// Whether the header said so.
    pub(crate) preferred: bool,
}

impl WaitWish {
    /// Not to wait.
    pub(crate) const NONE: Self = Self { ms: 0, preferred: false };
}

/// A request.
pub(crate) struct Call {
    parts: Parts,
    body: Body,
    /// Who asks, where that is asked for.
    guest: Option<Guest>,
    /// The session that it names is another's: as if there were none.
    is_hidden: bool,
    /// Which segment of the path names something.
    named_at: usize,
    /// What it names, read once: it is asked for before the answer and in it.
    named: ReadOnce,
    /// Whether it has waited in a queue, where that is asked for.
    waited: Option<Arc<AtomicBool>>,
}

/// What a request names.
#[derive(Default)]
struct ReadOnce {
    session: OnceCell<Result<Option<SessionId>, Problem>>,
    resource: OnceCell<Result<Name, Problem>>,
}

impl Call {
    pub(crate) fn new(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let named = ReadOnce::default();
        Self { parts, body, guest: None, is_hidden: false, named_at: 0, named, waited: None }
    }

    /// From now on it is noted whether it waits in a queue.
    pub(crate) fn notes_wait(&mut self) -> Arc<AtomicBool> {
        self.waited.get_or_insert_default().clone()
    }

    /// Notes that it waits in a queue.
    pub(crate) fn waits(&self) -> impl FnOnce() + use<> {
        let waited = self.waited.clone();
        move || waited.iter().for_each(|waited| waited.store(true, Ordering::Relaxed))
    }

    /// Somebody was let in.
    pub(crate) fn entered(&mut self, Entered { guest, is_hidden }: Entered) {
        (self.guest, self.is_hidden) = (Some(guest), is_hidden);
    }

    /// Who asks; `None` where nobody is asked.
    pub(crate) fn guest(&self) -> Option<&Guest> {
        self.guest.as_ref()
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(crate) fn into_parts(self) -> Parts {
        self.parts
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Whether errors should be problem documents (RFC 9457).
    pub(crate) fn wants_documents(&self) -> bool {
        wants_documents(&self.parts.headers)
    }

    pub(crate) fn query(&self) -> query::Query<'_> {
        query::Query::new(self.parts.uri.query())
    }

    /// It is that segment of the path that names something.
    pub(crate) fn named_at(&mut self, segment: usize) {
        self.named_at = segment;
    }

    /// The path's segment that names something, still encoded.
    pub(crate) fn segment(&self) -> &str {
        self.parts.uri.path().split('/').nth(self.named_at).unwrap_or_default()
    }

    /// The resource that the path names.
    pub(crate) fn resource(&self) -> Result<Name, Problem> {
        self.named.resource.get_or_init(|| query::path_name(self.segment())).clone()
    }

    /// The session that the path names. `None` for text that is nobody's id.
    pub(crate) fn path_session(&self) -> Option<SessionId> {
        read_id(self.segment()).filter(|_| !self.is_hidden)
    }

    /// The session that asks: by header, else by query. `None` for text that is nobody's id.
    pub(crate) fn session(&self) -> Result<Option<SessionId>, Problem> {
        let named = self.named.session.get_or_init(|| self.named_session());
        named.clone().map(|session| session.filter(|_| !self.is_hidden))
    }

    /// The same where a session may be missing.
    pub(crate) fn optional_session(&self) -> Result<Option<Option<SessionId>>, Problem> {
        let header = self.parts.headers.get(SESSION_HEADER).is_some_and(|value| !value.is_empty());
        if !header && self.query().get("sessid")?.is_none() {
            return Ok(None);
        }
        self.session().map(Some)
    }

    fn named_session(&self) -> Result<Option<SessionId>, Problem> {
        let header = self.parts.headers.get(SESSION_HEADER);
        if let Some(header) = header.filter(|header| !header.is_empty()) {
            return query::session(Some(header.to_str().unwrap_or("?")));
        }
        query::session(self.query().get("sessid")?.as_deref())
    }

    /// How long the client would wait for a grant.
    pub(crate) fn wait(&self) -> Result<WaitWish, Problem> {
        if let Some(ms) = self.query().wait_ms()? {
            return Ok(WaitWish { ms, preferred: false });
        }
        let prefer = self.parts.headers.get_all(PREFER).iter();
        let prefer: Vec<&str> = prefer.filter_map(|value| value.to_str().ok()).collect();
        let preferred = query::preferred_wait_ms(&prefer.join(","));
        Ok(WaitWish { ms: preferred.unwrap_or(0), preferred: preferred.is_some() })
    }

    /// The address that the request comes from.
    pub(crate) fn source(&self) -> Box<str> {
        self.peer().map(|peer| peer.address.to_string()).unwrap_or_default().into()
    }

    fn peer(&self) -> Option<&Peer> {
        self.parts.extensions.get::<Arc<Peer>>().map(|peer| &**peer)
    }

    /// The connection that the request came by, as far as it counts.
    pub(crate) fn admission(&self) -> Option<Arc<Admission>> {
        self.peer().map(|peer| peer.admission.clone())
    }

    /// What waits, given the session's ttl, until the client of a request in a queue has closed its
    /// side, or its machine has not answered for about that ttl.
    pub(crate) fn hang_up(&self) -> impl FnOnce(Ttl) -> BoxFuture<'static, ()> + use<> {
        let line = self.peer().map(|peer| peer.line.clone());
        move |ttl| {
            Box::pin(async move {
                let Some(line) = line else { return std::future::pending().await };
                let _probed = line.probed(ttl);
                line.closed().await;
            })
        }
    }

    /// Until what is returned is dropped, the connection does not idle.
    pub(crate) fn under_way(&self) -> Option<UnderWay> {
        self.peer().map(|peer| peer.traffic.begin())
    }

    /// Whether the address has connections and requests left.
    pub(crate) fn check_bounds(&self) -> Result<(), Problem> {
        let Some(Peer { admission, .. }) = self.peer() else { return Ok(()) };
        if admission.is_too_many() {
            admission.tell_too_many();
            return Err(Problem::new(Code::Limit, "too many connections from this address"));
        }
        if !admission.may_ask() {
            return Err(Problem::new(Code::Limit, "too many requests from this address"));
        }
        Ok(())
    }

    /// Whether there is a body to read.
    pub(crate) fn has_body(&self) -> bool {
        !self.body.is_end_stream()
    }

    /// The body, as data. Too large a one is not read.
    pub(crate) async fn data(&mut self) -> Result<Data, Problem> {
        let length = self.parts.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > DATA_MAX_BYTES as u64) {
            return Err(query::too_large());
        }
        query::data(&read_body(std::mem::take(&mut self.body), DATA_MAX_BYTES).await?)
    }

    /// Reads a body that means nothing to its end: a request takes its place in a queue when all of
    /// it is there.
    pub(crate) async fn discard_body(&mut self) -> Result<(), Problem> {
        let body = std::mem::take(&mut self.body);
        if !body.is_end_stream() {
            read_body(body, USELESS_MAX_BYTES).await?;
        }
        Ok(())
    }
}

async fn read_body(body: Body, max_bytes: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_MAX, to_bytes(body, max_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(why)) if is_too_large(&why) => Err(query::too_large()),
        Ok(Err(_)) => Err(Problem::bad("the body cannot be read")),
        Err(_) => Err(Problem::bad("the body did not arrive in time")),
    }
}

/// Whether a client asks for problem documents.
pub(crate) fn wants_documents(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT);
    accepts.iter().any(|value| {
        let value = value.to_str().unwrap_or("");
        value.split(',').any(|media| {
            let media = media.split(';').next().unwrap_or("").trim();
            media.eq_ignore_ascii_case("application/problem+json")
        })
    })
}

fn is_too_large(why: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(why);
    while let Some(error) = cause {
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        cause = error.source();
    }
    false
}
