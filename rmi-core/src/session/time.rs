//! Time as an argument.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, in microseconds since some start. It comes from a clock that counts suspension
/// (`CLOCK_BOOTTIME`), read at the edge alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub u64);

impl Time {
    /// The time from `earlier` to this; zero if that is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The milliseconds from `earlier` to this, rounded up; zero if that is later.
    pub(super) fn millis_since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0).div_ceil(1000)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, duration: Duration) -> Time {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, duration: Duration) -> Time {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Time(self.0.saturating_sub(micros))
    }
}
