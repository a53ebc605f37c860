//! A busy server in a hundred steps: requests, sockets, waits, ends and images. What each step
//! leaves is noted, so that whatever a disk has can be told to be one of them.

use ticketd::driver::{Connection, Cycle};
use ticketd::journal::StorageFailure;
use ticketd::machine::{Command, Reply, SessionId, Snapshot, WaitTimeout};

use super::support::{
    House, Later, Told, ask, heard, issue, later, lock, name, pass, queue, request, unlock,
    unlock_by_socket, wait_for,
};
use crate::rng::Rng;

const RESOURCES: [&str; 3] = ["alpha", "beta", "gamma"];
const STEPS: usize = 160;

/// What the disk came to in the course of it.
#[derive(Default)]
pub(super) struct Story {
    /// The state after each visit, from the start on.
    pub(super) images: Vec<Snapshot>,
    /// So many of them are surely kept.
    pub(super) kept: usize,
    /// The highest fence that anybody was told of.
    pub(super) fence: u64,
    /// Rounds in which the disk was full.
    pub(super) full: usize,
}

/// Those who use the house.
pub(super) struct Guests {
    pub(super) requests: Vec<SessionId>,
    pub(super) sockets: Vec<Connection>,
    /// Requests that are not answered yet.
    pub(super) asked: Vec<Later<Told>>,
    /// Requests that wait.
    pub(super) waits: Vec<Later<Told>>,
    ids: u64,
}

impl Story {
    fn note(&mut self, house: &House) {
        self.images.push(house.snapshot());
    }

    /// All so far is kept.
    fn all_kept(&mut self) {
        self.kept = self.images.len();
    }

    fn told(&mut self, told: &Told) {
        if let Ok(Ok(Reply::Granted { grant, .. })) = told {
            self.fence = self.fence.max(grant.fence().0);
        }
    }
}

impl Guests {
    pub(super) fn enter(house: &mut House) -> Self {
        let requests = (0..3).map(|n| house.open_session(&format!("r{n}"), 60_000)).collect();
        let sockets = (0..3).map(|n| house.connect(&format!("s{n}"), 60_000)).collect();
        Self { requests, sockets, asked: Vec::new(), waits: Vec::new(), ids: 0 }
    }

    /// Something is asked.
    fn ask(&mut self, house: &House, rng: &mut Rng) {
        let resource = RESOURCES[rng.below(3)];
        let who = rng.below(3);
        let session = self.requests[who];
        let socket = &self.sockets[who];
        let speaker = socket.session();
        let by_request = |command| later(request(&house.driver, session, command));
        self.ids += 1;
        match rng.below(12) {
            0..=2 => self.asked.push(by_request(lock(session, resource))),
            3..=4 => self.asked.push(by_request(unlock(session, resource))),
            5 => self.waits.push(later(wait_for(&house.driver, session, resource, 30_000))),
            6 => ask(socket, self.ids, lock(speaker, resource)),
            7 => ask(socket, self.ids, queue(speaker, resource, WaitTimeout::Ms(700))),
            8..=9 => ask(socket, self.ids, unlock_by_socket(speaker, resource)),
            10 => ask(socket, self.ids, issue(speaker, "pool", ["t", "u", "v"][who])),
            _ => {
                let resource = name("pool");
                let claim = Command::Claim {
                    session,
                    resource,
                    ticket: None,
                    wait_request: None,
                    again: false,
                    hold_ms: None,
                };
                self.asked.push(by_request(claim));
            }
        }
    }

    /// Whoever was asked something answers, now that all is kept.
    fn hear(&mut self, story: &mut Story) {
        for asked in self.asked.drain(..) {
            story.told(&asked.now());
        }
        self.waits.retain_mut(|wait| match wait.look() {
            Some(told) => {
                story.told(&told);
                false
            }
            None => true,
        });
        for socket in &self.sockets {
            let told = heard(socket);
            assert!(!told.iter().any(|said| said.contains("unavailable")), "{told:?}");
        }
    }

    /// Nobody was told anything.
    fn assert_silence(&mut self, house: &House) {
        let said = |asked: &mut Later<Told>| !asked.is_open();
        assert!(!self.asked.iter_mut().any(said), "said before it was kept");
        assert!(!self.waits.iter_mut().any(said), "said before it was kept");
        for socket in &self.sockets {
            assert_eq!(heard(socket), [""; 0], "said before it was kept");
        }
        let _ = house;
    }
}

/// Plays until the journal fails, or to the end. `when_full` is told of each full disk.
pub(super) async fn play(
    house: &mut House,
    guests: &mut Guests,
    story: &mut Story,
    mut when_full: impl AsyncFnMut(&mut House, &mut Guests),
) -> Result<(), StorageFailure> {
    let mut rng = Rng::new(5);
    story.note(house);
    story.all_kept();
    for step in 0..STEPS {
        // A change at least, so that everything waits for its sync.
        let session = guests.requests[step % 3];
        guests.asked.push(later(request(
            &house.driver,
            session,
            issue(session, "steps", &format!("step-{}", step % 7)),
        )));
        guests.asked.iter_mut().for_each(|asked| assert!(asked.is_open()));
        story.note(house);
        for _ in 0..rng.below(5) {
            guests.ask(house, &mut rng);
            guests.asked.iter_mut().for_each(|asked| assert!(asked.is_open()));
            guests.waits.iter_mut().for_each(|wait| assert!(wait.is_open()));
            story.note(house);
        }
        guests.assert_silence(house);
        keep(house, guests, story, &mut when_full).await?;
        if step % 9 == 8 {
            house.keeper.snapshot()?;
        }
        if step % 20 == 19 {
            // The time of some waits is up.
            for session in &guests.requests {
                let refreshed = house.driver.refresh(session);
                assert_eq!(refreshed.await, Ok(true));
            }
            guests.sockets.iter().for_each(Connection::heard);
            pass(1000).await;
            story.note(house);
            keep(house, guests, story, &mut when_full).await?;
        }
    }
    Ok(())
}

/// Keeps all there is, and lets everybody hear of it.
async fn keep(
    house: &mut House,
    guests: &mut Guests,
    story: &mut Story,
    when_full: &mut impl AsyncFnMut(&mut House, &mut Guests),
) -> Result<(), StorageFailure> {
    loop {
        match house.keeper.cycle()? {
            Cycle::Full => {
                story.full += 1;
                when_full(house, guests).await;
            }
            Cycle::Wrote => {}
            Cycle::Idle => break,
        }
    }
    // What fell due in a round is kept, too.
    story.note(house);
    story.all_kept();
    guests.hear(story);
    Ok(())
}
