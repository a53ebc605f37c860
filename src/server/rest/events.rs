//! Event streams: how a resource stands, told whenever that changes, for as long as a client reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::future::BoxFuture;
use futures::stream;

use crate::access::{Right, Rules};
use crate::driver::{NotFollowed, ResourceStream};
use crate::machine::{Name, Ttl};
use crate::server::access::enter::Guest;
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::server::net::idle::UnderWay;
use crate::server::shown;
use crate::wire::{Code, Problem, stream as text};

use super::outcome::Outcome;

/// After so much silence there is a comment.
const COMMENT_AFTER: Duration = Duration::from_secs(15);
/// How long a client's machine may not answer, in ms.
const SILENCE_MAX_MS: i64 = 60_000;

pub(crate) async fn follow(app: Arc<App>, call: Call) -> Outcome {
    let resource = call.resource()?;
    let changes = app.driver.follow(&resource).await.map_err(|why| match why {
        NotFollowed::TooMany => Problem::new(Code::Limit, "there are 1000 event streams already"),
        NotFollowed::Unavailable(why) => why.into(),
    })?;
    let end = Box::pin(end(app, call.hang_up(), call.guest().cloned(), resource.clone()));
    let open = EventStream { changes, resource, end, _under_way: call.under_way() };
    let body = stream::unfold(open, async |mut open| {
        let text = open.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), open))
    });
    Ok(response::event_stream(Body::from_stream(body)))
}

/// Waits until the client has gone or may not look any more, or the server stops.
async fn end(
    app: Arc<App>,
    hang_up: impl FnOnce(Ttl) -> BoxFuture<'static, ()>,
    guest: Option<Guest>,
    resource: Name,
) {
    let hang_up = match Ttl::new(SILENCE_MAX_MS) {
        Some(silence) => hang_up(silence),
        None => Box::pin(std::future::pending()),
    };
    let cut = async {
        let Some(guest) = guest else { return std::future::pending().await };
        let may = |rules: &Rules| rules.may(Right::Watch, resource.as_str());
        guest.access.cut(guest.subject.clone(), may).await;
    };
    tokio::select! {
        () = hang_up => {}
        () = cut => {}
        () = app.stopping.cancelled() => {}
    }
}

/// A stream that a client reads.
struct EventStream {
    changes: ResourceStream,
    resource: Name,
    /// Done when it is to end.
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The connection does not idle meanwhile.
    _under_way: Option<UnderWay>,
}

impl EventStream {
    /// What is told next; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            () = &mut self.end => None,
            changed = self.changes.next() => {
                let (figures, holders) = changed?;
                let holders = holders.as_deref().map(shown::holders);
                Some(text::changed(&self.resource, figures, holders.as_ref()))
            }
            () = tokio::time::sleep(COMMENT_AFTER) => Some(text::COMMENT.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::driver::Driver;

    #[expect(clippy::disallowed_methods, reason = "it is virtual time")]
    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_every_fifteen_seconds() {
        let driver = Driver::new(500);
        let resource = Name::parse("db").unwrap();
        let changes = driver.follow(&resource).await.unwrap();
        let end = Box::pin(std::future::pending());
        let mut open = EventStream { changes, resource, end, _under_way: None };
        assert!(open.next().await.unwrap().starts_with("event: resource-changed\n"));
        let begun = Instant::now();
        for turn in 1..=3 {
            assert_eq!(open.next().await.as_deref(), Some(text::COMMENT));
            assert_eq!(begun.elapsed(), COMMENT_AFTER * turn);
        }
    }
}
