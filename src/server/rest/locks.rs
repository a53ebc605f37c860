//! Locks: taken and given back.

use std::sync::Arc;

use crate::access::Right;
use crate::machine::{Command, Grant, Reply};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;

use super::outcome::{Outcome, bug, done, known};
use super::waiting::{self, Wanted};

pub(crate) async fn lock(app: Arc<App>, mut call: Call) -> Outcome {
    let (resource, session, wait) = (call.resource()?, call.session()?, call.wait()?);
    let session = known(session)?;
    let wanted = Wanted { session, right: Right::Lock, resource: resource.clone() };
    let command = |wait_request| Command::Lock { session, resource, wait_request };
    let answer = waiting::ask(&app, &mut call, &wanted, wait, command).await?;
    match &answer.reply {
        Ok(Reply::Granted { grant: Grant::Lock(grant), .. }) => {
            answer.hand_over();
            Ok(response::after(wait, response::json_with_fence("true", grant.fence)))
        }
        Ok(Reply::NotGranted) => Ok(response::after(wait, response::json("false"))),
        Ok(reply) => Err(bug(reply)),
        Err(refusal) => Err((*refusal).into()),
    }
}

pub(crate) async fn unlock(app: Arc<App>, call: Call) -> Outcome {
    let (resource, session) = (call.resource()?, call.session()?);
    let fence = call.query().fence()?;
    let session = known(session)?;
    let command = Command::Unlock { session, resource, fence, by_socket: false };
    done(&app, session, command, "\"ok\"").await
}
