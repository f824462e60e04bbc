//! Bugs that can be planted: each takes one rule away, by the routing or by tampering with frames; production code
//! has no hooks. They prove that the checks can fail.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Rule 3 left out: a pin does not keep its import.
    WeakPins,
    /// Rule 4 left out: a reference from a third node is taken as confirmed and unpinned at once, without Dirty.
    NoDirty,
    /// Rule 4: the Unpin leaves before the owner has confirmed.
    EarlyUnpin,
    /// Rule 6 without `upto`: Clean says the owner's latest frame.
    NoUpto,
    /// A Clean is encoded anew on its way, with what has arrived since.
    ReencodedClean,
    /// Decoding is spawned: a Clean overtakes the frame before it.
    SpawnedClean,
    /// A caller that gives up takes the pins of its arguments along.
    CancelDropsPins,
    /// A call that is cancelled is not answered.
    SilentCancel,
    /// The owner ends a session whose connection broke at once, before the holder does.
    OwnerFirst,
    /// The owner never ends what is detached.
    NoLease,
    /// Rule 8: what is owed for an entry whose session ended is neither asked for nor paid.
    KeepOwed,
    /// The notice that a handle was dropped is lost.
    ForgetDrop,
    /// Calls are not failed when their session ends.
    ForgetCalls,
    /// A writer is not woken.
    LoseWake,
    /// A plain answer is given to its caller, and the session does not hear of it.
    PlainUncounted,
    /// A plain answer is written past the ring.
    PlainPastRing,
    /// A frame is lost.
    LoseFrame,
    /// A frame arrives twice.
    RepeatFrame,
    /// What was written last before a connection broke is not sent again.
    ReplayLosesLast,
    /// What is sent again begins one frame too early.
    ReplayTooEarly,
    /// What is sent again begins one frame too late.
    ReplayTooLate,
    /// A Clean is encoded anew when it is sent again, with what has arrived since.
    CleanReencodedAtReplay,
    /// The old connection is still read after a new one has taken its place.
    NoFence,
    /// A Resume says that nothing was received.
    ReceivedNotReported,
    /// A Resume says that one frame more was received.
    ReceivedTooHigh,
    /// The token before is not good any more, though the dialer may never have received the latest.
    LatestTokenOnly,
    /// An owner ends a session when its connection breaks.
    OwnerForgetsAtDetach,
    /// A session is resumed though its lease is over.
    ResumeAfterExpiry,
    /// A call whose session ended is said not to have begun, whatever had left.
    SayNotBegun,
    /// Calls are failed when the connection breaks.
    FailCallsAtDetach,
    /// A new object takes the id of one that was collected.
    ReuseId,
}
