//! The reader of a connection: takes frames from what arrived, has them handled, and sends what that led to.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use crate::node::clock;
use crate::node::connection::desk::{Desk, Seat};
use crate::node::dispatch::{Close, Inbox, Work, handle_plain};
use crate::node::execution::note_long;
use crate::node::link::{Link, Reason};
use crate::pool;
use crate::session::Time;
use crate::transport::Reader;
use crate::wire::{self, Frame};

/// Frames from this size on are read into memory of their own: what keeps a payload keeps no more than its frame, and nothing is
/// moved when they come one after another.
const LARGE: usize = pool::WORTH;

/// How much is read at a time: at least, as an idle session keeps so much memory, and at most.
const ROOM: RangeInclusive<usize> = 4 * 1024..=64 * 1024;

/// What a connection is read with.
pub(super) struct Reading {
    pub(super) reader: Reader,
    /// What was read and not handled.
    buffer: BytesMut,
    /// The frame that is being read, if it is large: what is here of it, and how long it is.
    large: Option<(Vec<u8>, usize)>,
    /// How much is read at a time.
    room: usize,
    pub(super) inbox: Inbox,
}

impl Reading {
    /// `buffer`: what was read already.
    pub(super) fn new(reader: Reader, buffer: BytesMut, inbox: Inbox) -> Self {
        Self { reader, buffer, large: None, room: *ROOM.start(), inbox }
    }

    /// Handles the next frame, if all of it is here.
    fn next(&mut self, link: &Arc<Link>, now: Time) -> Result<Option<Work>, Close> {
        let limits = &link.core.settings.limits;
        let violation = |error: wire::WireError| Close(Reason::Violation(error.to_string()));
        let Some(bytes) = self.frame(limits.max_frame_len()).map_err(violation)? else { return Ok(None) };
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

    /// The next frame's kind byte and body.
    fn frame(&mut self, max: usize) -> Result<Option<Bytes>, wire::WireError> {
        if let Some((frame, _)) = self.large.take_if(|(frame, length)| frame.len() == *length) {
            return Ok(Some(pool::share(frame)));
        }
        if self.large.is_some() {
            return Ok(None);
        }
        let whole = wire::split(&mut self.buffer, max)?;
        if whole.is_none()
            && let Some(length) = wire::announced(&self.buffer).filter(|length| *length >= LARGE)
        {
            let mut frame = pool::take(length);
            frame.extend_from_slice(&self.buffer[4..]);
            self.buffer.clear();
            self.large = Some((frame, length));
            // The next one is probably large, too: only its beginning has to be moved.
            self.room = *ROOM.start();
        }
        Ok(whole)
    }

    async fn more(&mut self) -> Result<(), Close> {
        self.read().await.map_err(|error| {
            Close(Reason::Broken(match error.kind() {
                io::ErrorKind::UnexpectedEof => "the peer closed it".into(),
                _ => error.to_string(),
            }))
        })
    }

    async fn read(&mut self) -> io::Result<()> {
        let read = match &mut self.large {
            Some((frame, length)) => {
                let left = *length - frame.len();
                self.reader.read_buf(&mut frame.limit(left)).await?
            }
            None => {
                self.make_room();
                let room = self.buffer.capacity() - self.buffer.len();
                let read = self.reader.read_buf(&mut self.buffer).await?;
                if read == room {
                    self.room = (self.room * 2).min(*ROOM.end());
                } else if read < self.room / 4 {
                    self.room = (self.room / 2).max(*ROOM.start());
                }
                read
            }
        };
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Memory that was needed once is given back.
    fn make_room(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * self.room {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(self.room);
    }
}

/// Starts a reader, if none has what a connection is read with. A task of its own: a servant that keeps its thread busy does not keep
/// the writer from renewing the lease.
pub(super) fn start(link: &Arc<Link>, desk: &Arc<Desk>) {
    if let Some(seat) = desk.sit_down() {
        // Without a task the seat is given up, and the connection with it.
        link.core.spawn(read(link.clone(), desk.clone(), seat));
    }
}

/// Reads until the connection is of no more use, or another reads in its place.
async fn read(link: Arc<Link>, desk: Arc<Desk>, mut seat: Seat) {
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
                let (path, began) = (served.path(), now);
                link.give_away_writer();
                let is_here = seat.leave_for(path, || served.start(link));
                now = clock::now();
                note_long(link, path, began, now);
                if !is_here {
                    link.send(now);
                    return Ok(false);
                }
            }
        }
        if link.has_enough() {
            link.send_all(now);
        }
    }
    link.send_all(now);
    Ok(true)
}
