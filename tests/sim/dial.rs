//! From an address to an open session. It mirrors `node/connection/dial.rs` and `node/connection/handshake.rs`.

use std::rc::Rc;

use rmi_core::NodeId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Handshake, HandshakeError, Opened, Role};
use rmi_core::internal::wire::{Frame, RefusedCode};

use crate::driver::encoded;
use crate::event::Event;
use crate::net::{Conn, End};
use crate::node::{Reason, slot_of};
use crate::world::World;

const HANDSHAKE: u64 = 5_000_000;

/// How often a session is asked for where somebody answers and the connection then breaks.
const MAX_ROUNDS: u32 = 8;

/// How a link is dialed.
#[derive(Debug)]
pub struct Dialing {
    /// Where, and which address is next.
    pub addresses: Vec<String>,
    pub at: usize,
    /// Who is meant.
    pub expect: Option<NodeId>,
    /// In this round another node answered everywhere, everybody said no, somebody was there.
    replaced: bool,
    definite: bool,
    halfway: bool,
    rounds: u32,
    until: u64,
    /// It is not dialed at all: two ends of a pipe.
    pub pipe: bool,
}

impl Default for Dialing {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            at: 0,
            expect: None,
            replaced: true,
            definite: true,
            halfway: false,
            rounds: 1,
            until: 0,
            pipe: false,
        }
    }
}

/// Why an address led to no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Another node is there.
    OtherNode,
    /// Somebody said no.
    Definite,
    /// Nobody said anything.
    Silent,
    /// Somebody was there, and the connection broke.
    Halfway,
}

impl World {
    pub fn dial_later(
        &mut self,
        key: SessionKey,
        expect: Option<NodeId>,
        addresses: impl IntoIterator<Item = String>,
        pause: u64,
    ) {
        let until = self.now + pause + self.patience.as_micros() as u64;
        let Some(link) = self.links.get_mut(&key) else { return };
        let pipe = link.dialing.pipe;
        let addresses = addresses.into_iter().collect();
        link.dialing = Dialing { addresses, expect, until, pipe, ..Dialing::default() };
        let time = self.now + pause + self.latency();
        self.at(time, Event::Dial { link: key });
    }

    /// The node that answers at an address, seen from `node`. `Err`: why there is none.
    pub fn reach_node(&self, node: usize, address: &str) -> Result<usize, Failed> {
        let slot = slot_of(address).ok_or(Failed::Definite)?;
        if self.is_walled(self.nodes[node].slot, slot) {
            return Err(Failed::Silent);
        }
        let there = self.slots[slot].filter(|there| self.nodes[*there].alive && self.nodes[*there].listens);
        there.ok_or(Failed::Definite)
    }

    /// A connection to a node, with the link that the node makes for it.
    pub fn connect(&mut self, key: SessionKey, there: usize) -> usize {
        let node = self.links[&key].node;
        let acceptor = self.new_link(there, true, false);
        let conn = self.conns.len();
        let (dials, accepts) = (End { node, link: key }, End { node: there, link: acceptor });
        self.conns.push(Conn::new(dials, accepts, None));
        self.note(|| format!("n{node} dials n{there}: link {key} to link {acceptor}, connection {conn}"));
        conn
    }

    pub fn dial(&mut self, key: SessionKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.closed.is_some() {
            return;
        }
        let (node, at) = (link.node, link.dialing.at);
        let Some(address) = link.dialing.addresses.get(at).cloned() else { return self.round_over(key) };
        link.dialing.at += 1;
        let there = match self.reach_node(node, &address) {
            Ok(there) => there,
            Err(failed) => return self.attempt_failed(key, failed),
        };
        let conn = self.connect(key, there);
        let acceptor = self.conns[conn].ends[1].link;
        self.conns[conn].log = Some(self.new_log(key, acceptor));
        let (dials, accepts) = match self.links[&key].dialing.pipe {
            true => (Role::Attach, Role::Attach),
            false => (Role::Dial(self.links[&key].dialing.expect), Role::Accept),
        };
        self.shake(acceptor, conn, 1, accepts);
        self.shake(key, conn, 0, dials);
    }

    /// No address led to a session.
    fn round_over(&mut self, key: SessionKey) {
        let pause = 10_000 + self.latency();
        let Some(link) = self.links.get_mut(&key) else { return };
        let dialing = &mut link.dialing;
        if dialing.halfway && dialing.rounds < MAX_ROUNDS && self.now < dialing.until {
            dialing.rounds += 1;
            (dialing.at, dialing.replaced, dialing.definite, dialing.halfway) = (0, true, true, false);
            let rounds = dialing.rounds;
            // What rode along with the Hello does so again.
            link.session.restart();
            return self.at(self.now + (pause << rounds), Event::Dial { link: key });
        }
        let reason = match (dialing.replaced, dialing.definite) {
            (true, _) => Reason::Replaced,
            (_, true) => Reason::Unreachable,
            (_, false) => Reason::Broken,
        };
        self.close(key, reason);
    }

    /// Begins the handshake of one end of a connection.
    pub fn shake(&mut self, key: SessionKey, conn: usize, end: usize, role: Role) {
        let node = self.links[&key].node;
        let local = self.local(node);
        let token = self.rng.id().to_vec();
        let mut shake = Handshake::new(role, self.nodes[node].introduction(), self.rng.id(), token);
        let hello = shake.start(local);
        if let Some(link) = self.links.get_mut(&key) {
            (link.shake, link.conn) = (Some(shake), Some((conn, end)));
        }
        self.at(self.now + HANDSHAKE, Event::HandshakeOver { link: key, conn });
        if let Some(hello) = hello {
            self.send(key, &encoded(&hello));
            // A Root may ride along (2.4).
            if let Some(output) = self.with(key, |session| session.poll_output(local)).flatten() {
                self.send(key, &output.concat());
            }
        }
    }

    /// A frame of the handshake arrived.
    pub fn shake_hands(&mut self, key: SessionKey, frame: Frame) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let node = link.node;
        let local = self.nodes[node].clock.local(self.now);
        let draining = self.nodes[node].draining || !self.nodes[node].alive;
        let Some(shake) = &mut link.shake else { return };
        let admit = || if draining { Err((RefusedCode::ShuttingDown, "draining".into())) } else { Ok(()) };
        match shake.handle(frame, local, admit) {
            Ok(None) => {}
            Ok(Some(opened)) => self.opened(key, opened),
            Err(HandshakeError::Refused(RefusedCode::OtherNode, _)) => {
                self.attempt_failed(key, Failed::OtherNode);
            }
            Err(HandshakeError::WrongNode(_)) => {
                let text = "another node was meant".into();
                self.send(key, &encoded(&Frame::Bye { code: 3, text, received: 0 }));
                self.attempt_failed(key, Failed::OtherNode);
            }
            Err(HandshakeError::Refuse(code, text)) => {
                let refused = rmi_core::internal::wire::Refused { code, text };
                self.send(key, &encoded(&Frame::Refused(refused)));
                self.close(key, Reason::Violation);
            }
            Err(HandshakeError::Resume(resume)) => self.hand_over(key, resume),
            Err(_) => self.attempt_failed(key, Failed::Definite),
        }
    }

    fn opened(&mut self, key: SessionKey, opened: Opened) {
        let Opened { peer, welcome, ticket } = opened;
        let Some(link) = self.links.get_mut(&key) else { return };
        let (node, inbound) = (link.node, link.inbound);
        let local = self.nodes[node].clock.local(self.now);
        let (id, addresses): (_, Rc<[String]>) = (peer.node, peer.addresses.clone().into());
        (link.shake, link.peer) = (None, Some((id, addresses)));
        (link.received, link.lease) = (local, peer.lease);
        link.back.opened(&ticket, &link.dialing);
        if let Some(Frame::Welcome(welcome)) = &welcome {
            link.back.latest = welcome.token.clone();
        }
        let crossed = |other: &crate::node::Link| {
            other.node == node && other.session.is_open() && other.peer.as_ref().is_some_and(|p| p.0 == id)
        };
        if self.links.values().any(crossed) {
            self.reach("two sessions between two nodes");
        }
        if let Some(welcome) = welcome {
            self.send(key, &encoded(&welcome));
        }
        if self.with(key, |session| session.open(local, peer, ticket)) != Some(true) {
            // It took longer than the lease.
            return self.attempt_failed(key, Failed::Halfway);
        }
        let known = self.nodes[node].to_node.get(&id).is_some_and(|known| self.is_usable(*known));
        if !inbound && !known {
            self.nodes[node].to_node.insert(id, key);
        }
        self.wake(key);
    }

    /// One address led nowhere: the next, or none.
    pub fn attempt_failed(&mut self, key: SessionKey, failed: Failed) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.inbound {
            return self.close(key, Reason::Unreachable);
        }
        let dialing = &mut link.dialing;
        dialing.replaced &= failed == Failed::OtherNode;
        dialing.definite &= matches!(failed, Failed::OtherNode | Failed::Definite);
        dialing.halfway |= failed == Failed::Halfway;
        self.hang_up(key);
        let Some(link) = self.links.get_mut(&key) else { return };
        (link.conn, link.shake) = (None, None);
        let time = self.now + self.latency();
        self.at(time, Event::Dial { link: key });
    }

    pub fn handshake_over(&mut self, key: SessionKey, conn: usize) {
        let opening =
            |link: &crate::node::Link| link.shake.is_some() && link.conn.is_some_and(|c| c.0 == conn);
        if self.links.get(&key).is_some_and(opening) {
            self.attempt_failed(key, Failed::Halfway);
        }
    }
}
