//! What goes wrong: connections, nodes, time.

use rmi_core::internal::gc::SessionKey;

use crate::node::Reason;
use crate::world::{Event, World};

impl World {
    pub fn stalls(&mut self) -> bool {
        self.config.faults && self.actions > 0 && self.rng.below(500) == 0
    }

    /// One random fault.
    pub fn fault(&mut self) {
        let living: Vec<usize> = self.slots.iter().flatten().copied().collect();
        let node = living.get(self.rng.index(living.len())).copied();
        match (self.rng.below(10), node) {
            (0, Some(node)) if self.crashes < 2 => {
                self.crashes += 1;
                self.crash(node);
            }
            (1, Some(node)) if self.crashes < 2 => {
                self.crashes += 1;
                self.shut_down(node);
            }
            _ => {
                let open = |conn: &usize| self.conns[*conn].pipes.iter().any(|pipe| !pipe.cut);
                let conns: Vec<usize> = (0..self.conns.len()).filter(open).collect();
                if let Some(conn) = conns.get(self.rng.index(conns.len())).copied() {
                    let notices = [self.notice(), self.notice()];
                    self.cut(conn, notices);
                }
            }
        }
    }

    /// When an end notices a broken connection: at once, late, or by its lease alone.
    fn notice(&mut self) -> Option<u64> {
        let lease = self.lease.as_micros() as u64;
        match self.rng.below(4) {
            0 => None,
            1 => Some(self.rng.below(lease * 3 / 2)),
            _ => Some(self.rng.below(20_000)),
        }
    }

    /// Breaks a connection; its ends notice after these times. Some of what is under way still arrives.
    pub fn cut(&mut self, conn: usize, notices: [Option<u64>; 2]) {
        self.note(|| format!("connection {conn} breaks, noticed after {notices:?}"));
        for (end, notice) in notices.into_iter().enumerate() {
            self.taint(self.conns[conn].ends[end].link);
            let left = match self.config.scripted {
                true => 0,
                false => self.rng.index(self.conns[conn].pipes[end].flying.len() + 1),
            };
            let pipe = &mut self.conns[conn].pipes[end];
            pipe.cut = true;
            pipe.flying.truncate(left);
            if let Some(notice) = notice {
                self.at(self.now + notice, Event::Broken { conn, end });
            }
        }
    }

    fn links_of(&self, node: usize) -> Vec<SessionKey> {
        self.links.iter().filter(|(_, link)| link.node == node).map(|(key, _)| *key).collect()
    }

    /// Everything of a node vanishes.
    pub fn crash(&mut self, node: usize) {
        self.note(|| format!("n{node} crashes"));
        let links = self.links_of(node);
        for key in &links {
            self.taint(*key);
        }
        self.bury(node);
        for key in links {
            let Some(link) = self.links.remove(&key) else { continue };
            let Some((conn, end)) = link.conn else { continue };
            // Whether the peers' systems are told.
            let notices = match end {
                0 => [None, self.notice()],
                _ => [self.notice(), None],
            };
            self.conns[conn].parted = true;
            self.cut(conn, notices);
        }
    }

    /// The node and its application are no more.
    fn bury(&mut self, node: usize) {
        let slot = self.nodes[node].slot;
        let dead = &mut self.nodes[node];
        (dead.alive, dead.draining) = (false, true);
        dead.held.clear();
        dead.callers.clear();
        dead.root = None;
        self.slots[slot] = None;
        self.running.retain(|_, running| running.node != node);
        if !self.config.scripted && self.rng.chance(60) {
            let time = self.now + self.rng.below(self.max_gap * 10);
            self.at(time, Event::Restart { slot });
        }
    }

    pub fn restart(&mut self, slot: usize) {
        if self.slots[slot].is_none() && self.actions > 0 {
            self.start(slot);
        }
    }

    /// A node ends gracefully: it takes no new calls, waits for its pins, then says Bye.
    pub fn shut_down(&mut self, node: usize) {
        self.note(|| format!("n{node} shuts down"));
        self.nodes[node].draining = true;
        self.nodes[node].root = None;
        self.at(self.now, Event::WindUp { node, rounds: 20 });
    }

    pub fn wind_up(&mut self, node: usize, rounds: u32) {
        if !self.nodes[node].alive {
            return;
        }
        let links = self.links_of(node);
        let drained = |key: &SessionKey| {
            self.links.get(key).is_none_or(|link| {
                let idle = link.session.serving() == 0 && link.session.is_flushed();
                link.session.pinned() == 0 && (idle || !link.session.is_open())
            })
        };
        if rounds > 0 && !links.iter().all(drained) {
            return self.at(self.now + 5_000, Event::WindUp { node, rounds: rounds - 1 });
        }
        for key in links {
            self.part(key, 0);
            self.close(key, Reason::Stopped);
            self.finish(key);
        }
        self.bury(node);
        self.note(|| format!("n{node} has ended"));
    }
}
