//! Who named addresses, and how many owners may be dialed because of that.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::NodeId;
use crate::session::{Locality, Peer, Time};
use crate::transport::Distance;

/// How many owners are dialed at a time because one peer named them. What is over this or one of the following bounds is
/// not registered before it is used; its first use dials.
const MAX_DIALS: usize = 16;

/// How many owners are dialed at a time because peers named them, all peers together.
const MAX_ALL_DIALS: usize = 256;

/// How many owners that one peer names are dialed in a row without a rest ...
const BURST: u64 = 64;

/// ... and how long it then takes until one more may be dialed: eight a second, in microseconds.
const INTERVAL: u64 = 125_000;

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
    dials: Arc<Semaphore>,
    bucket: Mutex<Bucket>,
}

/// The place of one owner among those that are dialed at a time. It is given back by dropping it.
#[derive(Debug)]
pub(crate) struct DialSlot {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Introducer {
    pub(crate) fn new(node: NodeId, standing: Standing) -> Arc<Self> {
        let dials = Arc::new(Semaphore::new(MAX_DIALS));
        Arc::new(Self { node, standing, dials, bucket: Mutex::default() })
    }

    /// A place for one more owner that is to be dialed now. `None`: enough are.
    fn slot(&self, of_all: &Arc<Semaphore>, now: Time) -> Option<DialSlot> {
        let own = self.dials.clone().try_acquire_owned().ok()?;
        let of_all = of_all.clone().try_acquire_owned().ok()?;
        self.bucket.lock().take(now).then_some(DialSlot { _own: own, _of_all: of_all })
    }
}

/// What bounds the dials of all introducers together.
pub(crate) fn all_dials() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_ALL_DIALS))
}

/// A token bucket, told by one number: the time at which it is full again (the "generic cell rate algorithm").
#[derive(Debug, Default)]
struct Bucket {
    full: Time,
}

impl Bucket {
    fn take(&mut self, now: Time) -> bool {
        let full = self.full.max(now);
        let missing = full.since(now).as_micros();
        let any_left = missing <= u128::from((BURST - 1) * INTERVAL);
        if any_left {
            self.full = Time(full.0.saturating_add(INTERVAL));
        }
        any_left
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

    /// A place for `owner` among those dialed because peers named them. A node's own addresses, and the program's, need
    /// none: that is `Ok(None)`.
    pub(crate) fn slot(
        &self,
        owner: NodeId,
        of_all: &Arc<Semaphore>,
        now: Time,
    ) -> Result<Option<DialSlot>, ()> {
        match &self.by {
            Some(by) if by.node != owner => by.slot(of_all, now).map(Some).ok_or(()),
            _ => Ok(None),
        }
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
        let mut taken = |at: Time| (0..1_000).filter(|_| bucket.take(at)).count();
        assert_eq!(taken(start), 64);
        assert_eq!(taken(Time(start.0 + INTERVAL - 1)), 0);
        assert_eq!(taken(Time(start.0 + INTERVAL)), 1);
        assert_eq!(taken(Time(start.0 + INTERVAL + 1_000_000)), 8);
        assert_eq!(taken(Time(start.0 + 1_000_000_000)), 64, "a rest gives no more than a burst");
        // A clock that went back gives nothing.
        assert_eq!(taken(start), 0);
    }

    #[test]
    fn one_introducer_leaves_room_for_others() {
        let (all, now, owner) = (all_dials(), Time(1_000_000_000), NodeId::random());
        let greedy = Named { list: [].into(), by: Some(introducer()) };
        let held: Vec<_> = (0..1_000).map_while(|_| greedy.slot(owner, &all, now).ok()).collect();
        assert_eq!(held.len(), MAX_DIALS);
        let other = Named { list: [].into(), by: Some(introducer()) };
        assert!(other.slot(owner, &all, now).is_ok_and(|slot| slot.is_some()));
        drop(held);
        let later = (0..1_000).filter(|_| greedy.slot(owner, &all, now).is_ok()).count();
        assert_eq!(later, BURST as usize - MAX_DIALS, "places come back, what was spent does not");
    }

    #[test]
    fn all_introducers_together_are_bounded() {
        let (all, now, owner) = (all_dials(), Time(1_000_000_000), NodeId::random());
        let held: Vec<_> = (0..1_000)
            .filter_map(|_| Named { list: [].into(), by: Some(introducer()) }.slot(owner, &all, now).ok())
            .collect();
        assert_eq!(held.len(), MAX_ALL_DIALS);
        // Its own addresses, and the program's, are not a third node's words.
        let own = Introducer::new(owner, Standing::new(Distance::Elsewhere, &NEAR, &NEAR));
        for by in [Some(own), None] {
            assert!(Named { list: [].into(), by }.slot(owner, &all, now).is_ok_and(|slot| slot.is_none()));
        }
    }
}
