//! Which path leads where, and who of the browsers may come.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, any, get, on};
use futures::future::BoxFuture;

use crate::server::app::App;
use crate::server::rest::outcome::Outcome;
use crate::server::rest::{dump, locks, sessions, status, tickets};
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
    handle: Handler,
}

const fn route(method: Method, path: &'static str, handle: Handler) -> Route {
    Route { method, path, handle }
}

const SESSION: &str = "/api/v1/sessions/{id}";
const TICKETS: &str = "/api/v1/tickets/{resource}";
const CLAIMS: &str = "/api/v1/claims/{resource}";
const LOCKS: &str = "/api/v1/locks/{resource}";

/// Requests about what the driver has, each also with a slash at its end. What is asked for by GET
/// may be asked for by HEAD.
const ROUTES: [Route; 15] = [
    route(Method::POST, "/api/v1/sessions", |app, call| Box::pin(sessions::open(app, call))),
    route(Method::PUT, SESSION, |app, call| Box::pin(sessions::refresh(app, call))),
    route(Method::GET, SESSION, |app, call| Box::pin(sessions::show(app, call))),
    route(Method::DELETE, SESSION, |app, call| Box::pin(sessions::close(app, call))),
    route(Method::POST, TICKETS, |app, call| Box::pin(tickets::issue(app, call))),
    route(Method::DELETE, TICKETS, |app, call| Box::pin(tickets::revoke(app, call))),
    route(Method::POST, CLAIMS, |app, call| Box::pin(tickets::claim(app, call))),
    route(Method::GET, CLAIMS, |app, call| Box::pin(tickets::holds(app, call))),
    route(Method::DELETE, CLAIMS, |app, call| Box::pin(tickets::release(app, call))),
    route(Method::POST, LOCKS, |app, call| Box::pin(locks::lock(app, call))),
    route(Method::DELETE, LOCKS, |app, call| Box::pin(locks::unlock(app, call))),
    route(Method::GET, "/api/v1/dump/sessions", |app, call| Box::pin(dump::sessions(app, call))),
    route(Method::GET, "/api/v1/dump/resources", |app, call| Box::pin(dump::resources(app, call))),
    route(Method::GET, "/api/v1/dump/resources/{resource}", |app, call| {
        Box::pin(dump::resource(app, call))
    }),
    route(Method::GET, "/api/v1/status", |app, call| Box::pin(status::show(app, call))),
];

/// The router of a server.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for Route { method, path, handle } in ROUTES {
        // Only methods of the table come here, and axum knows those.
        let Ok(method) = MethodFilter::try_from(method) else { continue };
        let app = app.clone();
        let methods = on(method, async move |request| run(app, request, handle).await);
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
        router = router.route(file.path, get(async move |it| run(app, it, answer).await));
    }
    let with_app = app.clone();
    let package = async |_, call: Call| match files::package() {
        Some(file) => Ok(file.answer(call.headers())),
        None => Err(Problem::new(Code::Internal, "the package cannot be made")),
    };
    router = router.route(files::PACKAGE, get(async move |it| run(with_app, it, package).await));
    for (path, way) in files::DIRECTORY {
        let app = app.clone();
        let redirect = async move |_, _| Ok(files::redirect(way));
        router = router.route(path, get(async move |it| run(app, it, redirect).await));
    }
    router.method_not_allowed_fallback(not_allowed)
}

async fn not_allowed(request: Request) -> HttpAnswer {
    refuse(&request, StatusCode::METHOD_NOT_ALLOWED)
}

/// Answers a request that may come.
async fn run<R>(
    app: Arc<App>,
    request: Request,
    handle: impl FnOnce(Arc<App>, Call) -> R,
) -> HttpAnswer
where
    R: Future<Output = Outcome>,
{
    let call = Call::new(request);
    let documents = call.wants_documents();
    let may_come = call.check_bounds().and_then(|()| app.admit(call.parts()));
    let outcome = match may_come {
        Ok(()) => handle(app, call).await,
        Err(problem) => Err(problem),
    };
    outcome.unwrap_or_else(|problem| response::problem(&problem, documents))
}

fn refuse(request: &Request, status: StatusCode) -> HttpAnswer {
    response::refusal(status, request::wants_documents(request.headers()))
}
