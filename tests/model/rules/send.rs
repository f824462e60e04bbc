//! What leaves: calls, answers, references (7.1, 7.3). A frame is numbered, listed or pinned, and queued in one step.

use crate::config::NodeAt;
use crate::mutant::Mutant;
use crate::rules::{Mark, Turn};
use crate::state::{Call, EndAt, Frame, Held, Packet, Ref, Way, id};

impl Turn<'_> {
    /// Numbers a frame and queues it. Nothing is queued in a session that is over for this side as a holder.
    pub fn push(&mut self, from: EndAt, frame: Frame) -> u64 {
        let peer_listens = self.end((from.0, 1 - from.1)).is_open();
        let forgets = self.config.is(Mutant::RingForgets);
        let session = self.session(from.0);
        let end = &mut session.ends[from.1];
        if !end.is_open() {
            return end.last;
        }
        end.last += 1;
        let number = end.last;
        if !(forgets && end.attached) {
            end.ring.push_back((number, frame));
        }
        if end.attached && peer_listens {
            session.flight[1 - from.1].push_back(Packet::Frame(number, frame));
        }
        number
    }

    pub fn pass(&mut self, from: EndAt, what: Held, cut: bool) {
        self.state.left.references -= 1;
        self.state.left.fragments -= u8::from(cut);
        let reference = self.outward(from, what);
        let call = self.begin_call(from, None);
        let call = Call { call, target: None, reference: Some(reference), more: cut };
        let first = self.push(from, Frame::Call(call));
        self.listed(from, reference, first);
        if cut {
            self.end(from).unfinished.push((first, call.call));
        }
    }

    /// A call on a proxy, in the session of its entry; if that ended, the entry asks again first.
    pub fn call_on(&mut self, node: NodeAt, handle: u8) {
        self.state.left.uses -= 1;
        let Some(it) = self.handle(node, handle) else { return };
        let session = match it.way {
            Way::Session(session) => Some(session),
            Way::Lost => self.ask_again(node, handle, Vec::new()).ok(),
            Way::Gone => None,
        };
        let Some(session) = session else { return };
        let Some(side) = self.state.session(session).side_of(node) else { return };
        let call = self.begin_call((session, side), Some((node, handle)));
        let call = Call { call, target: Some(it.object), reference: None, more: false };
        self.push((session, side), Frame::Call(call));
    }

    fn begin_call(&mut self, from: EndAt, on: Option<(NodeAt, u8)>) -> u8 {
        let replies = self.config.replies;
        let end = self.end(from);
        let call = end.next_call;
        if replies {
            end.next_call += 1;
            end.calls.insert(call, on.map(|(_, handle)| handle));
            if let Some((node, handle)) = on {
                self.change(node, handle, |handle| handle.borrowed += 1);
            }
        }
        call
    }

    /// The reference as it stands in a message. A held one is pinned.
    fn outward(&mut self, from: EndAt, what: Held) -> Ref {
        let node = self.node_of(from);
        let handle = match what {
            Held::Own(object) => return Ref { object, transfer: 0, solid: true },
            Held::Import(handle) => handle,
        };
        let Some(it) = self.handle(node, handle) else { unreachable!("it is passed, so it is held") };
        let transfer = self.end(from).pins.pin(handle);
        if self.config.is(Mutant::NoPin) {
            self.end(from).pins.unpin(transfer);
        } else {
            self.change(node, handle, |handle| handle.pins += 1);
        }
        let solid = match it.way {
            Way::Session(session) => {
                let side = self.state.session(session).side_of(node).unwrap_or_default();
                self.state.end((session, side)).imports.confirmed(id(it.object)) == Some(true)
            }
            _ => false,
        };
        Ref { object: it.object, transfer, solid }
    }

    /// 7.1, in the step that numbered the frame.
    fn listed(&mut self, from: EndAt, reference: Ref, frame: u64) {
        if self.config.owner(reference.object) == self.node_of(from) {
            self.end(from).listing.sent(id(reference.object), (), frame);
        }
    }

    pub fn answer(&mut self, end: EndAt, call: u8, result: Option<Held>) {
        let reference = result.map(|what| self.outward(end, what));
        if result.is_some() {
            self.marks.set(Mark::Result);
            self.state.left.references -= 1;
        }
        let argument = self.end(end).serving.remove(&call).flatten();
        let frame = self.push(end, Frame::Reply { call, reference });
        if let Some(reference) = reference {
            self.listed(end, reference, frame);
        }
        let node = self.node_of(end);
        self.keep(node, argument);
    }

    pub fn finish(&mut self, end: EndAt, first: u64) {
        self.end(end).unfinished.retain(|it| it.0 != first);
        self.push(end, Frame::More { first });
    }

    /// The caller gave up while its call was leaving. Nobody answers it.
    pub fn abort(&mut self, end: EndAt, first: u64, call: u8) {
        self.end(end).unfinished.retain(|it| it.0 != first);
        self.end(end).calls.remove(&call);
        self.push(end, Frame::Abort { first });
    }

    /// The caller's future is dropped. The message, and what it pins, has left.
    pub fn cancel(&mut self, end: EndAt, call: u8) {
        self.state.left.cancels -= 1;
        let node = self.node_of(end);
        if !self.end(end).pins.is_empty() {
            self.marks.set(Mark::Cancelled);
        }
        if let Some(Some(handle)) = self.end(end).calls.remove(&call) {
            self.change(node, handle, |handle| handle.borrowed -= 1);
        }
        if self.config.is(Mutant::CancelUnpins) {
            for handle in self.end(end).pins.end() {
                self.change(node, handle, |handle| handle.pins = handle.pins.saturating_sub(1));
            }
        }
    }
}
