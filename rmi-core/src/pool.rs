//! Large buffers, used again: what the system gives for new ones must be cleared page by page, which takes longer than to fill it.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::session::Time;

/// Buffers from this size on are worth keeping.
pub(crate) const WORTH: usize = 16 * 1024;

/// How many bytes all of those have that are kept, at most, in the whole process, and how many there are.
const KEPT: usize = 64 * 1024 * 1024;
const MANY: usize = 256;

/// How often it is looked whether they were of use, at most.
const PAUSE: Duration = Duration::from_secs(5);

/// Those that nobody uses.
static SPARE: Mutex<Spare> = Mutex::new(Spare::NONE);

struct Spare {
    /// Those that were used last are at the end.
    buffers: Vec<Vec<u8>>,
    /// Their capacities.
    bytes: usize,
    /// The smallest of that since it was looked at last.
    least: usize,
    /// When that was.
    trimmed: Time,
}

impl Spare {
    const NONE: Self = Self { buffers: Vec::new(), bytes: 0, least: 0, trimmed: Time(0) };

    fn take(&mut self, room: usize) -> Option<Vec<u8>> {
        // The one that was used last is the likeliest to be in a cache. None that is much too large.
        let fits = |buffer: &Vec<u8>| (room..=room.saturating_mul(4)).contains(&buffer.capacity());
        let found = self.buffers.iter().rposition(fits).map(|at| self.buffers.remove(at));
        self.bytes -= found.as_ref().map_or(0, Vec::capacity);
        self.least = self.least.min(self.bytes);
        found
    }

    /// Gives it back if there is no room for it.
    fn keep(&mut self, buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.bytes + buffer.capacity() > KEPT || self.buffers.len() >= MANY {
            return Some(buffer);
        }
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        None
    }

    /// Those that nobody has needed since the last time, if that is long enough ago.
    fn trim(&mut self, now: Time) -> Vec<Vec<u8>> {
        if now < self.trimmed + PAUSE {
            return Vec::new();
        }
        let (mut bytes, mut count) = (0, 0);
        for buffer in &self.buffers {
            if bytes + buffer.capacity() > self.least {
                break;
            }
            bytes += buffer.capacity();
            count += 1;
        }
        let unused = self.buffers.drain(..count).collect();
        self.bytes -= bytes;
        (self.least, self.trimmed) = (self.bytes, now);
        unused
    }
}

/// Gives back to the system what has not been used for a while. Called now and then, however often.
pub(crate) fn trim(now: Time) {
    let unused = SPARE.lock().trim(now);
    // That may take the system long: not under the lock.
    drop(unused);
}

/// An empty buffer with so much room, if one is kept.
pub(crate) fn take_kept(room: usize) -> Option<Vec<u8>> {
    SPARE.lock().take(room)
}

/// An empty buffer with so much room at least.
pub(crate) fn take(room: usize) -> Vec<u8> {
    take_kept(room).unwrap_or_else(|| Vec::with_capacity(room))
}

/// The contents of a buffer, to be shared. When nobody needs them any more, the buffer serves again.
pub(crate) fn share(buffer: Vec<u8>) -> Bytes {
    if is_worth(&buffer) { Bytes::from_owner(Lent(buffer)) } else { buffer.into() }
}

fn is_worth(buffer: &Vec<u8>) -> bool {
    // One that is nearly empty may be kept for long by what little is in it.
    (WORTH..=KEPT).contains(&buffer.capacity()) && buffer.len() >= buffer.capacity() / 8
}

struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        let rest = SPARE.lock().keep(buffer);
        // As above.
        drop(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_serves_again_when_nobody_shares_it() {
        // Of a size that no other test uses.
        let room = 1_234_567;
        let mut first = take(room);
        let at = first.as_ptr();
        first.resize(room, 7);
        let (all, part) = { (share(first), 100..200) };
        let part = all.slice(part);
        drop(all);
        let other = take(room);
        assert_ne!(other.as_ptr(), at, "it is in use");
        assert_eq!(part[..], [7; 100]);
        drop(part);
        let again = take(room - 1000);
        assert_eq!((again.as_ptr(), again.len()), (at, 0));
    }

    #[test]
    fn what_is_not_used_is_given_back() {
        let (mut spare, now) = (Spare::NONE, Time(0) + PAUSE);
        for size in [100, 200, 300] {
            assert!(spare.keep(Vec::with_capacity(size * 1000)).is_none());
        }
        assert!(spare.trim(now).is_empty(), "they have just come");
        let used = spare.take(300_000).unwrap();
        assert!(spare.keep(used).is_none());
        assert!(spare.trim(now + PAUSE / 2).is_empty(), "it is too early to say");
        let unused = spare.trim(now + PAUSE);
        assert_eq!(unused.iter().map(Vec::capacity).collect::<Vec<_>>(), [100_000, 200_000]);
        assert_eq!(spare.bytes, 300_000);
        assert_eq!((spare.trim(now + 2 * PAUSE).len(), spare.bytes), (1, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut spare = Spare::NONE;
        let back = (0..64).filter_map(|_| spare.keep(Vec::with_capacity(KEPT / 20))).count();
        assert_eq!((back, spare.bytes), (44, 20 * (KEPT / 20)));
        let mut spare = Spare::NONE;
        let back = (0..2 * MANY).filter_map(|_| spare.keep(Vec::with_capacity(WORTH))).count();
        assert_eq!(back, MANY);
    }
}
