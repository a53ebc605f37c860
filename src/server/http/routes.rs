//! Which path leads where, and who of the browsers may come.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, any, get, on};
use futures::future::BoxFuture;

use crate::machine::SessionRef;
use crate::server::access::enter::{EntranceAsked, NotEntered, enter};
use crate::server::app::App;
use crate::server::rest::outcome::Outcome;
use crate::server::rest::{dump, events, list, locks, resources, sessions, status, tickets};
use crate::server::socket::upgrade;
use crate::wire::{Code, Problem};

use super::needs::{self, NeedsOf};
use super::request::{self, Call};
use super::response::{self, HttpAnswer};
use super::{cors, files};

/// What answers a request.
type Handler = fn(Arc<App>, Call) -> BoxFuture<'static, Outcome>;

/// A request that is answered.
struct Route {
    method: Method,
    path: &'static str,
    needs: NeedsOf,
    handle: Handler,
}

const fn route(method: Method, path: &'static str, needs: NeedsOf, handle: Handler) -> Route {
    Route { method, path, needs, handle }
}

const SESSIONS: &str = "/api/v1/sessions";
const SESSION: &str = "/api/v1/sessions/{id}";
const TICKETS: &str = "/api/v1/tickets/{resource}";
const CLAIMS: &str = "/api/v1/claims/{resource}";
const LOCKS: &str = "/api/v1/locks/{resource}";
const RESOURCES: &str = "/api/v1/resources";
const RESOURCE: &str = "/api/v1/resources/{resource}";

/// Requests about what the driver has, each also with a slash at its end. What is asked for by GET
/// may be asked for by HEAD.
const ROUTES: [Route; 23] = [
    route(Method::POST, SESSIONS, needs::nothing, |app, it| Box::pin(sessions::open(app, it))),
    route(Method::GET, SESSIONS, needs::admin, |app, it| Box::pin(list::sessions(app, it))),
    route(Method::PUT, SESSION, needs::of_session, |app, it| Box::pin(sessions::refresh(app, it))),
    route(Method::GET, SESSION, needs::of_session, |app, it| Box::pin(sessions::show(app, it))),
    route(Method::DELETE, SESSION, needs::of_session, |app, it| Box::pin(sessions::close(app, it))),
    route(Method::POST, TICKETS, needs::issue, |app, it| Box::pin(tickets::issue(app, it))),
    route(Method::DELETE, TICKETS, needs::reach, |app, it| Box::pin(tickets::revoke(app, it))),
    route(Method::POST, CLAIMS, needs::claim, |app, it| Box::pin(tickets::claim(app, it))),
    route(Method::PUT, CLAIMS, needs::claim, |app, it| Box::pin(tickets::touch(app, it))),
    route(Method::GET, CLAIMS, needs::nothing, |app, it| Box::pin(tickets::holds(app, it))),
    route(Method::DELETE, CLAIMS, needs::give_back, |app, it| Box::pin(tickets::release(app, it))),
    route(Method::POST, LOCKS, needs::lock, |app, it| Box::pin(locks::lock(app, it))),
    route(Method::DELETE, LOCKS, needs::give_back, |app, it| Box::pin(locks::unlock(app, it))),
    route(Method::GET, RESOURCES, needs::nothing, |app, it| Box::pin(resources::list(app, it))),
    route(Method::GET, RESOURCE, needs::watch, |app, it| Box::pin(resources::look(app, it))),
    route(Method::PUT, RESOURCE, needs::force, |app, it| Box::pin(resources::pause(app, it))),
    route(Method::POST, "/api/v1/resources/{resource}/revive", needs::revive, |app, it| {
        Box::pin(resources::revive(app, it))
    }),
    route(Method::GET, "/api/v1/resources/{resource}/tickets", needs::watch, |app, it| {
        Box::pin(resources::tickets(app, it))
    }),
    route(Method::GET, "/api/v1/resources/{resource}/events", needs::watch, |app, it| {
        Box::pin(events::follow(app, it))
    }),
    route(Method::GET, "/api/v1/dump/sessions", needs::admin, |app, it| {
        Box::pin(dump::sessions(app, it))
    }),
    route(Method::GET, "/api/v1/dump/resources", needs::admin, |app, it| {
        Box::pin(dump::resources(app, it))
    }),
    route(Method::GET, "/api/v1/dump/resources/{resource}", needs::admin, |app, it| {
        Box::pin(dump::resource(app, it))
    }),
    route(Method::GET, "/api/v1/status", needs::metrics, |app, it| Box::pin(status::show(app, it))),
];

/// The router of a server.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for Route { method, path, needs, handle } in ROUTES {
        // Only methods of the table come here, and axum knows those.
        let Ok(method) = MethodFilter::try_from(method) else { continue };
        let app = app.clone();
        let ask = Ask::of(path, needs);
        let methods = on(method, async move |request| run(app, request, Some(ask), handle).await);
        router = router.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    for path in ["/api/v1/ws", "/api/v1/ws/"] {
        let app = app.clone();
        let upgrade = async move |request| upgrade::upgrade(&app, Call::new(request)).await;
        router = router.route(path, any(upgrade));
    }
    for path in ["/healthz", "/healthz/"] {
        router = router.route(path, get(async || "ok\n"));
    }
    let router = router
        .fallback(async |request: Request| refuse(&request, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(not_allowed);
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
        router = router.route(file.path, get(async move |it| run(app, it, None, answer).await));
    }
    let with_app = app.clone();
    let package = async |_, call: Call| match files::package() {
        Some(file) => Ok(file.answer(call.parts())),
        None => Err(Problem::new(Code::Internal, "the package cannot be made")),
    };
    router =
        router.route(files::PACKAGE, get(async move |it| run(with_app, it, None, package).await));
    for (path, way) in files::DIRECTORIES {
        let app = app.clone();
        let redirect = async move |_, _| Ok(files::redirect(way));
        router = router.route(path, get(async move |it| run(app, it, None, redirect).await));
    }
    router.method_not_allowed_fallback(not_allowed)
}

async fn not_allowed(request: Request) -> HttpAnswer {
    refuse(&request, StatusCode::METHOD_NOT_ALLOWED)
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

/// Answers a request that may come.
async fn run<R>(
    app: Arc<App>,
    request: Request,
    ask: Option<Ask>,
    handle: impl FnOnce(Arc<App>, Call) -> R,
) -> HttpAnswer
where
    R: Future<Output = Outcome>,
{
    let mut call = Call::new(request);
    if let Some(ask) = ask {
        call.named_at(ask.named_at);
    }
    let documents = call.wants_documents();
    let may_come = call.check_bounds().and_then(|()| app.admit(call.parts()));
    if let Err(problem) = may_come {
        return response::problem(&problem, documents);
    }
    if let (Some(access), Some(ask)) = (&app.config.access, ask) {
        let asked = ask.asked(&call);
        match enter(access, &app, call.parts(), asked).await {
            Ok(entered) => call.entered(entered),
            Err(NotEntered::Denied(denied)) => return response::denied(&denied, documents),
            Err(NotEntered::Problem(problem)) => return response::problem(&problem, documents),
        }
    }
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

fn refuse(request: &Request, status: StatusCode) -> HttpAnswer {
    response::refusal(status, request::wants_documents(request.headers()))
}
