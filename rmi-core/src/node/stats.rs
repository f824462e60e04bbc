//! What a node tells about itself.

use std::collections::HashMap;

use crate::id::NodeId;
use crate::node::core::Core;
use crate::node::handle::Node;
use crate::session::Phase;

/// How many peers whose sessions have ended are remembered.
const MAX_PAST_PEERS: usize = 4096;

/// A snapshot of a node's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Sessions, including those that are opening and those whose connection is gone while their lease lasts.
    pub sessions: Vec<SessionStats>,
    /// Own objects that have been given away and are alive.
    pub exports: usize,
    /// Objects of other nodes that are held here, per session.
    pub imports: usize,
    /// References passed on whose receivers have not registered with the owner yet.
    pub pins: usize,
    /// Bytes of frames received, in sessions that are not over.
    pub bytes_received: u64,
    /// Bytes of frames sent, in sessions that are not over.
    pub bytes_sent: u64,
    /// Calls received since the start, by the node that made them: the most recent 4,096 nodes.
    pub calls_served: HashMap<NodeId, u64>,
    /// Calls of others that are being executed.
    pub calls_running: usize,
    /// Calls of this node that wait for an answer.
    pub calls_waiting: usize,
}

/// A session in [`NodeStats`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// The node at the other end; `None` while the handshake is under way.
    pub peer: Option<NodeId>,
    /// Whether the peer dialed.
    pub inbound: bool,
    /// Whether it leads through another node, which relays it.
    pub relayed: bool,
    /// Tunnels in it: ends of relayed sessions, and those that this node relays for others.
    pub tunnels: usize,
    /// Whether frames flow. Otherwise it is opening, or its connection is gone and its lease is still running.
    pub open: bool,
    /// Own objects that the peer holds.
    pub exports: usize,
    /// Objects of the peer that are held here.
    pub imports: usize,
    /// References passed on to the peer that it has not registered yet.
    pub pins: usize,
    /// How often it went on over another connection after one had broken.
    pub resumed: u64,
    /// Bytes of frames received.
    pub bytes_received: u64,
    /// Bytes of frames sent.
    pub bytes_sent: u64,
    /// Calls of the peer received.
    pub calls_served: u64,
    /// Calls of the peer that are being executed.
    pub calls_running: usize,
    /// Calls to the peer that wait for an answer.
    pub calls_waiting: usize,
}

/// Calls served in sessions that are over, by peer.
#[derive(Debug, Default)]
pub(crate) struct Served {
    past: HashMap<NodeId, u64>,
}

impl Served {
    pub(crate) fn ended(&mut self, peer: Option<NodeId>, calls: u64) {
        let Some(peer) = peer.filter(|_| calls > 0) else { return };
        if self.past.len() >= MAX_PAST_PEERS && !self.past.contains_key(&peer) {
            // Any one: a bound matters, and peers that come and go by the thousand are not looked up by name.
            let forgotten = self.past.keys().next().copied();
            forgotten.map(|forgotten| self.past.remove(&forgotten));
        }
        *self.past.entry(peer).or_default() += calls;
    }
}

impl Node {
    /// A snapshot of the node's tables: for tests, for operators, to find out who holds what.
    pub fn stats(&self) -> NodeStats {
        stats(self.core())
    }
}

fn stats(core: &Core) -> NodeStats {
    let sessions: Vec<SessionStats> = core
        .all_links()
        .iter()
        .map(|link| {
            link.look(|session| {
                let counters = session.counters();
                SessionStats {
                    peer: link.peer(),
                    inbound: link.is_inbound(),
                    relayed: link.tunnels.is_relayed(),
                    tunnels: session.tunnels(),
                    open: session.phase() == Phase::Open,
                    exports: session.listed(),
                    imports: session.imported(),
                    pins: session.pinned(),
                    resumed: counters.resumed,
                    bytes_received: counters.bytes_received,
                    bytes_sent: counters.bytes_sent,
                    calls_served: counters.calls_served,
                    calls_running: session.serving(),
                    calls_waiting: session.waiting(),
                }
            })
        })
        .collect();
    let mut calls_served = core.served.lock().past.clone();
    for session in &sessions {
        if let Some(peer) = session.peer {
            *calls_served.entry(peer).or_default() += session.calls_served;
        }
    }
    calls_served.retain(|_, calls| *calls > 0);
    NodeStats {
        exports: core.exports.len(),
        imports: sessions.iter().map(|s| s.imports).sum(),
        pins: sessions.iter().map(|s| s.pins).sum(),
        bytes_received: sessions.iter().map(|s| s.bytes_received).sum(),
        bytes_sent: sessions.iter().map(|s| s.bytes_sent).sum(),
        calls_running: sessions.iter().map(|s| s.calls_running).sum(),
        calls_waiting: sessions.iter().map(|s| s.calls_waiting).sum(),
        calls_served,
        sessions,
    }
}
