//! Drives sessions as `node/connection/driver.rs` and `node/link.rs` do: work under the lock, and the writer.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Assembly, Garbage, Phase, Session, Time, Timeout};
use rmi_core::internal::wire::{Frame, Limits};

use crate::bug::Bug;
use crate::dial::Dialing;
use crate::event::Event;
use crate::handles::Sim;
use crate::invariant::Invariant;
use crate::net::Flying;
use crate::node::{HERE, Link, Reason};
use crate::resume::Back;
use crate::serve::Outcome;
use crate::world::World;

impl World {
    pub fn new_link(&mut self, node: usize, inbound: bool, eager: bool) -> SessionKey {
        let key = self.fresh();
        let Limits { partial, .. } = self.limits;
        let mut session = Session::new(key, self.nodes[node].id, self.limits, HERE, eager);
        session.set_patience(self.patience);
        let link = Link {
            node,
            inbound,
            tried: None,
            session,
            peer: None,
            closed: None,
            conn: None,
            log: None,
            back: Back::default(),
            shake: None,
            buffer: BytesMut::new(),
            assembly: Assembly::new(partial),
            dialing: Dialing::default(),
            dropped: Vec::new(),
            given_up: Vec::new(),
            rest: None,
            write_at: None,
            received: Time(0),
            lease: Duration::ZERO,
            pins: BTreeSet::new(),
            unpinned: BTreeSet::new(),
        };
        self.links.insert(key, link);
        key
    }

    // ---- work on a session ----

    /// Works on a session, then drops what is to be dropped, tells callers, and wakes the writer if there is need.
    pub fn with<R>(&mut self, key: SessionKey, work: impl FnOnce(&mut Session<Sim>) -> R) -> Option<R> {
        let (result, due) = self.with_quietly(key, |session| (work(session), session.is_due()))?;
        if due {
            self.wake(key);
        }
        Some(result)
    }

    pub fn with_quietly<R>(
        &mut self,
        key: SessionKey,
        work: impl FnOnce(&mut Session<Sim>) -> R,
    ) -> Option<R> {
        let link = self.links.get_mut(&key)?;
        let result = work(&mut link.session);
        let (garbage, failures) = (link.session.take_garbage(), link.session.take_failures());
        drop_in_order(garbage);
        for (caller, failure) in failures {
            self.reach("a call over a limit");
            self.outcome(&caller, Outcome::Failed(format!("{failure:?}")), Vec::new());
        }
        Some(result)
    }

    /// The same for places that hold another lock: garbage is left to the writer.
    pub fn amend<R>(&mut self, key: SessionKey, work: impl FnOnce(&mut Session<Sim>) -> R) -> Option<R> {
        let result = work(&mut self.links.get_mut(&key)?.session);
        self.wake(key);
        Some(result)
    }

    /// The writer runs soon.
    pub fn wake(&mut self, key: SessionKey) {
        if self.config.bug == Some(Bug::LoseWake) && self.rng.chance(10) {
            self.planted += 1;
            return;
        }
        let time = self.now + self.latency();
        self.write_by(key, time);
    }

    pub fn write_by(&mut self, key: SessionKey, time: u64) {
        let time = time.max(self.now);
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.write_at.is_none_or(|at| time < at) {
            link.write_at = Some(time);
            self.at(time, Event::Write { link: key });
        }
    }

    /// Handles that were dropped in this step find their links.
    pub fn take_notices(&mut self) {
        for node in 0..self.nodes.len() {
            let mut notices = std::mem::take(&mut *self.nodes[node].notices.borrow_mut());
            notices.sort_by_key(|(link, object)| (*link, object.to_bytes()));
            for (key, object) in notices {
                if self.config.bug == Some(Bug::ForgetDrop) {
                    self.planted += 1;
                    continue;
                }
                if let Some(link) = self.links.get_mut(&key) {
                    link.dropped.push(object);
                    self.wake(key);
                }
            }
        }
    }

    pub fn collect_dropped(&mut self, key: SessionKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        for call in std::mem::take(&mut link.given_up) {
            link.session.cancel(call);
        }
        link.session.dropped(std::mem::take(&mut link.dropped));
    }

    // ---- the writer ----

    pub fn write(&mut self, key: SessionKey) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.write_at != Some(now) {
            return; // An earlier wake came in between.
        }
        link.write_at = None;
        let clock = self.nodes[link.node].clock;
        let local = clock.local(now);
        match link.session.phase() {
            Phase::Ended | Phase::Opening => return,
            Phase::Lapsed(until) if self.config.bug == Some(Bug::NoLease) && local >= until => {
                self.planted += 1;
                return;
            }
            Phase::Lapsed(until) => {
                match link.session.handle_timeout(local) {
                    Timeout::OwnerEnd => self.finish(key),
                    _ => self.write_by(key, clock.world(until)),
                }
                return;
            }
            Phase::Detached(_) => return self.wait(key),
            Phase::Open => {}
        }
        self.send(key, &[]);
        self.collect_dropped(key);
        let polled = self.with_quietly(key, |session| {
            (session.handle_timeout(local), session.poll_output(local), session.schedule())
        });
        let Some((timeout, output, next)) = polled else { return };
        match timeout {
            Timeout::Nothing => {}
            Timeout::Silent => {
                self.reach("a silent connection");
                return self.lose_connection(key);
            }
            _ => return self.close(key, Reason::Expired),
        }
        let retires = self.links.get(&key).is_some_and(|link| link.session.has_retired());
        match output {
            None if retires => self.close(key, Reason::Unused),
            None => {
                if self.links.get(&key).is_some_and(|link| !link.session.is_flushed()) {
                    self.reach("a full ring");
                }
                if let Some(next) = next {
                    self.write_by(key, clock.world(next).max(now + 1));
                }
            }
            Some(output) => {
                self.send(key, &output.concat());
                self.check_numbers(key);
                if retires {
                    return self.close(key, Reason::Unused);
                }
                self.write_by(key, now + 1);
            }
        }
    }

    /// Puts bytes on the connection of a link, behind what it had no room for.
    pub fn send(&mut self, key: SessionKey, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let (rest, Some((conn, end))) = (link.rest.take(), link.conn) else { return };
        if let Some((_, rest)) = rest.filter(|(of, _)| *of == conn) {
            self.send_on(conn, end, &rest);
        }
        self.send_on(conn, end, bytes);
    }

    /// Puts bytes on a connection, a frame at a time.
    pub fn send_on(&mut self, conn: usize, end: usize, bytes: &[u8]) {
        let mut batch = None;
        let mut left = BytesMut::from(bytes);
        while left.len() >= 4 {
            let length = 4 + u32::from_be_bytes([left[0], left[1], left[2], left[3]]) as usize;
            let whole = left.split_to(length).freeze();
            let Ok(frame) = Frame::decode(whole.slice(4..), &self.limits) else {
                let node = self.conns[conn].ends[end].node;
                return self.violate(Invariant::Protocol, || format!("n{node} sent what cannot be decoded"));
            };
            let Some(numbered) = self.number(conn, end, &whole, &frame) else {
                self.fly(conn, end, Flying { bytes: whole, frame, number: 0, due: false });
                continue;
            };
            if !numbered.again {
                batch.get_or_insert(numbered.number);
            }
            for bytes in self.replayed(conn, end, numbered, &whole) {
                self.fly(
                    conn,
                    end,
                    Flying { bytes, frame: frame.clone(), number: numbered.number, due: false },
                );
            }
        }
        if let (Some(log), Some(batch)) = (self.conns[conn].log, batch) {
            self.logs[log].sides[end].last_batch = batch;
        }
    }

    fn fly(&mut self, conn: usize, end: usize, flying: Flying) {
        if self.conns[conn].pipes[end].cut {
            return;
        }
        self.conns[conn].pipes[end].flying.push_back(flying);
        let delay = if self.config.scripted { 1000 } else { 50 + self.rng.below(self.max_delay) };
        // Now and then a stream is held up for long, and everything behind it.
        let stall = if self.stalls() { self.rng.below(self.lease.as_micros() as u64 * 3 / 2) } else { 0 };
        let pipe = &mut self.conns[conn].pipes[end];
        pipe.last_arrival = (self.now + delay + stall).max(pipe.last_arrival + 1);
        let arrival = pipe.last_arrival;
        self.at(arrival, Event::Deliver { conn, from: end });
    }

    /// A detached session waits, but not for ever.
    fn wait(&mut self, key: SessionKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let clock = self.nodes[link.node].clock;
        if link.session.handle_timeout(clock.local(self.now)) == Timeout::Nothing {
            let next = link.session.schedule();
            if let Some(next) = next {
                self.write_by(key, clock.world(next).max(self.now + 1));
            }
        } else if self.config.bug != Some(Bug::ResumeAfterExpiry) {
            self.close(key, Reason::Broken);
        }
    }
}

/// Tables have no order; a run has.
fn drop_in_order(garbage: Garbage<Sim>) {
    let Garbage { objects, mut pins, callers } = garbage;
    pins.sort_by_key(|pin| pin.0.import.upgrade().map(|import| import.object.to_bytes()));
    drop(pins);
    drop(objects);
    drop(callers);
}

/// The bytes of a frame.
pub fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.freeze()
}
