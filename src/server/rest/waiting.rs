//! Requests that may wait in a queue for what they ask.

use std::sync::Arc;

use crate::driver::Answer;
use crate::machine::{Command, SessionId, WaitRequest};
use crate::server::app::App;
use crate::server::http::request::{Call, WaitWish};
use crate::wire::Problem;

/// Carries out a command that is granted at once, or waits as its client wishes. The session is
/// kept alive while the request's body is under way: it takes its place in the queue when all of
/// it is there.
pub(super) async fn ask(
    app: &Arc<App>,
    call: &mut Call,
    session: SessionId,
    wait: WaitWish,
    command: impl FnOnce(Option<WaitRequest>) -> Command,
) -> Result<Answer, Problem> {
    if wait.ms == 0 {
        return Ok(app.driver.request(session, command(None)).await?);
    }
    let pin = app.driver.pin(session);
    call.discard_body().await?;
    drop(pin);
    let command = |wait_request| command(Some(wait_request));
    Ok(app.driver.request_waiting_unless(session, wait.ms, command, call.hang_up()).await?)
}
