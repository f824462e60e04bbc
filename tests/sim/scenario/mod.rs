//! Races by name, step by step: each was found, or is known from other systems. All invariants are checked after every step here,
//! too. Some run a second time with the bug that loses the race, which must break an invariant.
//!
//! | race | test |
//! |---|---|
//! | owner re-sends while a Clean is in flight | `handoff::the_owner_re_sends_while_a_clean_is_in_flight` |
//! | Clean or Unpin before the Dirty is confirmed | `handoff::clean_or_unpin_before_the_dirty_is_confirmed` |
//! | result unpinned before confirmation | `handoff::a_result_unpinned_before_confirmation` |
//! | caller drops its proxy while the argument is in flight | `handoff::the_caller_drops_its_proxy_while_the_argument_is_in_flight` |
//! | cancel drops pins | `handoff::cancel_drops_pins`; with real nodes `tests/cancel.rs: cancel_drops_pins` |
//! | a Clean overtakes a call because decoding was spawned | `sessions::a_clean_overtakes_a_call_because_decoding_was_spawned` |
//! | introducer's lease ends before the hand-off lands | `ends::the_introducers_lease_ends_before_the_hand_off_lands` |
//! | a replayed Clean re-encoded with a fresh upto | `resumed::a_replayed_clean_re_encoded_with_a_fresh_upto` |
//! | renewal after expiry succeeds | `resumed::renewal_after_expiry_succeeds` |
//! | reply with references to a dropped future | `handoff::a_reply_with_references_to_a_dropped_future`; `tests/cancel.rs: reply_with_references_to_a_dropped_future` |
//! | an old connection delivers after a resume | `resumed::an_old_connection_delivers_after_a_resume` |
//! | Dirty to a restarted owner | `ends::a_dirty_to_a_restarted_owner` |
//! | last proxy dropped while a copy is being decoded | `handoff::the_last_proxy_is_dropped_while_a_copy_is_being_decoded` |
//! | dial fails in mid hand-off | `ends::a_dial_fails_in_mid_hand_off` |
//! | ring full while detached | `sessions::a_ring_full_while_detached` |
//! | crossed dials | `sessions::crossed_dials_make_two_entries` |
//! | Gone after the proxy was dropped | `ends::gone_after_the_proxy_was_dropped` |
//! | one object sent twice, one proxy dropped | `handoff::one_object_sent_twice_and_one_proxy_dropped` |
//! | references inside the arguments of a failed call | `handoff::references_inside_the_arguments_of_a_failed_call`; `tests/cancel.rs: references_inside_the_arguments_of_a_failed_call` |
//! | a Resume arrives after a later one | `resumed::a_resume_arrives_after_a_later_one` |

mod ends;
mod handoff;
mod resumed;
mod sessions;

use std::rc::Rc;

use rmi_core::ObjectId;

use crate::bug::Bug;
use crate::event::Event;
use crate::handles::{Import, Proxy};
use crate::invariant::Invariant;
use crate::node::address;
use crate::run::calm;
use crate::serve::{Behaviour, Outcome};
use crate::world::{Config, World};

/// The introducer, the owner, the receiver.
const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Three nodes, where nothing happens by itself.
fn script() -> World {
    script_with(None)
}

/// The same, with a bug that breaks an invariant.
fn script_with(planted: Option<(Bug, Invariant)>) -> World {
    let (bug, only) = planted.map_or((None, Vec::new()), |(bug, invariant)| (Some(bug), vec![invariant]));
    World::new(Config { scripted: true, bug, only, ..calm(3) }, 7, true)
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

    /// What was held up between two nodes is lost with its connection, and goes on over another.
    fn resume_after_break(&mut self, from: usize, to: usize) {
        self.cut_between(from, to);
        self.resume(from, to);
        self.run_for(20);
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
