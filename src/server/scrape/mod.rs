//! All that is told to Prometheus.

mod figures;
mod process;

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::access::Pattern;
use crate::driver::{Driver, PersistenceStatus, Status};
use crate::machine::{Figures, GrantHow, HoldEnd, KindTally, Name, Tally};
use crate::notices::NoticeKind;
use crate::server::app::App;
use crate::server::meters::{CLOSES, Meters, OpName, Requests};
use crate::wire::Code;

use figures::{Families, Label};

/// Most resources that are told of one by one.
const RESOURCES_MAX: usize = 1000;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// Prometheus's own text, 0.0.4.
    Text,
    OpenMetrics,
}

impl Exposition {
    /// Its media type.
    pub(crate) fn media(self) -> &'static str {
        match self {
            Self::Text => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What is seen in one scrape: what the driver has, and resources one by one.
pub(crate) struct Scraped {
    status: Status,
    resources: Vec<(Name, Figures)>,
}

impl Scraped {
    /// Looks.
    pub(crate) async fn of(app: &App) -> Self {
        let resources = resources(&app.driver, &app.config.metrics_resources).await;
        Self { status: app.driver.status(), resources }
    }
}

/// Resources that are known and fit one of the patterns, each once. While the driver answers
/// nothing there are none.
async fn resources(driver: &Driver, patterns: &[Pattern]) -> Vec<(Name, Figures)> {
    let mut seen: Vec<(Name, Figures)> = Vec::new();
    for pattern in patterns {
        let page = driver.resources_page(pattern.stem(), None, RESOURCES_MAX).await;
        let fitting = page.unwrap_or_default();
        seen.extend(fitting.into_iter().filter(|(name, _)| pattern.matches(name.as_str())));
        // Others go first.
        tokio::task::yield_now().await;
    }
    seen.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    seen.dedup_by(|(a, _), (b, _)| a == b);
    seen.truncate(RESOURCES_MAX);
    seen
}

/// Writes all that is told.
///
/// # Errors
/// None that we know of: it writes into memory.
pub(crate) fn written(app: &App, seen: &Scraped, how: Exposition) -> Result<String, fmt::Error> {
    let mut figures = Families::default();
    tell_counts(&mut figures, app, &seen.status);
    tell_tally(&mut figures, &seen.status.tally);
    tell_requests(&mut figures, &app.meters);
    tell_refusals(&mut figures, app);
    tell_files(&mut figures, app, &seen.status);
    tell_resources(&mut figures, &seen.resources);
    process::tell(&mut figures);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(figures));
    let mut out = String::with_capacity(96 * 1024);
    match how {
        Exposition::Text => prometheus_text::encode(&mut out, &registry)?,
        Exposition::OpenMetrics => text::encode(&mut out, &registry)?,
    }
    Ok(out)
}

fn label(name: &'static str, value: &'static str) -> Label {
    (name, value.into())
}

fn one(name: &'static str, value: &'static str) -> Vec<Label> {
    vec![label(name, value)]
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn tell_counts(figures: &mut Families, app: &App, status: &Status) {
    let build = vec![label("version", env!("CARGO_PKG_VERSION"))];
    figures.gauges("ticketd_build_info", "The server's version", [(build, 1)]);
    let counts = &status.counts;
    let sockets = app.sockets.load(Ordering::Relaxed);
    figures.gauge("ticketd_sessions", "Living sessions", count(counts.sessions));
    figures.gauge("ticketd_sockets", "Open sockets", count(sockets));
    let connections = count(app.tasks.len());
    figures.gauge("ticketd_connections", "Open connections, sockets included", connections);
    figures.gauge("ticketd_resources", "Known resources", count(counts.resources));
    let free = counts.tickets - counts.claims - counts.delayed - counts.dead;
    let states = [
        ("free", free),
        ("held", counts.claims),
        ("delayed", counts.delayed),
        ("dead", counts.dead),
    ];
    let states = states.map(|(state, tickets)| (one("state", state), count(tickets)));
    figures.gauges("ticketd_tickets", "Tickets, by how they stand", states);
    figures.gauge("ticketd_locks_held", "Grants of locks in force", count(counts.locks));
    figures.gauge("ticketd_waits", "Places in queues", count(counts.waits));
    figures.gauge("ticketd_watches", "Watches of resources", count(counts.watches));
    let draining = u64::from(status.is_draining);
    figures.gauge("ticketd_draining", "Whether no new sessions are taken", draining);
}

/// Locks and tickets, as they are told apart.
fn kinds(tally: &Tally) -> [(&'static str, &KindTally); 2] {
    [("lock", &tally.locks), ("ticket", &tally.tickets)]
}

fn tell_tally(figures: &mut Families, tally: &Tally) {
    let granted = kinds(tally).into_iter().flat_map(|(kind, of)| {
        GrantHow::ALL.into_iter().map(move |how| {
            let name = match how {
                GrantHow::AtOnce => "at-once",
                GrantHow::Waited => "waited",
                GrantHow::Stolen => "stolen",
            };
            (vec![label("kind", kind), label("how", name)], of.grants[how as usize])
        })
    });
    figures.counters("ticketd_grants", "Grants of locks and tickets", granted);
    let ended = kinds(tally).into_iter().flat_map(|(kind, of)| {
        HoldEnd::ALL.into_iter().map(move |why| {
            (vec![label("kind", kind), label("reason", reason(why))], of.ended[why as usize])
        })
    });
    figures.counters("ticketd_holds_ended", "Holds that ended, by why", ended);
    let sessions = [("closed", tally.sessions_closed), ("expired", tally.sessions_expired)];
    let sessions = sessions.map(|(reason, count)| (one("reason", reason), count));
    figures.counters("ticketd_sessions_ended", "Sessions that ended, by why", sessions);
    let waits = kinds(tally).map(|(kind, of)| (one("kind", kind), of.waits));
    let help = "How long those waited in a queue that were granted what they waited for";
    figures.lasted("ticketd_wait_seconds", help, waits);
    let holds = kinds(tally).map(|(kind, of)| (one("kind", kind), of.holds));
    figures.lasted("ticketd_hold_seconds", "How long those were held that ended", holds);
}

fn reason(why: HoldEnd) -> &'static str {
    match why {
        HoldEnd::Released => "released",
        HoldEnd::Undelivered => "undelivered",
        HoldEnd::TimedOut => "timeout",
        HoldEnd::Forced => "forced",
        HoldEnd::Revoked => "revoked",
        HoldEnd::IssuerGone => "issuer-gone",
        HoldEnd::Closed => "closed",
        HoldEnd::Expired => "expired",
    }
}

fn tell_requests(figures: &mut Families, meters: &Meters) {
    let rest = answered("rest", &meters.rest, OpName::is_of_rest);
    let socket = answered("socket", &meters.socket, OpName::is_of_sockets);
    let help = "Requests that were answered, by what they ask and the code of the answer";
    figures.counters("ticketd_requests", help, rest.chain(socket));
    let took = [("rest", &meters.rest), ("socket", &meters.socket)];
    let took = took.map(|(way, requests)| (one("way", way), requests.seconds.get()));
    let help = "How long requests took that did not wait in a queue";
    figures.measured("ticketd_request_seconds", help, took);
    let closed = CLOSES.into_iter().zip(&meters.closed);
    let closed = closed.map(|(code, count)| (vec![("code", code.to_string().into())], count.get()));
    let help = "Sockets that were closed, by the code; 1006 stands for lines that were cut";
    figures.counters("ticketd_sockets_closed", help, closed);
    let help = "Sockets that were cut because they did not read what they were told";
    figures.counter("ticketd_outbox_full", help, meters.too_slow());
    let results = ["resumed", "not-found", "overtaken", "refused", "unavailable"];
    let resumed = results.into_iter().zip(&meters.resumed);
    let resumed = resumed.map(|(result, count)| (one("result", result), count.get()));
    let help = "Attempts of sockets to take a session over, by how they ended";
    figures.counters("ticketd_resumes", help, resumed);
}

fn answered(
    way: &'static str,
    requests: &Requests,
    is_asked: fn(OpName) -> bool,
) -> impl Iterator<Item = (Vec<Label>, u64)> {
    let ops = OpName::ALL.into_iter().filter(move |op| is_asked(*op));
    ops.flat_map(move |op| {
        let codes = Code::ALL.into_iter().map(Code::as_str);
        let codes = std::iter::once("ok").chain(codes).chain(["other"]);
        codes.zip(&requests.by_op[op as usize]).map(move |(code, count)| {
            (vec![label("op", op.name()), label("way", way), label("code", code)], count.get())
        })
    })
}

fn tell_refusals(figures: &mut Families, app: &App) {
    let meters = app.config.access.as_ref().map(|access| access.meters());
    let failures = [
        ("nothing-shown", meters.map_or(0, |it| it.nothing_shown.get())),
        ("bad-token", meters.map_or(0, |it| it.bad_tokens.get())),
        ("not-looked-at", meters.map_or(0, |it| it.not_looked_at.get())),
        ("handshake", app.notices.count(NoticeKind::Handshake)),
    ];
    let failures = failures.map(|(reason, count)| (one("reason", reason), count));
    let help = "Those who were not let in, because of who they are or are not";
    figures.counters("ticketd_auth_failures", help, failures);
    let limits = [
        ("connections", app.notices.count(NoticeKind::Connections)),
        ("rate", app.notices.count(NoticeKind::Rate)),
        ("no-hello", app.notices.count(NoticeKind::Nameless)),
        ("count", app.notices.count(NoticeKind::Bound)),
        ("owner", meters.map_or(0, |it| it.quotas.get())),
    ];
    let limits = limits.map(|(limit, count)| (one("limit", limit), count));
    let help = "What was refused because it was too much: of an address, of a session, of an owner";
    figures.counters("ticketd_limits", help, limits);
    let foreign = [("host", NoticeKind::Host), ("page", NoticeKind::Page)];
    let foreign = foreign.map(|(what, kind)| (one("what", what), app.notices.count(kind)));
    let help = "Requests by a name that is not ours, or from a foreign page";
    figures.counters("ticketd_foreign_requests", help, foreign);
}

fn tell_files(figures: &mut Families, app: &App, status: &Status) {
    let access = app.config.access.as_ref();
    let accesses = access.map_or((0, 0), |it| (it.seen(), it.refused_files()));
    let certificates = app.tls.as_ref().map_or((0, 0), |tls| tls.reloads());
    let reloads = [("access", accesses), ("certificate", certificates)];
    let reloads = reloads.into_iter().flat_map(|(file, (well, badly))| {
        [("ok", well), ("refused", badly)]
            .map(|(result, count)| (vec![label("file", file), label("result", result)], count))
    });
    let help = "Files that were read again while the server ran, by whether they counted";
    figures.counters("ticketd_reloads", help, reloads);
    let help = "Lines of the audit trail that found no room";
    figures.counter("ticketd_audit_lost", help, app.driver.audit_lost());
    let meters = app.driver.meters();
    let help = "How long the disk took to say that what was written is safe";
    figures.measured("ticketd_sync_seconds", help, [(Vec::new(), meters.syncs.get())]);
    let help = "How late what falls due was carried out";
    let late = [(Vec::new(), meters.lateness.get())];
    figures.measured("ticketd_expiry_lateness_seconds", help, late);
    if let Some(PersistenceStatus { bytes, synced_ms, snapshot_ms, is_full, .. }) =
        &status.persistence
    {
        figures.gauge("ticketd_journal_bytes", "Size of the journal's file", *bytes);
        let help = "When the last image of this run was done; 0 when there was none";
        let image_ms = snapshot_ms.unwrap_or_default();
        figures.moment("ticketd_image_timestamp_seconds", help, image_ms);
        let help = "When the journal was last synced; 0 when it was not";
        figures.moment("ticketd_sync_timestamp_seconds", help, synced_ms.unwrap_or_default());
        let help = "Whether the disk is full, so that nothing is done";
        figures.gauge("ticketd_disk_full", help, u64::from(*is_full));
    }
    if let Some(ends_s) = app.tls.as_ref().and_then(|tls| tls.ends_s()) {
        let help = "When the certificate ends that is shown";
        let ms = ends_s.saturating_mul(1000);
        figures.moment("ticketd_certificate_expiry_timestamp_seconds", help, ms);
    }
}

fn tell_resources(figures: &mut Families, resources: &[(Name, Figures)]) {
    let mut tell = |name, help, figure: fn(&Figures) -> u64| {
        let values = resources.iter().map(|(name, figures)| {
            (vec![("resource", name.as_str().to_owned().into())], figure(figures))
        });
        figures.gauges(name, help, values);
    };
    let help = "Waits in the queue of a resource";
    tell("ticketd_resource_waiting", help, |it| it.waiting.into());
    let help = "Grants of a lock, or claimed tickets";
    tell("ticketd_resource_held", help, |it| it.held.into());
    tell("ticketd_resource_free", "Tickets that anybody may claim", |it| it.free.into());
    tell("ticketd_resource_dead", "Tickets that go to nobody any more", |it| it.dead.into());
    tell("ticketd_resource_paused", "Whether it is paused", |it| it.paused.into());
}
