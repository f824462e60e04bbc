//! What arrives: one frame in, one event out.

use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::gc::Debt;
use crate::id::{InterfaceName, MethodId, NodeId, ObjectId};
use crate::session::calls::NotServed;
use crate::session::state::{Handles, Phase, Session, SessionError, violation};
use crate::session::time::Time;
use crate::session::tunnels::Tunneled;
use crate::wire::{Frame, Owner, ReplyKind, Table, Target};

/// A reference that arrived. Its accounting in *this* session is done.
#[derive(Debug)]
pub enum Arrived<H: Handles> {
    /// To an object of the peer.
    Import {
        /// The object.
        object: ObjectId,
        /// The entry's handle.
        import: H::Import,
        /// The interface under which it was given.
        interface: InterfaceName,
    },
    /// To an own object: it came home. The Unpin is owed to the peer.
    Home {
        /// The object.
        object: ObjectId,
        /// What is owed.
        debt: Debt,
        /// The interface under which it was given.
        interface: InterfaceName,
    },
    /// To an object of a third node, to be imported in the session with that.
    Third(Box<Third>),
}

/// A reference to an object of a third node.
#[derive(Debug)]
pub struct Third {
    /// The node that owns it.
    pub owner: NodeId,
    /// Where it can be dialed, as the peer says.
    pub addresses: Vec<String>,
    /// The object.
    pub object: ObjectId,
    /// What is owed to the peer.
    pub debt: Debt,
    /// The interface under which it was given.
    pub interface: InterfaceName,
    /// More Unpins are owed to the peer than this side accepts: this one is paid at once, and the reference not registered before
    /// it is used.
    pub excess: bool,
}

/// The references of a message: most messages have one at most.
pub type References<H> = SmallVec<[Arrived<H>; 1]>;

/// What the first frame of a message says.
#[derive(Debug)]
pub enum Head {
    /// A call of the peer.
    Call {
        /// Its number.
        call: u64,
        /// The object.
        object: ObjectId,
        /// The method.
        method: MethodId,
        /// Until when the caller waits, if there is such a limit.
        deadline: Option<Time>,
        /// Whether to execute it.
        verdict: Verdict,
    },
    /// The answer to a call of this side.
    Reply {
        /// Its number: see [`Session::answered`].
        call: u64,
        /// Which kind.
        status: ReplyKind,
    },
}

/// Whether a call may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Serve,
    /// No: over a limit.
    Overloaded(&'static str),
    /// No: it has a target or an option that this version does not know.
    Unsupported,
    /// No: its caller gave it up before all of it was here.
    Cancelled,
    /// No, and it is not answered: this side has said Bye, and its caller knows from that.
    Parted,
}

/// What a frame asks of the node.
#[derive(Debug)]
pub enum Event<H: Handles> {
    /// Nothing.
    Nothing,
    /// A message began; its references arrived with it.
    Message {
        /// The number of this frame.
        first: u64,
        /// What it is.
        head: Head,
        /// The references, in the order of the table.
        references: References<H>,
        /// The size of the whole payload.
        size: u64,
        /// The payload in this frame.
        chunk: Bytes,
    },
    /// An answer arrived whole; its references arrived with it.
    Answer {
        /// The call's number.
        call: u64,
        /// Who waits for it.
        caller: H::Caller,
        /// Which kind.
        status: ReplyKind,
        /// The references, in the order of the table.
        references: References<H>,
        /// The payload.
        payload: Bytes,
    },
    /// More of a message.
    More {
        /// The number of its first frame.
        first: u64,
        /// Payload.
        chunk: Bytes,
    },
    /// A message will not be completed.
    Abort {
        /// The number of its first frame.
        first: u64,
    },
    /// The peer waits for the answer to its call no longer. It is answered all the same.
    Cancel {
        /// The call's number.
        call: u64,
    },
    /// The peer asks for a published object: answer it as a call.
    Root {
        /// The call's number.
        call: u64,
        /// The name.
        name: String,
        /// Whether to answer it as such.
        verdict: Verdict,
    },
    /// The peer asks whether an object is alive: [`Session::answer_dirty`].
    Dirty {
        /// The object.
        object: ObjectId,
    },
    /// Debts are due, and these handles are gone for good.
    Settled {
        /// To be paid in the sessions they name.
        pay: Vec<Debt>,
        /// Handles of the object that is gone.
        gone: Vec<H::Weak>,
    },
    /// Something about a tunnel.
    Tunnel {
        /// Its number, as this side writes it.
        tunnel: u64,
        /// What.
        what: Tunneled,
    },
    /// The peer said Bye: [`Session::end`].
    Bye {
        /// Its code.
        code: u8,
        /// Its reason.
        text: String,
    },
}

impl<H: Handles> Session<H> {
    /// A frame of `len` bytes arrived. `make` makes the handle of a new import entry.
    pub fn handle(
        &mut self,
        now: Time,
        frame: Frame,
        len: usize,
        make: impl FnMut(ObjectId) -> (H::Import, H::Weak),
    ) -> Result<Event<H>, SessionError> {
        self.arrived_frame(now, len)?;
        if frame.is_numbered() {
            let number = self.received.count(len, now);
            self.handle_numbered(number, frame, make)
        } else {
            self.handle_unnumbered(frame)
        }
    }

    /// A frame of `len` bytes arrived, whatever it is.
    pub(super) fn arrived_frame(&mut self, now: Time, len: usize) -> Result<(), SessionError> {
        let Some(lease) = &mut self.lease else { return violation("a frame before the handshake was over") };
        // A frame may lie in the socket's buffer longer than the lease: then this side has given up already.
        if !matches!(self.phase, Phase::Open) || now >= lease.holder_end() {
            return Err(SessionError::Expired);
        }
        lease.received(now);
        self.ticket.arrived();
        self.now = self.now.max(now);
        self.counters.bytes_received += len as u64;
        if self.is_flooded() {
            return violation("it never acknowledges what it is sent");
        }
        Ok(())
    }

    fn handle_unnumbered(&mut self, frame: Frame) -> Result<Event<H>, SessionError> {
        let Some(lease) = &mut self.lease else { return Ok(Event::Nothing) };
        match frame {
            Frame::Ack { frame } => match self.ring.acknowledged(frame) {
                Ok(sent) => {
                    if let Some(sent) = sent {
                        lease.confirmed(sent);
                        self.bulk.acknowledged(self.now, self.now.since(sent), self.allowed.ring);
                    }
                    self.provoked_acknowledged();
                    self.pump();
                }
                Err(()) => {
                    return violation(format!("it acknowledged frame {frame}, of {}", self.ring.taken()));
                }
            },
            Frame::Ping { stamp } => {
                // A flood of Pings is answered by as many Pongs as fit, not by unbounded memory.
                if self.pongs.len() < 16 {
                    self.pongs.push(stamp);
                }
            }
            Frame::Pong { stamp } => {
                // A stamp from the future would stretch the lease.
                if Time(stamp) > lease.last_ping() {
                    return violation("it answered a Ping that was never sent");
                }
                lease.confirmed(Time(stamp));
            }
            other => return violation(format!("kind {} does not belong into an open session", other.kind())),
        }
        Ok(Event::Nothing)
    }

    fn handle_numbered(
        &mut self,
        number: u64,
        frame: Frame,
        make: impl FnMut(ObjectId) -> (H::Import, H::Weak),
    ) -> Result<Event<H>, SessionError> {
        match frame {
            Frame::Call(call) => {
                self.counters.calls_served += 1;
                let served = self.serve(call.call, call.size)?;
                let (object, verdict) = match (call.target, call.unsupported) {
                    (Target::Object(object), None) => (object, served),
                    _ => (ObjectId::from_bytes([0; 16]), Verdict::Unsupported),
                };
                let references = self.apply(call.table, make)?;
                let deadline = call.left_ms.map(|left| self.now + Duration::from_millis(left));
                let head = Head::Call { call: call.call, object, method: call.method, deadline, verdict };
                Ok(Event::Message { first: number, head, references, size: call.size, chunk: call.chunk })
            }
            Frame::Reply(reply) => {
                if !self.calls.answer(reply.call) {
                    return violation(format!("it answered call {}, which does not wait", reply.call));
                }
                let references = self.apply(reply.table, make)?;
                if reply.chunk.len() as u64 == reply.size
                    && let Some(caller) = self.answered(reply.call)
                {
                    let (status, payload) = (reply.status, reply.chunk);
                    return Ok(Event::Answer { call: reply.call, caller, status, references, payload });
                }
                let head = Head::Reply { call: reply.call, status: reply.status };
                Ok(Event::Message { first: number, head, references, size: reply.size, chunk: reply.chunk })
            }
            Frame::More { first, chunk } => Ok(Event::More { first, chunk }),
            Frame::Abort { first } => Ok(Event::Abort { first }),
            Frame::Cancel { call } => Ok(self.cancelled(call)),
            Frame::Root { call, name, unsupported } => {
                let served = self.serve(call, 0)?;
                let verdict = if unsupported.is_some() { Verdict::Unsupported } else { served };
                Ok(Event::Root { call, name, verdict })
            }
            Frame::Dirty { object } => Ok(Event::Dirty { object }),
            Frame::Held { object } => {
                let Some(settled) = self.imports.held(object) else {
                    return violation("it confirmed an object that was not asked for");
                };
                if settled.clean {
                    self.clean(object);
                }
                Ok(Event::Settled { pay: settled.pay, gone: settled.gone })
            }
            Frame::Gone { object } => {
                let Some(settled) = self.imports.gone(object) else {
                    return violation("it gave up an object that was not asked for");
                };
                Ok(Event::Settled { pay: settled.pay, gone: settled.gone })
            }
            Frame::Clean { object, upto } => {
                if upto > self.ring.last() {
                    return violation(format!("it cleaned up to frame {upto}, of {}", self.ring.last()));
                }
                self.garbage.objects.extend(self.listing.clean(object, upto));
                Ok(Event::Nothing)
            }
            Frame::Unpin { transfer } => {
                let Some(pin) = self.pins.unpin(transfer) else {
                    return violation(format!("it unpinned transfer {transfer}, which is not pinned"));
                };
                self.garbage.pins.push(pin);
                Ok(Event::Nothing)
            }
            Frame::Relay(relay) => self.relayed(relay),
            Frame::Bye { code, text, received } => {
                if received > self.ring.taken() {
                    return violation(format!("it received frame {received}, of {}", self.ring.taken()));
                }
                self.heard = Some(received);
                Ok(Event::Bye { code, text })
            }
            Frame::Unsupported { .. } => Ok(Event::Nothing),
            Frame::Unknown { kind } => {
                let text = format!("kind {kind}");
                self.push_provoked(&Frame::Unsupported { frame: number, text });
                Ok(Event::Nothing)
            }
            other => violation(format!("kind {} does not belong into an open session", other.kind())),
        }
    }

    pub(super) fn serve(&mut self, call: u64, size: u64) -> Result<Verdict, SessionError> {
        if self.parting {
            return Ok(Verdict::Parted);
        }
        match self.serving.add(call, size, self.limits.calls, self.limits.partial) {
            Ok(()) if !self.takes_answers() => {
                Ok(Verdict::Overloaded("too many answers to this peer wait to be sent"))
            }
            Ok(()) => Ok(Verdict::Serve),
            Err(NotServed::Overloaded(what)) => Ok(Verdict::Overloaded(what)),
            Err(NotServed::TooMany) => violation("it makes far more calls at a time than it was told it may"),
            Err(NotServed::Duplicate) => violation(format!("it used call number {call} twice")),
        }
    }

    /// Accounts for the references of a message, before anything is done with its payload (5.3).
    fn apply(
        &mut self,
        table: Table,
        mut make: impl FnMut(ObjectId) -> (H::Import, H::Weak),
    ) -> Result<References<H>, SessionError> {
        if table.is_empty() {
            return Ok(References::<H>::new());
        }
        let mut arrived = References::<H>::with_capacity(table.references.len());
        let Some(peer) = &self.peer else { return violation("a message before the handshake was over") };
        for reference in table.references {
            let object = reference.object;
            let Some(interface) = table.interfaces.get(reference.interface as usize).cloned() else {
                return violation("a reference names an interface that is not in its table");
            };
            let debt = Debt { session: self.key, transfer: reference.transfer };
            if reference.transfer != 0 {
                if reference.transfer <= self.last_transfer {
                    return violation(format!("it used transfer {} again", reference.transfer));
                }
                self.last_transfer = reference.transfer;
                self.owed += 1;
            }
            arrived.push(match reference.owner {
                Owner::Sender => {
                    let import = self.imports.arrive_from_owner(object, H::share, || make(object));
                    Arrived::Import { object, import, interface }
                }
                Owner::Receiver => Arrived::Home { object, debt, interface },
                Owner::Node(index) => {
                    let Some(node) = table.nodes.get(index as usize) else {
                        return violation("a reference names a node that is not in its table");
                    };
                    if node.node == self.me || node.node == peer.node {
                        return violation("a reference names the sender or the receiver as a third node");
                    }
                    // Whatever it says: what is local there is not what is local here (5.6).
                    let makes_sense = |address: &&String| peer.locality.may_give(address, &self.here);
                    let addresses = node.addresses.iter().filter(makes_sense).cloned().collect();
                    let owner = node.node;
                    // Each waits for its owner, which may never answer.
                    let excess = self.owed > u64::from(self.limits.objects);
                    Arrived::Third(Box::new(Third { owner, addresses, object, debt, interface, excess }))
                }
            });
        }
        Ok(arrived)
    }

    /// The answer to a call is complete: who waits for it.
    pub fn answered(&mut self, call: u64) -> Option<H::Caller> {
        let caller = self.calls.remove(call);
        self.pump();
        caller
    }

    /// A call of the peer was aborted: it is not answered.
    pub fn aborted(&mut self, call: u64) {
        self.serving.remove(call);
    }
}
