//! How much of everything there may be (protocol, section 6).

/// Longest name of a session, resource or ticket, in bytes of UTF-8 (protocol, section 6).
pub const NAME_MAX_BYTES: usize = 255;
/// Most data a ticket carries, in bytes.
pub const DATA_MAX_BYTES: usize = 1024;
/// Shortest TTL of a session, in ms.
pub const TTL_MIN_MS: u32 = 50;
/// Longest TTL of a session, in ms: a day.
pub const TTL_MAX_MS: u32 = 86_400_000;
/// Longest bounded wait, in ms: a day.
pub const WAIT_MAX_MS: u32 = 86_400_000;
/// Most locks and tickets that one session may hold when it asks for another.
pub const HOLDS_MAX: usize = 10_000;
/// Most places in queues that one session may have.
pub const WAITS_MAX: usize = 10_000;
/// Most watches that one session may have.
pub const WATCHES_MAX: usize = 10_000;
/// Most tickets that one session may have issued.
pub const ISSUED_MAX: usize = 100_000;
/// Most waits that may stand in one resource's queue.
pub const WAITERS_MAX: usize = 100_000;

/// Most grants of one lock in shared mode.
pub const HOLDERS_MAX: usize = 10_000;
/// Most tickets of one resource.
pub const TICKETS_MAX: usize = 1_000_000;
/// Most resources that are paused.
pub const PAUSED_MAX: usize = 10_000;
/// Greatest priority of a ticket.
pub const PRIORITY_MAX: u8 = 9;
/// Most counted attempts that may be asked for.
pub const ATTEMPTS_MAX: u16 = 1000;
/// Shortest time for which a claim may last, in ms.
pub const HOLD_MIN_MS: u32 = 100;
/// Longest, in ms: a day.
pub const HOLD_MAX_MS: u32 = 86_400_000;
/// Longest delay of a ticket, in ms: 30 days.
pub const DELAY_MAX_MS: u32 = 30 * 86_400_000;
/// Longest time for which the holds of a lost session stay, in ms.
pub const LOSS_DELAY_MAX_MS: u32 = 60_000;
/// Longest note on a ticket, in bytes of UTF-8.
pub const NOTE_MAX_BYTES: usize = 255;
/// Most resources that one claim may be for.
pub const CLAIM_FIRST_MAX: usize = 32;
/// Sessions that are looked at before a wait is held to close no circle.
pub const CIRCLE_STEPS_MAX: usize = 1000;
/// Most dead tickets that one `Revive` without a name takes.
pub const REVIVE_SLICE: usize = 1000;
/// Most waits that are granted in one step when a pause ends.
pub const SERVE_SLICE: usize = 1000;

/// Most resources that one `Forget` takes, so that no step is long.
pub const FORGET_SLICE: usize = 1000;

const _: () = assert!(TTL_MIN_MS < TTL_MAX_MS && NAME_MAX_BYTES < DATA_MAX_BYTES);
const _: () = assert!(WAITS_MAX <= WAITERS_MAX && HOLDS_MAX <= ISSUED_MAX);
