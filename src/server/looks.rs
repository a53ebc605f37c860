//! Files that are read again by themselves: they count when two looks in a row found the same new
//! bytes, so that nobody reads half of what is being written.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

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
