//! The handshake on a new connection (PROTOCOL 2).

use std::time::Duration;

use crate::id::NodeId;
use crate::session::locality::Locality;
use crate::session::resume::Ticket;
use crate::session::time::Time;
use crate::wire::{Frame, Hello, Limits, Refused, RefusedCode, Resume, VERSION, Welcome};

/// The shortest lease: a shorter one would end by the scheduling of a busy machine.
pub const MIN_LEASE_MS: u64 = 100;

/// The part of this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This side dialed; the node that is meant, if one is. It is compared with the one that answers. Hello does not say it: who named
    /// it would choose bytes that this node sends to a place that it also chose (2.4).
    Dial(Option<NodeId>),
    /// This side accepted.
    Accept,
    /// Nobody dialed: two ends of a pipe.
    Attach,
}

/// What this side says of itself.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// This node.
    pub node: NodeId,
    /// The lease it asks for.
    pub lease: Duration,
    /// What it accepts.
    pub limits: Limits,
    /// Where it runs.
    pub locality: Locality,
    /// Where it can be dialed. What the peer cannot use is left out.
    pub addresses: Vec<String>,
}

/// What the handshake found out.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Who it is, or says it is.
    pub node: NodeId,
    /// What it accepts.
    pub limits: Limits,
    /// Where it runs.
    pub locality: Locality,
    /// Where it can be dialed from here.
    pub addresses: Vec<String>,
    /// The lease of the session: the smaller of the two.
    pub lease: Duration,
    /// When the frame left that opened the session from this side.
    pub sent: Time,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeError {
    /// The peer refused.
    Refused(RefusedCode, String),
    /// This side refuses: the frame must still be sent.
    Refuse(RefusedCode, String),
    /// Another node than the one meant.
    WrongNode(NodeId),
    /// The peer wants to resume a session (8): that is not for this one.
    Resume(Resume),
    /// The peer said something that does not belong into a handshake.
    Misbehaved(&'static str),
}

/// The state of one handshake: feed it with [`handle`](Self::handle), send what [`start`](Self::start) and `handle` return.
#[derive(Debug)]
pub struct Handshake {
    role: Role,
    me: Introduction,
    /// When the Hello of this side left.
    sent: Time,
    /// What a Welcome of this side says about resuming: session id and token.
    session: [u8; 16],
    token: Vec<u8>,
}

/// The handshake is over.
#[derive(Debug)]
pub struct Opened {
    /// The node at the other end.
    pub peer: Peer,
    /// What must be sent before anything else.
    pub welcome: Option<Frame>,
    /// What it will take to resume the session.
    pub ticket: Ticket,
}

impl Handshake {
    /// `session` and `token` are random; an acceptor gives them to the dialer.
    pub fn new(role: Role, me: Introduction, session: [u8; 16], token: Vec<u8>) -> Self {
        Self { role, me, sent: Time(0), session, token }
    }

    /// What this side says first.
    pub fn start(&mut self, now: Time) -> Option<Frame> {
        self.sent = now;
        if self.role == Role::Accept {
            return None;
        }
        Some(Frame::Hello(Hello {
            versions: (VERSION, VERSION),
            node: self.me.node,
            expect: None,
            symmetric: self.role == Role::Attach,
            lease_ms: millis(self.me.lease),
            limits: self.me.limits,
            host: self.me.locality.host,
            process: self.me.locality.process,
            addresses: self.me.addresses.clone(),
        }))
    }

    /// A frame arrived; `None`: wait for another. `admit` says whether an acceptor would take one more session.
    pub fn handle(
        &mut self,
        frame: Frame,
        now: Time,
        admit: impl FnOnce() -> Result<(), (RefusedCode, String)>,
    ) -> Result<Option<Opened>, HandshakeError> {
        match frame {
            Frame::Hello(hello) => self.hello(hello, now, admit),
            Frame::Resume(resume) if self.role == Role::Accept => Err(HandshakeError::Resume(resume)),
            Frame::Welcome(welcome) if self.role != Role::Accept => self.welcome(welcome),
            Frame::Refused(Refused { code, text }) if self.role != Role::Accept => {
                Err(HandshakeError::Refused(code, text))
            }
            _ => Err(HandshakeError::Misbehaved("it sent something else than a handshake")),
        }
    }

    fn hello(
        &mut self,
        hello: Hello,
        now: Time,
        admit: impl FnOnce() -> Result<(), (RefusedCode, String)>,
    ) -> Result<Option<Opened>, HandshakeError> {
        let refuse = |code, text: String| Err(HandshakeError::Refuse(code, text));
        let (lowest, highest) = hello.versions;
        match self.role {
            Role::Dial(_) => return Err(HandshakeError::Misbehaved("it answered Hello with Hello")),
            // The side with the smaller id accepts (2.3).
            Role::Attach if hello.symmetric && self.me.node.to_bytes() > hello.node.to_bytes() => {
                return Ok(None);
            }
            Role::Attach | Role::Accept => {}
        }
        if lowest > VERSION || highest < VERSION {
            return refuse(
                RefusedCode::NoCommonVersion,
                format!("this node speaks version {VERSION}, not {lowest} to {highest}"),
            );
        }
        if hello.lease_ms < MIN_LEASE_MS {
            return refuse(RefusedCode::Malformed, format!("a lease of {} ms is too short", hello.lease_ms));
        }
        if hello.node == NodeId::from_bytes([0; 16]) {
            return refuse(RefusedCode::Malformed, "a node's identity is not zero".into());
        }
        if hello.node == self.me.node {
            return refuse(RefusedCode::SameNode, "this is the dialing node itself".into());
        }
        if hello.expect.is_some_and(|expect| expect != self.me.node) {
            return refuse(RefusedCode::OtherNode, format!("this is node {}", self.me.node));
        }
        if let Err((code, text)) = admit() {
            return refuse(code, text);
        }
        let locality = Locality { host: hello.host, process: hello.process };
        let peer = self.peer(hello.node, hello.limits, locality, hello.addresses, hello.lease_ms, now);
        let here = self.me.locality;
        let welcome = Frame::Welcome(Welcome {
            version: VERSION,
            node: self.me.node,
            session: self.session,
            token: self.token.clone(),
            lease_ms: millis(self.me.lease),
            limits: self.me.limits,
            host: here.host,
            process: here.process,
            addresses: self.me.addresses.iter().filter(|a| here.may_give(a, &locality)).cloned().collect(),
        });
        // Who did not dial cannot dial again.
        let ticket = match hello.symmetric {
            true => Ticket::None,
            false => Ticket::Issued { session: self.session, token: self.token.clone(), previous: None },
        };
        Ok(Some(Opened { peer, welcome: Some(welcome), ticket }))
    }

    fn welcome(&mut self, welcome: Welcome) -> Result<Option<Opened>, HandshakeError> {
        if welcome.version != VERSION {
            return Err(HandshakeError::Misbehaved("it chose a version that was not offered"));
        }
        if welcome.lease_ms < MIN_LEASE_MS {
            return Err(HandshakeError::Misbehaved("its lease is too short"));
        }
        if let Role::Dial(Some(expect)) = self.role
            && welcome.node != expect
        {
            return Err(HandshakeError::WrongNode(welcome.node));
        }
        if welcome.node == self.me.node {
            return Err(HandshakeError::Misbehaved("it claims to be this very node"));
        }
        let locality = Locality { host: welcome.host, process: welcome.process };
        let Welcome { node, session, token, limits, addresses, lease_ms, .. } = welcome;
        let ticket = match self.role {
            Role::Dial(_) => Ticket::Held { session, token },
            _ => Ticket::None,
        };
        let peer = self.peer(node, limits, locality, addresses, lease_ms, self.sent);
        Ok(Some(Opened { peer, welcome: None, ticket }))
    }

    fn peer(
        &self,
        node: NodeId,
        limits: Limits,
        locality: Locality,
        mut addresses: Vec<String>,
        lease_ms: u64,
        sent: Time,
    ) -> Peer {
        addresses.retain(|address| locality.may_give(address, &self.me.locality));
        let lease = self.me.lease.min(Duration::from_millis(lease_ms));
        Peer { node, limits, locality, addresses, lease, sent }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
