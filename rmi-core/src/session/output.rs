//! What is written to the connection: control frames, then the batch of numbered ones.

use bytes::{Bytes, BytesMut};

use crate::session::message::{Chunk, Output};
use crate::session::outgoing::BATCH;
use crate::session::queue::Part;
use crate::session::state::{Handles, Phase, Session};
use crate::session::time::Time;
use crate::wire::{Frame, Limits, MessageHead};

impl<H: Handles> Session<H> {
    /// What is to be written now; `None` if there is nothing, or the lease is over.
    pub fn poll_output(&mut self, now: Time) -> Option<Output> {
        self.now = self.now.max(now);
        match (self.phase, &self.lease) {
            // Whoever asks may be here before the writer, which ends the session (7.6).
            (Phase::Open, Some(lease)) if now < lease.holder_end() => {}
            (Phase::Opening, _) if self.eager => {}
            _ => return None,
        }
        self.clean_some();
        self.pump();
        self.give_up_stalled(now);
        self.fragments();
        let control = self.control(now);
        let mut output = Output { segments: self.ring.take(now) };
        if !control.is_empty() {
            output.segments.insert(0, control);
        }
        self.counters.bytes_sent += output.len() as u64;
        (!output.is_empty()).then_some(output)
    }

    /// One more frame of each message and tunnel, in turn, while there is room.
    fn fragments(&mut self) {
        let limits = self.peer_limits();
        while !self.parting && self.ring.waiting() < BATCH && self.has_room_for_more() {
            let continued = self.fragment(&limits);
            if !self.carry() && !continued {
                return;
            }
        }
    }

    /// One more frame of a message under way. False: there is none.
    fn fragment(&mut self, limits: &Limits) -> bool {
        let Some(mut message) = self.outgoing.under_way.pop_front() else { return false };
        let chunk = message.rest.split_to(message.rest.len().min(limits.frame as usize));
        let head = MessageHead::More(message.first);
        let number = self.ring.push_message(head, None, 0, Chunk::Shared(&chunk));
        if let Part::Call(place) = message.part {
            self.calls.leaves(place.call, number);
        }
        if message.rest.is_empty() {
            self.pump();
        } else {
            self.outgoing.under_way.push_back(message);
        }
        true
    }

    fn control(&mut self, now: Time) -> Bytes {
        let ring = self.peer_limits().ring;
        let mut control = BytesMut::new();
        let ping_due = self.lease.as_ref().is_some_and(|lease| now >= lease.next_ping());
        let retired = ping_due && self.retire();
        if ping_due {
            self.strands.forget(now);
        }
        for stamp in self.pongs.drain(..) {
            Frame::Pong { stamp }.encode(&mut control);
        }
        if let Some(frame) = self.received.acknowledge(now, ring) {
            Frame::Ack { frame }.encode(&mut control);
        }
        if ping_due && let Some(lease) = &mut self.lease {
            lease.pinged(now);
            // The Bye is in its place.
            if !retired {
                Frame::Ping { stamp: now.0 }.encode(&mut control);
            }
        }
        control.freeze()
    }
}
