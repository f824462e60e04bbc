//! The reader of a connection: takes frames from what arrived, has them handled, and sends what that led to.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;

use crate::node::clock;
use crate::node::connection::desk::{Desk, Seat};
use crate::node::connection::handshake::read_some;
use crate::node::dispatch::{Close, Inbox, Work, handle_plain};
use crate::node::link::{Link, Reason};
use crate::session::Time;
use crate::transport::Reader;
use crate::wire::{self, Frame};

/// What a connection is read with.
pub(super) struct Reading {
    pub(super) reader: Reader,
    /// What was read and not handled.
    pub(super) buffer: BytesMut,
    pub(super) inbox: Inbox,
}

impl Reading {
    /// Handles the next frame, if all of it is here.
    fn next(&mut self, link: &Arc<Link>, now: Time) -> Result<Option<Work>, Close> {
        let limits = &link.core.settings.limits;
        let violation = |error: wire::WireError| Close(Reason::Violation(error.to_string()));
        let Some(bytes) = wire::split(&mut self.buffer, limits.max_frame_len()).map_err(violation)? else {
            return Ok(None);
        };
        let len = bytes.len() + 4;
        let work = match wire::plain(&bytes, limits) {
            Some((plain, at)) => handle_plain(link, now, plain, bytes, at),
            None => {
                let frame = Frame::decode(bytes, limits).map_err(violation)?;
                self.inbox.handle(link, now, frame, len)
            }
        };
        work.map(Some)
    }

    async fn more(&mut self) -> Result<(), Close> {
        read_some(&mut self.reader, &mut self.buffer).await.map_err(|error| {
            Close(Reason::Broken(match error.kind() {
                io::ErrorKind::UnexpectedEof => "the peer closed it".into(),
                _ => error.to_string(),
            }))
        })
    }
}

/// Reads until the connection is of no more use, or another reads in its place.
pub(super) async fn read(link: Arc<Link>, desk: Arc<Desk>, mut seat: Seat) {
    loop {
        match handle_all(&link, &mut seat) {
            Ok(true) => {}
            Ok(false) => return,
            Err(Close(reason)) => return seat.end(reason),
        }
        let Some(reading) = seat.reading() else { return };
        let more = tokio::select! {
            biased;
            more = reading.more() => more,
            () = desk.stopping() => return,
        };
        if let Err(Close(reason)) = more {
            return seat.end(reason);
        }
    }
}

/// Handles everything that has arrived. False: another reads now.
fn handle_all(link: &Arc<Link>, seat: &mut Seat) -> Result<bool, Close> {
    let mut now = clock::now();
    loop {
        let Some(reading) = seat.reading() else { return Ok(false) };
        match reading.next(link, now)? {
            None => break,
            Some(Work::Done) => {}
            Some(Work::Serve(served)) => {
                if !seat.leave_for(served.path(), || served.start(link)) {
                    link.send(clock::now());
                    return Ok(false);
                }
                now = clock::now();
            }
        }
        if link.has_enough() {
            link.send_all(now);
        }
    }
    link.send_all(now);
    Ok(true)
}
