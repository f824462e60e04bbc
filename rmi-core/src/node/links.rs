//! The sessions of a node, and the ways that they are.
//!
//! Finding one, and forgetting it, costs the same however many there are.

use std::collections::HashMap;
use std::sync::Arc;

use crate::gc::SessionKey;
use crate::id::NodeId;
use crate::node::link::Link;
use crate::transport::Address;

#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) all: HashMap<SessionKey, Arc<Link>>,
    /// Sessions that this node dialed, by the node at the other end: the ways to owners.
    to_node: HashMap<NodeId, Arc<Link>>,
    /// Open sessions, whoever dialed, by what the other end says it is; oldest first. Looked at more often than changed.
    with_peer: HashMap<NodeId, Arc<[Arc<Link>]>>,
    /// Sessions that others may resume, by their names.
    by_name: HashMap<[u8; 16], Arc<Link>>,
    /// Sessions that a person or program asked for, by address.
    to_address: HashMap<Address, Arc<Link>>,
    /// Where a link stands in those four.
    places: HashMap<SessionKey, Places>,
    /// How often in a row entries of an owner had to ask again without an answer.
    pub(crate) asked_again: HashMap<NodeId, u32>,
}

/// What one link is found by. Another may have taken its place.
#[derive(Debug, Default)]
struct Places {
    node: Option<NodeId>,
    peer: Option<NodeId>,
    name: Option<[u8; 16]>,
    address: Option<Address>,
}

impl Links {
    /// The session that this node dialed to reach `node`.
    pub(crate) fn to_node(&self, node: NodeId) -> Option<&Arc<Link>> {
        self.to_node.get(&node)
    }

    /// From now on `link` is the way to `node`. Returns the one before.
    pub(crate) fn lead_to_node(&mut self, node: NodeId, link: &Arc<Link>) -> Option<Arc<Link>> {
        self.places(link).node = Some(node);
        self.to_node.insert(node, link.clone())
    }

    /// The session that was asked for at `address`.
    pub(crate) fn to_address(&self, address: &Address) -> Option<&Arc<Link>> {
        self.to_address.get(address)
    }

    /// From now on `link` is the session with whoever listens at `address`. Returns the one before.
    pub(crate) fn lead_to_address(&mut self, address: &Address, link: &Arc<Link>) -> Option<Arc<Link>> {
        self.places(link).address = Some(address.clone());
        self.to_address.insert(address.clone(), link.clone())
    }

    /// The session that others may resume under a name.
    pub(crate) fn named(&self, name: [u8; 16]) -> Option<&Arc<Link>> {
        self.by_name.get(&name)
    }

    /// The open sessions with whoever says it is `peer`, oldest first.
    pub(crate) fn with_peer(&self, peer: NodeId) -> Option<&Arc<[Arc<Link>]>> {
        self.with_peer.get(&peer)
    }

    /// The handshake with `peer` is over; others may resume the session under a name, if it has one.
    pub(crate) fn opened(&mut self, link: &Arc<Link>, peer: NodeId, name: Option<[u8; 16]>) {
        let places = self.places(link);
        (places.peer, places.name) = (Some(peer), name);
        name.map(|name| self.by_name.insert(name, link.clone()));
        let all = self.with_peer.entry(peer).or_default();
        *all = all.iter().chain([link]).cloned().collect();
    }

    /// The link leads nowhere any more.
    pub(crate) fn forget_way(&mut self, link: &Arc<Link>) {
        let Some(Places { node, peer, name, address }) = self.places.remove(&link.key) else { return };
        let is_it = |found: Option<&Arc<Link>>| found.is_some_and(|found| Arc::ptr_eq(found, link));
        if let Some(node) = node.filter(|node| is_it(self.to_node.get(node))) {
            self.to_node.remove(&node);
        }
        if let Some(name) = name.filter(|name| is_it(self.by_name.get(name))) {
            self.by_name.remove(&name);
        }
        if let Some(address) = address.filter(|address| is_it(self.to_address.get(address))) {
            self.to_address.remove(&address);
        }
        if let Some(peer) = peer
            && let Some(all) = self.with_peer.get_mut(&peer)
        {
            *all = all.iter().filter(|other| !Arc::ptr_eq(other, link)).cloned().collect();
            if all.is_empty() {
                self.with_peer.remove(&peer);
            }
        }
    }

    fn places(&mut self, link: &Arc<Link>) -> &mut Places {
        self.places.entry(link.key).or_default()
    }
}
