//! Pauses between attempts to reach a registry.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses that double from 50 ms to 5 s, shortened at random by up to a half: those who lost their registry together do not
/// come back together.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let longest = self.0;
        self.0 = (self.0 * 2).min(LONGEST);
        shortened(longest)
    }
}

/// A time, shortened at random by up to a half.
pub(crate) fn shortened(time: Duration) -> Duration {
    time.mul_f64(1.0 - fastrand::f64() / 2.0)
}
