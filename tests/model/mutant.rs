//! The rules, each left out once. A model that holds says little until it is seen to fail.

use crate::config::Config;
use crate::property::*;
use crate::scenario::*;

/// What one node does, or all do, against the rules. The names of the rules are those of DESIGN 6 and PROTOCOL 7 and 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// 7.3: who passes a reference on does not pin it.
    NoPin,
    /// 7.4: the Unpin is sent at once, not when the entry is confirmed.
    EarlyUnpin,
    /// 7.4: a reference from a third node makes a confirmed entry, and no Dirty is sent.
    NoDirty,
    /// 7.4: a second Dirty is sent while one is under way, and the first Held confirms.
    TwoDirtys,
    /// 7.4: the owner's own reference confirms an entry whose Dirty is under way.
    OwnerConfirms,
    /// 7.5: a Clean is obeyed whatever its `upto`.
    CleanWithoutUpto,
    /// 7.5: an entry is cleaned before it is confirmed.
    CleanUnconfirmed,
    /// 7.5: a pin does not keep its entry from being cleaned.
    CleanPinned,
    /// 8: a replayed Clean is encoded anew, with what has been received by then.
    CleanReencoded,
    /// 5.3: the table of a message in several frames is applied with the last of them.
    TableWithLastFrame,
    /// 7.7: what is owed is paid because a session broke.
    PaidBecauseBroken,
    /// 7.7: what an entry that nobody holds owed is forgotten with its session.
    NeverPaid,
    /// 7.7: an entry that only pins hold does not ask again.
    PinsDoNotAsk,
    /// 7.6: the owner's end comes before the holder's.
    OwnerEndsFirst,
    /// 7.6: the owner's end never comes.
    NoOwnerEnd,
    /// 7.6: a broken connection ends the listings and pins at once.
    EndsWithConnection,
    /// 8: the whole ring is replayed, whatever was received.
    ReplaysAll,
    /// 8: a frame that was handed to a connection is not replayed.
    RingForgets,
    /// 8: the acceptor goes on reading the old connection after it took a Resume.
    NoFence,
    /// 8: the dialer goes on reading the old connection after it said how much it has received.
    ReadsOn,
    /// 8: a token is of no use from the moment at which the next is given.
    TokenReplacedAtOnce,
    /// 8: who comes with the token before the last gets a new one, and the last is of no use.
    TokenReissued,
    /// 8: a dialer that is told Expired goes on as a holder.
    ExpiredIgnored,
    /// 8: a dialer that gave up as a holder resumes all the same.
    ResumesAfterEnd,
    /// 5.3: a call that is given up takes its pins along.
    CancelUnpins,
    /// 4.1: the calls of a session that ended are not failed.
    CallsForgotten,
}

impl Mutant {
    pub const ALL: [Self; 26] = [
        Self::NoPin,
        Self::EarlyUnpin,
        Self::NoDirty,
        Self::TwoDirtys,
        Self::OwnerConfirms,
        Self::CleanWithoutUpto,
        Self::CleanUnconfirmed,
        Self::CleanPinned,
        Self::CleanReencoded,
        Self::TableWithLastFrame,
        Self::PaidBecauseBroken,
        Self::NeverPaid,
        Self::PinsDoNotAsk,
        Self::OwnerEndsFirst,
        Self::NoOwnerEnd,
        Self::EndsWithConnection,
        Self::ReplaysAll,
        Self::RingForgets,
        Self::NoFence,
        Self::ReadsOn,
        Self::TokenReplacedAtOnce,
        Self::TokenReissued,
        Self::ExpiredIgnored,
        Self::ResumesAfterEnd,
        Self::CancelUnpins,
        Self::CallsForgotten,
    ];

    /// Where it must be caught, and by what.
    pub fn trial(self) -> (Config, &'static str) {
        match self {
            Self::NoPin => (hand_off(), S5),
            Self::EarlyUnpin => (hand_off(), S2),
            Self::NoDirty => (hand_off(), S2),
            Self::TwoDirtys => (hand_off(), S3),
            Self::OwnerConfirms => (hand_off(), S3),
            Self::CleanWithoutUpto => (resumption(), S1),
            Self::CleanUnconfirmed => (hand_off(), S3),
            Self::CleanPinned => (hand_off(), S2),
            Self::CleanReencoded => (resumption(), S2),
            Self::TableWithLastFrame => (fragments(), S2),
            Self::PaidBecauseBroken => (hand_off_expired(), S2),
            Self::NeverPaid => (hand_off_expired(), L3),
            Self::PinsDoNotAsk => (hand_off_expired(), L3),
            Self::OwnerEndsFirst => (expiry(), S2),
            Self::NoOwnerEnd => (hand_off_crash(), L2),
            Self::EndsWithConnection => (resumption(), S5),
            Self::ReplaysAll => (resumption(), S4),
            Self::RingForgets => (resumption(), S4),
            Self::NoFence | Self::ReadsOn => (resumption(), S4),
            Self::TokenReplacedAtOnce | Self::TokenReissued => (resumption_twice(), RESUMED),
            Self::ExpiredIgnored => (expiry(), S2),
            Self::ResumesAfterEnd => (expiry(), L1),
            Self::CancelUnpins => (hand_off_cancelled(), S5),
            Self::CallsForgotten => (expiry(), L4),
        }
    }
}
