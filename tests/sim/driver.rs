//! Drives sessions as `node/driver.rs`, `node/link.rs` and `node/lost.rs` do: the writer, the reader, the ends.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{
    Assembly, Event as SessionEvent, Garbage, Head, Lost, Phase, Session, SessionError, Time, Timeout,
};
use rmi_core::internal::wire::{self, Frame, Limits};

use crate::bug::Bug;
use crate::handles::{Sim, Way};
use crate::invariant::{Invariant, delivered};
use crate::net::Flying;
use crate::node::{HERE, Link, Reason};
use crate::serve::Outcome;
use crate::world::{Event, World};

impl World {
    pub fn new_link(&mut self, node: usize, inbound: bool, eager: bool) -> SessionKey {
        let key = self.fresh();
        let Limits { partial, .. } = self.limits;
        let link = Link {
            node,
            inbound,
            tried: None,
            session: Session::new(key, self.nodes[node].id, self.limits, HERE, eager),
            peer: None,
            closed: None,
            conn: None,
            shake: None,
            buffer: BytesMut::new(),
            assembly: Assembly::new(partial),
            to_dial: VecDeque::new(),
            expect: None,
            replaced: true,
            dropped: Vec::new(),
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

    fn with_quietly<R>(&mut self, key: SessionKey, work: impl FnOnce(&mut Session<Sim>) -> R) -> Option<R> {
        let link = self.links.get_mut(&key)?;
        let result = work(&mut link.session);
        let (garbage, failures) = (link.session.take_garbage(), link.session.take_failures());
        drop_in_order(garbage);
        for (caller, failure) in failures {
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
        let time = self.now + self.latency();
        self.write_by(key, time);
    }

    fn write_by(&mut self, key: SessionKey, time: u64) {
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

    fn collect_dropped(&mut self, key: SessionKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        for object in std::mem::take(&mut link.dropped) {
            link.session.dropped(object);
        }
    }

    // ---- the writer ----

    pub fn write(&mut self, key: SessionKey) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.write_at != Some(now) {
            return; // An earlier wake came in between.
        }
        link.write_at = None;
        let (node, clock) = (link.node, self.nodes[link.node].clock);
        let local = clock.local(now);
        match link.session.phase() {
            Phase::Ended | Phase::Opening => return,
            Phase::Detached(until) if self.config.bug == Some(Bug::NoLease) && local >= until => {
                self.planted += 1;
                return;
            }
            Phase::Detached(until) => {
                match link.session.handle_timeout(local) {
                    Timeout::OwnerEnd => self.finish(key),
                    _ => self.write_by(key, clock.world(until)),
                }
                return;
            }
            Phase::Open => {}
        }
        self.collect_dropped(key);
        let polled = self.with_quietly(key, |session| {
            (session.handle_timeout(local), session.poll_output(local), session.schedule())
        });
        let Some((timeout, output, next)) = polled else { return };
        if timeout != Timeout::Nothing {
            return self.close(key, Reason::Expired);
        }
        match output {
            None => {
                if let Some(next) = next {
                    self.write_by(key, clock.world(next).max(now + 1));
                }
            }
            Some(output) => {
                self.send(key, &output.control);
                self.send(key, &output.frames);
                let sent = self.links.get(&key).map(|link| (link.session.frames().0, link.conn));
                if let Some((numbered, Some((conn, end)))) = sent
                    && self.conns[conn].pipes[end].sent.len() as u64 != numbered
                {
                    self.violate(Invariant::S4, || {
                        format!("n{node} numbered {numbered} frames, not those it sent")
                    });
                }
                self.write_by(key, now + 1);
            }
        }
    }

    /// Puts bytes on the connection of a link, a frame at a time.
    pub fn send(&mut self, key: SessionKey, bytes: &[u8]) {
        let Some((conn, end)) = self.links.get(&key).and_then(|link| link.conn) else { return };
        let mut left = BytesMut::from(bytes);
        while left.len() >= 4 {
            let length = 4 + u32::from_be_bytes([left[0], left[1], left[2], left[3]]) as usize;
            let whole = left.split_to(length).freeze();
            let Ok(frame) = Frame::decode(whole.slice(4..), &self.limits) else {
                return self
                    .violate(Invariant::Protocol, || format!("link {key} sent what cannot be decoded"));
            };
            if !self.conns[conn].pipes[end].send(whole, frame) {
                continue;
            }
            let delay = if self.config.scripted { 1000 } else { 50 + self.rng.below(self.max_delay) };
            // Now and then a stream is held up for long, and everything behind it.
            let stall = if self.stalls() { self.rng.below(self.lease.as_micros() as u64 * 3 / 2) } else { 0 };
            let pipe = &mut self.conns[conn].pipes[end];
            pipe.last_arrival = (self.now + delay + stall).max(pipe.last_arrival + 1);
            let arrival = pipe.last_arrival;
            self.at(arrival, Event::Deliver { conn, from: end });
        }
    }

    // ---- the reader ----

    pub fn deliver(&mut self, conn: usize, from: usize) {
        let (sender, receiver) = (self.conns[conn].ends[from], self.conns[conn].ends[1 - from]);
        let paused = self.paused.contains(&(sender.node, receiver.node));
        let bug = self.config.bug;
        let pipe = &mut self.conns[conn].pipes[from];
        if paused {
            if let Some(flying) = pipe.flying.iter_mut().find(|flying| !flying.due) {
                flying.due = true;
            }
            return;
        }
        if bug == Some(Bug::SpawnedClean) && pipe.flying.len() > 1 {
            let overtakes = matches!(pipe.flying[1].frame, Frame::Clean { .. });
            if overtakes && !matches!(pipe.flying[0].frame, Frame::Clean { .. }) && pipe.flying[0].number > 0
            {
                pipe.flying.swap(0, 1);
                self.planted += 1;
            }
        }
        let Some(mut flying) = pipe.flying.pop_front() else { return };
        if flying.number > 0 && bug == Some(Bug::RepeatFrame) && self.rng.chance(2) {
            pipe.flying.push_front(flying.clone());
            self.planted += 1;
            self.at(self.now + 1, Event::Deliver { conn, from });
        } else if flying.number > 0 && bug == Some(Bug::LoseFrame) && self.rng.chance(2) {
            self.planted += 1;
            return;
        }
        let key = receiver.link;
        let Some(link) = self.links.get(&key) else { return };
        if link.conn != Some((conn, 1 - from)) || link.closed.is_some() {
            return;
        }
        if link.shake.is_some() {
            return self.shake_hands(key, flying.frame);
        }
        self.tamper(&mut flying, conn, from);
        self.receive(key, conn, from, flying);
    }

    /// Planted bugs that alter frames on their way.
    fn tamper(&mut self, flying: &mut Flying, conn: usize, from: usize) {
        let Frame::Clean { object, upto } = flying.frame else { return };
        let owners = &self.conns[conn].pipes[1 - from];
        let fresh = match self.config.bug {
            Some(Bug::NoUpto) => owners.sent.len() as u64,
            Some(Bug::ReencodedClean) => owners.delivered as u64,
            _ => return,
        };
        if fresh != upto {
            self.planted += 1;
            flying.frame = Frame::Clean { object, upto: fresh };
            let mut bytes = BytesMut::new();
            flying.frame.encode(&mut bytes);
            flying.bytes = bytes.freeze();
        }
    }

    fn receive(&mut self, key: SessionKey, conn: usize, from: usize, flying: Flying) {
        let (limits, len) = (self.limits, flying.bytes.len());
        let node = self.links[&key].node;
        delivered(self, conn, from, &flying);
        self.digest = self.digest.rotate_left(7) ^ crate::rng::hash(&flying.bytes) ^ self.now;
        self.note(|| format!("n{node} link {key} receives {}", short(&flying.frame)));
        // The stream as the driver sees it.
        let Some(link) = self.links.get_mut(&key) else { return };
        link.buffer.extend_from_slice(&flying.bytes);
        let split = wire::split(&mut link.buffer, limits.max_frame_len());
        let decoded = split.and_then(|bytes| Frame::decode(bytes.unwrap_or_default(), &limits));
        let Ok(frame) = decoded else {
            self.violate(Invariant::Protocol, || {
                format!("link {key} cannot decode {}", short(&flying.frame))
            });
            return self.violated(key, "a frame that cannot be decoded");
        };
        let now = self.local(node);
        if let Some(link) = self.links.get_mut(&key) {
            link.received = now;
            if let Frame::Unpin { transfer } = frame {
                link.unpinned.insert(transfer);
            }
        }
        let Some((owner, addresses)) = self.links.get(&key).and_then(|link| link.peer.clone()) else {
            return;
        };
        let make = self.maker(node, owner, addresses, Way::Link(key));
        match self.with(key, |session| session.handle(now, frame, len, make)) {
            None => {}
            Some(Err(SessionError::Expired)) => self.close(key, Reason::Expired),
            Some(Err(SessionError::Violation(text))) => self.violated(key, &text),
            Some(Ok(event)) => self.handle(key, event),
        }
    }

    fn handle(&mut self, key: SessionKey, event: SessionEvent<Sim>) {
        let node = self.links[&key].node;
        match event {
            SessionEvent::Nothing => {}
            SessionEvent::Message { first, head, references, size, chunk } => {
                let references = references.into_iter().map(|arrived| self.resolve(node, arrived)).collect();
                let Some(link) = self.links.get_mut(&key) else { return };
                let whole = link.assembly.first(first, (head, references), size, chunk);
                self.message(key, whole);
            }
            SessionEvent::More { first, chunk } => {
                let Some(link) = self.links.get_mut(&key) else { return };
                let whole = link.assembly.more(first, &chunk);
                self.message(key, whole);
            }
            SessionEvent::Abort { first } => {
                let Some(link) = self.links.get_mut(&key) else { return };
                if let Ok((Head::Call { call, .. }, _references)) = link.assembly.abort(first) {
                    self.with(key, |session| session.aborted(call));
                }
            }
            SessionEvent::Root { call, name, verdict } => self.serve_root(key, call, &name, verdict),
            SessionEvent::Dirty { object } => {
                let alive = self.nodes[node].find(object);
                self.with(key, |session| session.answer_dirty(object, alive));
            }
            SessionEvent::Settled { pay, gone } => self.settle(key, pay, gone),
            SessionEvent::Bye { .. } => self.close(key, Reason::Bye),
        }
    }

    /// The peer broke the protocol, which no peer here does by itself.
    pub fn violated(&mut self, key: SessionKey, text: &str) {
        let (node, text) = (self.links[&key].node, text.to_owned());
        self.violate(Invariant::Protocol, || format!("n{node} says of its peer: {text}"));
        self.part(key, 1);
        self.close(key, Reason::Violation);
    }

    /// Says Bye, as far as it goes.
    pub fn part(&mut self, key: SessionKey, code: u8) {
        let Some((conn, _)) = self.links.get(&key).and_then(|link| link.conn) else { return };
        self.conns[conn].parted = true;
        let local = self.local(self.links[&key].node);
        let last = self.with(key, |session| {
            session.bye(code, "bye".into());
            session.poll_output(local)
        });
        if let Some(last) = last.flatten() {
            self.send(key, &last.control);
            self.send(key, &last.frames);
        }
    }

    // ---- the ends ----

    /// An end of a connection notices that it is gone.
    pub fn broken(&mut self, conn: usize, end: usize) {
        let key = self.conns[conn].ends[end].link;
        let Some(link) = self.links.get(&key) else { return };
        if link.conn != Some((conn, end)) || link.closed.is_some() {
            return;
        }
        match link.session.phase() {
            Phase::Opening => self.attempt_failed(key, false),
            _ => self.close(key, Reason::Broken),
        }
    }

    /// The connection of a link is gone or must go. Only the first reason counts.
    pub fn close(&mut self, key: SessionKey, reason: Reason) {
        match self.links.get_mut(&key) {
            Some(link) if link.closed.is_none() => link.closed = Some(reason),
            _ => return,
        }
        let (node, tried) = (self.links[&key].node, self.links[&key].tried.clone());
        self.note(|| format!("n{node} closes link {key}: {reason:?}"));
        self.taint(key);
        self.forget_way(key);
        self.collect_dropped(key);
        self.hang_up(key);
        let mut keeps_owner_side = matches!(reason, Reason::Broken | Reason::Expired);
        if keeps_owner_side && self.config.bug == Some(Bug::OwnerFirst) {
            self.planted += 1;
            keeps_owner_side = false;
        } else if !keeps_owner_side && let Some((conn, _)) = self.links[&key].conn {
            self.conns[conn].parted = true;
        }
        let ended = self.with(key, |s| if keeps_owner_side { s.detach() } else { s.end() });
        match self.links[&key].session.phase() {
            Phase::Detached(until) => {
                let time = self.nodes[node].clock.world(until);
                if let Some(link) = self.links.get_mut(&key) {
                    link.write_at = None;
                }
                self.write_by(key, time);
            }
            _ => self.over(key),
        }
        if let Some(lost) = ended {
            self.lost(key, lost, reason, tried);
        }
    }

    /// The other end sees the end of the stream, behind what is under way.
    pub fn hang_up(&mut self, key: SessionKey) {
        let Some((conn, end)) = self.links.get(&key).and_then(|link| link.conn) else { return };
        let delay = if self.config.scripted { 1000 } else { 50 + self.rng.below(self.max_delay) };
        let pipe = &mut self.conns[conn].pipes[end];
        if !pipe.cut {
            pipe.cut = true;
            let time = pipe.last_arrival.max(self.now) + delay;
            self.at(time, Event::Broken { conn, end: 1 - end });
        }
    }

    /// Ends both sides.
    pub fn finish(&mut self, key: SessionKey) {
        let lost = self.with(key, Session::end);
        self.over(key);
        if let Some(lost) = lost {
            self.lost(key, lost, Reason::Expired, None);
        }
    }

    fn over(&mut self, key: SessionKey) {
        self.check_pins(key);
        if let Some(link) = self.links.remove(&key) {
            self.note(|| format!("n{} forgets link {key}", link.node));
        }
        self.running.retain(|_, running| running.link != key);
    }

    fn lost(&mut self, key: SessionKey, lost: Lost<Sim>, reason: Reason, tried: Option<Rc<[String]>>) {
        let Lost { mut imports, mut calls } = lost;
        calls.sort_by_key(|call| call.caller.call);
        for call in calls {
            if self.config.bug == Some(Bug::ForgetCalls) {
                self.planted += 1;
                continue;
            }
            let text = format!("{reason:?}, begun: {}", call.begun);
            self.outcome(&call.caller, Outcome::Failed(text), Vec::new());
        }
        let definite = matches!(reason, Reason::Unreachable | Reason::Replaced | Reason::Stopped);
        imports.sort_by_key(|import| import.object.to_bytes());
        // However many entries a link carries, they count as one: all of them ask in the same new link.
        let mut may_ask = None;
        for import in imports {
            self.lost_import(key, import, definite, tried.as_ref(), &mut may_ask);
        }
    }
}

/// Tables have no order; a run has.
fn drop_in_order(garbage: Garbage<Sim>) {
    let Garbage { objects, mut pins } = garbage;
    pins.sort_by_key(|pin| pin.0.import.upgrade().map(|import| import.object.to_bytes()));
    drop(pins);
    drop(objects);
}

/// A frame without its payload.
pub fn short(frame: &Frame) -> String {
    let references = |table: &wire::Table| {
        let list = table.references.iter().map(|r| format!(" {}/{}", r.object, r.transfer));
        list.collect::<String>()
    };
    match frame {
        Frame::Call(call) => format!("Call {} of {} bytes{}", call.call, call.size, references(&call.table)),
        Frame::Reply(reply) => {
            format!(
                "Reply {} {:?} of {} bytes{}",
                reply.call,
                reply.status,
                reply.size,
                references(&reply.table)
            )
        }
        Frame::More { first, chunk } => format!("More of {first}, {} bytes", chunk.len()),
        other => format!("{other:?}"),
    }
}

/// The bytes of a frame.
pub fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.freeze()
}
