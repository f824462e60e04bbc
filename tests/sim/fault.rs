//! What goes wrong: connections, nodes, time.

use std::time::Duration;

use rmi_core::internal::gc::SessionKey;

use crate::event::Event;
use crate::node::Reason;
use crate::world::World;

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
            (2 | 3, Some(node)) => {
                let most = self.lease.as_micros() as u64 * 3 / 2;
                let pause = if self.rng.chance(50) { most } else { most / 10 };
                let pause = self.rng.below(pause);
                self.stop(node, pause);
            }
            (4, Some(_)) if self.config.nodes > 1 => {
                let slot = self.rng.index(self.config.nodes);
                let other = (slot + 1 + self.rng.index(self.config.nodes - 1)) % self.config.nodes;
                let time = self.rng.below(self.lease.as_micros() as u64 * 3 / 2);
                self.wall(slot, other, time);
            }
            _ => self.cut_one(),
        }
    }

    /// One connection breaks by chance.
    fn cut_one(&mut self) {
        let open = |conn: &usize| self.conns[*conn].pipes.iter().any(|pipe| !pipe.cut);
        let conns: Vec<usize> = (0..self.conns.len()).filter(open).collect();
        let Some(conn) = conns.get(self.rng.index(conns.len())).copied() else { return };
        let notices = if self.config.faults { [self.notice(), self.notice()] } else { self.notices() };
        if self.rng.chance(20) {
            // What is left of it arrives late, maybe after the session goes on elsewhere.
            let late = self.now + self.rng.below(self.lease.as_micros() as u64 / 4);
            self.conns[conn].pipes.iter_mut().for_each(|pipe| pipe.held_until = late);
        }
        self.cut(conn, notices);
    }

    /// A connection breaks, and after a while another.
    pub fn break_one(&mut self) {
        if self.actions > 0 {
            self.cut_one();
            let gap = self.rng.below(self.break_gap * 2);
            self.at(self.now + gap, Event::Break);
        }
    }

    /// A process is stopped for some time (SIGSTOP). Its clock goes on, and its system takes what arrives.
    pub fn stop(&mut self, node: usize, time: u64) {
        self.note(|| format!("n{node} is stopped for {time}"));
        self.reach("a node that is stopped");
        let until = self.now + time;
        let stopped = self.stopped.entry(node).or_insert(0);
        *stopped = until.max(*stopped);
    }

    pub fn is_stopped(&self, node: usize) -> bool {
        self.stopped.get(&node).is_some_and(|until| self.now < *until)
    }

    /// Whether what is overdue at a node may be so because it was stopped.
    pub fn was_stopped(&self, node: usize, late: Duration) -> bool {
        self.stopped.get(&node).is_some_and(|until| self.now < until + late.as_micros() as u64)
    }

    /// Two places do not reach each other for some time. Nobody is told.
    pub fn wall(&mut self, slot: usize, other: usize, time: u64) {
        self.note(|| format!("places {slot} and {other} do not reach each other for {time}"));
        self.reach("a wall between two nodes");
        self.walls.push((slot, other, self.now + time));
        for conn in 0..self.conns.len() {
            let ends = self.conns[conn].ends.map(|end| self.nodes[end.node].slot);
            let open = self.conns[conn].pipes.iter().any(|pipe| !pipe.cut);
            if open && (ends == [slot, other] || ends == [other, slot]) {
                self.cut(conn, [None, None]);
            }
        }
    }

    pub fn is_walled(&self, slot: usize, other: usize) -> bool {
        let between = |(a, b, until): &(usize, usize, u64)| {
            self.now < *until && ((*a, *b) == (slot, other) || (*a, *b) == (other, slot))
        };
        self.walls.iter().any(between)
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

    /// The same where nothing worse goes wrong: the dialer is told soon.
    fn notices(&mut self) -> [Option<u64>; 2] {
        let dialer = Some(self.rng.below(20_000));
        [dialer, if self.rng.chance(20) { None } else { Some(self.rng.below(20_000)) }]
    }

    /// Breaks a connection; its ends notice after these times. Some of what is under way still arrives.
    pub fn cut(&mut self, conn: usize, notices: [Option<u64>; 2]) {
        self.note(|| format!("connection {conn} breaks, noticed after {notices:?}"));
        for (end, notice) in notices.into_iter().enumerate() {
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
            self.parted(key);
            let Some(link) = self.links.remove(&key) else { continue };
            if let Some((log, _)) = link.log {
                self.close_log(key, log);
            }
        }
        for conn in 0..self.conns.len() {
            let ends = self.conns[conn].ends;
            let Some(end) = ends.iter().position(|end| end.node == node) else { continue };
            if self.conns[conn].pipes.iter().all(|pipe| pipe.cut) {
                continue;
            }
            // Whether the peers' systems are told.
            let notices = match end {
                0 => [None, self.notice()],
                _ => [self.notice(), None],
            };
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
