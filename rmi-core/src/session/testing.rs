//! Two sides of a session, for tests.

use std::cell::Cell;
use std::time::Duration;

use crate::id::NodeId;
use crate::session::{Handles, Handshake, Introduction, Locality, Role, Session, Ticket, Time};
use crate::wire::Limits;

/// Objects, pins and callers are numbers.
#[derive(Debug)]
pub(super) struct Numbers;

impl Handles for Numbers {
    type Object = u32;
    type Import = ();
    type Pin = u32;
    type Weak = ();
    type Caller = u32;

    fn share((): &()) -> Option<()> {
        Some(())
    }

    fn is_alive((): &()) -> bool {
        true
    }

    fn is_waiting(caller: &u32) -> bool {
        !GONE.get().is_some_and(|gone| gone(*caller))
    }
}

type IsGone = fn(u32) -> bool;

thread_local! {
    /// Which callers do not wait any more; `None`: all do.
    pub(super) static GONE: Cell<Option<IsGone>> = const { Cell::new(None) };
}

/// When the handshake is over.
pub(super) const NOW: Time = Time(1_000_000);

pub(super) const LEASE: Duration = Duration::from_secs(30);

/// Two sides whose handshake is over, and which accept the same: the one that dialed, and the other.
pub(super) fn pair(limits: Limits) -> (Session<Numbers>, Session<Numbers>) {
    let locality = Locality { host: 1, process: 1 };
    let introduction = |node| Introduction {
        node: NodeId::from_bytes([node; 16]),
        lease: LEASE,
        limits,
        locality,
        addresses: Vec::new(),
    };
    let mut dialer = Handshake::new(Role::Dial(None), introduction(1), [1; 16], vec![0; 32]);
    let mut acceptor = Handshake::new(Role::Accept, introduction(2), [2; 16], vec![0; 32]);
    let hello = dialer.start(NOW).expect("the dialer says Hello");
    let accepted = acceptor.handle(hello, NOW, || Ok(())).unwrap().expect("that is all");
    let dialed = dialer.handle(accepted.welcome.unwrap(), NOW, || Ok(())).unwrap().expect("that is all");
    let side = |key, node, peer| {
        let mut session = Session::new(key, NodeId::from_bytes([node; 16]), limits, locality, false);
        assert!(session.open(NOW, peer, Ticket::None));
        session
    };
    (side(1, 1, dialed.peer), side(2, 2, accepted.peer))
}
