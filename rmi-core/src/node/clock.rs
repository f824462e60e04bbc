//! The only place that reads clocks, but for the one of deadlines in `invoke::context`.

use tokio::time::Instant;

use crate::invoke;
use crate::session::Time;

/// The time that leases are measured with: it counts on while the machine is suspended, where the platform has such a
/// clock.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn now() -> Time {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Time(now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1_000)
}

/// The time that leases are measured with. This platform's clock may stand still while the machine is suspended.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn now() -> Time {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    Time(1) + START.elapsed()
}

/// A deadline, as sessions measure time.
pub(crate) fn to_session(deadline: Instant) -> Time {
    now() + deadline.saturating_duration_since(invoke::now())
}

/// Sleeps until `time`. The timer may not count suspension: whoever relies on the time reads the clock again.
pub(crate) async fn sleep_until(time: Option<Time>) {
    match time {
        Some(time) => tokio::time::sleep(time.since(now())).await,
        None => std::future::pending().await,
    }
}
