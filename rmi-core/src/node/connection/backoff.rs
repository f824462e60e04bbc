//! Pauses between attempts.

use std::time::Duration;

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses that double, shortened at random by up to a half: those whose connections broke together do not come back
/// together.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let longest = self.0;
        self.0 = (self.0 * 2).min(LONGEST);
        longest.mul_f64(1.0 - fastrand::f64() / 2.0)
    }
}
