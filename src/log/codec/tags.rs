//! The bytes that say which command follows. A number is never used for another one.

pub(super) const BOOT: u8 = 1;
pub(super) const OPEN: u8 = 2;
pub(super) const CLOSE: u8 = 3;
pub(super) const EXPIRE: u8 = 4;
pub(super) const ISSUE: u8 = 5;
pub(super) const REVOKE: u8 = 6;
pub(super) const CLAIM: u8 = 7;
pub(super) const RELEASE: u8 = 8;
pub(super) const LOCK: u8 = 9;
pub(super) const UNLOCK: u8 = 10;
pub(super) const CANCEL: u8 = 11;
pub(super) const TIME_OUT: u8 = 12;
pub(super) const WITHDRAW: u8 = 13;
pub(super) const WATCH: u8 = 14;
pub(super) const UNWATCH: u8 = 15;
pub(super) const FORGET: u8 = 16;
pub(super) const CONDEMN: u8 = 17;
// From here on: of servers that share a log.
pub(super) const JOIN: u8 = 18;
pub(super) const LEAVE: u8 = 19;
pub(super) const BURY: u8 = 20;
pub(super) const WITHDRAW_AT_NODE: u8 = 21;
// From here on: of those who may do what.
pub(super) const ADOPT: u8 = 22;
pub(super) const REVOKE_IN_REACH: u8 = 23;
pub(super) const FORBID: u8 = 24;
pub(super) const BLIND: u8 = 25;
// From here on: of locks and tickets in full. First commands of before, when they say more.
pub(super) const OPEN_IN_FULL: u8 = 26;
pub(super) const CLOSE_BY_OTHER: u8 = 27;
pub(super) const ISSUE_ON_TERMS: u8 = 28;
pub(super) const REVOKE_GRANT: u8 = 29;
pub(super) const CLAIM_FOR: u8 = 30;
pub(super) const RELEASE_WITH: u8 = 31;
pub(super) const LOCK_AS: u8 = 32;
pub(super) const REVIVE: u8 = 33;
pub(super) const RIPEN: u8 = 34;
pub(super) const CLAIM_FIRST: u8 = 35;
pub(super) const TOUCH: u8 = 36;
pub(super) const FORCE: u8 = 37;
pub(super) const TAKE_BACK: u8 = 38;
pub(super) const END_HOLDS: u8 = 39;
pub(super) const END_LOST: u8 = 40;
pub(super) const PAUSE: u8 = 41;
pub(super) const SERVE: u8 = 42;
pub(super) const CLOCK: u8 = 43;
