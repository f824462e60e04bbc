//! Who named addresses, and how many owners may be dialed because of that.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::NodeId;
use crate::node::clock;
use crate::session::{Locality, Peer, Time};
use crate::transport::Distance;

/// How many owners are dialed at a time because one peer named them. What is over this or one of the following three bounds waits for
/// its turn; what is used goes before it.
const MAX_DIALS: usize = 16;

/// How many owners are dialed at a time because peers named them, all peers together.
const MAX_ALL_DIALS: usize = 256;

/// How many owners that one peer names are dialed in a row without a rest ...
const BURST: u64 = 64;

/// ... and how long it then takes until one more may be dialed: eight a second, in microseconds.
const INTERVAL: u64 = 125_000;

/// How many owners that one peer names may wait for their turn or be dialed. What is over this or the next bound is not registered before
/// it is used; whoever named it may let its object go meanwhile.
const MAX_WAITING: usize = 1024;

/// How many may, all peers together.
const MAX_ALL_WAITING: usize = 16_384;

/// Where a peer is: what it says, as far as its connection agrees. The words alone prove nothing: whoever connects can
/// repeat what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// In this process, as a process of this host may claim.
    pub(crate) in_process: bool,
    /// It shares the loopback interface and the files with this node.
    pub(crate) on_host: bool,
    /// On the same network link, or nearer.
    pub(crate) on_link: bool,
}

impl Standing {
    pub(crate) fn new(distance: Distance, claims: &Locality, here: &Locality) -> Self {
        let claims_host = claims.host == here.host;
        let on_host = claims_host && matches!(distance, Distance::SameHost | Distance::Unknown);
        Self {
            in_process: on_host && claims.process == here.process,
            on_host,
            on_link: on_host || matches!(distance, Distance::SameHost | Distance::SameLink),
        }
    }
}

/// The peer of a session, as one that names addresses: its own, and those of owners.
///
/// It is that of the session's first connection. Only who made that can continue the session, so that what it was permitted
/// stays its own.
#[derive(Debug)]
pub(crate) struct Introducer {
    /// Who it says it is.
    pub(crate) node: NodeId,
    pub(crate) standing: Standing,
    waiting: Arc<Semaphore>,
    dials: Arc<Semaphore>,
    bucket: Mutex<Bucket>,
}

/// What bounds the dials of all introducers together.
#[derive(Debug, Clone)]
pub(crate) struct AllDials {
    waiting: Arc<Semaphore>,
    dials: Arc<Semaphore>,
}

impl Default for AllDials {
    fn default() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { waiting: semaphore(MAX_ALL_WAITING), dials: semaphore(MAX_ALL_DIALS) }
    }
}

/// The place of one owner among those that wait to be dialed. It is given back by dropping it.
#[derive(Debug)]
pub(crate) struct Turn {
    by: Arc<Introducer>,
    all: AllDials,
    _places: [OwnedSemaphorePermit; 2],
}

impl Turn {
    /// Waits until the owner may be dialed.
    pub(crate) async fn come(self) -> Option<DialSlot> {
        let own = self.by.dials.clone().acquire_owned().await.ok()?;
        loop {
            let now = clock::now();
            let taken = self.by.bucket.lock().take(now);
            match taken {
                Ok(()) => break,
                Err(next) => clock::sleep_until(Some(next)).await,
            }
        }
        let of_all = self.all.dials.clone().acquire_owned().await.ok()?;
        Some(DialSlot { _own: own, _of_all: of_all })
    }
}

/// The place of one owner among those that are dialed at a time. It is given back by dropping it.
#[derive(Debug)]
pub(crate) struct DialSlot {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Introducer {
    pub(crate) fn new(node: NodeId, standing: Standing) -> Arc<Self> {
        let (waiting, dials) = (Semaphore::new(MAX_WAITING), Semaphore::new(MAX_DIALS));
        Arc::new(Self {
            node,
            standing,
            waiting: Arc::new(waiting),
            dials: Arc::new(dials),
            bucket: Mutex::default(),
        })
    }
}

/// A token bucket, told by one number: the time at which it is full again (the "generic cell rate algorithm").
#[derive(Debug, Default)]
struct Bucket {
    full: Time,
}

impl Bucket {
    /// A token; or when there will be one.
    fn take(&mut self, now: Time) -> Result<(), Time> {
        let full = self.full.max(now);
        let missing = full.since(now).as_micros();
        let most = (BURST - 1) * INTERVAL;
        if missing > u128::from(most) {
            return Err(Time(full.0.saturating_sub(most)));
        }
        self.full = Time(full.0.saturating_add(INTERVAL));
        Ok(())
    }
}

/// Where a node is said to be, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) list: Arc<[String]>,
    /// `None`: no peer, but the program.
    pub(crate) by: Option<Arc<Introducer>>,
}

impl Named {
    /// Nobody says anything.
    pub(crate) fn none() -> Self {
        Self { list: [].into(), by: None }
    }

    /// What a peer says of itself.
    pub(crate) fn of_peer(peer: &Peer, distance: Distance, here: &Locality) -> Self {
        let standing = Standing::new(distance, &peer.locality, here);
        Self { list: peer.addresses.clone().into(), by: Some(Introducer::new(peer.node, standing)) }
    }

    /// And at these addresses.
    pub(crate) fn and(self, more: Vec<String>) -> Self {
        match more.is_empty() {
            true => self,
            false => Self { list: self.list.iter().cloned().chain(more).collect(), ..self },
        }
    }

    /// A place for `owner` among those that are to be dialed because peers named them. A node's own addresses, and the program's, need
    /// none: that is `Ok(None)`. `Err`: too many wait.
    pub(crate) fn turn(&self, owner: NodeId, all: &AllDials) -> Result<Option<Turn>, ()> {
        let Some(by) = self.by.as_ref().filter(|by| by.node != owner) else { return Ok(None) };
        let own = by.waiting.clone().try_acquire_owned().map_err(|_| ())?;
        let of_all = all.waiting.clone().try_acquire_owned().map_err(|_| ())?;
        Ok(Some(Turn { by: by.clone(), all: all.clone(), _places: [own, of_all] }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Locality = Locality { host: 1, process: 1 };

    fn introducer() -> Arc<Introducer> {
        Introducer::new(NodeId::random(), Standing::new(Distance::SameHost, &NEAR, &NEAR))
    }

    #[test]
    fn words_count_only_as_far_as_the_connection_agrees() {
        let neighbour = Locality { host: 1, process: 2 };
        let stranger = Locality { host: 2, process: 1 };
        for (distance, claims, expected) in [
            (Distance::SameHost, NEAR, [true, true, true]),
            (Distance::SameHost, neighbour, [false, true, true]),
            (Distance::SameHost, stranger, [false, false, true]),
            (Distance::Unknown, NEAR, [true, true, true]),
            (Distance::Unknown, stranger, [false, false, false]),
            (Distance::SameLink, NEAR, [false, false, true]),
            (Distance::SameLink, stranger, [false, false, true]),
            // It repeats what it was told.
            (Distance::Elsewhere, NEAR, [false, false, false]),
            (Distance::Elsewhere, stranger, [false, false, false]),
        ] {
            let Standing { in_process, on_host, on_link } = Standing::new(distance, &claims, &NEAR);
            assert_eq!([in_process, on_host, on_link], expected, "{distance:?} {claims:?}");
        }
    }

    #[test]
    fn a_burst_and_then_eight_a_second() {
        let mut bucket = Bucket::default();
        let start = Time(7_000_000_000);
        let mut taken = |at: Time| (0..1_000).filter(|_| bucket.take(at).is_ok()).count();
        assert_eq!(taken(start), 64);
        assert_eq!(taken(Time(start.0 + INTERVAL - 1)), 0);
        assert_eq!(taken(Time(start.0 + INTERVAL)), 1);
        assert_eq!(taken(Time(start.0 + INTERVAL + 1_000_000)), 8);
        assert_eq!(taken(Time(start.0 + 1_000_000_000)), 64, "a rest gives no more than a burst");
        // A clock that went back gives nothing.
        assert_eq!(taken(start), 0);
    }

    fn named() -> Named {
        Named { list: [].into(), by: Some(introducer()) }
    }

    #[tokio::test]
    async fn one_introducer_leaves_room_for_others() {
        let (all, owner, greedy) = (AllDials::default(), NodeId::random(), named());
        let mut turns: Vec<Turn> =
            (0..10_000).map_while(|_| greedy.turn(owner, &all).ok().flatten()).collect();
        assert_eq!(turns.len(), MAX_WAITING);
        let mut held = Vec::new();
        for turn in turns.drain(..MAX_DIALS) {
            held.push(turn.come().await);
        }
        let next = turns.pop().map(Turn::come);
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), async {
            match next {
                Some(next) => next.await,
                None => None,
            }
        });
        assert!(waiting.await.is_err(), "as many are dialed as may be");
        let Some(other) = named().turn(owner, &all).ok().flatten() else { panic!("others may wait, too") };
        assert!(other.come().await.is_some(), "another introducer's owner is dialed");
    }

    #[test]
    fn all_introducers_together_are_bounded() {
        let (all, owner) = (AllDials::default(), NodeId::random());
        let introducers: Vec<Named> = (0..MAX_ALL_WAITING / MAX_WAITING + 1).map(|_| named()).collect();
        let turns = introducers
            .iter()
            .flat_map(|by| (0..MAX_WAITING).map_while(|_| by.turn(owner, &all).ok().flatten()));
        assert_eq!(turns.collect::<Vec<_>>().len(), MAX_ALL_WAITING);
        // Its own addresses, and the program's, are not a third node's words.
        let own = Introducer::new(owner, Standing::new(Distance::Elsewhere, &NEAR, &NEAR));
        for by in [Some(own), None] {
            assert!(Named { list: [].into(), by }.turn(owner, &all).is_ok_and(|turn| turn.is_none()));
        }
    }
}
