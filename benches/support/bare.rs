//! What ticketd is compared to: the same kinds of answers from axum with nothing behind it. The
//! benchmark's own program is this server when it is told so.

use std::io::{self, Write};

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, post, put};
use axum::serve::ListenerExt;
use futures::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpListener;

use super::{Outcome, servers};

/// Makes a benchmark be the bare server.
pub(crate) const ARGUMENT: &str = "--bare-server";
/// What an echoing socket reads and writes at a time.
const SOCKET_BUFFER_BYTES: usize = 4096;

/// Is the bare server, if that was asked for; true when it has ended.
pub(crate) fn ran_instead() -> Outcome<bool> {
    if !std::env::args().any(|word| word == ARGUMENT) {
        return Ok(false);
    }
    servers::raise_descriptor_limit()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve())?;
    Ok(true)
}

async fn serve() -> Outcome {
    let router = Router::new()
        .route("/api/v1/locks/{resource}", post(lock).delete(unlock))
        .route("/api/v1/sessions/{id}", put(refresh))
        .route("/api/v1/ws", any(socket));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| {
        // Without it the bench is about Nagle's algorithm.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

async fn lock(Path(_): Path<String>, _: Request) -> impl IntoResponse {
    ([(CONTENT_TYPE.as_str(), "application/json"), ("ticketd-fence", "3652842692968448")], "true")
}

async fn unlock(Path(_): Path<String>, _: Request) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], "\"ok\"")
}

async fn refresh(Path(_): Path<String>, _: Request) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], "\"Ok\"")
}

async fn socket(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    upgrade
        .protocols(["ticketd.v1"])
        .read_buffer_size(SOCKET_BUFFER_BYTES)
        .write_buffer_size(SOCKET_BUFFER_BYTES)
        .on_upgrade(async |socket| {
            // An end by error is an end.
            let _ = echo(socket).await;
        })
}

/// Sends back what comes: feeds while more is ready, then flushes once.
async fn echo(mut socket: WebSocket) -> Result<(), axum::Error> {
    while let Some(message) = socket.next().await {
        socket.feed(message?).await?;
        while let Some(Some(message)) = socket.next().now_or_never() {
            socket.feed(message?).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}
