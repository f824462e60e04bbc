//! Sending: whoever has something to send hands it to the system at once, unless somebody is doing so, or more is about to come.
//!
//! One writes at a time. Whoever finds another at it leaves; the other looks again when it is done, and wakes the writer, a task, for
//! what has come meanwhile, and for what the system has no room for. The writer alone has patience.

use std::sync::atomic::Ordering;

use crate::id::{MethodId, ObjectId};
use crate::invoke;
use crate::node::clock;
use crate::node::link::Link;
use crate::node::live::{Caller, Live};
use crate::session::{Chunk, Message, Output, Session, Strand, Time, Timeout, Unsent};
use crate::transport::Outlet;

/// A session, and the way out of its present connection.
pub(crate) struct Shared {
    pub(super) session: Session<Live>,
    /// `None`: there is no connection, or its way out takes only what the writer can wait for.
    outlet: Option<Outlet>,
    /// Which connection it is: of who writes to an earlier one nothing is heard any more.
    connection: u64,
    /// Somebody took output, and is handing it to the connection.
    writing: bool,
    /// The writer waits for that.
    awaited: bool,
    /// The writer was woken to send what others leave, and has not looked since.
    called: bool,
    /// What the system had no room for: for the writer.
    rest: Option<Output>,
}

/// What is to be done once the lock is free.
enum Next {
    Nothing,
    Wake,
    Write { outlet: Outlet, connection: u64, output: Output },
}

/// Who asks whether to send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Others like it may be about to send, too.
    OneOfMany,
    /// The reader, when it has handled what has arrived.
    Reader,
}

/// What the writer finds to do.
pub(super) struct Turn {
    pub(super) timeout: Timeout,
    /// What it is to write; then it says [`wrote`](Link::wrote).
    pub(super) output: Option<Output>,
    /// Until when it may sleep.
    pub(super) next: Option<Time>,
}

impl Shared {
    pub(super) fn new(session: Session<Live>) -> Self {
        Self {
            session,
            outlet: None,
            connection: 0,
            writing: false,
            awaited: false,
            called: false,
            rest: None,
        }
    }

    fn next(&mut self, now: Option<Time>, who: Who) -> Next {
        if !self.session.has_output() {
            return if self.session.is_due() { Next::Wake } else { Next::Nothing };
        }
        // What is left comes first: the writer knows.
        if self.writing || self.rest.is_some() {
            return Next::Nothing;
        }
        let at_once = who == Who::Reader || self.session.is_quiet() || self.session.has_enough();
        match &self.outlet {
            Some(outlet) if at_once => match self.session.poll_output(now.unwrap_or_else(clock::now)) {
                Some(output) => {
                    self.writing = true;
                    Next::Write { outlet: outlet.clone(), connection: self.connection, output }
                }
                None => self.call_writer(),
            },
            _ => self.call_writer(),
        }
    }

    /// Once for all who leave it something to send. Before there is a connection somebody else waits to be woken: who dials.
    fn call_writer(&mut self) -> Next {
        let called = std::mem::replace(&mut self.called, true);
        if called && self.connection > 0 { Next::Nothing } else { Next::Wake }
    }
}

impl Link {
    /// There is a connection, whose way out is this.
    pub(super) fn connected(&self, outlet: Option<Outlet>) {
        let mut shared = self.shared.lock();
        shared.connection += 1;
        (shared.outlet, shared.writing, shared.rest) = (outlet, false, None);
        (shared.awaited, shared.called) = (false, false);
    }

    /// Nothing more is written to the connection. What was taken for it stays in the session, for another one.
    pub(super) fn disconnected(&self) {
        let mut shared = self.shared.lock();
        (shared.outlet, shared.rest) = (None, None);
    }

    /// Makes a call that can leave at once: see [`Session::call_plain`].
    pub(crate) fn call_plain(
        &self,
        caller: Caller,
        called: (ObjectId, MethodId),
        deadline: Option<Time>,
        payload: Chunk<'_>,
    ) -> Result<u64, Caller> {
        let (call, next) = self.with_shared(|shared| {
            // What leaves together with others is as late as those: the time is looked at again when it leaves.
            let looks = !shared.session.has_unwritten() || deadline.is_some();
            let time = looks.then(clock::now);
            let now = time.unwrap_or_else(|| shared.session.now());
            let call = shared.session.call_plain(now, caller, called, strand, deadline, payload);
            let next = if call.is_ok() { shared.next(time, Who::OneOfMany) } else { Next::Nothing };
            (call, next)
        });
        self.carry_out(next);
        call
    }

    /// Makes a call: see [`Session::call`].
    pub(crate) fn call(
        &self,
        now: Time,
        caller: Caller,
        message: Message<Live>,
    ) -> Result<u64, Unsent<Live>> {
        let (call, next) = self.with_shared(|shared| {
            let call = shared.session.call(now, caller, message);
            (call, shared.next(Some(now), Who::OneOfMany))
        });
        self.carry_out(next);
        call
    }

    /// Sends what a task has left in the session, or sees to it.
    pub(super) fn send(&self, now: Time) {
        let next = self.with_shared(|shared| shared.next(Some(now), Who::OneOfMany));
        self.carry_out(next);
    }

    /// Sends what the reader has left in the session: it has handled everything that has arrived.
    pub(super) fn send_all(&self, now: Time) {
        let next = self.with_shared(|shared| shared.next(Some(now), Who::Reader));
        self.carry_out(next);
    }

    /// Whether so much waits that it should leave although the reader has more to handle.
    pub(super) fn has_enough(&self) -> bool {
        self.look(Session::has_enough)
    }

    fn carry_out(&self, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Wake => self.wake_writer(),
            Next::Write { outlet, connection, output } => self.write(&outlet, connection, output),
        }
    }

    fn write(&self, outlet: &Outlet, connection: u64, mut output: Output) {
        while !output.is_empty() {
            let written = outlet.try_write(&output.slices());
            match written {
                Ok(written) if written > 0 => output.advance(written),
                // The writer waits for room, or meets the error again.
                _ => break,
            }
        }
        let mut shared = self.shared.lock();
        if shared.connection != connection {
            return;
        }
        shared.writing = false;
        let is_rest = !output.is_empty();
        if is_rest && shared.outlet.is_some() {
            shared.rest = Some(output);
        }
        let awaited = std::mem::take(&mut shared.awaited);
        if is_rest || awaited || shared.session.is_due() {
            drop(shared);
            self.wake_writer();
        }
    }

    /// What the writer is to do now. If somebody else writes, it waits for that.
    pub(super) async fn turn(&self, now: Time) -> Turn {
        loop {
            self.woken.store(false, Ordering::Relaxed);
            let turn = self.with_shared(|shared| {
                let timeout = shared.session.handle_timeout(now);
                shared.called = false;
                if shared.writing {
                    shared.awaited = true;
                    return None;
                }
                let output = shared.rest.take().or_else(|| shared.session.poll_output(now));
                shared.writing = output.is_some();
                Some(Turn { timeout, output, next: shared.session.schedule() })
            });
            match turn {
                Some(turn) => return turn,
                None => self.wake.notified().await,
            }
        }
    }

    /// The writer has written what it took.
    pub(super) fn wrote(&self) {
        self.shared.lock().writing = false;
    }
}

/// That of the calls which are made here.
pub(super) fn strand() -> Strand {
    Strand(invoke::caller())
}
