//! What each thing that can be asked needs. Giving back needs nothing, and nothing here asks
//! whose a session is.

use super::rights::Right;
use super::rules::Rules;
use crate::machine::{Command, Name, Reach};

/// What a request needs of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// To have come in.
    Nothing,
    /// A right on the resource that it names.
    On(Right),
    /// A right that has no names.
    AtAll(Right),
    /// To have come in; which tickets may vanish is up to [`Rules::reach`].
    Reach,
}

impl Needs {
    /// What a command of a client needs. Those of the driver's own are asked of nobody.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        use Command as C;
        match command {
            C::Lock { .. } => Self::On(Right::Lock),
            C::Claim { .. } => Self::On(Right::Claim),
            C::Issue { .. } => Self::On(Right::Issue),
            C::Watch { .. } => Self::On(Right::Watch),
            C::Revoke { .. } => Self::Reach,
            C::Open { .. }
            | C::Adopt { .. }
            | C::Close { .. }
            | C::Unlock { .. }
            | C::Release { .. }
            | C::Cancel { .. }
            | C::Unwatch { .. }
            | C::Boot { .. }
            | C::Join { .. }
            | C::Leave { .. }
            | C::Bury { .. }
            | C::Condemn { .. }
            | C::Expire { .. }
            | C::TimeOut { .. }
            | C::Forbid { .. }
            | C::Withdraw { .. }
            | C::Blind { .. }
            | C::Forget { .. } => Self::Nothing,
        }
    }

    /// The right that is lacking, if one is. `resource` is what the request names.
    #[must_use]
    pub fn lacking(self, rules: &Rules, resource: Option<&Name>) -> Option<Right> {
        match self {
            Self::Nothing | Self::Reach => None,
            Self::On(right) => {
                let may = resource.is_some_and(|name| rules.may(right, name.as_str()));
                (!may).then_some(right)
            }
            Self::AtAll(right) => (!rules.may_at_all(right)).then_some(right),
        }
    }
}

impl Rules {
    /// Which tickets of a resource may be revoked.
    #[must_use]
    pub fn reach(&self, resource: &str) -> Reach {
        if self.may(Right::Issue, resource) {
            Reach::Any
        } else if self.may_finish(resource) {
            Reach::IssuedOrClaimed
        } else {
            Reach::Issued
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::read_policy;
    use crate::machine::{SessionId, WaitId};

    fn rules(allow: &str) -> Rules {
        let file = format!("[anonymous]\nallow = [{allow}]\n");
        let none = |name: &str| Err(name.to_owned());
        let policy = read_policy(file.as_bytes(), none).policy.unwrap();
        policy.anonymous().unwrap().rules().clone()
    }

    #[test]
    fn giving_back_needs_nothing_and_taking_needs_its_right() {
        let (session, wait) = (SessionId([1; 20]), WaitId(1));
        let resource = Name::parse("db").unwrap();
        let lock = Command::Lock { session, resource: resource.clone(), wait_request: None };
        let may = rules(r#"{ to = ["lock"], on = ["db"] }"#);
        let mayn_t = rules(r#"{ to = ["lock"], on = ["other"] }, { to = ["claim"], on = ["db"] }"#);
        assert_eq!(Needs::of(&lock).lacking(&may, Some(&resource)), None);
        assert_eq!(Needs::of(&lock).lacking(&mayn_t, Some(&resource)), Some(Right::Lock));
        assert_eq!(Needs::of(&lock).lacking(&may, None), Some(Right::Lock));
        assert_eq!(Needs::AtAll(Right::Metrics).lacking(&may, None), Some(Right::Metrics));
        for free in [Command::Cancel { session, wait }, Command::Close { session }] {
            assert_eq!(Needs::of(&free).lacking(&mayn_t, None), None);
        }
    }

    #[test]
    fn how_far_revoking_reaches() {
        for (allow, reach) in [
            (r#"{ to = ["claim", "lock"], on = ["db"] }"#, Reach::Issued),
            (r#"{ to = ["work"], on = ["db"] }"#, Reach::IssuedOrClaimed),
            (r#"{ to = ["issue"], on = ["db"] }"#, Reach::Any),
            (r#"{ to = ["issue"], on = ["other"] }"#, Reach::Issued),
            (r#"{ to = ["admin"] }"#, Reach::Any),
        ] {
            assert_eq!(rules(allow).reach("db"), reach, "{allow}");
        }
    }
}
