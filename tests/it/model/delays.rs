//! The numbers of delays: a machine's are its own business, the model's and the stories' go by the
//! order in which delays began.

use ticketd::machine::{Command, DelayId, Event, NUMBER_END};

/// The delays of a machine, in the order in which they began.
#[derive(Default)]
pub(crate) struct Delays(Vec<DelayId>);

impl Delays {
    /// The machine's number of the delay that began as the `nth`, counted from 1. One that no
    /// delay has, if there was none.
    pub(crate) fn of_machine(&self, nth: DelayId) -> DelayId {
        let before = nth.0.checked_sub(1).and_then(|before| usize::try_from(before).ok());
        let delay = before.and_then(|before| self.0.get(before));
        delay.copied().unwrap_or(DelayId(NUMBER_END - 1))
    }

    /// A command with the machine's numbers in the place of the others.
    pub(crate) fn command(&self, mut command: Command) -> Command {
        if let Command::Ripen { delays } = &mut command {
            for delay in delays {
                *delay = self.of_machine(*delay);
            }
        }
        command
    }

    /// Takes note of what begins in events of the machine, and numbers them by their order.
    pub(crate) fn follow(&mut self, events: &mut [Event]) {
        for event in &*events {
            if let Event::DelayBegan { delay, .. } = event {
                assert!(!self.0.contains(delay), "{delay:?} began twice");
                self.0.push(*delay);
            }
        }
        self.name(events);
    }

    /// Numbers what events are about by its order.
    pub(crate) fn name(&self, events: &mut [Event]) {
        for event in events {
            if let Event::DelayBegan { delay, .. } | Event::DelayEnded { delay } = event {
                let before = self.0.iter().position(|one| one == delay);
                *delay = DelayId(before.expect("it began") as u64 + 1);
            }
        }
    }
}
