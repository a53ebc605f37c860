//! Whether a session is somebody's own.

use crate::machine::Owner;

/// What a session is to who names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The caller's own, or without an owner and named by nobody in particular.
    Own,
    /// Without an owner until now; it becomes the caller's.
    Adopted,
    /// Another's: the caller is told that there is no such session.
    Hidden,
}

impl Ownership {
    /// What a session of `owner` is to `caller`, who knows its id.
    #[must_use]
    pub fn of(owner: Option<&Owner>, caller: Option<&Owner>) -> Self {
        match (owner, caller) {
            (None, None) => Self::Own,
            (None, Some(_)) => Self::Adopted,
            (Some(owner), Some(caller)) if owner == caller => Self::Own,
            (Some(_), _) => Self::Hidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Name;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn only_its_owner_can_name_a_session() {
        let subject = |signer, sub| Owner::Subject { signer: name(signer), sub: name(sub) };
        let all = [
            Owner::Principal(name("a")),
            Owner::Principal(name("a/b")),
            subject("a", "b"),
            subject("a/b", "c"),
            subject("a", "b/c"),
        ];
        for (n, owner) in all.iter().enumerate() {
            for (m, caller) in all.iter().enumerate() {
                let expected = if n == m { Ownership::Own } else { Ownership::Hidden };
                assert_eq!(Ownership::of(Some(owner), Some(caller)), expected);
            }
            assert_eq!(Ownership::of(Some(owner), None), Ownership::Hidden);
            assert_eq!(Ownership::of(None, Some(owner)), Ownership::Adopted);
        }
        assert_eq!(Ownership::of(None, None), Ownership::Own);
        assert_eq!(all[2].parts(), ("a", Some("b")));
    }
}
