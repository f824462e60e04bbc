//! Pauses between attempts.

use std::time::Duration;

/// Pauses that double, each [`shortened`].
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// From `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        shortened(pause)
    }
}

/// A time, shortened at random by up to a half: those who lost something together do not come back together.
pub fn shortened(time: Duration) -> Duration {
    time.mul_f64(1.0 - fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(50));
        for longest in [10, 20, 40, 50, 50] {
            let pause = backoff.pause();
            let longest = Duration::from_millis(longest);
            assert!((longest / 2..=longest).contains(&pause), "{pause:?} of {longest:?}");
        }
    }

    #[test]
    fn is_not_the_same_for_all() {
        let pause = || shortened(Duration::from_secs(1));
        let first = pause();
        assert!((0..8).any(|_| pause() != first));
    }
}
