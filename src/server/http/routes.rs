//! Which path leads where, and who of the browsers may come.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, any, get, on};
use futures::future::BoxFuture;

use crate::access::{Needs, Right};
use crate::machine::SessionRef;
use crate::server::access::enter::{EntranceAsked, NotEntered, enter};
use crate::server::app::App;
use crate::server::rest::outcome::Outcome;
use crate::server::rest::{dump, list, locks, sessions, status, tickets};
use crate::server::socket::upgrade;
use crate::wire::{Code, Problem};

use super::request::{self, Call};
use super::response::{self, HttpAnswer};
use super::{cors, files};

/// What answers a request.
type Handler = fn(Arc<App>, Call) -> BoxFuture<'static, Outcome>;

/// A request that is answered.
struct Route {
    method: Method,
    path: &'static str,
    needs: Needs,
    handle: Handler,
}

const fn route(method: Method, path: &'static str, needs: Needs, handle: Handler) -> Route {
    Route { method, path, needs, handle }
}

const SESSIONS: &str = "/api/v1/sessions";
const SESSION: &str = "/api/v1/sessions/{id}";
const TICKETS: &str = "/api/v1/tickets/{resource}";
const CLAIMS: &str = "/api/v1/claims/{resource}";
const LOCKS: &str = "/api/v1/locks/{resource}";

/// What one's own session needs, and what it gives back. (Another's, by its ref, is `admin`'s.)
const OWN: Needs = Needs::Nothing;
const ADMIN: Needs = Needs::AtAll(Right::Admin);
const LOCK: Needs = Needs::On(Right::Lock);
const CLAIM: Needs = Needs::On(Right::Claim);
const ISSUE: Needs = Needs::On(Right::Issue);

/// Requests about what the driver has, each also with a slash at its end. What is asked for by GET
/// may be asked for by HEAD.
const ROUTES: [Route; 16] = [
    route(Method::POST, SESSIONS, Needs::Nothing, |app, call| Box::pin(sessions::open(app, call))),
    route(Method::GET, SESSIONS, ADMIN, |app, call| Box::pin(list::sessions(app, call))),
    route(Method::PUT, SESSION, OWN, |app, call| Box::pin(sessions::refresh(app, call))),
    route(Method::GET, SESSION, OWN, |app, call| Box::pin(sessions::show(app, call))),
    route(Method::DELETE, SESSION, OWN, |app, call| Box::pin(sessions::close(app, call))),
    route(Method::POST, TICKETS, ISSUE, |app, call| Box::pin(tickets::issue(app, call))),
    route(Method::DELETE, TICKETS, Needs::Reach, |app, call| Box::pin(tickets::revoke(app, call))),
    route(Method::POST, CLAIMS, CLAIM, |app, call| Box::pin(tickets::claim(app, call))),
    route(Method::GET, CLAIMS, OWN, |app, call| Box::pin(tickets::holds(app, call))),
    route(Method::DELETE, CLAIMS, OWN, |app, call| Box::pin(tickets::release(app, call))),
    route(Method::POST, LOCKS, LOCK, |app, call| Box::pin(locks::lock(app, call))),
    route(Method::DELETE, LOCKS, OWN, |app, call| Box::pin(locks::unlock(app, call))),
    route(Method::GET, "/api/v1/dump/sessions", ADMIN, |app, call| {
        Box::pin(dump::sessions(app, call))
    }),
    route(Method::GET, "/api/v1/dump/resources", ADMIN, |app, call| {
        Box::pin(dump::resources(app, call))
    }),
    route(Method::GET, "/api/v1/dump/resources/{resource}", ADMIN, |app, call| {
        Box::pin(dump::resource(app, call))
    }),
    route(Method::GET, "/api/v1/status", Needs::AtAll(Right::Metrics), |app, call| {
        Box::pin(status::show(app, call))
    }),
];

/// The router of a server.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for Route { method, path, needs, handle } in ROUTES {
        // Only methods of the table come here, and axum knows those.
        let Ok(method) = MethodFilter::try_from(method) else { continue };
        let app = app.clone();
        let methods = on(method, async move |request| {
            let ask =
                Ask { needs, by_path: path == SESSION, on_resource: path.ends_with("{resource}") };
            run(app, request, Some(ask), handle).await
        });
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
        let answer = async |_, call: Call| Ok(file.answer(call.headers()));
        router = router.route(file.path, get(async move |it| run(app, it, None, answer).await));
    }
    let with_app = app.clone();
    let package = async |_, call: Call| match files::package() {
        Some(file) => Ok(file.answer(call.headers())),
        None => Err(Problem::new(Code::Internal, "the package cannot be made")),
    };
    router =
        router.route(files::PACKAGE, get(async move |it| run(with_app, it, None, package).await));
    for (path, way) in files::DIRECTORY {
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
    needs: Needs,
    /// Whether the path names the session.
    by_path: bool,
    /// Whether it names a resource.
    on_resource: bool,
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
    let documents = call.wants_documents();
    let may_come = call.check_bounds().and_then(|()| app.admit(call.parts()));
    if let Err(problem) = may_come {
        return response::problem(&problem, documents);
    }
    if let (Some(access), Some(ask)) = (&app.config.access, ask) {
        let asked = ask.of(&call);
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
    fn of(self, call: &Call) -> EntranceAsked {
        let (session, needs) = match self.by_path {
            true if SessionRef::parse(call.segment()).is_some() => (None, ADMIN),
            true => (call.path_session(), self.needs),
            // What cannot be one is told by who answers, in its turn.
            false => (call.session().ok().flatten(), self.needs),
        };
        let resource = self.on_resource.then(|| call.resource());
        EntranceAsked { session, needs, resource }
    }
}

fn refuse(request: &Request, status: StatusCode) -> HttpAnswer {
    response::refusal(status, request::wants_documents(request.headers()))
}
