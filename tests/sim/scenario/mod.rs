//! Races by name, step by step: each was found, or is known from other systems (DESIGN 6). All invariants are checked
//! after every step here, too.

mod ends;
mod handoff;
mod sessions;

use std::rc::Rc;

use rmi_core::ObjectId;

use crate::handles::{Import, Proxy};
use crate::node::address;
use crate::run::calm;
use crate::serve::{Behaviour, Outcome};
use crate::world::{Config, Event, World};

/// The introducer, the owner, the receiver.
const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Three nodes, where nothing happens by itself.
fn script() -> World {
    World::new(Config { scripted: true, ..calm(3) }, 7, true)
}

fn keep() -> Option<Behaviour> {
    Some(Behaviour { keep: true, size: 9, ..Behaviour::default() })
}

fn answer(answer: Vec<Proxy>, takes: u64) -> Option<Behaviour> {
    Some(Behaviour { answer, takes, size: 9, ..Behaviour::default() })
}

impl World {
    /// What `node` finds published at another.
    fn root(&mut self, node: usize, other: usize) -> Proxy {
        let slot = self.nodes[other].slot;
        self.ask_root(node, &address(slot));
        self.run_for(20);
        self.take_one(node)
    }

    /// Everything that the application of a node was given.
    fn take(&mut self, node: usize) -> Vec<Proxy> {
        std::mem::take(&mut self.nodes[node].held)
    }

    fn take_one(&mut self, node: usize) -> Proxy {
        let mut taken = self.take(node);
        match (taken.pop(), taken.is_empty()) {
            (Some(proxy), true) => proxy,
            _ => panic!("n{node} was not given one reference"),
        }
    }

    /// A calls `to` with these arguments, and the servant's node keeps them.
    fn give(&mut self, to: &Proxy, arguments: &[Proxy]) -> u64 {
        self.call(import(to), arguments, 9, keep())
    }

    /// `node` gets a reference to a new object of B, from B. Nobody else has one.
    fn object_of_b(&mut self, node: usize) -> (Proxy, ObjectId) {
        let root = self.root(node, B);
        let object = self.create(B);
        let id = object.object();
        self.call(import(&root), &[], 9, answer(vec![object], 0));
        self.run_for(20);
        (self.take_one(node), id)
    }

    /// Calls an object and says how it ended.
    fn try_call(&mut self, proxy: &Proxy) -> Option<Outcome> {
        let call = self.call(import(proxy), &[], 9, answer(Vec::new(), 0));
        self.run_for(200);
        self.outcome_of(call)
    }

    fn outcome_of(&self, call: u64) -> Option<Outcome> {
        self.calls[&call].outcome.clone()
    }

    /// Pins that a node has for others.
    fn pins_of(&self, node: usize) -> usize {
        self.links.values().filter(|link| link.node == node).map(|link| link.session.pinned()).sum()
    }

    /// Open sessions between two nodes, seen from the first.
    fn sessions(&self, node: usize, other: usize) -> usize {
        let other = self.nodes[other].id;
        let to_it = |link: &&crate::node::Link| {
            link.node == node
                && link.session.is_open()
                && link.peer.as_ref().is_some_and(|peer| peer.0 == other)
        };
        self.links.values().filter(to_it).count()
    }

    /// What goes from one node to another waits on its way.
    fn pause(&mut self, from: usize, to: usize) {
        self.paused.insert((from, to));
    }

    fn resume(&mut self, from: usize, to: usize) {
        self.paused.remove(&(from, to));
        for conn in 0..self.conns.len() {
            for end in 0..2 {
                let ends = self.conns[conn].ends;
                if (ends[end].node, ends[1 - end].node) != (from, to) {
                    continue;
                }
                let due = self.conns[conn].pipes[end].flying.iter_mut().filter(|flying| flying.due);
                let due = due.map(|flying| flying.due = false).count();
                (0..due).for_each(|_| self.at(self.now, Event::Deliver { conn, from: end }));
            }
        }
    }

    /// All connections between two nodes break; both notice at once.
    fn cut_between(&mut self, node: usize, other: usize) {
        for conn in 0..self.conns.len() {
            let ends = self.conns[conn].ends.map(|end| end.node);
            if ends == [node, other] || ends == [other, node] {
                self.cut(conn, [Some(0), Some(0)]);
            }
        }
        self.run_for(5);
    }

    /// Two nodes do not reach each other for some time.
    fn part_for(&mut self, node: usize, other: usize, millis: u64) {
        let slots = (self.nodes[node].slot, self.nodes[other].slot);
        self.walls.push((slots.0, slots.1, self.now + millis * 1000));
        self.cut_between(node, other);
        self.run_for(millis - 5);
    }

    /// Nothing is held any more, everything goes, and no invariant was broken.
    fn finish_well<T>(mut self, held: T) {
        drop(held);
        self.rest();
        if self.violation.is_some() {
            self.trace.iter().flatten().for_each(|line| println!("{line}"));
        }
        assert!(self.violation.is_none(), "{:?}", self.violation);
    }
}

fn import(proxy: &Proxy) -> &Rc<Import> {
    match proxy {
        Proxy::Remote(import) => import,
        Proxy::Own(_) => panic!("a local object"),
    }
}
