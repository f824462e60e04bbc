//! Connections: two ordered streams with delays, which can be cut, and notice it late or never.

use std::collections::VecDeque;

use bytes::Bytes;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::wire::Frame;

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
    /// The session that it carries; one that is to resume a session carries it from the answer on.
    pub log: Option<usize>,
    /// The ends that know that it is gone.
    pub gone: [bool; 2],
}

#[derive(Debug, Default)]
pub struct Pipe {
    /// Frames under way, in order.
    pub flying: VecDeque<Flying>,
    /// When the last of them arrives; streams do not overtake themselves.
    pub last_arrival: u64,
    /// Nothing arrives before this time.
    pub held_until: u64,
    /// What is sent from now on is lost.
    pub cut: bool,
    /// The number of the last numbered frame that was sent here.
    pub numbered: u64,
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

impl Conn {
    pub fn new(dialer: End, acceptor: End, log: Option<usize>) -> Self {
        Self { ends: [dialer, acceptor], pipes: Default::default(), log, gone: [false; 2] }
    }
}
