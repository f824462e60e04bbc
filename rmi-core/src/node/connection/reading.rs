//! The reader of a connection: takes frames from what arrived, has them handled, and sends what that led to.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use crate::invoke::Contents;
use crate::node::clock;
use crate::node::connection::desk::{Desk, Seat};
use crate::node::dispatch::{Close, Inbox, PlainAnswer, PlainAnswers, Work, handle_answers, handle_call};
use crate::node::execution::note_long;
use crate::node::link::{Link, Reason};
use crate::pool;
use crate::session::Time;
use crate::transport::Reader;
use crate::wire::{self, Frame, Limits, Plain};

/// Frames from this size on are read into memory of their own: what keeps a payload keeps no more than its frame, and nothing is
/// moved when they come one after another.
const LARGE: usize = pool::WORTH;

/// How much is read at a time: at least, as an idle session keeps so much memory, and at most.
const ROOM: RangeInclusive<usize> = 1024..=64 * 1024;

/// How many answers are handled in one step, at most.
const MANY: usize = 64;

/// What a connection is read with.
pub(super) struct Reading {
    pub(super) reader: Reader,
    /// What was read and not handled.
    buffer: BytesMut,
    /// The frame that is being read, if it is large.
    large: Option<Large>,
    /// How much is read at a time.
    room: usize,
    inbox: Inbox,
}

/// A large frame, of which not all is here.
enum Large {
    /// In memory of its own, and its length, kind byte and body.
    Apart(Vec<u8>, usize),
    /// The continuation of a message: its payload is read to where that message is. How long that is before and afterwards.
    More { first: u64, payload: RangeInclusive<usize>, len: usize },
}

/// What is to be handled.
enum Arrived {
    Frame(Bytes),
    /// The payload of a frame of `len` bytes is where its message is.
    More {
        first: u64,
        len: usize,
    },
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
        let mut bytes = match self.arrived(limits).map_err(violation)? {
            None => return Ok(None),
            Some(Arrived::Frame(bytes)) => bytes,
            Some(Arrived::More { first, len }) => {
                return self.inbox.handle_more(link, now, first, len).map(Some);
            }
        };
        let len = bytes.len() + 4;
        let work = match wire::plain(&bytes, limits) {
            Some((Plain::Call { call, object, method }, at)) => {
                bytes.advance(at);
                handle_call(link, now, len, call, (object, method), bytes)
            }
            Some((Plain::Reply { call, status }, at)) => {
                bytes.advance(at);
                let mut answers = PlainAnswers::new();
                answers.push(PlainAnswer { len, call, status, payload: bytes.into() });
                self.more_answers(&mut answers, limits);
                handle_answers(link, now, answers).map(|()| Work::Done)
            }
            None => {
                let frame = Frame::decode(bytes, limits).map_err(violation)?;
                self.inbox.handle(link, now, frame, len)
            }
        };
        work.map(Some)
    }

    /// Takes the answers that come next, whole ones without references, as far as they are here.
    fn more_answers(&mut self, answers: &mut PlainAnswers, limits: &Limits) {
        while answers.len() < MANY
            && let Some(body) = wire::peek(&self.buffer, limits.max_frame_len())
            && let Some((Plain::Reply { call, status }, at)) = wire::plain(body, limits)
        {
            let len = body.len() + 4;
            let few = body.get(at..).and_then(Contents::few);
            let payload = match few {
                Some(few) => {
                    self.buffer.advance(len);
                    few
                }
                None => {
                    self.buffer.advance(4 + at);
                    self.buffer.split_to(len - 4 - at).freeze().into()
                }
            };
            answers.push(PlainAnswer { len, call, status, payload });
        }
    }

    /// What there is to handle next.
    fn arrived(&mut self, limits: &Limits) -> Result<Option<Arrived>, wire::WireError> {
        if self.large.is_none() {
            if let Some(frame) = wire::split(&mut self.buffer, limits.max_frame_len())? {
                return Ok(Some(Arrived::Frame(frame)));
            }
            self.begin_large(limits);
        }
        let is_here = match &self.large {
            None => false,
            Some(Large::Apart(frame, length)) => frame.len() == *length,
            Some(Large::More { first, payload, .. }) => {
                self.inbox.room(*first, 0).is_some_and(|message| message.len() == *payload.end())
            }
        };
        if !is_here {
            return Ok(None);
        }
        Ok(self.large.take().map(|large| match large {
            Large::Apart(frame, _) => Arrived::Frame(pool::share(frame)),
            Large::More { first, len, .. } => Arrived::More { first, len },
        }))
    }

    /// What is not all here gets its place, if it is large.
    fn begin_large(&mut self, limits: &Limits) {
        let length = wire::announced(&self.buffer).filter(|length| *length >= LARGE);
        let Some(length) = length else { return };
        let here = &self.buffer[4..];
        let continued = wire::continued(here, length, limits);
        let message =
            continued.and_then(|(first, at)| Some((first, at, self.inbox.room(first, length - at)?)));
        self.large = Some(match message {
            Some((first, at, message)) => {
                let before = message.len();
                message.extend_from_slice(&here[at..]);
                Large::More { first, payload: before..=before + length - at, len: length + 4 }
            }
            None => {
                let mut frame = pool::take(length);
                frame.extend_from_slice(here);
                Large::Apart(frame, length)
            }
        });
        self.buffer.clear();
        // The next one is probably large, too: only its beginning has to be moved.
        self.room = *ROOM.start();
    }

    /// What outlives the connection. What is here of a frame comes again over the next one.
    pub(super) fn end(mut self) -> (Reader, Inbox) {
        if let Some(Large::More { first, payload, .. }) = self.large
            && let Some(message) = self.inbox.room(first, 0)
        {
            message.truncate(*payload.start());
        }
        (self.reader, self.inbox)
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
            Some(Large::Apart(frame, length)) => {
                let left = *length - frame.len();
                self.reader.read_buf(&mut frame.limit(left)).await?
            }
            Some(Large::More { first, payload, .. }) => {
                let message = self.inbox.room(*first, 0).ok_or(io::ErrorKind::NotFound)?;
                let left = payload.end() - message.len();
                self.reader.read_buf(&mut message.limit(left)).await?
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
        // Many small frames come one after another into the same memory.
        let free = self.buffer.capacity() - self.buffer.len();
        let frame = wire::announced(&self.buffer).map_or(0, |length| length + 4);
        if free < self.room / 2 || self.buffer.capacity() < frame {
            self.buffer.reserve(self.room.max(frame.saturating_sub(self.buffer.len())));
        }
    }
}

/// Starts a reader, if none has what a connection is read with. A task of its own: a servant that keeps its thread busy does not keep
/// the writer from renewing the lease.
pub(super) fn start(link: &Arc<Link>, desk: &Arc<Desk>) {
    if let Some(seat) = desk.sit_down() {
        // Without a task the seat is given up, and the connection with it.
        if let Some(task) = link.core.spawn(read(link.clone(), seat)) {
            desk.started(task);
        }
    }
}

/// Reads until the connection is of no more use, or another reads in its place, or until it is aborted, while it waits.
async fn read(link: Arc<Link>, mut seat: Seat) {
    loop {
        match handle_all(&link, &mut seat) {
            Ok(true) => {}
            Ok(false) => return,
            Err(Close(reason)) => return seat.end(reason),
        }
        let Some(reading) = seat.reading() else { return };
        if let Err(Close(reason)) = reading.more().await {
            return seat.end(reason);
        }
    }
}

/// Handles everything that has arrived. False: another reads now.
fn handle_all(link: &Arc<Link>, seat: &mut Seat) -> Result<bool, Close> {
    // What is handled within one tick is handled at one time.
    let (mut now, mut tick) = (clock::now(), clock::tick());
    loop {
        let Some(reading) = seat.reading() else { return Ok(false) };
        match reading.next(link, now)? {
            None => break,
            Some(Work::Done) => {}
            Some(Work::Serve(served)) => {
                let (path, began) = (served.path(), now);
                link.give_away_writer();
                let is_here = seat.leave_for(path, || served.start(link));
                if clock::tick() != tick {
                    (now, tick) = (clock::now(), clock::tick());
                    note_long(link, path, began, now);
                }
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
