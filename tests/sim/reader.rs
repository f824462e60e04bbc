//! The reader's side of a link: frames arrive, sessions say what is to be done. It mirrors `node/dispatch.rs`.

use bytes::Bytes;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{BYE_UNUSED, Event as SessionEvent, Head, SessionError};
use rmi_core::internal::wire::{self, Frame};

use crate::bug::Bug;
use crate::event::Event;
use crate::handles::{Sim, Way};
use crate::invariant::{Invariant, delivered};
use crate::net::Flying;
use crate::node::Reason;
use crate::sending::Who;
use crate::world::World;

impl World {
    pub fn deliver(&mut self, conn: usize, from: usize) {
        let (sender, receiver) = (self.conns[conn].ends[from], self.conns[conn].ends[1 - from]);
        let paused = self.paused.contains(&(sender.node, receiver.node));
        let bug = self.config.bug;
        let pipe = &mut self.conns[conn].pipes[from];
        if self.now < pipe.held_until {
            let time = pipe.held_until;
            return self.at(time, Event::Deliver { conn, from });
        }
        if paused {
            if let Some(flying) = pipe.flying.iter_mut().find(|flying| !flying.due) {
                flying.due = true;
            }
            return;
        }
        if bug == Some(Bug::SpawnedClean) && pipe.flying.front().is_some_and(|flying| flying.number > 0) {
            // It leaves the Call that it overtakes, and the Cancel between them, behind.
            let clean =
                pipe.flying.iter().take(3).position(|flying| matches!(flying.frame, Frame::Clean { .. }));
            if let Some(at) = clean.filter(|at| *at > 0)
                && let Some(clean) = pipe.flying.remove(at)
            {
                pipe.flying.push_front(clean);
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
        if link.back.attempt == Some(conn) && from == 1 {
            return self.resume_answered(key, conn, flying.frame);
        }
        if !self.listens(key, conn, 1 - from) {
            return;
        }
        let Some(link) = self.links.get(&key) else { return };
        if link.shake.is_some() {
            return self.shake_hands(key, flying.frame);
        }
        self.tamper(&mut flying, conn, from);
        self.receive(key, conn, from, flying);
    }

    /// Whether a link reads a connection: it reads the latest of its connections alone.
    fn listens(&mut self, key: SessionKey, conn: usize, end: usize) -> bool {
        let Some(link) = self.links.get(&key).filter(|link| link.closed.is_none()) else { return false };
        if link.conn == Some((conn, end)) {
            return true;
        }
        let stale =
            link.session.is_open() && self.conns[conn].log.is_some_and(|log| link.log == Some((log, end)));
        if stale {
            self.reach("a frame of an old connection");
        }
        let read = stale && self.config.bug == Some(Bug::NoFence);
        self.planted += u32::from(read);
        read
    }

    fn receive(&mut self, key: SessionKey, conn: usize, from: usize, flying: Flying) {
        let (limits, len) = (self.limits, flying.bytes.len());
        let node = self.links[&key].node;
        delivered(self, conn, from, &flying);
        self.digest = self.digest.rotate_left(7) ^ crate::rng::hash(&flying.bytes) ^ self.now;
        self.note(|| format!("n{node} link {key} receives {}", short(&flying.frame)));
        self.look_at(key, &flying.frame);
        // The stream as the driver sees it.
        let Some(link) = self.links.get_mut(&key) else { return };
        link.buffer.extend_from_slice(&flying.bytes);
        let split = wire::split(&mut link.buffer, limits.max_frame_len());
        let bytes = split.ok().flatten().unwrap_or_default();
        let now = self.local(node);
        let expired = !self.is_usable(key);
        if let Some(link) = self.links.get_mut(&key) {
            // What comes after the end of the lease renews nothing.
            link.received = if expired { link.received } else { now };
        }
        match wire::plain(&bytes, &limits) {
            Some((plain, at)) => self.receive_plain(key, plain, &bytes.slice(at..), len, expired),
            None => self.receive_frame(key, bytes, len, expired),
        }
        self.send_as(key, Who::Reader);
    }

    fn receive_frame(&mut self, key: SessionKey, bytes: Bytes, len: usize, expired: bool) {
        let Ok(frame) = Frame::decode(bytes, &self.limits) else {
            self.violate(Invariant::Protocol, || format!("link {key} receives what cannot be decoded"));
            return self.violated(key, "a frame that cannot be decoded");
        };
        let Some(link) = self.links.get_mut(&key) else { return };
        if let Frame::Unpin { transfer } = frame {
            link.unpinned.insert(transfer);
        }
        let (node, Some((owner, addresses))) = (link.node, link.peer.clone()) else { return };
        let now = self.local(node);
        let make = self.maker(node, owner, addresses, Way::Link(key));
        let said = self.with_quietly(key, |session| session.handle(now, frame, len, make));
        if let Some(event) = self.accepted(key, expired, said) {
            self.handle(key, event);
        }
    }

    /// What a session has to say of a frame that arrived, `expired` if its lease is over. `None`: it ends.
    pub fn accepted<T>(
        &mut self,
        key: SessionKey,
        expired: bool,
        said: Option<Result<T, SessionError>>,
    ) -> Option<T> {
        match said? {
            Ok(_) if expired => {
                self.violate(Invariant::L2, || format!("link {key} is revived by a frame"));
                None
            }
            Ok(said) => {
                let serving = self.links.get(&key).map_or(0, |link| link.session.serving());
                if serving > self.limits.calls as usize {
                    self.violate(Invariant::Protocol, || {
                        format!("link {key} serves {serving} calls at a time")
                    });
                }
                Some(said)
            }
            Err(SessionError::Expired) => {
                self.close(key, Reason::Expired);
                None
            }
            Err(SessionError::Violation(text)) => {
                self.violated(key, &text);
                None
            }
        }
    }

    /// Notes what is worth to be reached.
    fn look_at(&mut self, key: SessionKey, frame: &Frame) {
        let session = &self.links[&key].session;
        let what = match frame {
            Frame::Dirty { .. } => "a Dirty",
            Frame::Held { object } if session.is_confirmed(*object).is_none() => {
                "a Held that nobody waits for"
            }
            Frame::Held { .. } => "a Held",
            Frame::Gone { .. } => "a Gone",
            Frame::Cancel { .. } => "a Cancel",
            Frame::Abort { .. } => "an Abort",
            Frame::Clean { object, upto } => match session.listed_at(*object) {
                Some(listed) if listed > *upto => "a Clean that crosses a reference",
                _ => "a Clean",
            },
            Frame::Call(call) if call.table.references.iter().any(|r| r.owner == wire::Owner::Receiver) => {
                "a reference that comes home"
            }
            Frame::Call(call) if call.size > call.chunk.len() as u64 && !call.table.is_empty() => {
                "references in a message of several frames"
            }
            Frame::Reply(reply) if reply.table.references.iter().any(|r| r.transfer > 0) => {
                "a result of a third node"
            }
            _ => return,
        };
        self.reach(what);
    }

    fn handle(&mut self, key: SessionKey, event: SessionEvent<Sim>) {
        let node = self.links[&key].node;
        match event {
            SessionEvent::Nothing => {}
            SessionEvent::Message { first, head, references, size, chunk } => {
                let references: Vec<_> =
                    references.into_iter().map(|arrived| self.resolve(node, arrived)).collect();
                let weight = references.len();
                let Some(link) = self.links.get_mut(&key) else { return };
                let whole = link.assembly.first(first, (head, references), weight, size, chunk);
                self.message(key, whole);
            }
            SessionEvent::Answer { caller, status, references, payload, .. } => {
                let references = references.into_iter().map(|arrived| self.resolve(node, arrived)).collect();
                self.answered(&caller, status, &payload, references);
            }
            SessionEvent::More { first, chunk } => {
                let Some(link) = self.links.get_mut(&key) else { return };
                let mut whole = link.assembly.more(first, &chunk);
                if let Ok(Some(((Head::Call { call, verdict, .. }, _), _))) = &mut whole {
                    *verdict = link.session.reconsider(*call, *verdict);
                }
                self.message(key, whole);
            }
            SessionEvent::Abort { first } => {
                let Some(link) = self.links.get_mut(&key) else { return };
                match link.assembly.abort(first) {
                    Ok((Head::Call { call, .. }, _references)) => {
                        self.with_quietly(key, |session| session.aborted(call));
                    }
                    Ok((Head::Reply { call, .. }, references)) => {
                        drop(references);
                        self.unanswered(key, call);
                    }
                    Err(error) => self.violated(key, &format!("{error:?}")),
                }
            }
            SessionEvent::Cancel { call } => self.cancel(key, call),
            SessionEvent::Root { call, name, verdict } => self.serve_root(key, call, &name, verdict),
            SessionEvent::Dirty { object } => {
                let alive = self.nodes[node].find(object);
                self.with_quietly(key, |session| session.answer_dirty(object, alive));
            }
            SessionEvent::Settled { pay, gone } => self.settle(key, pay, gone),
            SessionEvent::Tunnel { .. } => {}
            SessionEvent::Bye { code: BYE_UNUSED, .. } => self.close(key, Reason::Unused),
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
        let Some(node) = self.links.get(&key).map(|link| link.node) else { return };
        self.parted(key);
        let local = self.local(node);
        let last = self.with(key, |session| {
            session.bye(code, "bye".into());
            session.poll_output(local)
        });
        if let Some(last) = last.flatten() {
            self.send(key, &last.concat());
        }
    }
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
