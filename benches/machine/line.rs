//! A queue of waiters, few and many.

use std::time::Duration;

use ticketd::machine::{
    Command, Name, Reply, SessionId, WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};

use crate::support::{Dice, Outcome, Target, figure, now, since};
use crate::{Bench, FEW, MANY, per_second};

/// A lock with a holder and a queue behind it.
struct Line {
    bench: Bench,
    lock: Name,
    /// The holder, then the waiters in no order.
    waits: Vec<(SessionId, WaitId)>,
}

impl Line {
    fn new(waiters: usize) -> Outcome<Self> {
        let lock = Name::parse("printer")?;
        let mut line = Self { bench: Bench::new(waiters + 1)?, lock, waits: Vec::new() };
        let sessions = line.bench.sessions.clone();
        line.bench.lock(sessions[0], &line.lock, None)?;
        for &session in &sessions[1..] {
            let wait = line.join(session)?.0;
            line.waits.push((session, wait));
        }
        Dice::new().shuffle(&mut line.waits);
        Ok(line)
    }

    /// Joins, or asks for the place that the session has.
    fn join(&mut self, session: SessionId) -> Outcome<(WaitId, u32)> {
        let wait_request =
            WaitRequest { origin: WaitOrigin::Socket, timeout: WaitTimeout::Session };
        match self.bench.lock(session, &self.lock, Some(wait_request))? {
            Reply::Queued { wait, position } => Ok((wait, position)),
            other => Err(format!("not queued but {other:?}").into()),
        }
    }

    /// Every waiter leaves from where it is and joins at the end; the longest that took.
    fn leave_and_join(&mut self) -> Outcome<Duration> {
        let mut longest = Duration::ZERO;
        for at in 0..self.waits.len() {
            let (session, wait) = self.waits[at];
            let start = now();
            self.bench.apply(&Command::Cancel { session, wait })?;
            self.waits[at].1 = self.join(session)?.0;
            longest = longest.max(since(start));
        }
        Ok(longest)
    }

    fn ask_positions(&mut self) -> Outcome {
        for at in 0..self.waits.len() {
            let (session, _) = self.waits[at];
            self.join(session)?;
        }
        Ok(())
    }

    /// The holder unlocks and joins at the end, as often as there are waiters.
    fn hand_over(&mut self) -> Outcome {
        let sessions = self.bench.sessions.clone();
        for &session in &sessions {
            self.bench.unlock(session, &self.lock)?;
            self.join(session)?;
        }
        Ok(())
    }
}

pub(crate) fn queue() -> Outcome {
    let turns = |line: &mut Line, turn: fn(&mut Line) -> Outcome| {
        let repeat = MANY / line.waits.len();
        let rate =
            per_second(repeat * line.waits.len(), || (0..repeat).try_for_each(|_| turn(line)))?;
        Outcome::Ok(1e9 / rate)
    };
    let hand_over = |waiters| turns(&mut Line::new(waiters)?, Line::hand_over);
    let (few, many) = (hand_over(FEW)?, hand_over(MANY - 1)?);
    figure("hand-over and join again, 10 waiters", few, "ns", Target::None);
    figure("hand-over and join again, 100 000 waiters", many, "ns", Target::None);
    let mut longest = Duration::MAX;
    for _ in 0..3 {
        longest = longest.min(Line::new(MANY - 1)?.leave_and_join()?);
    }
    let leave = |line: &mut Line| line.leave_and_join().map(drop);
    let (mut few, mut many) = (Line::new(FEW)?, Line::new(MANY - 1)?);
    let times = (turns(&mut few, leave)?, turns(&mut many, leave)?);
    figure("leave the middle and join the end, 10 waiters", times.0, "ns", Target::None);
    figure("leave the middle and join the end, 100 000 waiters", times.1, "ns", Target::None);
    figure("  the longest of 100 000", longest.as_secs_f64() * 1e3, "ms", Target::AtMost(5.0));
    let position = turns(&mut many, Line::ask_positions)?;
    figure("position in a queue of 100 000", position, "ns", Target::None);
    Ok(())
}
