//! What leaves: application messages waiting for room, messages under way in fragments, and one step that numbers,
//! lists and queues.

use smallvec::SmallVec;

use crate::id::{InterfaceName, NodeId, ObjectId};
use crate::rope::Rope;
use crate::session::message::{Chunk, Failure, Message, OutReference, Outward, Unsent};
use crate::session::queue::{Part, UnderWay};
use crate::session::state::{Handles, Phase, Session};
use crate::session::strands::{Place, Strand};
use crate::session::time::Time;
use crate::wire::{
    Frame, Limits, MessageHead, NODE_ADDRESSES_MAX, Owner, ReplyKind, Table, TableNode, TableReference,
};

/// How many waiting calls are looked at for one that may begin before those ahead of it.
const MAX_LOOK_AHEAD: usize = 64;

/// Below so many waiting calls nobody looks for those that were given up.
pub(super) const MIN_SWEEP: usize = 64;

/// So many bytes that are not acknowledged are more than small messages come to.
const MUCH: usize = 128 * 1024;

/// How many bytes of frames are prepared for one write, so that what comes later does not wait behind more.
pub(super) const BATCH: usize = 256 * 1024;

impl<H: Handles> Session<H> {
    /// Makes a call, or asks for a root. It leaves at once if there is room, otherwise later; whoever waits gets the answer, or the failure.
    /// Returns its number, for [`cancel`](Self::cancel); gives both back if the session is not [usable](Self::is_usable).
    pub fn call(&mut self, now: Time, caller: H::Caller, message: Message<H>) -> Result<u64, Unsent<H>> {
        self.now = self.now.max(now);
        if !self.is_usable(now) {
            return Err(Box::new((caller, message)));
        }
        if self.outgoing.calls.len() >= self.outgoing.sweep_at.max(MIN_SWEEP) {
            self.sweep();
        }
        if self.outgoing.calls.is_empty()
            && self.has_room_for_calls()
            && self.may_begin(&message, &self.allowed)
        {
            return Ok(self.begin_at_once(caller, message));
        }
        let call = self.calls.add(caller);
        self.made(call, &message.outward, message.payload.len());
        match self.may_wait(&message) {
            Ok(()) => {
                self.outgoing.calls.push(call, message);
                self.pump();
            }
            Err(failure) => {
                message.discard(&mut self.garbage);
                self.failures.extend(self.calls.remove(call).map(|caller| (caller, failure)));
            }
        }
        Ok(call)
    }

    /// What need not wait for room need not be looked up again either.
    fn begin_at_once(&mut self, caller: H::Caller, message: Message<H>) -> u64 {
        let call = self.calls.next();
        self.made(call, &message.outward, message.payload.len());
        match self.check(message.payload.len(), &message.references) {
            Ok(()) => {
                let frame = self.begin(call, message);
                self.calls.add_begun(caller, frame);
            }
            Err(failure) => {
                message.discard(&mut self.garbage);
                let call = self.calls.add(caller);
                self.failures.extend(self.calls.remove(call).map(|caller| (caller, failure)));
            }
        }
        call
    }

    /// Answers a call of the peer.
    pub fn reply(&mut self, call: u64, status: ReplyKind, payload: Rope, references: Vec<OutReference<H>>) {
        let outward = Outward::Reply { call, status };
        let message = Message { outward, payload, references, deadline: None };
        if !self.serving.answer(call) || !self.is_on() {
            message.discard(&mut self.garbage);
            return;
        }
        let limits = &self.allowed;
        if self.outgoing.replies.is_empty()
            && self.has_room_for_replies()
            && self.outgoing.has_partial_room(message.payload.len(), limits)
        {
            self.begin(0, message);
            return;
        }
        self.outgoing.replies.push(call, message);
        self.pump();
    }

    /// Whether frames may be numbered now. Before Welcome, that is for Roots alone.
    fn may_number(&self) -> bool {
        !self.parting && (self.phase == Phase::Open || self.phase == Phase::Opening && self.eager)
    }

    /// No more than one batch is prepared: what is written cannot be overtaken by a Ping (7.6).
    pub(super) fn has_room_for_calls(&self) -> bool {
        self.may_number()
            && self.calls.begun() < self.allowed.calls
            && self.ring.waiting() < BATCH
            && (self.ring.unacknowledged() as u64) < self.allowed.ring
    }

    /// Answers have as much room again, so that two sides full of calls get on (3.5).
    pub(super) fn has_room_for_replies(&self) -> bool {
        self.may_number()
            && self.ring.waiting() < BATCH
            && (self.ring.unacknowledged() as u64) < self.allowed.ring.saturating_mul(2)
    }

    /// Whether more may leave of a message whose first frame has.
    pub(super) fn has_room_for_more(&self) -> bool {
        (self.ring.unacknowledged() as u64) < self.bulk.window(self.now, self.allowed.ring)
    }

    /// A message leaves that is whole in one frame. What is large beside it must not be long in its way.
    pub(super) fn leaves_whole(&mut self) {
        if self.ring.unacknowledged() > MUCH || !self.outgoing.under_way.is_empty() {
            self.bulk.disturbed(self.now);
        }
    }

    /// Whether [`poll_output`](Self::poll_output) would return something, whatever the time.
    pub fn has_output(&self) -> bool {
        let room = self.has_room_for_more();
        self.ring.waiting() > 0
            || self.received.is_due(self.allowed.ring)
            || !self.pongs.is_empty()
            || !self.dropped.is_empty() && !self.parting
            || (room && (!self.outgoing.under_way.is_empty() || self.tunnels.has_output()))
    }

    /// Lets messages begin while there is room.
    pub(super) fn pump(&mut self) {
        if self.outgoing.replies.is_empty() && self.outgoing.calls.is_empty() {
            return;
        }
        while let Some(size) = self.outgoing.replies.next_size() {
            if !self.has_room_for_replies() || !self.outgoing.has_partial_room(size, &self.allowed) {
                break;
            }
            if let Some((_, reply)) = self.outgoing.replies.remove(0) {
                self.begin(0, reply);
            }
        }
        while !self.outgoing.calls.is_empty() && self.has_room_for_calls() {
            let next = self.next_call(&self.allowed);
            let Some((call, message)) = next.and_then(|at| self.outgoing.calls.remove(at)) else { break };
            self.stalled = None;
            self.begin_call(call, message);
        }
    }

    /// Takes back calls that nobody waits for any more.
    pub(super) fn sweep(&mut self) {
        let Self { outgoing, calls, garbage, .. } = self;
        for (call, message) in outgoing.calls.take() {
            if calls.caller(call).is_some_and(H::is_waiting) {
                outgoing.calls.push(call, message);
            } else {
                message.discard(garbage);
                garbage.callers.extend(calls.remove(call));
            }
        }
        outgoing.sweep_at = outgoing.calls.len() * 2;
    }

    /// Whether calls wait since a time that nobody has noted: the writer, which has a clock, must look.
    pub(super) fn begins_to_stall(&self) -> bool {
        self.stalled.is_none() && self.phase == Phase::Open && !self.outgoing.calls.is_empty()
    }

    /// Refuses the calls that wait, if none could leave for as long as this side is willing to wait.
    pub(super) fn give_up_stalled(&mut self, now: Time) {
        if self.outgoing.calls.is_empty() || self.phase != Phase::Open {
            self.stalled = None;
            return;
        }
        let since = *self.stalled.get_or_insert(now);
        if now < since + self.patience {
            return;
        }
        self.stalled = None;
        for (call, message) in self.outgoing.calls.take() {
            message.discard(&mut self.garbage);
            if let Some(caller) = self.calls.remove(call) {
                self.failures.push((caller, Failure::Stalled));
            }
        }
    }

    /// The first waiting call that may begin. It may overtake calls that need more room, or wait themselves, but none that it waits for (4.6).
    fn next_call(&self, limits: &Limits) -> Option<usize> {
        let mut overtaken: Vec<Place> = Vec::new();
        for (at, (call, message)) in self.outgoing.calls.iter().take(MAX_LOOK_AHEAD).enumerate() {
            let place = match message.outward {
                Outward::Call { object, strand, .. } => Some(Place { call: *call, object, strand }),
                _ => None,
            };
            let waits = |place: Place| {
                overtaken.iter().any(|earlier| self.strands.waits(place.object, place.strand, *earlier))
            };
            if !place.is_some_and(waits) && self.may_begin(message, limits) {
                return Some(at);
            }
            overtaken.extend(place);
        }
        None
    }

    /// Whether a call of this strand to this object waits for one that is under way.
    pub(super) fn waits(&self, object: ObjectId, strand: Strand) -> bool {
        let mut under_way = self.outgoing.under_way.iter().filter_map(|message| message.part.place());
        under_way.any(|earlier| self.strands.waits(object, strand, earlier))
    }

    /// A call was made. If it is large, others may be made while it is under way.
    fn made(&mut self, call: u64, outward: &Outward, size: usize) {
        let Outward::Call { strand, .. } = outward else { return };
        if size > self.allowed.frame as usize {
            self.strands.large(self.now);
        }
        if self.strands.matter(self.now) {
            self.strands.made(call, *strand);
        }
    }

    fn may_begin(&self, message: &Message<H>, limits: &Limits) -> bool {
        match &message.outward {
            Outward::Root(_) => true,
            _ if self.phase == Phase::Opening => false,
            Outward::Call { object, strand, .. } => {
                self.outgoing.has_partial_room(message.payload.len(), limits) && !self.waits(*object, *strand)
            }
            Outward::Reply { .. } => true,
        }
    }

    fn begin_call(&mut self, call: u64, message: Message<H>) {
        let waits = self.calls.caller(call).is_some_and(H::is_waiting);
        let checked = self.check(message.payload.len(), &message.references);
        if waits && checked.is_ok() {
            let frame = self.begin(call, message);
            self.calls.leaves(call, frame);
            return;
        }
        message.discard(&mut self.garbage);
        match (self.calls.remove(call), checked) {
            (Some(caller), Err(failure)) => self.failures.push((caller, failure)),
            (caller, _) => self.garbage.callers.extend(caller),
        }
    }

    /// The one step of 7.1 and 7.3: the frame gets its number, its references are listed and pinned under it, and
    /// it is queued. `number`: that of a call. Returns that of the frame.
    fn begin(&mut self, number: u64, message: Message<H>) -> u64 {
        let Message { outward, payload, references, deadline } = message;
        let table = self.table(&references);
        let frame = self.allowed.frame as usize;
        let size = payload.len() as u64;
        let mut rest = payload;
        let chunk = rest.split_to(rest.len().min(frame));
        let (number, part) = match outward {
            Outward::Root(name) => {
                (self.ring.push(&Frame::Root { call: number, name, unsupported: None }), None)
            }
            Outward::Call { object, method, strand } => {
                let left_ms = deadline.map(|deadline| deadline.millis_since(self.now));
                let head = MessageHead::Call(number, object, method, left_ms);
                (
                    self.ring.push_message(head, Some(&table), size, Chunk::Shared(&chunk)),
                    Some(Part::Call(Place { call: number, object, strand })),
                )
            }
            Outward::Reply { call, status } => {
                self.serving.remove(call);
                let head = MessageHead::Reply(call, status);
                (
                    self.ring.push_message(head, Some(&table), size, Chunk::Shared(&chunk)),
                    Some(Part::Reply(call)),
                )
            }
        };
        for reference in references {
            match reference {
                OutReference::Own { id, object, .. } => {
                    self.garbage.objects.extend(self.listing.sent(id, object, number));
                }
                OutReference::Held { pin, .. } => {
                    self.pins.pin(pin);
                }
                OutReference::Dead { .. } => {}
            }
        }
        if rest.is_empty() {
            self.leaves_whole();
        } else if let Some(part) = part {
            self.outgoing.under_way.push_back(UnderWay { first: number, rest, size, part });
        }
        number
    }

    /// The table of a message that is about to be numbered: transfer numbers as [`begin`](Self::begin) will
    /// give them.
    pub(super) fn table(&self, references: &[OutReference<H>]) -> Table {
        let mut table = Table::EMPTY;
        if references.is_empty() {
            return table;
        }
        let peer = self.peer.as_ref();
        let mut transfer = self.pins.next_transfer();
        for reference in references {
            let (owner, id, interface, transfer) = match reference {
                OutReference::Own { id, interface, .. } | OutReference::Dead { id, interface } => {
                    (Owner::Sender, id, interface, 0)
                }
                OutReference::Held { owner, id, interface, addresses, relays, .. } => {
                    let number = transfer;
                    transfer += 1;
                    let owner = if peer.is_some_and(|peer| peer.node == *owner) {
                        Owner::Receiver
                    } else {
                        Owner::Node(self.table_node(&mut table, *owner, (addresses, relays)))
                    };
                    (owner, id, interface, number)
                }
            };
            let interface = intern(&mut table.interfaces, interface);
            table.references.push(TableReference { owner, object: *id, interface, transfer });
        }
        table
    }

    fn table_node(
        &self,
        table: &mut Table,
        node: NodeId,
        (addresses, relays): (&[String], &[String]),
    ) -> u32 {
        let known = table.nodes.iter().position(|known| known.node == node);
        let index = known.unwrap_or_else(|| {
            let there = self.peer.as_ref().map(|peer| peer.locality);
            let may_give = |a: &&String| there.is_some_and(|there| self.here.may_give(a, &there));
            let relays: Vec<_> = relays.iter().filter(may_give).collect();
            // Those go last, and find room for two all the same.
            let room = NODE_ADDRESSES_MAX - relays.len().min(2);
            let known = addresses.iter().filter(may_give).take(room);
            let addresses = known.chain(relays).take(NODE_ADDRESSES_MAX).cloned().collect();
            table.nodes.push(TableNode { node, addresses });
            table.nodes.len() - 1
        });
        index as u32
    }
}

fn intern(interfaces: &mut SmallVec<[InterfaceName; 1]>, name: &InterfaceName) -> u32 {
    let known = interfaces.iter().position(|known| known == name);
    let index = known.unwrap_or_else(|| {
        interfaces.push(name.clone());
        interfaces.len() - 1
    });
    index as u32
}
