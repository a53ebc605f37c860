//! Requests that may wait in a queue for what they ask.

use std::sync::{Arc, OnceLock};

use crate::access::{BAD_TOKEN, Right, Rules};
use crate::driver::Answer;
use crate::machine::{Command, Data, Name, Reply, SessionId, WaitRequest};
use crate::server::access::Cut;
use crate::server::access::enter::forbidden;
use crate::server::app::App;
use crate::server::http::request::{Call, WaitWish};
use crate::wire::{Code, Problem};

use super::outcome::known;

/// What is waited for, by the right that it takes.
pub(super) struct Wanted {
    /// Of text that is nobody's id there is none.
    pub(super) session: Option<SessionId>,
    pub(super) right: Right,
    pub(super) resource: Name,
}

/// Reads a body that means something, if there is one. Its session is kept alive meanwhile, and who
/// asks is asked again when it is there.
pub(super) async fn body(
    app: &Arc<App>,
    call: &mut Call,
    wanted: &Wanted,
) -> Result<Option<Data>, Problem> {
    if !call.has_body() {
        return Ok(None);
    }
    let pin = wanted.session.map(|session| app.driver.pin(session));
    let data = call.data().await?;
    drop(pin);
    if let (Some(guest), Some(session)) = (call.guest(), wanted.session) {
        guest.come_again(&app.driver, session, wanted.right, &wanted.resource).await?;
    }
    Ok(Some(data))
}

/// Carries out a command that is granted at once, or waits as its client wishes. The session is
/// kept alive while the request's body is under way: it takes its place in the queue when all of
/// it is there. It leaves it when its client may not wait any more.
pub(super) async fn ask(
    app: &Arc<App>,
    call: &mut Call,
    wanted: &Wanted,
    wait: WaitWish,
    command: impl FnOnce(Option<WaitRequest>) -> Command,
) -> Result<Answer, Problem> {
    let session = known(wanted.session)?;
    if wait.ms == 0 {
        return Ok(app.driver.request(session, command(None)).await?);
    }
    let pin = app.driver.pin(session);
    call.discard_body().await?;
    drop(pin);
    if let Some(guest) = call.guest() {
        guest.come_again(&app.driver, session, wanted.right, &wanted.resource).await?;
    }
    let command = |wait_request| command(Some(wait_request));
    let (hang_up, waits) = (call.hang_up(), call.waits());
    let hang_up = |ttl| {
        waits();
        hang_up(ttl)
    };
    let Some(guest) = call.guest() else {
        return Ok(app.driver.request_waiting_unless(session, wait.ms, command, hang_up).await?);
    };
    let cut = OnceLock::new();
    let cut_by = &cut;
    let gone = |ttl| async move {
        let may = |rules: &Rules| rules.may(wanted.right, wanted.resource.as_str());
        tokio::select! {
            () = hang_up(ttl) => {}
            why = guest.access.cut(guest.subject.clone(), may) => {
                cut_by.get_or_init(|| why);
            }
        }
    };
    let answer = app.driver.request_waiting_unless(session, wait.ms, command, gone).await?;
    match (&answer.reply, cut.get()) {
        (Ok(Reply::NotGranted), Some(Cut::Right)) => Err(forbidden(wanted.right)),
        (Ok(Reply::NotGranted), Some(Cut::Proof)) => {
            Err(Problem::new(Code::Unauthorized, BAD_TOKEN))
        }
        _ => Ok(answer),
    }
}
