//! What is not given to the journal changes nothing.

use ticketd::journal::{Crash, CrashStore};
use ticketd::machine::{Command, Fence, RequestId, SessionId, WaitOrigin};

use super::support::{House, WALL_MS, later, lock, recovered, request};
use crate::random;

const HISTORIES: u64 = 30;
const STEPS: usize = 250;

#[tokio::test(start_paused = true)]
async fn what_is_not_journaled_changes_nothing() {
    let mut unchanged = 0;
    for seed in 0..HISTORIES {
        let mut house = House::open(&CrashStore::new()).expect("is empty");
        let boot = Command::Boot { fence: Fence(WALL_MS * 2048) };
        // From here on the machine knows what time it is, and is not told of it.
        let nobody = SessionId([255; 20]);
        let mut refused = later(request(&house.driver, nobody, lock(nobody, "db")));
        assert!(refused.is_open());
        house.keep();
        assert!(refused.now().expect("is kept").is_err());
        for (step, mut command) in (0..).zip(random::drawn(seed, &boot, STEPS)) {
            if matches!(command, Command::Boot { .. }) {
                // A log begins a run of the server with it, before there is a driver.
                continue;
            }
            renumber(&mut command, RequestId::alone(step));
            let (before, commands) = (house.snapshot(), house.keeper.journal().commands);
            let session = asker(&command);
            let mut asked = later(request(&house.driver, session, command.clone()));
            let at_once = asked.look();
            house.keep();
            let reply = at_once.unwrap_or_else(|| asked.now()).expect("is kept");
            if house.keeper.journal().commands == commands {
                unchanged += 1;
                assert_eq!(house.snapshot(), before, "{command:?}: {reply:?}");
            } else {
                assert!(reply.is_ok(), "a refusal is not journaled: {command:?}");
            }
        }
        let live = house.snapshot();
        assert_eq!(recovered(&house.memory.crash(Crash::Lost)).0, live, "seed {seed}");
        // Snapshots and what is behind them come to the same.
        house.keeper.snapshot().expect("the journal works");
        assert_eq!(recovered(&house.memory.crash(Crash::Lost)).0, live, "seed {seed}");
    }
    assert!(unchanged > 1000, "{unchanged}");
}

/// In whose name it comes does not matter here.
fn asker(command: &Command) -> ticketd::machine::SessionId {
    match command {
        Command::Open { session, .. } | Command::Lock { session, .. } => *session,
        _ => ticketd::machine::SessionId([0; 20]),
    }
}

/// A driver gives each of its requests a number of its own.
fn renumber(command: &mut Command, number: RequestId) {
    if let Command::Lock { wait_request: Some(wait_request), .. }
    | Command::Claim { wait_request: Some(wait_request), .. } = command
        && let WaitOrigin::Request(request) = &mut wait_request.origin
    {
        *request = number;
    }
}
