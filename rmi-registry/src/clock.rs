//! The only place that reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time of day, in milliseconds since 1970 in UTC: for people, nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
