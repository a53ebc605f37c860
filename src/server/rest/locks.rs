//! Locks: taken and given back.

use std::sync::Arc;

use crate::access::Right;
use crate::machine::{Command, Grant, LockAsk, Reply};
use crate::server::app::App;
use crate::server::http::request::{Call, WaitWish};
use crate::server::http::response;

use super::outcome::{Asking, Outcome, done, known, not_granted, said};
use super::waiting::{self, Wanted};

pub(crate) async fn lock(app: Arc<App>, mut call: Call) -> Outcome {
    let (resource, session, wait) = (call.resource()?, call.session()?, call.wait()?);
    let ask = call.query().lock_ask()?;
    let right = if ask.steal { Right::Force } else { Right::Lock };
    let wanted = Wanted { session, right, resource: resource.clone() };
    // An empty body is none: clients send one that say nothing.
    let data = waiting::body(&app, &mut call, &wanted).await?;
    let ask = LockAsk { data: data.filter(|data| !data.as_bytes().is_empty()), ..ask };
    let session = known(session)?;
    // Neither waits: one takes it, and the other confirms.
    let wait = if ask.steal || ask.fence.is_some() { WaitWish::NONE } else { wait };
    let command = |wait_request| Command::Lock { session, resource, wait_request, ask };
    let answer = waiting::ask(&app, &mut call, &wanted, wait, command).await?;
    match &answer.reply {
        Ok(Reply::Granted { grant: Grant::Lock(grant), .. }) => {
            answer.hand_over();
            Ok(response::after(wait, response::json_with_fence("true", grant.fence)))
        }
        Ok(Reply::NotGranted) => Ok(response::after(wait, response::json("false"))),
        reply => Err(not_granted(reply)),
    }
}

pub(crate) async fn unlock(app: Arc<App>, call: Call) -> Outcome {
    let (resource, fence) = (call.resource()?, call.query().fence()?);
    if call.query().flag("force")? {
        let force = |by| Command::Force { by, resource, ticket: None, fence };
        return said(&Asking::of(&call)?.ask(&app, force).await?, "\"ok\"");
    }
    let session = known(call.session()?)?;
    let command = Command::Unlock { session, resource, fence, by_socket: false };
    done(&app, session, command, "\"ok\"").await
}
