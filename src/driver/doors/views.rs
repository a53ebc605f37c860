//! What those see who only look. What is small is seen in one visit; what is large is pending in
//! slices, so that nobody waits for a whole one.

use std::vec;

use crate::deadlines::At;
use crate::driver::outbox::looked::Lefts;
use crate::driver::state::State;
use crate::machine::{
    Fence, IssuedState, Machine, Name, ResourceView, Scan, SessionId, SessionView, TicketView,
};

use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;

/// Most that a visit lists of one session or resource.
pub const WHOLE_MAX: usize = 500;
/// When so much was listed, the visit ends.
const VISIT_MAX: usize = 500;
/// Most sessions or resources that one visit looks at.
const ENTRIES_MAX: usize = 128;

/// What a visit sees of a session or resource.
#[derive(Debug)]
pub enum Seen<V> {
    /// All of it, and what is left of its claims that end by themselves.
    Whole(V, Lefts),
    /// It is too large for one visit: [`Viewed::gather`] it.
    Large,
}

/// By what something is found that can be viewed.
pub trait Viewed: Clone + Send + Sync + 'static {
    /// All that there is to see of it.
    type View: Send + 'static;

    /// How much a view would list; `None` when there is nothing of that id or name.
    fn size(&self, machine: &Machine) -> Option<usize>;

    /// The view, in one visit.
    fn view(&self, machine: &Machine) -> Option<Self::View>;

    /// The claims in it that end by themselves.
    fn timed(view: &Self::View) -> Vec<Fence>;

    /// Brings a view into the order in which it is told.
    fn sort(view: &mut Self::View);

    /// The view, pending in slices: what has stayed meanwhile is in it once; what came or went may
    /// be in it or not. `None` when it was not there all the while.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    fn gather(
        &self,
        driver: &Driver,
    ) -> impl Future<Output = Result<Option<(Self::View, Lefts)>, Unavailable>> + Send;
}

impl Viewed for SessionId {
    type View = SessionView;

    fn size(&self, machine: &Machine) -> Option<usize> {
        machine.session_size(self)
    }

    fn view(&self, machine: &Machine) -> Option<SessionView> {
        machine.session_view(self)
    }

    /// It is in order: tickets and locks by their fences, what was issued by age.
    fn sort(_: &mut SessionView) {}

    fn timed(view: &SessionView) -> Vec<Fence> {
        timed(&view.claims)
    }

    async fn gather(&self, driver: &Driver) -> Result<Option<(SessionView, Lefts)>, Unavailable> {
        let Some(mut view) = driver.query(|machine| machine.session_head(self)).await? else {
            return Ok(None);
        };
        let issued = driver.query_slices(|machine, scan| machine.issued_slice(self, scan)).await?;
        let claims = driver.query_slices(|machine, scan| machine.claims_slice(self, scan)).await?;
        let (Some(issued), Some(claims)) = (issued, claims) else { return Ok(None) };
        view.issued = in_order(issued).await?;
        view.claims = in_order(claims).await?;
        let lefts = driver.lefts(&Self::timed(&view));
        Ok(Some((view, lefts)))
    }
}

impl Viewed for Name {
    type View = ResourceView;

    fn size(&self, machine: &Machine) -> Option<usize> {
        machine.resource_size(self.as_str())
    }

    fn view(&self, machine: &Machine) -> Option<ResourceView> {
        machine.resource_view(self.as_str())
    }

    /// Tickets by their names.
    fn sort(view: &mut ResourceView) {
        view.tickets.sort_unstable_by(by_name);
    }

    fn timed(view: &ResourceView) -> Vec<Fence> {
        timed(&view.tickets)
    }

    async fn gather(&self, driver: &Driver) -> Result<Option<(ResourceView, Lefts)>, Unavailable> {
        let name = self.as_str();
        let Some(mut view) = driver.query(|machine| machine.resource_head(name)).await? else {
            return Ok(None);
        };
        let seen = driver.query_slices(|machine, scan| machine.tickets_slice(name, scan)).await?;
        let Some(seen) = seen else { return Ok(None) };
        view.tickets = in_order(seen).await?;
        let lefts = driver.lefts(&Self::timed(&view));
        Ok(Some((view, lefts)))
    }
}

/// Those of some tickets' claims that end by themselves.
fn timed(tickets: &[TicketView]) -> Vec<Fence> {
    let of_one =
        |ticket: &TicketView| Some(ticket.claim.as_ref()?.1).filter(|_| ticket.hold_ms.is_some());
    tickets.iter().filter_map(of_one).collect()
}

fn by_name(a: &TicketView, b: &TicketView) -> std::cmp::Ordering {
    a.ticket.cmp(&b.ticket)
}

/// What was seen in order of its keys, each once: as it was seen last.
async fn in_order<K, V>(mut seen: Vec<(K, V)>) -> Result<Vec<V>, Unavailable>
where
    K: Ord + Send + 'static,
    V: Send + 'static,
{
    aside(move || {
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        seen.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                std::mem::swap(later, first);
            }
            same
        });
        seen.into_iter().map(|(_, value)| value).collect()
    })
    .await
}

/// To sort so much would keep one of the runtime's few threads for too long.
async fn aside<T: Send + 'static>(
    sort: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unavailable> {
    // It fails when the runtime ends.
    tokio::task::spawn_blocking(sort).await.map_err(|_| Unavailable::Leaving)
}

impl Driver {
    /// What is left of claims that end by themselves.
    fn lefts(&self, fences: &[Fence]) -> Lefts {
        let visit = self.visit_as_driver();
        visit.lefts(fences.iter().copied(), visit.now)
    }

    /// What there is to see of one session or resource.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn view<K: Viewed>(&self, key: &K) -> Result<Option<Seen<K::View>>, Unavailable> {
        let mut seen =
            self.query_state(|state, now| see(state, key, now).map(|(seen, _)| seen)).await?;
        if let Some(Seen::Whole(view, _)) = &mut seen {
            K::sort(view);
        }
        Ok(seen)
    }

    /// What there is to see of the next few sessions or resources. What is there no more is left
    /// out.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn views<K: Viewed>(
        &self,
        keys: &mut vec::IntoIter<K>,
    ) -> Result<Vec<(K, Seen<K::View>)>, Unavailable> {
        let look = |state: &State, now| {
            let (mut all, mut listed) = (Vec::new(), 0);
            for key in keys.by_ref().take(ENTRIES_MAX) {
                if let Some((seen, size)) = see(state, &key, now) {
                    all.push((key, seen));
                    listed += size;
                }
                if listed >= VISIT_MAX {
                    break;
                }
            }
            all
        };
        let mut all = self.query_state(look).await?;
        for (_, seen) in &mut all {
            if let Seen::Whole(view, _) = seen {
                K::sort(view);
            }
        }
        Ok(all)
    }

    /// The ids of all sessions, in order.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn session_ids(&self) -> Result<Vec<SessionId>, Unavailable> {
        self.keys(Machine::session_ids_slice).await
    }

    /// The names of all known resources, in order.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn resource_names(&self) -> Result<Vec<Name>, Unavailable> {
        self.keys(Machine::resource_names_slice).await
    }

    async fn keys<K: Ord + Send + 'static>(
        &self,
        slice: fn(&Machine, &mut Scan) -> Vec<K>,
    ) -> Result<Vec<K>, Unavailable> {
        self.query(|_| ()).await?;
        let seen = self.query_slices(|machine, scan| Some(slice(machine, scan))).await?;
        let mut keys = seen.unwrap_or_default();
        aside(move || {
            keys.sort_unstable();
            keys.dedup();
            keys
        })
        .await
    }

    /// The tickets that a session issued, oldest first, as its state lists them; pending like
    /// [`Viewed::gather`].
    pub(super) async fn issued(
        &self,
        id: &SessionId,
    ) -> Result<Option<Vec<IssuedState>>, Unavailable> {
        let slice = |machine: &Machine, scan: &mut Scan| machine.issued_states_slice(id, scan);
        match self.query_slices(slice).await? {
            Some(seen) => in_order(seen).await.map(Some),
            None => Ok(None),
        }
    }

    /// Looks slice by slice. `None` when a slice says so. Whoever may ask at the first slice is
    /// answered: a full disk is waited for.
    async fn query_slices<T>(
        &self,
        mut slice: impl FnMut(&Machine, &mut Scan) -> Option<Vec<T>>,
    ) -> Result<Option<Vec<T>>, Unavailable> {
        let mut scan = Scan::default();
        let mut all = Vec::new();
        loop {
            let (seen, position) = {
                let visit = self.visit_as_driver();
                (slice(&visit.machine, &mut scan), visit.position())
            };
            let is_gone = seen.is_none();
            all.extend(seen.unwrap_or_default());
            if is_gone || scan.done {
                // What the slices before saw is durable then, too.
                self.reached(position).await?;
                return Ok((!is_gone).then_some(all));
            }
            // Others go first.
            tokio::task::yield_now().await;
        }
    }
}

/// What a visit sees of one, and how much that lists.
fn see<K: Viewed>(state: &State, key: &K, now: At) -> Option<(Seen<K::View>, usize)> {
    let size = key.size(&state.machine)?;
    if size > WHOLE_MAX {
        return Some((Seen::Large, 0));
    }
    let view = key.view(&state.machine)?;
    let lefts = state.lefts(K::timed(&view), now);
    Some((Seen::Whole(view, lefts), size))
}
