//! A session outlives its connections (PROTOCOL 8).
//!
//! A connection that breaks detaches the session: nothing is lost, nothing new begins. The side that dialed dials again and
//! says Resume; the other checks the token, lets go of the old connection, and only then says how far it got.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::session::state::{Handles, Lost, Phase, Session, SessionError, violation};
use crate::session::time::Time;
use crate::wire::{Frame, Resume, Resumed};

/// What it takes to resume a session.
pub enum Ticket {
    /// Nothing can: neither side dialed.
    None,
    /// This side dialed, and has what the other gave it.
    Held {
        /// The session's name.
        session: [u8; 16],
        /// The latest token.
        token: Vec<u8>,
    },
    /// This side accepted, and gave these.
    Issued {
        /// The session's name.
        session: [u8; 16],
        /// The latest token.
        token: Vec<u8>,
        /// The one before, as long as the peer may not have received the latest.
        previous: Option<Vec<u8>>,
    },
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Held { .. } => "Held",
            Self::Issued { .. } => "Issued",
        })
    }
}

impl Ticket {
    /// The session's name, at the side that accepted it.
    pub fn issued(&self) -> Option<[u8; 16]> {
        match self {
            Self::Issued { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// Whether this is a token of the session. It takes the same time for every wrong one of the right length.
    fn admits(&self, presented: &[u8]) -> bool {
        let Self::Issued { token, previous, .. } = self else { return false };
        let is = |token: &[u8]| bool::from(token.ct_eq(presented));
        is(token) | previous.as_deref().is_some_and(is)
    }

    /// A frame came on the connection for which the latest token was given.
    pub(super) fn arrived(&mut self) {
        if let Self::Issued { previous, .. } = self {
            *previous = None;
        }
    }
}

impl<H: Handles> Session<H> {
    /// The connection broke. What was numbered and is not acknowledged stays to be sent again; calls, imports, listings and
    /// pins stay. False: this session cannot be resumed, [`lapse`](Self::lapse) it.
    pub fn detach(&mut self, now: Time) -> bool {
        if matches!(self.phase, Phase::Detached(_)) {
            return true;
        }
        let lease = self.lease.as_ref().is_some_and(|lease| now < lease.holder_end());
        if self.phase != Phase::Open || matches!(self.ticket, Ticket::None) || self.parting || !lease {
            return false;
        }
        self.phase = Phase::Detached(now);
        self.pongs.clear();
        self.stalled = None;
        true
    }

    /// What the dialer says on a new connection. `None`: there is nothing to resume.
    pub fn resume(&mut self, now: Time) -> Option<Frame> {
        let Ticket::Held { session, token } = &self.ticket else { return None };
        if !self.may_go_on(now) {
            return None;
        }
        self.resuming = now;
        let (session, token) = (*session, token.clone());
        Some(Frame::Resume(Resume { session, token, received: self.received.frames() }))
    }

    /// The acceptor took the dialer's [`resume`](Self::resume): frames flow again.
    pub fn resumed(&mut self, now: Time, resumed: Resumed) -> Result<(), SessionError> {
        if !self.may_go_on(now) {
            return Err(SessionError::Expired);
        }
        if let Ticket::Held { token, .. } = &mut self.ticket {
            *token = resumed.token;
        }
        let sent = self.resuming;
        self.go_on(now, resumed.received)?;
        // It answered what left then.
        self.lease.iter_mut().for_each(|lease| lease.confirmed(sent));
        Ok(())
    }

    /// Whether a Resume with this token may take the session over. Nothing changes.
    pub fn may_resume(&self, now: Time, token: &[u8]) -> bool {
        self.may_go_on(now) && self.ticket.admits(token)
    }

    /// The dialer resumes. Its old connection must be gone: nothing of it may be handled any more. Returns what to answer;
    /// `next` is the next token.
    pub fn accept(&mut self, now: Time, resume: &Resume, next: Vec<u8>) -> Result<Frame, SessionError> {
        if !self.may_resume(now, &resume.token) {
            return Err(SessionError::Expired);
        }
        if let Ticket::Issued { token, previous, .. } = &mut self.ticket {
            // If this answer is lost, the dialer comes with the same token again. It gets the same answer then: it may have received
            // the first one all the same, if this Resume was under way for long.
            if previous.as_ref() != Some(&resume.token) {
                *previous = Some(std::mem::replace(token, next));
            }
        }
        let Ticket::Issued { token, .. } = &self.ticket else { return Err(SessionError::Expired) };
        let token = token.clone();
        self.go_on(now, resume.received)?;
        Ok(Frame::Resumed(Resumed { received: self.received.frames(), token }))
    }

    fn may_go_on(&self, now: Time) -> bool {
        let lease = self.lease.as_ref().is_some_and(|lease| now < lease.holder_end());
        matches!(self.phase, Phase::Open | Phase::Detached(_)) && !self.parting && lease
    }

    /// The peer has received the frames up to `received`; what comes behind them is sent again.
    fn go_on(&mut self, now: Time, received: u64) -> Result<(), SessionError> {
        let Ok(sent) = self.ring.acknowledged(received) else {
            return violation(format!("it has received frame {received}, of {}", self.ring.taken()));
        };
        self.ring.rewind();
        self.received.told();
        if let Some(lease) = &mut self.lease {
            sent.into_iter().for_each(|sent| lease.confirmed(sent));
            lease.resumed(now);
        }
        self.phase = Phase::Open;
        self.counters.resumed += 1;
        self.provoked_acknowledged();
        self.pump();
        Ok(())
    }

    /// This side gives up as a holder: imports and calls are lost. Listings and pins stay until the owner's end.
    pub fn lapse(&mut self) -> Lost<H> {
        self.phase = match (self.phase, &self.lease) {
            (Phase::Open | Phase::Detached(_), Some(lease)) => Phase::Lapsed(lease.owner_end()),
            (Phase::Lapsed(until), _) => Phase::Lapsed(until),
            _ => Phase::Ended,
        };
        self.lose()
    }
}
