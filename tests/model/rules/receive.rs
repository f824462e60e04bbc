//! What arrives.

use crate::mutant::Mutant;
use crate::rules::{Mark, Turn};
use crate::state::{ACCEPTOR, Begun, Call, EndAt, Flaw, Frame, Held, Packet, Ref, SessionAt, id};

impl Turn<'_> {
    pub fn deliver(&mut self, to: EndAt) {
        match self.session(to.0).flight[to.1].pop_front() {
            Some(Packet::Frame(number, frame)) => self.receive(to, number, frame),
            Some(Packet::Resume { received, token }) => self.resume(to.0, received, token),
            Some(Packet::Resumed { received, token }) => self.resumed(to.0, received, token),
            Some(Packet::Expired) => self.expired(to.0),
            None => {}
        }
    }

    pub fn deliver_stale(&mut self, session: SessionAt) {
        if let Some(Packet::Frame(number, frame)) = self.session(session).stale.pop_front() {
            self.receive((session, ACCEPTOR), number, frame);
        }
    }

    fn receive(&mut self, at: EndAt, number: u64, frame: Frame) {
        let end = self.end(at);
        end.received += 1;
        if end.received != number {
            return self.flaw(Flaw::S4);
        }
        if at.1 == ACCEPTOR {
            // The dialer sends frames only after it got the token.
            self.session(at.0).issued.1 = None;
        }
        let node = self.node_of(at);
        match frame {
            Frame::Call(call) => self.receive_call(at, number, call),
            Frame::Reply { call, reference } => {
                let held = reference.map(|reference| self.arrive(at, reference));
                match self.end(at).calls.remove(&call) {
                    Some(on) => {
                        self.keep(node, held.flatten());
                        if let Some(handle) = on {
                            self.change(node, handle, |handle| handle.borrowed -= 1);
                        }
                    }
                    None => self.discard(node, held.flatten()),
                }
            }
            Frame::More { first } => {
                let Some(Begun { call, mut held }) = self.end(at).inbox.remove(&first) else {
                    return self.flaw(Flaw::Protocol);
                };
                if self.config.is(Mutant::TableWithLastFrame) {
                    held = call.reference.and_then(|reference| self.arrive(at, reference));
                }
                self.serve(at, call, held);
            }
            Frame::Abort { first } => {
                let begun = self.end(at).inbox.remove(&first);
                self.marks.set(Mark::Aborted);
                self.discard(node, begun.and_then(|begun| begun.held));
            }
            Frame::Dirty(object) => self.dirty(at, object),
            Frame::Held(object) => self.held(at, object),
            Frame::Gone(object) => self.gone(at, object),
            Frame::Clean { object, upto } => self.cleaned(at, object, upto),
            Frame::Unpin(transfer) => self.unpinned(at, transfer),
            Frame::Bye => {
                self.marks.set(Mark::Bye);
                self.end_both(at);
            }
        }
    }

    fn receive_call(&mut self, at: EndAt, first: u64, call: Call) {
        if !call.more {
            let held = call.reference.and_then(|reference| self.arrive(at, reference));
            return self.serve(at, call, held);
        }
        let held = match call.reference {
            Some(reference) if !self.config.is(Mutant::TableWithLastFrame) => self.arrive(at, reference),
            _ => None,
        };
        self.end(at).inbox.insert(first, Begun { call, held });
    }

    fn serve(&mut self, at: EndAt, call: Call, argument: Option<Held>) {
        if let Some(object) = call.target
            && !self.is_alive(object)
            && self.state.is_faultless()
        {
            self.flaw(Flaw::S1);
        }
        if self.config.results {
            self.end(at).serving.insert(call.call, argument);
            return;
        }
        let node = self.node_of(at);
        self.keep(node, argument);
        if self.config.replies {
            self.push(at, Frame::Reply { call: call.call, reference: None });
        }
    }

    /// A reference arrives: the accounting of 7.2 and 7.4, whatever becomes of the message. `None`: a dead reference. The handle
    /// is borrowed until it is kept or discarded.
    fn arrive(&mut self, at: EndAt, reference: Ref) -> Option<Held> {
        let (node, owner) = (self.node_of(at), self.config.owner(reference.object));
        if owner == self.peer_of(at) {
            Some(Held::Import(self.arrive_from_owner(at, reference.object)))
        } else if owner == node {
            self.come_home(at, reference)
        } else {
            Some(Held::Import(self.arrive_from_third(at, reference)))
        }
    }

    fn come_home(&mut self, at: EndAt, reference: Ref) -> Option<Held> {
        self.marks.set(Mark::Home);
        self.push(at, Frame::Unpin(reference.transfer));
        if self.is_alive(reference.object) {
            // A local proxy keeps it, as the application's own does.
            let node = self.node_of(at);
            self.node(node).roots[usize::from(reference.object)] = true;
            return Some(Held::Own(reference.object));
        }
        if self.state.is_faultless() {
            self.flaw(Flaw::S1);
        }
        None
    }

    fn unpinned(&mut self, at: EndAt, transfer: u64) {
        let node = self.node_of(at);
        match self.end(at).pins.unpin(transfer) {
            Some(handle) => self.change(node, handle, |handle| handle.pins = handle.pins.saturating_sub(1)),
            None => {
                let excused = matches!(self.config.mutant, Some(Mutant::NoPin | Mutant::CancelUnpins));
                self.misbehaved(excused);
            }
        }
    }

    fn cleaned(&mut self, at: EndAt, object: u8, upto: u64) {
        let all = self.config.is(Mutant::CleanWithoutUpto);
        let end = self.end(at);
        let beyond = upto > end.last;
        let ignored = end.listing.clean(id(object), if all { u64::MAX } else { upto }).is_none();
        let crossed = ignored && end.listing.frame(id(object)).is_some();
        if crossed {
            self.marks.set(Mark::Crossed);
        }
        self.misbehaved(!beyond);
    }
}
