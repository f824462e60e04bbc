//! What a session sends and delivers, over all its connections.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::wire::Frame;

use crate::invariant::Invariant;
use crate::serve::number_of;
use crate::world::World;

/// A session as the world sees it.
#[derive(Debug)]
pub struct Log {
    /// The links of the dialer and of the acceptor.
    pub links: [SessionKey; 2],
    /// One of them ended both of its parts at once, and told the other, or tried to.
    pub parted: bool,
    /// Both have ended.
    pub over: bool,
    /// What `links[i]` sends.
    pub sides: [Side; 2],
}

/// The numbered frames of one side.
#[derive(Debug, Default)]
pub struct Side {
    /// All that were handed to a connection, by number, as they were first.
    pub sent: Vec<Bytes>,
    /// The first of those that were handed over last.
    pub last_batch: u64,
    /// How many have arrived.
    pub delivered: usize,
    /// Those that have not, on whatever connection.
    pub under_way: VecDeque<UnderWay>,
    /// Calls of which not all has left, by their first frame: the call, and how many bytes are still to come.
    parts: BTreeMap<u64, (u64, u64)>,
}

/// A numbered frame that has not arrived.
#[derive(Debug)]
pub struct UnderWay {
    pub number: u64,
    /// When it left first.
    pub since: u64,
    pub frame: Frame,
}

/// A numbered frame that is handed to a connection.
#[derive(Debug, Clone, Copy)]
pub struct Numbered {
    pub number: u64,
    /// It was handed to one before.
    pub again: bool,
}

impl Log {
    pub fn new(links: [SessionKey; 2]) -> Self {
        Self { links, parted: false, over: false, sides: Default::default() }
    }
}

impl Side {
    /// A frame leaves for the first time. Returns the call of which it is the last frame.
    fn left(&mut self, number: u64, frame: &Frame) -> Option<u64> {
        match frame {
            Frame::Root { name, .. } => name.parse().ok(),
            Frame::Call(call) => {
                let (made, _) = number_of(&call.chunk)?;
                let rest = call.size - call.chunk.len() as u64;
                if rest > 0 {
                    self.parts.insert(number, (made, rest));
                }
                (rest == 0).then_some(made)
            }
            Frame::More { first, chunk } => {
                let (made, rest) = self.parts.get_mut(first)?;
                *rest -= chunk.len() as u64;
                (*rest == 0).then_some(*made)
            }
            _ => None,
        }
    }
}

impl World {
    /// Begins the log of a session that may come of a handshake.
    pub fn new_log(&mut self, dialer: SessionKey, acceptor: SessionKey) -> usize {
        self.logs.push(Log::new([dialer, acceptor]));
        let log = self.logs.len() - 1;
        for (side, key) in [dialer, acceptor].into_iter().enumerate() {
            if let Some(link) = self.links.get_mut(&key) {
                link.log = Some((log, side));
            }
        }
        log
    }

    pub fn log_of(&self, key: SessionKey) -> Option<&Log> {
        self.logs.get(self.links.get(&key)?.log?.0)
    }

    /// The link at the other end of a session.
    pub fn peer_of(&self, key: SessionKey) -> Option<SessionKey> {
        let (log, side) = self.links.get(&key)?.log?;
        Some(self.logs[log].links[1 - side])
    }

    /// What `key` has sent, or, if not `own`, its peer, that has not arrived.
    pub fn under_way(&self, key: SessionKey, own: bool) -> impl Iterator<Item = &UnderWay> {
        let found = self.links.get(&key).and_then(|link| link.log);
        let frames =
            found.map(|(log, side)| &self.logs[log].sides[if own { side } else { 1 - side }].under_way);
        frames.into_iter().flatten()
    }

    /// One side of a session ended both of its parts at once.
    pub fn parted(&mut self, key: SessionKey) {
        if let Some((log, _)) = self.links.get(&key).and_then(|link| link.log) {
            self.logs[log].parted = true;
        }
    }

    /// A link has ended: a session of which both ends have is nobody's any more.
    pub fn close_log(&mut self, key: SessionKey, log: usize) {
        let other = self.logs[log].links.into_iter().find(|link| *link != key);
        let open = other.and_then(|other| self.links.get(&other)).is_some_and(|link| link.closed.is_none());
        self.logs[log].over |= !open;
    }

    /// A frame is handed to a connection. `None`: it has no number.
    pub fn number(&mut self, conn: usize, end: usize, bytes: &Bytes, frame: &Frame) -> Option<Numbered> {
        let log = self.conns[conn].log.filter(|_| frame.is_numbered())?;
        let pipe = &mut self.conns[conn].pipes[end];
        pipe.numbered += 1;
        let since = self.now;
        let number = pipe.numbered;
        let side = &mut self.logs[log].sides[end];
        let first = side.sent.get(number as usize - 1);
        let (again, same) = (first.is_some(), first.is_none_or(|first| first == bytes));
        if again {
            self.reach("a frame that is sent again");
        } else {
            side.sent.push(bytes.clone());
            side.under_way.push_back(UnderWay { number, since, frame: frame.clone() });
            if let Some(call) = side.left(number, frame) {
                self.left(call);
            }
        }
        if !same {
            let node = self.conns[conn].ends[end].node;
            self.violate(Invariant::S4, || format!("n{node} sends frame {number} again, altered"));
        }
        Some(Numbered { number, again })
    }

    /// What a session says that it numbered is what was handed to connections.
    pub fn check_numbers(&mut self, key: SessionKey) {
        let Some(link) = self.links.get(&key) else { return };
        let Some((conn, end)) = link.conn else { return };
        let (numbered, flushed, node) = (link.session.frames().0, link.session.is_flushed(), link.node);
        let handed = self.conns[conn].pipes[end].numbered;
        if handed > numbered || (flushed && handed != numbered) {
            self.violate(Invariant::S4, || format!("n{node} numbered {numbered} frames and sent {handed}"));
        }
    }

    /// All of a call was handed to connections.
    fn left(&mut self, call: u64) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.left = true;
        }
    }

    /// A session ended and says whether all of a call had left: what had not is certainly never executed. After a `bye` that is also said of
    /// what left and was not received any more.
    pub fn check_lost_call(&mut self, call: u64, begun: bool, bye: bool) {
        let Some(record) = self.calls.get_mut(&call) else { return };
        record.never |= !begun;
        if !begun && ((record.left && !bye) || record.executed > 0) {
            self.violate(Invariant::L4, || format!("call {call} had left, and is said not to have"));
        }
    }
}
