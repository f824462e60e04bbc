//! Connections: two ordered streams with delays, which can be cut, and notice it late or never.

use std::collections::VecDeque;

use bytes::Bytes;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::wire::Frame;

use crate::rng::hash;

/// One side of a connection.
#[derive(Debug, Clone, Copy)]
pub struct End {
    pub node: usize,
    pub link: SessionKey,
}

#[derive(Debug)]
pub struct Conn {
    /// The dialer, the acceptor.
    pub ends: [End; 2],
    /// What `ends[i]` sends.
    pub pipes: [Pipe; 2],
    /// One of the ends ended both of its parts at once, and told the other, or tried to.
    pub parted: bool,
}

#[derive(Debug, Default)]
pub struct Pipe {
    /// Frames under way, in order.
    pub flying: VecDeque<Flying>,
    /// When the last of them arrives; streams do not overtake themselves.
    pub last_arrival: u64,
    /// What is sent from now on is lost.
    pub cut: bool,
    /// Hashes of all numbered frames that were sent.
    pub sent: Vec<u64>,
    /// How many numbered frames have arrived.
    pub delivered: usize,
}

/// A frame under way.
#[derive(Debug, Clone)]
pub struct Flying {
    /// With its length.
    pub bytes: Bytes,
    /// What it says, for the checks.
    pub frame: Frame,
    /// 0 for unnumbered frames.
    pub number: u64,
    /// A script holds it up.
    pub due: bool,
}

impl Pipe {
    /// A frame is written. Returns whether it is under way.
    pub fn send(&mut self, bytes: Bytes, frame: Frame) -> bool {
        let mut number = 0;
        if frame.is_numbered() {
            self.sent.push(hash(&bytes));
            number = self.sent.len() as u64;
        }
        if !self.cut {
            self.flying.push_back(Flying { bytes, frame, number, due: false });
        }
        !self.cut
    }
}

impl Conn {
    pub fn new(dialer: End, acceptor: End) -> Self {
        Self { ends: [dialer, acceptor], pipes: Default::default(), parted: false }
    }
}
