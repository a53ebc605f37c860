//! The way in: who asks, whether the session it names is its own, and whether it may.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::access::{BAD_TOKEN, Denied, Needs, Right, Shown, Subject};
use crate::audit::AuditLine;
use crate::driver::Driver;
use crate::machine::{Account, Name, Owner, Refusal, SessionId};
use crate::server::app::App;
use crate::server::net::peer::Peer;
use crate::wire::{Code, Problem};

use super::in_force::Access;
use super::seats::SocketSeat;

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotEntered {
    /// Nobody knows who it is.
    Denied(Denied),
    /// Everything else.
    Problem(Problem),
}

impl From<Problem> for NotEntered {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What is said of a right that is lacking.
pub(crate) fn lacks(right: Right) -> String {
    match right {
        right if right.has_names() => format!("this takes the right `{right}` on that name"),
        right => format!("this takes the right `{right}`"),
    }
}

pub(crate) fn forbidden(right: Right) -> Problem {
    Problem::new(Code::Forbidden, lacks(right))
}

/// Somebody who came in, and from where. What it may have is bounded by its account.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) access: Arc<Access>,
    pub(crate) subject: Subject,
    pub(crate) address: IpAddr,
    /// How often the policy had been replaced when it was proven.
    pub(crate) seen: u64,
    /// Its socket, as it counts among its owner's.
    seat: Option<Arc<SocketSeat>>,
}

impl Guest {
    /// Who shows what is in the headers of a request.
    ///
    /// # Errors
    /// When nobody knows, or it makes too many requests.
    pub(crate) fn of(access: &Arc<Access>, app: &App, parts: &Parts) -> Result<Self, Denied> {
        let (address, seen) = (address(parts), access.seen());
        let last = only(shown(app, parts)).zip(peer(parts).map(|peer| &peer.last_shown));
        let known = last.and_then(|(header, last)| last.who(header, seen));
        let subject = match known {
            Some(subject) => subject,
            None => {
                let subject = proven(access, app, parts, address)?;
                if let Some((header, last)) = last {
                    last.keep(header, seen, &subject);
                }
                subject
            }
        };
        Ok(Self { access: access.clone(), subject, address, seen, seat: None })
    }

    /// The same, by a token in a message.
    pub(crate) fn by_token(
        access: &Arc<Access>,
        token: &str,
        address: IpAddr,
    ) -> Result<Self, Denied> {
        let seen = access.seen();
        let subject = access.prove(&Shown::in_message(token), address)?;
        Ok(Self { access: access.clone(), subject, address, seen, seat: None })
    }

    /// The same, if its proof is still good.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn renewed(&self) -> Result<Self, Denied> {
        let seen = self.access.seen();
        let renewed = self.access.gate.renewed(&self.subject, self.access.moment());
        let subject = renewed.ok_or(Denied::NotLookedAt { retry_after: 0 })?;
        Ok(Self { subject, seen, ..self.clone() })
    }

    /// With whose sessions its own are counted.
    pub(crate) fn account(&self) -> Account {
        match self.subject.owner() {
            Some(owner) => Account::Owner(owner.clone()),
            None => Account::of_address(self.address),
        }
    }

    /// Whether it may make another request now; then that counts.
    pub(crate) fn may_ask(&self) -> bool {
        let Some(rate) = self.subject.quotas().rate else { return true };
        let now_us = self.access.moment().steady_ms.saturating_mul(1000);
        let may = self.access.rates.may_ask(rate.into(), self.account(), now_us);
        if !may {
            self.access.meters.quotas.count();
        }
        may
    }

    /// Whether it may have another session.
    ///
    /// # Errors
    /// A problem `limit`.
    pub(crate) fn may_open(&self, driver: &Driver) -> Result<(), Problem> {
        let quotas = self.subject.quotas();
        let is_full = |most: Option<u32>, account: &Account| {
            most.is_some_and(|most| driver.account_counts(account).sessions >= most as usize)
        };
        if quotas.sessions.is_some() && is_full(quotas.sessions, &self.account()) {
            return Err(self.beyond("no more sessions for this token's owner"));
        }
        if let Some(Owner::Subject { signer, .. }) = self.subject.owner()
            && is_full(quotas.all_sessions, &Account::Signer(signer.clone()))
        {
            return Err(self.beyond("no more sessions for this token's signer"));
        }
        Ok(())
    }

    /// It would be more than it may have.
    fn beyond(&self, what: &str) -> Problem {
        self.access.meters.quotas.count();
        Problem::new(Code::Limit, what)
    }

    /// Goes by the policy of now, if that is another. (A proof that is good no more is ended by who
    /// reviews all.)
    pub(crate) fn keep_up(&mut self) {
        if self.seen != self.access.seen()
            && let Ok(renewed) = self.renewed()
        {
            *self = renewed;
        }
    }

    /// Asks once more, when a request's body has come, which takes a while: whether the proof is
    /// still good, the right there, and the session its own.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn come_again(
        &self,
        driver: &Driver,
        session: SessionId,
        right: Right,
        resource: &Name,
    ) -> Result<(), Problem> {
        let Ok(renewed) = self.renewed() else {
            return Err(Problem::new(Code::Unauthorized, BAD_TOKEN));
        };
        if !renewed.subject.rules().may(right, resource.as_str()) {
            return Err(forbidden(right));
        }
        if driver.admit(&session, &renewed.subject).await? {
            Ok(())
        } else {
            Err(Refusal::SessionNotFound.into())
        }
    }

    /// Has a socket from now on, which counts until the last clone is gone.
    ///
    /// # Errors
    /// A problem `limit`, unless it takes a session over.
    pub(crate) fn sit(&mut self, takes_over: bool) -> Result<(), Problem> {
        let most = self.subject.quotas().sockets.filter(|_| !takes_over);
        let seat = self.access.seats.take(self.account(), most);
        let full = || self.beyond("no more sockets for this token's owner");
        self.seat = Some(Arc::new(seat.ok_or_else(full)?));
        Ok(())
    }

    /// Shows another token of the same owner's, by the same socket.
    pub(crate) fn becomes(&mut self, shown: Self) {
        *self = Self { seat: self.seat.take(), ..shown };
    }
}

/// What is said to who makes too many requests.
pub(crate) fn too_many() -> Problem {
    Problem::new(Code::Limit, "too many requests for this token's owner")
}

/// Where a request comes from.
pub(crate) fn address(parts: &Parts) -> IpAddr {
    peer(parts).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip())
}

fn peer(parts: &Parts) -> Option<&Peer> {
    parts.extensions.get::<Arc<Peer>>().map(|peer| &**peer)
}

/// The headers in which a request shows something. A page that nobody allowed by name is no reason
/// to believe what browsers send by themselves.
fn shown<'a>(app: &App, parts: &'a Parts) -> impl Iterator<Item = &'a [u8]> {
    let values = parts.headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes());
    let is_basic = |value: &[u8]| {
        value.trim_ascii_start().get(..6).is_some_and(|it| it.eq_ignore_ascii_case(b"basic "))
    };
    values.filter(move |value| !is_basic(value) || app.origins.is_known(parts))
}

/// The only one of them.
fn only<'a>(mut headers: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    headers.next().filter(|_| headers.next().is_none())
}

/// Who it is, by what a request shows, or by the certificate that its connection came with.
fn proven(access: &Access, app: &App, parts: &Parts, address: IpAddr) -> Result<Subject, Denied> {
    let shown = Shown::in_headers(shown(app, parts));
    let by_certificate = match shown {
        Shown::Nothing if app.origins.is_known(parts) => certified(access, parts),
        _ => None,
    };
    by_certificate.map_or_else(|| access.prove(&shown, address), Ok)
}

/// Whom the certificate speaks of that a connection came with, if it is somebody known.
fn certified(access: &Access, parts: &Parts) -> Option<Subject> {
    let certificate = peer(parts)?.certificate.as_ref()?;
    let names = certificate.names.iter().cloned();
    let subject = access.gate.policy().by_certificate(names, Some(certificate.ends))?;
    subject.is_good_at(access.moment().unix_s).then_some(subject)
}

/// A request's way in.
pub(crate) struct Entered {
    pub(crate) guest: Guest,
    /// The session that it names is another's.
    pub(crate) is_hidden: bool,
}

/// What a request asks, as far as it is asked before it is answered.
pub(crate) struct EntranceAsked {
    pub(crate) session: Option<SessionId>,
    pub(crate) needs: Needs,
    /// The resource that it names, if it names one.
    pub(crate) resource: Option<Result<Name, Problem>>,
    /// What the names begin with that it would look at, if it asks for several.
    pub(crate) prefix: Option<Result<String, Problem>>,
}

/// Lets a request in.
///
/// # Errors
/// Why not, in the contract's order: unavailable, who it is, a name that is none, its rights.
pub(crate) async fn enter(
    access: &Arc<Access>,
    app: &App,
    parts: &Parts,
    asked: EntranceAsked,
) -> Result<Entered, NotEntered> {
    let EntranceAsked { session, needs, resource, prefix } = asked;
    let guest = match Guest::of(access, app, parts) {
        Ok(guest) => guest,
        Err(denied) => {
            app.driver.may_ask().map_err(Problem::from)?;
            return Err(NotEntered::Denied(denied));
        }
    };
    if !guest.may_ask() {
        return Err(too_many().into());
    }
    let mut is_hidden = false;
    if let Some(session) = session {
        is_hidden = !app.driver.admit(&session, &guest.subject).await.map_err(Problem::from)?;
    }
    let resource = match resource {
        Some(Err(no_name)) => {
            app.driver.may_ask().map_err(Problem::from)?;
            return Err(no_name.into());
        }
        named => named.and_then(Result::ok),
    };
    let rules = guest.subject.rules();
    // What makes no sense is told by who answers.
    let covered = |prefix: &str| rules.covers(Right::Watch, prefix);
    let is_covered = prefix.and_then(Result::ok).is_none_or(|prefix| covered(&prefix));
    let lacking = needs.lacking(rules, resource.as_ref());
    if let Some(right) = lacking.or((!is_covered).then_some(Right::Watch)) {
        app.driver.may_ask().map_err(Problem::from)?;
        // It is a sign of life all the same.
        if let Some(session) = session.filter(|_| !is_hidden) {
            app.driver.refresh(&session).await.map_err(Problem::from)?;
        }
        let owner = guest.subject.owner().cloned();
        let line = AuditLine::lacking(owner, right.as_str(), resource.as_ref());
        let address = Some(guest.address.to_string().into());
        app.driver.tell(session.as_ref().filter(|_| !is_hidden), AuditLine { address, ..line });
        return Err(forbidden(right).into());
    }
    Ok(Entered { guest, is_hidden })
}
