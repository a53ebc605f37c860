//! Which path leads where, and who of the browsers may come.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, any, get, on};
use futures::future::BoxFuture;
use tracing::Level;

use crate::machine::{Owner, SessionRef};
use crate::meters::Stopwatch;
use crate::server::access::enter::{EntranceAsked, NotEntered, enter};
use crate::server::app::App;
use crate::server::meters::{Ended, OpName};
use crate::server::rest::outcome::Outcome;
use crate::server::rest::{
    drain, dump, events, health, list, locks, metrics, resources, sessions, status, tickets,
};
use crate::server::socket::upgrade;
use crate::wire::{Code, Problem};

use super::needs::{self, NeedsOf};
use super::request::Call;
use super::response::{self, HttpAnswer};
use super::{cors, files};

/// What answers a request.
type Handler = fn(Arc<App>, Call) -> BoxFuture<'static, Outcome>;

/// A request that is answered.
struct Route {
    method: Method,
    path: &'static str,
    /// What it is counted as.
    op: OpName,
    /// Nothing at all of who asks whether the server is well.
    needs: Option<NeedsOf>,
    handle: Handler,
}

const fn route(
    method: Method,
    path: &'static str,
    op: OpName,
    needs: NeedsOf,
    handle: Handler,
) -> Route {
    Route { method, path, op, needs: Some(needs), handle }
}

const fn probe(path: &'static str, handle: Handler) -> Route {
    Route { method: Method::GET, path, op: OpName::Other, needs: None, handle }
}

const SESSIONS: &str = "/api/v1/sessions";
const SESSION: &str = "/api/v1/sessions/{id}";
const TICKETS: &str = "/api/v1/tickets/{resource}";
const CLAIMS: &str = "/api/v1/claims/{resource}";
const LOCKS: &str = "/api/v1/locks/{resource}";
const RESOURCES: &str = "/api/v1/resources";
const RESOURCE: &str = "/api/v1/resources/{resource}";
const REVIVE: &str = "/api/v1/resources/{resource}/revive";
const TICKETS_OF: &str = "/api/v1/resources/{resource}/tickets";
const EVENTS_OF: &str = "/api/v1/resources/{resource}/events";
const DUMP_SESSIONS: &str = "/api/v1/dump/sessions";
const DUMP_RESOURCES: &str = "/api/v1/dump/resources";
const DUMP_RESOURCE: &str = "/api/v1/dump/resources/{resource}";
const DRAIN: &str = "/api/v1/drain";

const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// A handler that runs this function.
macro_rules! run {
    ($handle:path) => {
        |app, call| Box::pin($handle(app, call))
    };
}

/// Requests about what the driver has, each also with a slash at its end. What is asked for by GET
/// may be asked for by HEAD.
#[rustfmt::skip]
const ROUTES: [Route; 28] = [
    route(POST, SESSIONS, OpName::Hello, needs::nothing, run!(sessions::open)),
    route(GET, SESSIONS, OpName::Sessions, needs::admin, run!(list::sessions)),
    route(PUT, SESSION, OpName::Beat, needs::of_session, run!(sessions::refresh)),
    route(GET, SESSION, OpName::Session, needs::of_session, run!(sessions::show)),
    route(DELETE, SESSION, OpName::Bye, needs::of_session, run!(sessions::close)),
    route(POST, TICKETS, OpName::Issue, needs::issue, run!(tickets::issue)),
    route(DELETE, TICKETS, OpName::Revoke, needs::reach, run!(tickets::revoke)),
    route(POST, CLAIMS, OpName::Claim, needs::claim, run!(tickets::claim)),
    route(PUT, CLAIMS, OpName::Touch, needs::claim, run!(tickets::touch)),
    route(GET, CLAIMS, OpName::Claims, needs::nothing, run!(tickets::holds)),
    route(DELETE, CLAIMS, OpName::Release, needs::give_back, run!(tickets::release)),
    route(POST, LOCKS, OpName::Lock, needs::lock, run!(locks::lock)),
    route(DELETE, LOCKS, OpName::Unlock, needs::give_back, run!(locks::unlock)),
    route(GET, RESOURCES, OpName::Resources, needs::nothing, run!(resources::list)),
    route(GET, RESOURCE, OpName::Look, needs::watch, run!(resources::look)),
    route(PUT, RESOURCE, OpName::Pause, needs::force, run!(resources::pause)),
    route(POST, REVIVE, OpName::Revive, needs::revive, run!(resources::revive)),
    route(GET, TICKETS_OF, OpName::Tickets, needs::watch, run!(resources::tickets)),
    route(GET, EVENTS_OF, OpName::Events, needs::watch, run!(events::follow)),
    route(GET, DUMP_SESSIONS, OpName::Dump, needs::admin, run!(dump::sessions)),
    route(GET, DUMP_RESOURCES, OpName::Dump, needs::admin, run!(dump::resources)),
    route(GET, DUMP_RESOURCE, OpName::Dump, needs::admin, run!(dump::resource)),
    route(GET, "/api/v1/status", OpName::Status, needs::metrics, run!(status::show)),
    route(GET, "/metrics", OpName::Metrics, needs::metrics, run!(metrics::show)),
    route(POST, DRAIN, OpName::Drain, needs::admin, run!(drain::begin)),
    route(DELETE, DRAIN, OpName::Drain, needs::admin, run!(drain::end)),
    probe("/healthz", run!(health::is_well)),
    probe("/readyz", run!(health::is_ready)),
];

/// The router of a server.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for Route { method, path, op, needs, handle } in ROUTES {
        // Only methods of the table come here, and axum knows those.
        let Ok(method) = MethodFilter::try_from(method) else { continue };
        let app = app.clone();
        let methods = match needs {
            Some(needs) => {
                let asked = RouteAsked { path, op, ask: Some(Ask::of(path, needs)) };
                on(method, async move |request| run(app, request, asked, handle).await)
            }
            // Nobody is asked anything.
            None => on(method, async move |request| probed(app, request, handle).await),
        };
        router = router.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    for path in ["/api/v1/ws", "/api/v1/ws/"] {
        let app = app.clone();
        let upgrade = async move |request| upgrade::upgrade(&app, Call::new(request)).await;
        router = router.route(path, any(upgrade));
    }
    let (lost, wrong) = (app.clone(), app.clone());
    let router = router
        .fallback(async move |request: Request| refuse(&lost, request, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async move |request: Request| {
            refuse(&wrong, request, StatusCode::METHOD_NOT_ALLOWED)
        });
    let router = match cors::layer(&app.config.allow_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.merge(files_router(app))
}

/// The files. Who may load them is up to each, and nothing that one sets.
fn files_router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for file in files::all() {
        let app = app.clone();
        let answer = async |_, call: Call| Ok(file.answer(call.parts()));
        let asked = RouteAsked::file(file.path);
        router = router.route(file.path, get(async move |it| run(app, it, asked, answer).await));
    }
    let with_app = app.clone();
    let package = async |_, call: Call| match files::package() {
        Some(file) => Ok(file.answer(call.parts())),
        None => Err(Problem::new(Code::Internal, "the package cannot be made")),
    };
    let asked = RouteAsked::file(files::PACKAGE);
    router =
        router.route(files::PACKAGE, get(async move |it| run(with_app, it, asked, package).await));
    for (path, way) in files::DIRECTORIES {
        let app = app.clone();
        let redirect = async move |_, _| Ok(files::redirect(way));
        let asked = RouteAsked::file(path);
        router = router.route(path, get(async move |it| run(app, it, asked, redirect).await));
    }
    let app = app.clone();
    router.method_not_allowed_fallback(async move |request: Request| {
        refuse(&app, request, StatusCode::METHOD_NOT_ALLOWED)
    })
}

/// What comes to a route.
#[derive(Clone, Copy)]
struct RouteAsked {
    path: &'static str,
    op: OpName,
    /// What is asked first; a file is for everybody.
    ask: Option<Ask>,
}

impl RouteAsked {
    fn file(path: &'static str) -> Self {
        Self { path, op: OpName::Other, ask: None }
    }
}

/// What is asked before a request is answered.
#[derive(Clone, Copy)]
struct Ask {
    needs: NeedsOf,
    /// Which segment of the path names something.
    named_at: usize,
    /// Whether the path names the session.
    by_path: bool,
    /// Whether it names a resource.
    on_resource: bool,
    /// Whether it asks for all whose names begin so.
    by_prefix: bool,
}

/// Answers a request, and counts it.
async fn run<R>(
    app: Arc<App>,
    request: Request,
    asked: RouteAsked,
    handle: impl FnOnce(Arc<App>, Call) -> R,
) -> HttpAnswer
where
    R: Future<Output = Outcome>,
{
    let (meters, begun) = (app.meters.clone(), Stopwatch::start());
    let mut call = Call::new(request);
    let documents = call.wants_documents();
    let waited = matches!(asked.op, OpName::Lock | OpName::Claim).then(|| call.notes_wait());
    let outcome = let_in(&app, &mut call, asked.ask).await;
    let line = RequestLine::of(&call);
    let outcome = match outcome {
        Ok(()) => handle(app, call).await.map_err(NotEntered::Problem),
        Err(refused) => Err(refused),
    };
    let (ended, answer) = match outcome {
        Ok(answer) => (Ended::Well, answer),
        Err(NotEntered::Denied(denied)) => {
            let code = if denied.is_put_off() { Code::Limit } else { Code::Unauthorized };
            (Ended::With(code), response::denied(&denied, documents))
        }
        Err(NotEntered::Problem(problem)) => {
            (Ended::With(problem.code), response::problem(&problem, documents))
        }
    };
    meters.rest.answered(asked.op, ended);
    let took = begun.elapsed();
    if !waited.is_some_and(|waited| waited.load(Ordering::Relaxed)) {
        meters.rest.seconds.measure(took);
    }
    if let Some(line) = line {
        line.write(asked.path, answer.status(), took);
    }
    answer
}

/// What the log tells of a request beside its answer.
struct RequestLine {
    peer: Box<str>,
    method: Method,
    owner: Option<Owner>,
}

impl RequestLine {
    /// `None` where the log does not have it.
    fn of(call: &Call) -> Option<Self> {
        tracing::enabled!(Level::DEBUG).then(|| {
            let owner = call.guest().and_then(|guest| guest.subject.owner());
            Self { peer: call.source(), method: call.parts().method.clone(), owner: owner.cloned() }
        })
    }

    /// `path` is that of the route: what is asked for by name may be a secret.
    fn write(self, path: &str, status: StatusCode, took: Duration) {
        let Self { peer, method, owner } = self;
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let status = status.as_u16();
        let owner = owner.as_ref().map(ToString::to_string);
        tracing::debug!(peer, %method, path, status, us, owner, "request");
    }
}

/// Lets a request in that may come.
async fn let_in(app: &App, call: &mut Call, ask: Option<Ask>) -> Result<(), NotEntered> {
    if let Some(ask) = ask {
        call.named_at(ask.named_at);
    }
    call.check_bounds().and_then(|()| app.admit(call.parts()))?;
    if let (Some(access), Some(ask)) = (&app.config.access, ask) {
        let asked = ask.asked(call);
        let entered = enter(access, app, call.parts(), asked).await?;
        call.entered(entered);
    }
    Ok(())
}

/// Answers who asks whether the server is well.
async fn probed(app: Arc<App>, request: Request, handle: Handler) -> HttpAnswer {
    let call = Call::new(request);
    let documents = call.wants_documents();
    let outcome = handle(app, call).await;
    outcome.unwrap_or_else(|problem| response::problem(&problem, documents))
}

impl Ask {
    fn of(path: &str, needs: NeedsOf) -> Self {
        let named = path.split('/').position(|segment| segment.starts_with('{'));
        Self {
            needs,
            named_at: named.unwrap_or_default(),
            by_path: path == SESSION,
            on_resource: path.contains("{resource}"),
            by_prefix: path == RESOURCES,
        }
    }

    fn asked(self, call: &Call) -> EntranceAsked {
        let session = match self.by_path {
            true if SessionRef::parse(call.segment()).is_some() => None,
            true => call.path_session(),
            // What cannot be one is told by who answers, in its turn.
            false => call.session().ok().flatten(),
        };
        EntranceAsked {
            session,
            needs: (self.needs)(call),
            resource: self.on_resource.then(|| call.resource()),
            prefix: self.by_prefix.then(|| resources::prefix(call)),
        }
    }
}

/// Refuses what no route takes.
fn refuse(app: &App, request: Request, status: StatusCode) -> HttpAnswer {
    let (begun, call) = (Stopwatch::start(), Call::new(request));
    app.meters.rest.answered(OpName::Other, Ended::NoRoute);
    if let Some(line) = RequestLine::of(&call) {
        line.write("other", status, begun.elapsed());
    }
    response::refusal(status, call.wants_documents())
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
