//! Large buffers, used again: what the system gives for new ones must be cleared page by page, which takes longer than to fill it.

use bytes::Bytes;
use parking_lot::Mutex;

/// Buffers from this size on are worth keeping.
pub(crate) const WORTH: usize = 16 * 1024;

/// The largest one that is kept, and how many bytes all of them have at most, in the whole process.
const LARGEST: usize = 2 * 1024 * 1024;
const KEPT: usize = 8 * 1024 * 1024;

/// Those that nobody uses.
static SPARE: Mutex<Spare> = Mutex::new(Spare { buffers: Vec::new(), bytes: 0 });

struct Spare {
    buffers: Vec<Vec<u8>>,
    /// Their capacities.
    bytes: usize,
}

/// An empty buffer with so much room at least.
pub(crate) fn take(room: usize) -> Vec<u8> {
    let found = {
        let mut spare = SPARE.lock();
        // The one that was used last is the likeliest to be in a cache. None that is much too large.
        let fits = |buffer: &Vec<u8>| (room..=room.saturating_mul(4)).contains(&buffer.capacity());
        let found = spare.buffers.iter().rposition(fits).map(|at| spare.buffers.remove(at));
        spare.bytes -= found.as_ref().map_or(0, Vec::capacity);
        found
    };
    found.unwrap_or_else(|| Vec::with_capacity(room))
}

/// The contents of a buffer, to be shared. When nobody needs them any more, the buffer serves again.
pub(crate) fn share(buffer: Vec<u8>) -> Bytes {
    if is_worth(&buffer) { Bytes::from_owner(Lent(buffer)) } else { buffer.into() }
}

fn is_worth(buffer: &Vec<u8>) -> bool {
    // One that is nearly empty may be kept for long by what little is in it.
    (WORTH..=LARGEST).contains(&buffer.capacity()) && buffer.len() >= buffer.capacity() / 8
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
        let mut spare = SPARE.lock();
        if spare.bytes + buffer.capacity() <= KEPT {
            spare.bytes += buffer.capacity();
            spare.buffers.push(buffer);
        } else {
            // To free it may take the system long.
            drop(spare);
            drop(buffer);
        }
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
    fn what_is_kept_is_bounded() {
        let shared: Vec<_> = (0..64).map(|_| share(vec![0; LARGEST])).collect();
        drop(shared);
        let spare = SPARE.lock();
        assert!(spare.bytes <= KEPT);
    }
}
