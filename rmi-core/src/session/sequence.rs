//! Numbered frames: the ring of what is not acknowledged on one side, the count of what arrived on the other
//! (PROTOCOL 3.1 to 3.3).

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Buf, BytesMut};

use crate::session::message::{Chunk, Segments};
use crate::session::time::Time;
use crate::wire::{Frame, MessageHead, Table, encode_message};

/// How long a received frame may wait for its Ack.
const ACK_DELAY: Duration = Duration::from_millis(100);

/// How many received bytes may wait for their Ack, whatever the ring holds: what is acknowledged early is memory that the
/// peer uses again while it is in its caches.
const ACK_BYTES: u64 = 128 * 1024;

/// Pieces of payloads from this size on are not copied behind the head of their frame.
const GATHER: usize = 4096;

/// How many received frames may wait for their Ack when something leaves anyway: the peer's ring stays small.
const ACK_FRAMES: u64 = 64;

/// How much memory is taken at a time for frames that are encoded: at first, and when many are encoded before they leave.
const BLOCK: RangeInclusive<usize> = 4 * 1024..=64 * 1024;

/// What the head of a frame needs that carries no references.
const HEAD: usize = 64;

/// How much the batches of a ring that is empty may keep for the next ones.
const SPARE_BATCHES: usize = 64;

/// Frames that left and are not acknowledged, in the batches in which they were written, and those about to leave.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// The number of the last frame that was numbered.
    last: u64,
    acked: u64,
    /// The number of the last frame that was handed to a connection.
    taken: u64,
    batches: VecDeque<Batch>,
    /// How many of them were handed to the present connection.
    sent: usize,
    /// Bytes in those that were not.
    again: usize,
    /// Encoded, numbered, not yet handed to a connection: what is complete, and what frames are being added to.
    ready: Segments,
    tail: BytesMut,
    /// How much memory is taken next for the tail.
    block: usize,
    /// Bytes in both.
    fresh: usize,
    /// Bytes in `batches`.
    bytes: usize,
}

#[derive(Debug)]
struct Batch {
    /// The numbers of its first and last frames.
    first: u64,
    last: u64,
    segments: Segments,
    bytes: usize,
    sent: Time,
}

impl Ring {
    /// The number of the last frame that was numbered.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The number of the last frame that the peer is known to have received.
    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// Numbers and encodes a frame: from here on it leaves. Returns its number.
    pub(super) fn push(&mut self, frame: &Frame) -> u64 {
        self.prepare(0);
        let before = self.tail.len();
        let chunk = frame.encode_head(&mut self.tail);
        self.append(before, Chunk::Copied(chunk))
    }

    /// The same with the first frame of a message.
    pub(super) fn push_message(
        &mut self,
        head: MessageHead,
        table: Option<&Table>,
        size: u64,
        chunk: Chunk<'_>,
    ) -> u64 {
        self.prepare(match chunk {
            Chunk::Copied(bytes) => bytes.len(),
            // What little stands before what is large.
            Chunk::Shared(_) => 0,
        });
        let before = self.tail.len();
        encode_message(&mut self.tail, head, table, size, chunk.len());
        self.append(before, chunk)
    }

    /// Sees to memory for a frame whose payload takes so much of it. What the peer has acknowledged is used again.
    fn prepare(&mut self, payload: usize) {
        let need = HEAD + payload;
        if self.tail.capacity() - self.tail.len() >= need || self.tail.try_reclaim(need) {
            return;
        }
        self.block = if self.tail.is_empty() { self.block / 2 } else { self.block * 2 };
        self.block = self.block.clamp(*BLOCK.start(), *BLOCK.end());
        let full = std::mem::replace(&mut self.tail, BytesMut::with_capacity(self.block.max(need)));
        if !full.is_empty() {
            self.ready.push(full.freeze());
        }
    }

    /// A frame has been encoded from `before` on, but for its payload.
    fn append(&mut self, before: usize, chunk: Chunk<'_>) -> u64 {
        self.fresh += self.tail.len() - before + chunk.len();
        match chunk {
            Chunk::Copied(bytes) => self.tail.extend_from_slice(bytes),
            Chunk::Shared(rope) => rope.iter().for_each(|piece| match piece.len() {
                0..GATHER => self.tail.extend_from_slice(piece),
                _ => {
                    if !self.tail.is_empty() {
                        self.ready.push(self.tail.split().freeze());
                    }
                    self.ready.push(piece.clone());
                }
            }),
        }
        self.last += 1;
        self.last
    }

    /// Bytes that are numbered and not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.bytes + self.fresh
    }

    /// Bytes that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.fresh + self.again
    }

    /// The number of the last frame that was handed to a connection.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// What is to be written now. It stays in the ring until it is acknowledged.
    pub(super) fn take(&mut self, now: Time) -> Segments {
        if let Some(batch) = self.batches.get(self.sent) {
            // As it was: a frame that has a number never changes. Nor does the time at which it left first: the Resume that asks
            // for it may have been held up while the peer received it, and its Ack must not prove that the peer lived later.
            self.sent += 1;
            self.again -= batch.bytes;
            return batch.segments.clone();
        }
        let mut segments = std::mem::take(&mut self.ready);
        if !self.tail.is_empty() {
            segments.push(self.tail.split().freeze());
        }
        if !segments.is_empty() {
            let bytes = std::mem::take(&mut self.fresh);
            self.bytes += bytes;
            let first = self.taken + 1;
            self.taken = self.last;
            let copy = segments.clone();
            self.batches.push_back(Batch { first, last: self.last, segments: copy, bytes, sent: now });
            self.sent += 1;
        }
        segments
    }

    /// The peer has received the frames up to `frame`. Returns when the last batch left of which it has received any;
    /// `Err`: that frame never left, or less was acknowledged than before.
    pub(super) fn acknowledged(&mut self, frame: u64) -> Result<Option<Time>, ()> {
        if frame > self.taken || frame < self.acked {
            return Err(());
        }
        self.acked = frame;
        let mut sent = None;
        while let Some(batch) = self.batches.front() {
            if batch.first <= frame {
                sent = Some(batch.sent);
            }
            if batch.last > frame {
                break;
            }
            self.bytes -= batch.bytes;
            match self.sent.checked_sub(1) {
                Some(sent) => self.sent = sent,
                None => self.again -= batch.bytes,
            }
            self.batches.pop_front();
        }
        self.trim();
        if self.batches.is_empty() {
            self.batches.shrink_to(SPARE_BATCHES);
            // Nothing may come for long.
            if self.tail.is_empty() {
                self.tail = BytesMut::new();
            }
        }
        Ok(sent)
    }

    /// There is a new connection: what is not acknowledged is to be sent again, from the first frame that is not.
    pub(super) fn rewind(&mut self) {
        self.trim();
        (self.sent, self.again) = (0, self.bytes);
    }

    /// Drops the acknowledged frames of a batch of which others are not: they do not count, and do not leave again.
    fn trim(&mut self) {
        let Some(batch) = self.batches.front_mut() else { return };
        let before = batch.bytes;
        while batch.first <= self.acked && batch.bytes >= 4 {
            let mut length = [0; 4];
            let bytes = batch.segments.iter().flat_map(|segment| segment.iter());
            bytes.zip(&mut length).for_each(|(from, to)| *to = *from);
            let frame = (4 + u32::from_be_bytes(length) as usize).min(batch.bytes);
            skip(&mut batch.segments, frame);
            batch.bytes -= frame;
            batch.first += 1;
        }
        let trimmed = before - batch.bytes;
        self.bytes -= trimmed;
        if self.sent == 0 {
            self.again -= trimmed;
        }
    }
}

/// Drops the first `bytes` of what is to be written.
pub(super) fn skip(segments: &mut Segments, mut bytes: usize) {
    let whole = segments.iter().take_while(|segment| {
        let is_whole = segment.len() <= bytes;
        if is_whole {
            bytes -= segment.len();
        }
        is_whole
    });
    let whole = whole.count();
    segments.drain(..whole);
    if let Some(first) = segments.first_mut() {
        first.advance(bytes.min(first.len()));
    }
}

/// What arrived, and what of it the peer knows.
#[derive(Debug, Default)]
pub(super) struct Received {
    frames: u64,
    /// What the last Ack said.
    acked: u64,
    /// Bytes since the last Ack.
    bytes: u64,
    due: Option<Time>,
}

impl Received {
    /// A numbered frame of `len` bytes arrived. Returns its number.
    pub(super) fn count(&mut self, len: usize, now: Time) -> u64 {
        self.frames += 1;
        self.bytes += len as u64;
        self.due.get_or_insert_with(|| now + ACK_DELAY);
        self.frames
    }

    /// The number of the last frame.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// The peer was told how far this side is, in other words than an Ack.
    pub(super) fn told(&mut self) {
        self.acked = self.frames;
        (self.bytes, self.due) = (0, None);
    }

    /// When an Ack must leave at the latest.
    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }

    /// Whether so much has arrived that an Ack should leave whatever the time.
    pub(super) fn is_due(&self, ring: u64) -> bool {
        self.bytes >= (ring / 4).min(ACK_BYTES)
    }

    /// The Ack to send now, if one is due: after a delay, when a quarter of `ring` bytes, or [`ACK_BYTES`], wait for it; or when
    /// [`ACK_FRAMES`] do, as something leaves anyway.
    pub(super) fn acknowledge(&mut self, now: Time, ring: u64) -> Option<u64> {
        let due = self.due.is_some_and(|due| due <= now) || self.is_due(ring);
        let due = due || self.frames - self.acked >= ACK_FRAMES;
        if !due || self.frames == self.acked {
            return None;
        }
        self.told();
        Some(self.frames)
    }
}

#[cfg(test)]
mod tests;
