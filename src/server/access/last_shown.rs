//! What a connection showed last: who shows the same token with each request is looked up once.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use parking_lot::Mutex;

use crate::access::Subject;

/// Longest header that is kept: it has room for a token of ours, also as a password in base64.
const KEPT_MAX_BYTES: usize = 128;

/// A header, and who shows it.
struct Known {
    header: Box<[u8]>,
    /// How often the policy had been replaced that says so.
    seen: u64,
    subject: Subject,
}

/// What a connection showed last, if that was a token of ours. Whom one speaks of is up to the
/// policy alone, so it need not be asked twice; what ends by the clock is asked each time.
#[derive(Default)]
pub(crate) struct LastShown(Mutex<Option<Known>>);

impl LastShown {
    /// Who shows this header, if that was kept under the same policy.
    pub(super) fn who(&self, header: &[u8], seen: u64) -> Option<Subject> {
        let last = self.0.lock();
        let known = last.as_ref().filter(|known| known.seen == seen)?;
        // How much of a token is right must not show in how long this takes.
        verify_slices_are_equal(&known.header, header).ok()?;
        Some(known.subject.clone())
    }

    /// Keeps who shows this header, instead of what was kept before. `seen` is of before the policy
    /// was asked.
    pub(super) fn keep(&self, header: &[u8], seen: u64, subject: &Subject) {
        if header.len() <= KEPT_MAX_BYTES && subject.is_by_token() {
            let (header, subject) = (header.into(), subject.clone());
            *self.0.lock() = Some(Known { header, seen, subject });
        }
    }
}

impl fmt::Debug for LastShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was shown last")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Policy, Token, first_file, read_policy};
    use crate::machine::Name;

    const HEADER: &[u8] = b"Bearer tkd_one";

    /// A policy, and the one principal in it.
    fn one() -> (Policy, Subject) {
        let token = Token::from_random([1; 32]);
        let file = first_file(&Name::parse("one").unwrap(), &token.hash(), true);
        let file = file + "[anonymous]\nallow = []\n";
        let none = |name: &str| Err(name.to_owned());
        let policy = read_policy(file.as_bytes(), none).policy.unwrap();
        let subject = policy.by_token(token.hash()).unwrap();
        (policy, subject)
    }

    #[test]
    fn it_is_the_very_same_header_under_the_very_same_policy() {
        let (last, (_, subject)) = (LastShown::default(), one());
        assert!(last.who(HEADER, 0).is_none());
        last.keep(HEADER, 3, &subject);
        for _ in 0..2 {
            assert!(last.who(HEADER, 3).unwrap().is(&subject));
            assert!(last.who(HEADER, 2).is_none() && last.who(HEADER, 4).is_none());
            for other in [&b""[..], b"Bearer tkd_onf", b"bearer tkd_one", &HEADER[1..]] {
                assert!(last.who(other, 3).is_none());
            }
            assert!(last.who(&[HEADER, b" "].concat(), 3).is_none());
        }
        last.keep(b"Bearer tkd_two", 3, &subject);
        assert!(last.who(HEADER, 3).is_none(), "the last one is kept");
        assert_eq!(format!("{last:?}"), "what was shown last");
    }

    #[test]
    fn only_a_token_of_ours_is_kept_and_nothing_long() {
        let (last, (policy, subject)) = (LastShown::default(), one());
        last.keep(HEADER, 0, &policy.anonymous().unwrap());
        last.keep(HEADER, 0, &subject.ended());
        assert!(last.who(HEADER, 0).is_none());
        let long = [b'x'; KEPT_MAX_BYTES + 1];
        last.keep(&long, 0, &subject);
        assert!(last.who(&long, 0).is_none());
        last.keep(&long[1..], 0, &subject);
        assert!(last.who(&long[1..], 0).is_some());
    }
}
