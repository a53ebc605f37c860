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
    /// A right on each resource that it names.
    On(Right),
    /// The same, with that priority.
    OnWith(Right, u8),
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
            C::Lock { ask, .. } if ask.steal => Self::On(Right::Force),
            C::Lock { .. } => Self::On(Right::Lock),
            C::Force { .. } | C::Pause { .. } => Self::On(Right::Force),
            C::Claim { .. } | C::ClaimFirst { .. } | C::Touch { .. } => Self::On(Right::Claim),
            C::Issue { terms, .. } => Self::OnWith(Right::Issue, terms.priority),
            C::Revive { .. } => Self::On(Right::Issue),
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
            | C::TakeBack { .. }
            | C::EndHolds { .. }
            | C::EndLost { .. }
            | C::Ripen { .. }
            | C::Serve { .. }
            | C::Clock { .. }
            | C::Blind { .. }
            | C::Forget { .. } => Self::Nothing,
        }
    }

    /// The right that is lacking, if one is. `resource` is what the request names.
    #[must_use]
    pub fn lacking(self, rules: &Rules, resource: Option<&Name>) -> Option<Right> {
        let resources = resource.map_or(&[][..], std::slice::from_ref);
        self.lacking_on(rules, resources).map(|(right, _)| right)
    }

    /// The same of a request that may name several, and the first of them on which it is lacking.
    #[must_use]
    pub fn lacking_on<'a>(
        self,
        rules: &Rules,
        resources: &'a [Name],
    ) -> Option<(Right, Option<&'a Name>)> {
        let (right, priority) = match self {
            Self::Nothing | Self::Reach => return None,
            Self::AtAll(right) => return (!rules.may_at_all(right)).then_some((right, None)),
            Self::On(right) => (right, 0),
            Self::OnWith(right, priority) => (right, priority),
        };
        let may = |name: &&Name| rules.may_with(right, name.as_str(), priority);
        let on = resources.iter().find(|name| !may(name));
        (on.is_some() || resources.is_empty()).then_some((right, on))
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
    use crate::machine::{Data, Fence, LockAsk, SessionId, TicketTerms, WaitId};

    fn rules(allow: &str) -> Rules {
        let file = format!("[anonymous]\nallow = [{allow}]\n");
        let none = |name: &str| Err(name.to_owned());
        let policy = read_policy(file.as_bytes(), none).policy.unwrap();
        policy.anonymous().unwrap().rules().clone()
    }

    const SESSION: SessionId = SessionId([1; 20]);

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn lock(steal: bool) -> Command {
        let ask = LockAsk { steal, ..LockAsk::default() };
        Command::Lock { session: SESSION, resource: name("db"), wait_request: None, ask }
    }

    fn lacking<'a>(rules: &Rules, command: &'a Command) -> Option<(Right, Option<&'a Name>)> {
        Needs::of(command).lacking_on(rules, command.resources())
    }

    #[test]
    fn giving_back_needs_nothing_and_taking_needs_its_right() {
        let (session, wait) = (SESSION, WaitId(1));
        let (resource, lock) = (name("db"), lock(false));
        let may = rules(r#"{ to = ["lock"], on = ["db"] }"#);
        let mayn_t = rules(r#"{ to = ["lock"], on = ["other"] }, { to = ["claim"], on = ["db"] }"#);
        assert_eq!(Needs::of(&lock).lacking(&may, Some(&resource)), None);
        assert_eq!(Needs::of(&lock).lacking(&mayn_t, Some(&resource)), Some(Right::Lock));
        assert_eq!(Needs::of(&lock).lacking(&may, None), Some(Right::Lock));
        assert_eq!(Needs::AtAll(Right::Metrics).lacking(&may, None), Some(Right::Metrics));
        let close = Command::Close { session, by_other: false };
        for free in [Command::Cancel { session, wait }, close] {
            assert_eq!(lacking(&mayn_t, &free), None);
        }
    }

    #[test]
    fn to_take_from_others_and_to_pause_is_to_force() {
        let (locks, forces) = (
            rules(r#"{ to = ["lock"], on = ["db"] }"#),
            rules(r#"{ to = ["force"], on = ["db"] }"#),
        );
        let (by, resource) = (Some(SESSION), name("db"));
        let force = Command::Force { by, resource, ticket: None, fence: Some(Fence(1)) };
        let (session, resource) = (Some(SESSION), name("db"));
        for forced in [lock(true), force, Command::Pause { session, resource, paused: true }] {
            assert_eq!(lacking(&locks, &forced), Some((Right::Force, Some(&name("db")))));
            assert_eq!(lacking(&forces, &forced), None);
        }
        assert_eq!(lacking(&forces, &lock(false)), Some((Right::Lock, Some(&name("db")))));
    }

    #[test]
    fn of_several_resources_each_needs_the_right() {
        let resources = vec![name("jobs"), name("mail"), name("more")];
        let claim = Command::ClaimFirst { session: SESSION, resources, wait: None, hold_ms: None };
        let some = rules(r#"{ to = ["claim"], on = ["jobs"] }, { to = ["work"], on = ["more"] }"#);
        assert_eq!(lacking(&some, &claim), Some((Right::Claim, Some(&name("mail")))));
        assert_eq!(lacking(&rules(r#"{ to = ["work"], on = ["*"] }"#), &claim), None);
    }

    #[test]
    fn a_rule_bounds_the_priority_of_what_is_issued() {
        let issue = |priority| Command::Issue {
            session: SESSION,
            resource: name("jobs"),
            ticket: name("t"),
            data: Data::new(b"").unwrap(),
            notify: false,
            terms: TicketTerms { priority, ..TicketTerms::default() },
        };
        let some = rules(r#"{ to = ["issue"], on = ["jobs"], priority = 5 }"#);
        assert_eq!(lacking(&some, &issue(5)), None);
        assert_eq!(lacking(&some, &issue(6)), Some((Right::Issue, Some(&name("jobs")))));
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
