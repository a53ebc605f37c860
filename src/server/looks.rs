//! Files that are read again by themselves: they count when two looks in a row found the same new
//! bytes, so that nobody reads half of what is being written.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::sync::watch;

/// Between two looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Stands for the bytes of some files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print([u8; 32]);

impl Print {
    /// Of files in this order.
    pub(crate) fn of<'f>(files: impl IntoIterator<Item = &'f [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for file in files {
            context.update(&(file.len() as u64).to_be_bytes());
            context.update(file);
        }
        let mut print = [0; 32];
        print.copy_from_slice(context.finish().as_ref());
        Self(print)
    }
}

/// What the last looks found.
#[derive(Debug)]
pub(crate) struct Looks {
    /// What was read last, whether it was good or not.
    tried: Print,
    /// What the last look found that was other than that.
    seen: Option<Print>,
}

impl Looks {
    pub(crate) fn new(tried: Print) -> Self {
        Self { tried, seen: None }
    }

    /// Takes note of a look; whether what it found is new and at rest, and so is tried now.
    pub(crate) fn look(&mut self, found: Print) -> bool {
        let is_due = found != self.tried && self.seen == Some(found);
        if is_due {
            self.tried(found);
        } else {
            self.seen = (found != self.tried).then_some(found);
        }
        is_due
    }

    /// Takes note that this was read because somebody asked for it.
    pub(crate) fn tried(&mut self, tried: Print) {
        *self = Self::new(tried);
    }
}

/// Has a server read its files again.
#[derive(Clone, Debug, Default)]
pub struct Rereader {
    asked: watch::Sender<()>,
    /// How often somebody has done so.
    done: watch::Sender<usize>,
}

/// Where one who reads files hears that they are to be read again.
#[derive(Debug)]
pub(crate) struct RereadAsked {
    asked: watch::Receiver<()>,
    done: watch::Sender<usize>,
}

impl Rereader {
    /// How long reading may take.
    const READING_MAX: Duration = Duration::from_secs(5);

    /// Has them read now: what is good takes effect, and what is not is told in the log.
    pub fn read_again(&self) {
        self.asked.send_replace(());
    }

    /// The same; waits until it is done.
    pub async fn read_wholly(&self) {
        let mut done = self.done.subscribe();
        let all = *done.borrow_and_update() + self.asked.receiver_count();
        self.read_again();
        let is_done = done.wait_for(|done| *done >= all);
        // One that takes longer goes on by itself.
        drop(tokio::time::timeout(Self::READING_MAX, is_done).await);
    }

    pub(crate) fn hear(&self) -> RereadAsked {
        RereadAsked { asked: self.asked.subscribe(), done: self.done.clone() }
    }
}

impl RereadAsked {
    /// Waits until somebody asks, or it is time to look; whether somebody asked. `None` when nobody
    /// will ask any more.
    pub(crate) async fn next(&mut self) -> Option<bool> {
        match tokio::time::timeout(LOOK_EVERY, self.asked.changed()).await {
            Ok(Ok(())) => Some(true),
            Ok(Err(_)) => None,
            Err(_) => Some(false),
        }
    }

    /// Somebody had asked, and it was done.
    pub(crate) fn done(&self) {
        self.done.send_modify(|done| *done += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(text: &str) -> Print {
        Print::of([text.as_bytes()])
    }

    #[test]
    fn new_bytes_count_when_two_looks_in_a_row_found_them() {
        let mut looks = Looks::new(print("old"));
        for (found, is_due) in [
            ("old", false),
            ("ne", false),
            ("new", false),
            ("new", true),
            ("new", false),
            ("old", false),
            ("new", false),
            ("old", false),
            ("old", true),
        ] {
            assert_eq!(looks.look(print(found)), is_due, "{found}");
        }
    }

    #[test]
    fn what_was_asked_for_is_not_tried_again() {
        let mut looks = Looks::new(print("old"));
        looks.look(print("new"));
        looks.tried(print("new"));
        assert!(!looks.look(print("new")) && !looks.look(print("new")));
    }

    #[test]
    fn where_a_file_ends_counts() {
        assert_ne!(Print::of([&b"ab"[..], b"c"]), Print::of([&b"a"[..], b"bc"]));
    }
}
