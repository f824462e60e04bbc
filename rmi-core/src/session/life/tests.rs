//! The end of a session that nothing uses.

use std::time::Duration;

use bytes::BytesMut;

use super::BYE_UNUSED;
use crate::gc::Debt;
use crate::id::{InterfaceName, MethodId, NodeId, ObjectId};
use crate::session::testing::{LEASE, NOW, Numbers, pair};
use crate::session::{Arrived, Event, Message, OutReference, Outward, Rope, Session, Strand, Time, Timeout};
use crate::wire::{Frame, Limits, ReplyKind, split};

const OBJECT: ObjectId = ObjectId::from_bytes([7; 16]);

/// The side that dialed for the sake of an owner, the owner, and the time.
pub(in crate::session) struct Two {
    pub(in crate::session) dialer: Session<Numbers>,
    pub(in crate::session) owner: Session<Numbers>,
    pub(in crate::session) now: Time,
}

impl Two {
    pub(in crate::session) fn new() -> Self {
        let (mut dialer, owner) = pair(Limits::default());
        dialer.set_transient();
        Self { dialer, owner, now: NOW }
    }

    /// All that both have to say now: what the dialer makes of it, and what the owner does.
    pub(in crate::session) fn talk(&mut self) -> (Vec<Event<Numbers>>, Vec<Event<Numbers>>) {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..8 {
            pass(&mut self.dialer, &mut self.owner, self.now, &mut there);
            pass(&mut self.owner, &mut self.dialer, self.now, &mut here);
        }
        (here, there)
    }

    /// Everything that is to be said is, Acks too, and then time passes until a Ping is due. Returns the code of the Bye that came of it.
    pub(in crate::session) fn rest(&mut self) -> Option<u8> {
        let mut code = None;
        for wait in [Duration::ZERO, Duration::from_millis(150), LEASE / 3] {
            self.now = self.now + wait;
            let bye = |event: &Event<_>| if let Event::Bye { code, .. } = event { Some(*code) } else { None };
            code = code.or(self.talk().1.iter().find_map(bye));
        }
        code
    }

    /// Time passes, and nothing ends.
    fn goes_on(&mut self) {
        for _ in 0..4 {
            assert_eq!(self.rest(), None);
        }
        assert!(!self.dialer.has_retired());
    }

    fn ends(&mut self) {
        assert_eq!(self.rest(), Some(BYE_UNUSED));
        assert!(self.dialer.has_retired() && self.dialer.has_parted());
        assert!(self.dialer.poll_output(self.now).is_none(), "nothing follows a Bye");
        assert!(!self.dialer.is_usable(self.now));
    }

    pub(in crate::session) fn call(&mut self, references: Vec<OutReference<Numbers>>) {
        let outward = Outward::Call { object: OBJECT, method: MethodId(1), strand: Strand(1) };
        let message = Message { outward, payload: Rope::default(), references, deadline: None };
        self.dialer.call(self.now, 1, message).unwrap();
    }

    /// The owner answers call 1. Returns the references that arrived.
    pub(in crate::session) fn answer(
        &mut self,
        references: Vec<OutReference<Numbers>>,
    ) -> Vec<Arrived<Numbers>> {
        self.owner.reply(1, ReplyKind::Ok, Rope::default(), references);
        let mut arrived = Vec::new();
        for event in self.talk().0 {
            if let Event::Answer { references, .. } = event {
                arrived.extend(references);
            }
        }
        arrived
    }
}

fn pass(from: &mut Session<Numbers>, to: &mut Session<Numbers>, now: Time, seen: &mut Vec<Event<Numbers>>) {
    while let Some(output) = from.poll_output(now) {
        let mut bytes = BytesMut::from(output.concat());
        while let Some(frame) = split(&mut bytes, 1 << 20).unwrap() {
            let (len, frame) = (frame.len(), Frame::decode(frame, &Limits::default()).unwrap());
            seen.push(to.handle(now, frame, len, |_| ((), ())).unwrap());
        }
    }
}

pub(in crate::session) fn interface() -> InterfaceName {
    InterfaceName::Static("test.Item")
}

fn own() -> OutReference<Numbers> {
    OutReference::Own { id: OBJECT, interface: interface(), object: 1 }
}

/// An object of a third node.
fn held() -> OutReference<Numbers> {
    let owner = NodeId::from_bytes([3; 16]);
    let none = || [].into();
    OutReference::Held {
        owner,
        id: OBJECT,
        interface: interface(),
        addresses: none(),
        relays: none(),
        pin: 1,
    }
}

#[test]
fn what_nothing_uses_ends_when_a_ping_is_due() {
    let mut two = Two::new();
    two.now = two.now + LEASE / 3 - Duration::from_millis(1);
    assert!(two.dialer.poll_output(two.now).is_none());
    two.ends();
}

/// Whoever has something to send may be here before the writer, which ends the session.
#[test]
fn nothing_leaves_once_the_lease_is_over() {
    let mut two = Two::new();
    two.call(Vec::new());
    two.now = two.now + LEASE;
    assert!(two.dialer.has_output() && two.dialer.poll_output(two.now).is_none());
    assert_eq!(two.dialer.handle_timeout(two.now), Timeout::HolderEnd);
}

#[test]
fn only_who_dialed_for_an_owner_ends_it() {
    let mut two = Two::new();
    two.dialer.transient = false;
    two.goes_on();
}

#[test]
fn an_import_keeps_it() {
    let mut two = Two::new();
    let debt = Debt { session: 9, transfer: 1 };
    two.dialer.import_from_third(OBJECT, debt, || ((), ())).unwrap();
    two.goes_on();
    two.owner.answer_dirty(OBJECT, Some(1));
    two.goes_on();
    two.dialer.dropped(vec![OBJECT]);
    two.ends();
    assert!(two.dialer.import_from_third(OBJECT, debt, || ((), ())).is_none());
    assert!(two.dialer.ask_again(OBJECT, (), vec![debt]).is_err());
}

#[test]
fn a_call_and_its_listing_and_its_pin_keep_it() {
    let mut two = Two::new();
    two.call(vec![own(), held()]);
    two.goes_on();
    two.answer(Vec::new());
    two.goes_on();
    two.owner.dropped(vec![OBJECT]);
    two.goes_on();
    two.owner.unpin(1);
    two.ends();
}

#[test]
fn a_call_of_the_peer_keeps_it() {
    let mut two = Two::new();
    let outward = Outward::Call { object: OBJECT, method: MethodId(1), strand: Strand(1) };
    let message = Message { outward, payload: Rope::default(), references: Vec::new(), deadline: None };
    two.owner.call(two.now, 1, message).unwrap();
    two.goes_on();
    two.dialer.reply(1, ReplyKind::Ok, Rope::default(), Vec::new());
    two.ends();
}

#[test]
fn a_tunnel_keeps_it() {
    let mut two = Two::new();
    let tunnel = two.dialer.open_tunnel(NodeId::from_bytes([3; 16]), OBJECT).unwrap();
    two.goes_on();
    two.dialer.close_tunnel(tunnel, String::new());
    two.ends();
}

/// The peer's pin may be all that keeps the object of a third node.
#[test]
fn an_unpin_that_is_owed_keeps_it() {
    let mut two = Two::new();
    two.call(Vec::new());
    two.talk();
    let arrived = two.answer(vec![held()]);
    let [Arrived::Third(third)] = &arrived[..] else { panic!("{arrived:?}") };
    let debt = &third.debt;
    assert_eq!(debt.transfer, 1);
    two.goes_on();
    assert_eq!(two.owner.pinned(), 1);
    two.dialer.unpin(1);
    two.ends();
}

/// What the peer does not acknowledge may have to be sent again.
#[test]
fn what_is_not_acknowledged_keeps_it() {
    let mut two = Two::new();
    two.dialer.unpin(1);
    two.dialer.poll_output(two.now).unwrap();
    two.now = two.now + LEASE / 2;
    two.dialer.poll_output(two.now).unwrap();
    assert!(!two.dialer.has_retired());
}
