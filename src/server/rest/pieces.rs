//! Answers that list much: written piece by piece as the client reads, so that neither the driver
//! nor the runtime is held up by a large one.

use std::sync::Arc;
use std::vec;

use axum::body::{Body, Bytes};
use futures::stream;

use crate::driver::{Driver, Lefts, Seen, Unavailable, Viewed};
use crate::machine::{Name, ResourceView, SessionId, SessionView};
use crate::server::refs::session_ref;
use crate::wire::rest::Told;
use crate::wire::{json, views, write_id};

/// What is larger is the last of its piece of a dump, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// JSON in pieces.
type Pieces = Box<dyn Iterator<Item = String> + Send>;

/// What dumps list.
pub(super) trait Listed: Viewed {
    /// The key under which it is listed.
    fn key(&self, told: Told) -> String;
    /// What is listed.
    fn write(view: Self::View, lefts: Lefts, told: Told) -> Pieces;
}

impl Listed for SessionId {
    fn key(&self, told: Told) -> String {
        match told {
            Told::Everything => write_id(self),
            _ => session_ref(self).to_string(),
        }
    }

    fn write(view: SessionView, lefts: Lefts, told: Told) -> Pieces {
        let lefts = Arc::new(lefts);
        Box::new(views::session(view, told, move |fence| lefts.get(fence)))
    }
}

impl Listed for Name {
    fn key(&self, _: Told) -> String {
        self.as_str().to_owned()
    }

    fn write(view: ResourceView, lefts: Lefts, told: Told) -> Pieces {
        Box::new(views::resource(view, told, move |fence| lefts.get(fence)))
    }
}

/// A session or resource by itself, between `before` and `after`; `None` when there is none.
pub(super) async fn one<K: Listed>(
    driver: &Driver,
    key: &K,
    told: Told,
    before: &str,
    after: &'static str,
) -> Result<Option<Body>, Unavailable> {
    let text = |view, lefts| {
        let (before, after) = (before.to_owned(), after.to_owned());
        std::iter::once(before).chain(K::write(view, lefts, told)).chain(std::iter::once(after))
    };
    match driver.view(key).await? {
        None => Ok(None),
        Some(Seen::Whole(view, lefts)) => {
            Ok(Some(Body::from(text(view, lefts).collect::<String>())))
        }
        Some(Seen::Large) => {
            let Some((view, lefts)) = key.gather(driver).await? else { return Ok(None) };
            let pieces = stream::unfold(text(view, lefts), async |mut pieces| {
                let piece = next_after_others(&mut pieces).await?;
                Some((Ok::<_, Unavailable>(Bytes::from(piece)), pieces))
            });
            Ok(Some(Body::from_stream(pieces)))
        }
    }
}

/// The next piece. Others go first: the thread of a client that reads as fast as it is written to
/// would have nothing else to do.
async fn next_after_others(pieces: &mut impl Iterator<Item = String>) -> Option<String> {
    tokio::task::yield_now().await;
    pieces.next()
}

/// A dump of these. Each entry is whole; two entries may be of different moments.
pub(super) fn dump<K: Listed>(driver: Driver, keys: Vec<K>, told: Told) -> Body {
    let dump = Dump {
        driver,
        told,
        keys: keys.into_iter(),
        seen: Vec::new().into_iter(),
        entry: Box::new(std::iter::empty()),
        separator: '{',
    };
    Body::from_stream(stream::unfold(Some(dump), async |dump| {
        let mut dump = dump?;
        match dump.next().await {
            Ok((text, false)) => Some((Ok(Bytes::from(text)), Some(dump))),
            Ok((text, true)) => Some((Ok(Bytes::from(text)), None)),
            Err(why) => Some((Err(why), None)),
        }
    }))
}

/// A dump under way.
struct Dump<K: Listed> {
    driver: Driver,
    /// What is told of sessions.
    told: Told,
    /// What is yet to be looked at.
    keys: vec::IntoIter<K>,
    /// What is yet to be written.
    seen: vec::IntoIter<(K, Seen<K::View>)>,
    /// The rest of the entry that is being written.
    entry: Pieces,
    /// What goes before the next entry.
    separator: char,
}

impl<K: Listed> Dump<K> {
    /// The next piece, and whether it is the last.
    async fn next(&mut self) -> Result<(String, bool), Unavailable> {
        let mut text = String::new();
        loop {
            while let Some(piece) = next_after_others(&mut self.entry).await {
                text.push_str(&piece);
                if text.len() >= PIECE_BYTES {
                    return Ok((text, false));
                }
            }
            if let Some((key, seen)) = self.seen.next() {
                let view = match seen {
                    Seen::Whole(view, lefts) => Some((view, lefts)),
                    Seen::Large => key.gather(&self.driver).await?,
                };
                if let Some((view, lefts)) = view {
                    text.push(self.separator);
                    text.push_str(&json(&key.key(self.told)));
                    text.push(':');
                    self.entry = K::write(view, lefts, self.told);
                    self.separator = ',';
                }
            } else if self.keys.as_slice().is_empty() {
                text.push_str(if self.separator == '{' { "{}" } else { "}" });
                return Ok((text, true));
            } else {
                self.seen = self.driver.views(&mut self.keys).await?.into_iter();
            }
        }
    }
}
