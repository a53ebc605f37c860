//! What is refused, in the log: each kind at most once a second, with a count, so that whoever is
//! refused cannot fill it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::meters::Counter;

/// How long a kind is silent after a line.
const PAUSE: Duration = Duration::from_secs(1);

/// Kinds of what is refused.
#[derive(Clone, Copy, Debug)]
pub enum NoticeKind {
    /// A name of a server that is another's.
    Host,
    /// A page of another origin.
    Page,
    /// A connection too many of an address.
    Connections,
    /// A request too many of an address.
    Rate,
    /// A connection that should begin with a TLS handshake, and has none that succeeds.
    Handshake,
    /// A socket too many that has not said `hello`.
    Nameless,
    /// A count of a session or of a resource that is used up.
    Bound,
}

impl NoticeKind {
    const ALL: [Self; 7] = [
        Self::Host,
        Self::Page,
        Self::Connections,
        Self::Rate,
        Self::Handshake,
        Self::Nameless,
        Self::Bound,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Host => "a name that is not ours was asked for",
            Self::Page => "a foreign page was refused",
            Self::Connections => "an address has too many connections",
            Self::Rate => "an address asks too often",
            Self::Handshake => "a handshake failed",
            Self::Nameless => "too many sockets have not said hello",
            Self::Bound => "a bound was reached",
        }
    }
}

/// A kind that was just told of.
#[derive(Clone, Copy, Debug, Default)]
struct Quiet {
    is_on: bool,
    /// What came since, untold.
    untold: u64,
}

/// What was told, and what was not.
#[derive(Debug, Default)]
pub struct Notices {
    quiet: [Mutex<Quiet>; NoticeKind::ALL.len()],
    counts: [Counter; NoticeKind::ALL.len()],
}

impl Notices {
    fn quiet(&self, kind: NoticeKind) -> MutexGuard<'_, Quiet> {
        match self.quiet[kind as usize].lock() {
            Ok(quiet) => quiet,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// How often something of a kind was refused.
    #[must_use]
    pub fn count(&self, kind: NoticeKind) -> u64 {
        self.counts[kind as usize].get()
    }

    /// Tells that something was refused, now or with others a little later.
    pub fn refused(self: &Arc<Self>, kind: NoticeKind, what: impl fmt::Display) {
        self.counts[kind as usize].count();
        // Without a runtime nobody would come back.
        let runtime = tokio::runtime::Handle::try_current().ok();
        {
            let mut quiet = self.quiet(kind);
            if quiet.is_on {
                quiet.untold += 1;
                return;
            }
            quiet.is_on = runtime.is_some();
        }
        tracing::info!("{}: {what}", kind.text());
        if let Some(runtime) = runtime {
            let notices = self.clone();
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(PAUSE).await;
                    if !notices.tell_rest(kind) {
                        return;
                    }
                }
            });
        }
    }

    /// Whether there was more to tell; if not, the next one is told at once.
    fn tell_rest(&self, kind: NoticeKind) -> bool {
        let untold = {
            let mut quiet = self.quiet(kind);
            let untold = std::mem::take(&mut quiet.untold);
            quiet.is_on = untold > 0;
            untold
        };
        if untold > 0 {
            tracing::info!("{}: {untold} more", kind.text());
        }
        untold > 0
    }

    /// Tells what is left, before the server ends.
    pub fn finish(&self) {
        for kind in NoticeKind::ALL {
            self.tell_rest(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kind_is_told_once_a_second_and_nothing_is_left_out() {
        let notices = Arc::new(Notices::default());
        let untold = |kind| {
            let quiet = *notices.quiet(kind);
            (quiet.is_on, quiet.untold)
        };
        for _ in 0..10 {
            notices.refused(NoticeKind::Host, "evil.example");
        }
        notices.refused(NoticeKind::Page, "http://evil.example");
        assert_eq!((untold(NoticeKind::Host), untold(NoticeKind::Page)), ((true, 9), (true, 0)));
        tokio::time::sleep(PAUSE + PAUSE / 2).await;
        assert_eq!((untold(NoticeKind::Host), untold(NoticeKind::Page)), ((true, 0), (false, 0)));
        notices.refused(NoticeKind::Host, "evil.example");
        assert_eq!(untold(NoticeKind::Host), (true, 1), "nine were told half a second ago");
        notices.finish();
        assert_eq!(untold(NoticeKind::Host).1, 0);
    }
}
