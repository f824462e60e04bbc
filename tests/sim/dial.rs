//! From an address to an open session. It mirrors `node/dial.rs` and the handshake of `node/driver.rs`.

use std::rc::Rc;

use rmi_core::NodeId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Handshake, HandshakeError, Opened, Role, Ticket};
use rmi_core::internal::wire::{Frame, RefusedCode};

use crate::driver::encoded;
use crate::net::{Conn, End};
use crate::node::{Reason, slot_of};
use crate::world::{Event, World};

const HANDSHAKE: u64 = 5_000_000;

impl World {
    pub fn dial_later(
        &mut self,
        key: SessionKey,
        expect: Option<NodeId>,
        addresses: impl IntoIterator<Item = String>,
        pause: u64,
    ) {
        let Some(link) = self.links.get_mut(&key) else { return };
        (link.to_dial, link.expect) = (addresses.into_iter().collect(), expect);
        let time = self.now + pause + self.latency();
        self.at(time, Event::Dial { link: key });
    }

    pub fn dial(&mut self, key: SessionKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.closed.is_some() {
            return;
        }
        let (node, replaced) = (link.node, link.replaced);
        let Some(address) = link.to_dial.pop_front() else {
            return self.close(key, if replaced { Reason::Replaced } else { Reason::Unreachable });
        };
        let there = slot_of(&address).and_then(|slot| self.slots[slot]);
        let Some(there) = there.filter(|there| self.nodes[*there].alive && self.nodes[*there].listens) else {
            return self.attempt_failed(key, false);
        };
        let acceptor = self.new_link(there, true, false);
        let conn = self.conns.len();
        let (dials, accepts) = (End { node, link: key }, End { node: there, link: acceptor });
        self.conns.push(Conn::new(dials, accepts));
        self.note(|| format!("n{node} dials n{there}: link {key} to link {acceptor}"));
        self.attach(acceptor, conn, 1, Role::Accept);
        let expect = self.links[&key].expect;
        self.attach(key, conn, 0, Role::Dial(expect));
    }

    fn attach(&mut self, key: SessionKey, conn: usize, end: usize, role: Role) {
        let node = self.links[&key].node;
        let local = self.local(node);
        let mut shake = Handshake::new(role, self.nodes[node].introduction(), self.rng.id(), vec![7; 16]);
        let hello = shake.start(local);
        if let Some(link) = self.links.get_mut(&key) {
            (link.shake, link.conn) = (Some(shake), Some((conn, end)));
        }
        self.at(self.now + HANDSHAKE, Event::HandshakeOver { link: key, conn });
        if let Some(hello) = hello {
            self.send(key, &encoded(&hello));
            // A Root may ride along (2.4).
            if let Some(output) = self.with(key, |session| session.poll_output(local)).flatten() {
                self.send(key, &output.frames);
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
            Ok(Some(Opened { peer, welcome, .. })) => {
                let (id, addresses): (_, Rc<[String]>) = (peer.node, peer.addresses.clone().into());
                (link.shake, link.peer) = (None, Some((id, addresses)));
                (link.received, link.lease) = (local, peer.lease);
                let inbound = link.inbound;
                let crossed = |other: &crate::node::Link| {
                    other.node == node
                        && other.session.is_open()
                        && other.peer.as_ref().is_some_and(|p| p.0 == id)
                };
                if self.links.values().any(crossed) {
                    self.reach("two sessions between two nodes");
                }
                if let Some(welcome) = welcome {
                    self.send(key, &encoded(&welcome));
                }
                if self.with(key, |session| session.open(local, peer, Ticket::None)) != Some(true) {
                    // It took longer than the lease.
                    return self.attempt_failed(key, false);
                }
                let known = self.nodes[node].to_node.get(&id).is_some_and(|known| self.is_usable(*known));
                if !inbound && !known {
                    self.nodes[node].to_node.insert(id, key);
                }
                self.wake(key);
            }
            Err(HandshakeError::Refused(RefusedCode::OtherNode, _)) => self.attempt_failed(key, true),
            Err(HandshakeError::WrongNode(_)) => {
                self.send(key, &encoded(&Frame::Bye { code: 3, text: "another node was meant".into() }));
                self.attempt_failed(key, true);
            }
            Err(HandshakeError::Refuse(code, text)) => {
                let refused = rmi_core::internal::wire::Refused { code, text };
                self.send(key, &encoded(&Frame::Refused(refused)));
                self.close(key, Reason::Violation);
            }
            Err(_) => self.attempt_failed(key, false),
        }
    }

    /// One address led nowhere: the next, or none.
    pub fn attempt_failed(&mut self, key: SessionKey, other_node: bool) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.inbound {
            return self.close(key, Reason::Unreachable);
        }
        link.replaced &= other_node;
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
            self.attempt_failed(key, false);
        }
    }
}
