//! The end of a session that nothing uses.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::BYE_UNUSED;
use crate::gc::Debt;
use crate::id::{InterfaceName, MethodId, NodeId, ObjectId};
use crate::session::{
    Arrived, Event, Handles, Handshake, Introduction, Locality, Message, OutReference, Outward, Role,
    Session, Ticket, Time,
};
use crate::wire::{Frame, Limits, ReplyKind, split};

#[derive(Debug)]
pub(in crate::session) struct Numbers;

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

    fn is_waiting(_: &u32) -> bool {
        true
    }
}

const LEASE: Duration = Duration::from_secs(30);
const OBJECT: ObjectId = ObjectId::from_bytes([7; 16]);

/// The side that dialed for the sake of an owner, the owner, and the time.
pub(in crate::session) struct Two {
    pub(in crate::session) dialer: Session<Numbers>,
    pub(in crate::session) owner: Session<Numbers>,
    pub(in crate::session) now: Time,
}

impl Two {
    pub(in crate::session) fn new() -> Self {
        let now = Time(1_000_000);
        let locality = Locality { host: 1, process: 1 };
        let introduction = |node| Introduction {
            node: NodeId::from_bytes([node; 16]),
            lease: LEASE,
            limits: Limits::default(),
            locality,
            addresses: Vec::new(),
        };
        let mut dials = Handshake::new(Role::Dial(None), introduction(1), [1; 16], vec![0; 32]);
        let mut accepts = Handshake::new(Role::Accept, introduction(2), [2; 16], vec![0; 32]);
        let hello = dials.start(now).unwrap();
        let accepted = accepts.handle(hello, now, || Ok(())).unwrap().unwrap();
        let dialed = dials.handle(accepted.welcome.unwrap(), now, || Ok(())).unwrap().unwrap();
        let side = |key, node, peer| {
            let me = NodeId::from_bytes([node; 16]);
            let mut session = Session::new(key, me, Limits::default(), locality, false);
            assert!(session.open(now, peer, Ticket::None));
            session
        };
        let mut dialer = side(1, 1, dialed.peer);
        dialer.set_transient();
        Self { dialer, owner: side(2, 2, accepted.peer), now }
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
        let outward = Outward::Call { object: OBJECT, method: MethodId(1) };
        let message = Message { outward, payload: Bytes::new(), references, deadline: None };
        self.dialer.call(self.now, 1, message).unwrap();
    }

    /// The owner answers call 1. Returns the references that arrived.
    pub(in crate::session) fn answer(
        &mut self,
        references: Vec<OutReference<Numbers>>,
    ) -> Vec<Arrived<Numbers>> {
        self.owner.reply(1, ReplyKind::Ok, Bytes::new(), references);
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
    let outward = Outward::Call { object: OBJECT, method: MethodId(1) };
    let message = Message { outward, payload: Bytes::new(), references: Vec::new(), deadline: None };
    two.owner.call(two.now, 1, message).unwrap();
    two.goes_on();
    two.dialer.reply(1, ReplyKind::Ok, Bytes::new(), Vec::new());
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
