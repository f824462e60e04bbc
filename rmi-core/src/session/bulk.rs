//! How much of large messages is under way at a time, so that small ones beside them do not wait behind more than they must.
//!
//! What is under way stands in queues that this side does not see: the system's buffers on both sides, and what the peer has not handled. The time
//! from a batch's sending to its Ack tells how long they are, as in congestion control by delay (TCP Vegas; LEDBAT, RFC 6817): beyond what the way itself takes,
//! some delay is put up with, and the window is what keeps to that. Where nothing small is sent, nothing waits, and the window is the peer's ring.

use std::time::Duration;

use crate::session::time::Time;

/// The delay that is put up with, or as much as the way itself takes if that is more.
const DELAY: Duration = Duration::from_micros(100);

/// The window at least: a frame as large as most peers accept them.
const LEAST: usize = 128 * 1024;

/// For how long the way is taken to be as it was.
const AGE: Duration = Duration::from_secs(10);

/// For how long something small that was sent is taken for a sign of more.
const BESIDE: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub(super) struct Bulk {
    window: usize,
    /// What the way takes: the least time from sending to Ack, in this [`AGE`] and in the one before.
    least: [Duration; 2],
    /// When this one began.
    since: Time,
    /// Until when something small may come.
    beside: Time,
}

impl Default for Bulk {
    fn default() -> Self {
        Self { window: LEAST, least: [Duration::MAX; 2], since: Time(0), beside: Time(0) }
    }
}

impl Bulk {
    /// Something small is sent while much is under way.
    pub(super) fn disturbed(&mut self, now: Time) {
        self.beside = now + BESIDE;
    }

    /// How many bytes may be under way when more of a large message leaves, if the peer accepts so many.
    pub(super) fn window(&self, now: Time, ring: u64) -> u64 {
        if now < self.beside { ring.min(self.window as u64) } else { ring }
    }

    /// What left so long ago was acknowledged now, by a peer that accepts so many bytes.
    pub(super) fn acknowledged(&mut self, now: Time, took: Duration, ring: u64) {
        if now >= self.since + AGE {
            (self.least, self.since) = ([took, self.least[0]], now);
            // So that the queues are empty for a moment, and the way alone is measured.
            self.window = LEAST.max(self.window / 2);
        }
        self.least[0] = took.min(self.least[0]);
        let way = self.least[0].min(self.least[1]);
        if now >= self.beside {
            return;
        }
        let delay = took.saturating_sub(way);
        let target = way.max(DELAY);
        if delay < target {
            let most = usize::try_from(ring).unwrap_or(usize::MAX);
            self.window = self.window.saturating_add(self.window / 8).min(most.max(LEAST));
        } else if delay > 2 * target {
            self.window = LEAST.max(self.window - self.window / 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: u64 = 1 << 30;

    /// How large the window is after a minute where the way takes so long and so many bytes leave in a second.
    fn becomes(way: Duration, rate: f64) -> f64 {
        let (mut bulk, mut now) = (Bulk::default(), Time(1));
        while now < Time(0) + 6 * AGE - AGE / 2 {
            bulk.disturbed(now);
            let window = bulk.window(now, RING) as f64;
            // What is over what fits on the way waits.
            let took = way.max(Duration::from_secs_f64(window / rate));
            now = now + took;
            bulk.acknowledged(now, took, RING);
        }
        bulk.disturbed(now);
        bulk.window(now, RING) as f64
    }

    #[test]
    fn the_window_fits_the_way() {
        // A far one that carries much is filled, with as much again in queues at most.
        let (way, rate) = (Duration::from_millis(100), 100e6);
        let (fits, window) = (way.as_secs_f64() * rate, becomes(way, rate));
        assert!((fits..4.0 * fits).contains(&window), "{window} of {fits}");
        // A short one has queues of little delay.
        let window = becomes(Duration::from_micros(50), 1e9);
        assert!(window / 1e9 < 1e-3, "{window}");
        // One that is slow has the least.
        assert!(becomes(Duration::from_millis(1), 1e6) <= 2.0 * LEAST as f64);
    }

    #[test]
    fn the_window_has_a_bound() {
        let (mut bulk, now) = (Bulk::default(), Time(1));
        bulk.disturbed(now);
        for _ in 0..10_000 {
            bulk.acknowledged(now, Duration::ZERO, 1 << 24);
        }
        assert_eq!(bulk.window, 1 << 24);
    }

    #[test]
    fn nothing_is_held_back_for_nobody() {
        let (mut bulk, now) = (Bulk::default(), Time(1_000_000));
        assert_eq!(bulk.window(now, 1 << 24), 1 << 24);
        bulk.disturbed(now);
        assert_eq!(bulk.window(now, 1 << 24), LEAST as u64);
        assert_eq!(bulk.window(now, 1000), 1000);
        assert_eq!(bulk.window(now + BESIDE, 1 << 24), 1 << 24);
    }
}
