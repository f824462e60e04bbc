//! The applications: what they do by chance.

use std::rc::Rc;

use crate::event::Event;
use crate::handles::{Import, Proxy};
use crate::node::address;
use crate::serve::Behaviour;
use crate::world::World;

/// An application holds no more than this, so that a run keeps dropping things.
const MAX_HELD: usize = 10;

impl World {
    /// One random action, and the time of the next.
    pub fn act(&mut self) {
        if self.actions == 0 {
            return;
        }
        self.actions -= 1;
        let gap = self.rng.below(self.max_gap);
        self.at(self.now + gap, Event::Act);
        if self.config.faults && self.rng.chance(4) {
            return self.fault();
        }
        let living = self.slots.iter().flatten().copied().filter(|node| !self.is_stopped(*node));
        let living: Vec<usize> = living.collect();
        let Some(node) = living.get(self.rng.index(living.len())).copied() else { return };
        if self.nodes[node].held.len() > MAX_HELD {
            return self.drop_some(node);
        }
        match self.rng.below(100) {
            0..8 => {
                let object = self.create(node);
                self.nodes[node].held.push(object);
            }
            8..18 => {
                let slot = self.rng.index(self.config.nodes);
                if slot != self.nodes[node].slot {
                    self.ask_root(node, &address(slot));
                }
            }
            18..66 => self.call_some(node),
            66..88 => self.drop_some(node),
            88..93 => self.call_and_forget(node),
            93..97 => {
                let callers = &self.nodes[node].callers;
                if let Some(caller) = callers.get(self.rng.index(callers.len())).cloned() {
                    self.give_up(&caller);
                }
            }
            _ => {
                // What is published changes.
                let root = self.create(node);
                self.nodes[node].root = Some(root);
            }
        }
    }

    fn drop_some(&mut self, node: usize) {
        let held = self.nodes[node].held.len();
        if held > 0 {
            let at = self.rng.index(held);
            let proxy = self.nodes[node].held.swap_remove(at);
            self.note(|| format!("n{node} drops {proxy:?}"));
        }
    }

    fn call_some(&mut self, node: usize) {
        let remote = |proxy: &Proxy| match proxy {
            Proxy::Remote(import) => Some(import.clone()),
            Proxy::Own(_) => None,
        };
        let remotes: Vec<Rc<Import>> = self.nodes[node].held.iter().filter_map(remote).collect();
        let Some(import) = remotes.get(self.rng.index(remotes.len())).cloned() else { return };
        let held = self.nodes[node].held.clone();
        // Sometimes several at once, so that they wait for each other.
        let burst = if self.rng.chance(15) { 2 + self.rng.below(6) } else { 1 };
        for _ in 0..burst {
            let import = match remotes.get(self.rng.index(remotes.len() * 2)) {
                Some(other) => other.clone(),
                None => import.clone(),
            };
            // What comes home takes no Dirty: half of the calls carry nothing of the kind.
            let anything = self.rng.chance(50);
            let elsewhere = |proxy: &&Proxy| match proxy {
                Proxy::Remote(other) => anything || other.owner != import.owner,
                Proxy::Own(_) => true,
            };
            let candidates: Vec<Proxy> = held.iter().filter(elsewhere).cloned().collect();
            let arguments = self.some_of(&candidates, 3);
            let size = self.some_size();
            self.call(&import, &arguments, size, None);
        }
    }

    /// A call that its caller gives up at once, with all that it held for it.
    fn call_and_forget(&mut self, node: usize) {
        let held = std::mem::take(&mut self.nodes[node].held);
        let remote = held.iter().position(|proxy| matches!(proxy, Proxy::Remote(_)));
        let arguments = self.some_of(&held, 2);
        if let Some(Proxy::Remote(import)) = remote.and_then(|at| held.get(at)) {
            let size = self.some_size();
            let call = self.call(import, &arguments, size, None);
            let caller = self.calls.get(&call).and_then(|record| record.caller.upgrade());
            if let Some(caller) = caller {
                self.give_up(&caller);
            }
        }
        // What was used goes, the rest stays.
        let used = |proxy: &Proxy| arguments.iter().any(|argument| argument.object() == proxy.object());
        let kept = held.iter().enumerate().filter(|(at, proxy)| Some(*at) != remote && !used(proxy));
        let kept: Vec<Proxy> = kept.map(|(_, proxy)| proxy.clone()).collect();
        self.nodes[node].held.extend(kept);
    }

    /// Up to `most` of them, one maybe twice.
    fn some_of(&mut self, proxies: &[Proxy], most: u64) -> Vec<Proxy> {
        let count = self.rng.below(most + 1);
        (0..count).filter_map(|_| proxies.get(self.rng.index(proxies.len())).cloned()).collect()
    }

    fn some_size(&mut self) -> usize {
        match self.rng.below(60) {
            0..2 => 9 + self.rng.index(60_000),
            2..4 => 9 + self.rng.index(8_000),
            4..12 => 9 + self.rng.index(4_000),
            _ => 9 + self.rng.index(60),
        }
    }

    /// What a servant of `node` does, left to chance.
    pub fn chance_behaviour(&mut self, node: usize, arguments: &[Proxy]) -> Behaviour {
        let mut candidates = self.nodes[node].held.clone();
        candidates.extend_from_slice(arguments);
        let mut answer = if self.rng.chance(50) { self.some_of(&candidates, 2) } else { Vec::new() };
        if self.rng.chance(10) {
            answer.push(self.create(node));
        }
        let takes = match self.rng.below(20) {
            0 if self.config.faults => self.rng.below(self.lease.as_micros() as u64 * 2),
            0..3 => self.rng.below(100_000),
            _ => 0,
        };
        Behaviour { keep: self.rng.chance(50), answer, echo: false, size: self.some_size(), takes }
    }
}
