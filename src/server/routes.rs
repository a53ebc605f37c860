//! Which path leads where, and who of the browsers may come.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::routing::{MethodRouter, any, get, post, put};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::wire::{AllowedOrigin, Code, Problem};

use super::answer::{self, Answer, FENCE_HEADER};
use super::call::{self, Call, SESSION_HEADER};
use super::{App, Config, pages, rest, status, upgrade};

/// How long a browser may remember what it was allowed.
const PREFLIGHT_MAX_AGE: std::time::Duration = std::time::Duration::from_secs(600);

pub(crate) fn router(app: &App) -> Router {
    let paths: [(&str, MethodRouter<App>); 11] = [
        ("/api/v1/ws", any(upgrade::upgrade)),
        ("/api/v1/sessions", post(run(rest::open_session))),
        (
            "/api/v1/sessions/{id}",
            put(run(rest::refresh_session))
                .get(run(rest::show_session))
                .delete(run(rest::close_session)),
        ),
        (
            "/api/v1/tickets/{resource}",
            post(run(rest::issue_ticket)).delete(run(rest::revoke_ticket)),
        ),
        (
            "/api/v1/claims/{resource}",
            post(run(rest::claim_ticket))
                .get(run(rest::holds_ticket))
                .delete(run(rest::release_ticket)),
        ),
        ("/api/v1/locks/{resource}", post(run(rest::lock)).delete(run(rest::unlock))),
        ("/api/v1/dump/sessions", get(run(rest::dump_sessions))),
        ("/api/v1/dump/resources", get(run(rest::dump_resources))),
        ("/api/v1/dump/resources/{resource}", get(run(rest::dump_resource))),
        ("/api/v1/status", get(run(status::status))),
        ("/healthz", get(async || "ok\n")),
    ];
    let mut router = Router::new();
    for (path, methods) in paths {
        router = router.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    let router = router
        .fallback(async |request: Request| refuse(&request, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(not_allowed);
    let router = match cors(&app.config) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.merge(static_router()).with_state(app.clone())
}

/// The pages. Who may load them is up to each, and nothing that one sets.
fn static_router() -> Router<App> {
    let mut router = Router::new();
    for page in pages::all() {
        let answer = async |_, call: Call| Ok(page.answer(call.headers()));
        router = router.route(page.path, get(run(answer)));
    }
    let answer = async |_, call: Call| match pages::package() {
        Some(page) => Ok(page.answer(call.headers())),
        None => Err(Problem::new(Code::Internal, "the package cannot be made")),
    };
    router = router.route(pages::PACKAGE, get(run(answer)));
    for (path, way) in pages::DIRECTORY {
        router = router.route(path, get(run(async |_, _| Ok(pages::redirect(way)))));
    }
    router.method_not_allowed_fallback(not_allowed)
}

async fn not_allowed(request: Request) -> Answer {
    refuse(&request, StatusCode::METHOD_NOT_ALLOWED)
}

/// Makes a handler of a function that answers or fails.
fn run<F, R>(
    handle: F,
) -> impl Fn(State<App>, Request) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>
+ Clone
+ Send
+ Sync
+ 'static
where
    F: Fn(App, Call) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    move |State(app), request| {
        let call = Call::new(request);
        let documents = call.wants_documents();
        Box::pin(async move {
            let may_come = call.check_bounds().and_then(|()| app.admit(call.parts()));
            let answer = match may_come {
                Ok(()) => handle(app, call).await,
                Err(problem) => Err(problem),
            };
            answer.unwrap_or_else(|problem| answer::problem(&problem, documents))
        })
    }
}

fn refuse(request: &Request, status: StatusCode) -> Answer {
    answer::refusal(status, call::wants_documents(request.headers()))
}

/// What pages of other origins may do: nothing, but for those that were allowed.
fn cors(config: &Config) -> Option<CorsLayer> {
    let origins = &config.allow_origins;
    if origins.is_empty() {
        return None;
    }
    let listed = |allowed: &AllowedOrigin| match allowed {
        AllowedOrigin::Of(origin) => HeaderValue::from_str(origin).ok(),
        AllowedOrigin::Any => None,
    };
    let allowed = if origins.contains(&AllowedOrigin::Any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(listed))
    };
    let headers = [
        HeaderName::from_static(SESSION_HEADER),
        AUTHORIZATION,
        CONTENT_TYPE,
        HeaderName::from_static("prefer"),
    ];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers(headers)
            .expose_headers([FENCE_HEADER, RETRY_AFTER, WWW_AUTHENTICATE])
            .max_age(PREFLIGHT_MAX_AGE),
    )
}
