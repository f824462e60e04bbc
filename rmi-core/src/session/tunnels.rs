//! Tunnels: byte streams inside a session, which a node relays without looking into them (PROTOCOL 11).
//!
//! A tunnel is known here by its number as this side writes it: even if this side opened it. What may arrive is bounded by the
//! credit that was given; what is to be sent, by the credit of the peer.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::id::{NodeId, ObjectId};
use crate::session::incoming::Event;
use crate::session::state::{Handles, Session, SessionError, violation};
use crate::wire::{Frame, Relay, RelayOp};

/// How many bytes may be under way in each direction of a tunnel.
pub const TUNNEL_WINDOW: u64 = 256 * 1024;

/// How many tunnels one side may have open in a session.
const MAX_TUNNELS: usize = 256;

/// What happened to a tunnel.
#[derive(Debug, PartialEq, Eq)]
pub enum Tunneled {
    /// The peer opened it.
    Opened {
        /// The node that it is to lead to.
        target: NodeId,
        /// The object for whose sake.
        object: ObjectId,
    },
    /// Bytes, within the credit that was given.
    Data(Bytes),
    /// More may be sent.
    Room,
    /// It is over.
    Closed(String),
}

/// Why a tunnel cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTunnel {
    /// The session is over, or not open yet.
    NoSession,
    /// This side has as many as it may.
    TooMany,
    /// The peer does not acknowledge what it was sent.
    Full,
}

#[derive(Debug, Default)]
pub(super) struct Tunnels {
    all: HashMap<u64, Tunnel>,
    /// How many this side has opened, and what the peer's next one must be.
    opened: u64,
    next_of_peer: u64,
    /// What waits for room: bounded by the peer's credit.
    queue: VecDeque<(u64, Item)>,
    /// How much may still come on tunnels that this side has closed: it crosses the Close.
    late: u64,
}

#[derive(Debug)]
struct Tunnel {
    /// How much may be sent, and how much may arrive.
    credit: u64,
    given: u64,
    /// The Close of this side waits behind data.
    closing: bool,
}

#[derive(Debug)]
enum Item {
    Data(Bytes),
    Close(String),
}

impl Tunnels {
    fn add(&mut self, tunnel: u64) {
        self.all.insert(tunnel, Tunnel { credit: TUNNEL_WINDOW, given: TUNNEL_WINDOW, closing: false });
    }

    /// How many there are of those that this side opened, or of the others.
    fn count(&self, own: bool) -> usize {
        self.all.keys().filter(|tunnel| is_own(**tunnel) == own).count()
    }

    /// Whether there has been such a tunnel.
    fn was(&self, tunnel: u64) -> bool {
        tunnel / 2 < if is_own(tunnel) { self.opened } else { self.next_of_peer }
    }

    /// This side has said Close.
    fn forget(&mut self, tunnel: u64) {
        if let Some(tunnel) = self.all.remove(&tunnel) {
            self.late = self.late.saturating_add(tunnel.given);
        }
    }

    /// Whether something waits for room.
    pub(super) fn has_output(&self) -> bool {
        !self.queue.is_empty()
    }
}

fn is_own(tunnel: u64) -> bool {
    tunnel.is_multiple_of(2)
}

impl<H: Handles> Session<H> {
    /// Opens a tunnel to `target` through the peer. It can be used at once; if the peer refuses it, it closes it.
    pub fn open_tunnel(&mut self, target: NodeId, object: ObjectId) -> Result<u64, NoTunnel> {
        if !self.is_on() || self.parting {
            return Err(NoTunnel::NoSession);
        }
        if self.tunnels.count(true) >= MAX_TUNNELS {
            return Err(NoTunnel::TooMany);
        }
        // Open and Close never wait: without this, whoever makes this side open and close would fill the ring.
        if self.ring.unacknowledged() as u64 >= self.peer_limits().ring {
            return Err(NoTunnel::Full);
        }
        let tunnel = self.tunnels.opened * 2;
        self.tunnels.opened += 1;
        self.tunnels.add(tunnel);
        self.ring.push(&relay(tunnel, RelayOp::Open { target, object }));
        Ok(tunnel)
    }

    /// Takes as much of `data` as the peer gives credit for, and as fits one frame. `None`: the tunnel is over.
    pub fn send_in_tunnel(&mut self, tunnel: u64, data: &[u8]) -> Option<usize> {
        let frame = self.peer_limits().frame as usize;
        let known = self.tunnels.all.get_mut(&tunnel).filter(|known| !known.closing)?;
        let len = data.len().min(frame).min(usize::try_from(known.credit).unwrap_or(usize::MAX));
        if len > 0 {
            known.credit -= len as u64;
            self.tunnels.queue.push_back((tunnel, Item::Data(Bytes::copy_from_slice(&data[..len]))));
        }
        Some(len)
    }

    /// So many bytes of what arrived were consumed.
    pub fn consumed_in_tunnel(&mut self, tunnel: u64, bytes: u64) {
        if let Some(known) = self.tunnels.all.get_mut(&tunnel).filter(|known| !known.closing)
            && bytes > 0
            && !self.parting
        {
            known.given += bytes;
            self.push_provoked(&relay(tunnel, RelayOp::Credit(bytes)));
        }
    }

    /// Closes a tunnel, after what was sent in it.
    pub fn close_tunnel(&mut self, tunnel: u64, reason: String) {
        let Some(known) = self.tunnels.all.get_mut(&tunnel).filter(|known| !known.closing) else { return };
        if self.tunnels.queue.iter().any(|(queued, _)| *queued == tunnel) {
            known.closing = true;
            self.tunnels.queue.push_back((tunnel, Item::Close(reason)));
        } else {
            self.tunnels.forget(tunnel);
            if !self.parting && self.is_on() {
                self.push_provoked(&relay(tunnel, RelayOp::Close(reason)));
            }
        }
    }

    /// How many tunnels there are.
    pub fn tunnels(&self) -> usize {
        self.tunnels.all.len()
    }

    /// Numbers one frame of a tunnel. False: none waits.
    pub(super) fn carry(&mut self) -> bool {
        if self.parting {
            return false;
        }
        let Some((tunnel, item)) = self.tunnels.queue.pop_front() else { return false };
        match item {
            Item::Data(data) => self.ring.push(&relay(tunnel, RelayOp::Data(data))),
            Item::Close(reason) => {
                self.tunnels.forget(tunnel);
                self.ring.push(&relay(tunnel, RelayOp::Close(reason)))
            }
        };
        true
    }

    /// A frame of a tunnel arrived.
    pub(super) fn relayed(&mut self, relay: Relay) -> Result<Event<H>, SessionError> {
        // As this side writes the number.
        let tunnel = relay.tunnel ^ 1;
        let what = match relay.op {
            RelayOp::Open { target, object } => {
                if !self.opened_by_peer(tunnel)? {
                    return Ok(Event::Nothing);
                }
                Tunneled::Opened { target, object }
            }
            _ if !self.tunnels.was(tunnel) => {
                return violation("it used a tunnel that was never opened");
            }
            RelayOp::Data(data) => {
                let known = self.tunnels.all.get_mut(&tunnel);
                let closing = known.as_ref().is_none_or(|known| known.closing);
                let given = known.map_or(&mut self.tunnels.late, |known| &mut known.given);
                match given.checked_sub(data.len() as u64) {
                    Some(left) => *given = left,
                    None => return violation("it sent more in a tunnel than it was given credit for"),
                }
                if closing {
                    return Ok(Event::Nothing);
                }
                Tunneled::Data(data)
            }
            RelayOp::Credit(bytes) => {
                let Some(known) = self.tunnels.all.get_mut(&tunnel) else { return Ok(Event::Nothing) };
                match known.credit.checked_add(bytes).filter(|credit| *credit <= TUNNEL_WINDOW) {
                    Some(credit) => known.credit = credit,
                    None => return violation("it gave more credit for a tunnel than it was sent"),
                }
                Tunneled::Room
            }
            RelayOp::Close(reason) => {
                let Some(known) = self.tunnels.all.remove(&tunnel) else { return Ok(Event::Nothing) };
                self.tunnels.queue.retain(|(queued, _)| *queued != tunnel);
                if known.closing {
                    return Ok(Event::Nothing);
                }
                Tunneled::Closed(reason)
            }
        };
        Ok(Event::Tunnel { tunnel, what })
    }

    /// False: it was refused.
    fn opened_by_peer(&mut self, tunnel: u64) -> Result<bool, SessionError> {
        if is_own(tunnel) || tunnel / 2 != self.tunnels.next_of_peer {
            return violation("it opened a tunnel with a number that is not its next");
        }
        self.tunnels.next_of_peer += 1;
        let room = self.tunnels.count(false) < MAX_TUNNELS;
        self.tunnels.add(tunnel);
        if !room {
            self.close_tunnel(tunnel, format!("node {} keeps {MAX_TUNNELS} tunnels at a time", self.me));
        }
        Ok(room)
    }
}

fn relay(tunnel: u64, op: RelayOp) -> Frame {
    Frame::Relay(Relay { tunnel, op })
}

#[cfg(test)]
mod tests;
