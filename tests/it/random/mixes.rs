//! What random histories are made of: how often which command is drawn.

use super::draw::{Mix, Verb};

/// Mostly locks.
pub(super) const LOCKS: Mix = Mix {
    alive: 6,
    verbs: &[
        (40, Verb::Lock),
        (24, Verb::Unlock),
        (3, Verb::Cancel),
        (3, Verb::TimeOut),
        (1, Verb::Forbid),
        (4, Verb::Withdraw),
        (5, Verb::Watch),
        (3, Verb::Unwatch),
        (1, Verb::Blind),
        (6, Verb::Open),
        (3, Verb::Adopt),
        (2, Verb::Close),
        (1, Verb::Condemn),
        (1, Verb::Expire),
        (2, Verb::Forget),
        (1, Verb::Boot),
    ],
};

/// Mostly tickets.
pub(super) const TICKETS: Mix = Mix {
    alive: 6,
    verbs: &[
        (20, Verb::Issue),
        (6, Verb::Revoke),
        (14, Verb::ClaimNamed),
        (20, Verb::ClaimAny),
        (16, Verb::Release),
        (2, Verb::Cancel),
        (2, Verb::TimeOut),
        (1, Verb::Forbid),
        (3, Verb::Withdraw),
        (5, Verb::Watch),
        (3, Verb::Unwatch),
        (1, Verb::Blind),
        (6, Verb::Open),
        (3, Verb::Adopt),
        (1, Verb::Close),
        (1, Verb::Condemn),
        (1, Verb::Expire),
        (2, Verb::Forget),
        (1, Verb::Boot),
    ],
};

/// Few tickets, so that the queues are long.
pub(super) const QUEUES: Mix = Mix {
    alive: 6,
    verbs: &[
        (5, Verb::Issue),
        (4, Verb::Revoke),
        (24, Verb::ClaimNamed),
        (24, Verb::ClaimAny),
        (8, Verb::Release),
        (16, Verb::Lock),
        (4, Verb::Unlock),
        (5, Verb::Cancel),
        (5, Verb::TimeOut),
        (1, Verb::Forbid),
        (8, Verb::Withdraw),
        (3, Verb::Watch),
        (6, Verb::Open),
        (3, Verb::Adopt),
        (1, Verb::Condemn),
        (1, Verb::Expire),
        (1, Verb::Boot),
    ],
};

/// Sessions that come and go, often several at once, and leave empty resources behind.
pub(super) const ENDS: Mix = Mix {
    alive: 8,
    verbs: &[
        (16, Verb::Issue),
        (8, Verb::ClaimNamed),
        (14, Verb::ClaimAny),
        (4, Verb::Release),
        (16, Verb::Lock),
        (4, Verb::Unlock),
        (6, Verb::Watch),
        (30, Verb::Open),
        (4, Verb::Close),
        (6, Verb::Condemn),
        (6, Verb::Expire),
        (6, Verb::Forget),
        (1, Verb::Boot),
    ],
};

/// All there is.
pub(super) const EVERYTHING: Mix = Mix {
    alive: 6,
    verbs: &[
        (14, Verb::Issue),
        (5, Verb::Revoke),
        (10, Verb::ClaimNamed),
        (14, Verb::ClaimAny),
        (12, Verb::Release),
        (18, Verb::Lock),
        (10, Verb::Unlock),
        (3, Verb::Cancel),
        (3, Verb::TimeOut),
        (1, Verb::Forbid),
        (4, Verb::Withdraw),
        (5, Verb::Watch),
        (3, Verb::Unwatch),
        (1, Verb::Blind),
        (8, Verb::Open),
        (2, Verb::Close),
        (2, Verb::Condemn),
        (2, Verb::Expire),
        (4, Verb::Forget),
        (1, Verb::Boot),
    ],
};
