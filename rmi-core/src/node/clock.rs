//! The only place that reads clocks, but for the one of deadlines in `invoke::context`.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

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

/// A time that costs next to nothing and moves on every few milliseconds: equal times are that close together.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn tick() -> impl PartialEq {
    let tick = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    (tick.tv_sec, tick.tv_nsec)
}

/// The same.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn tick() -> impl PartialEq {
    now().0 / 1024
}

/// A deadline, as sessions measure time.
pub(crate) fn to_session(deadline: Instant) -> Time {
    now() + deadline.saturating_duration_since(invoke::now())
}

/// A timer that is set again and again. Setting it later than it is set costs nothing: it then rings in vain, and is set anew.
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// For when it is set, unless it has rung.
    set: Option<Time>,
}

impl Alarm {
    /// One that is not set.
    pub(crate) fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), set: None }
    }

    /// Sleeps until `time`, for ever if there is none.
    pub(crate) async fn sleep_until(&mut self, time: Option<Time>) {
        let Some(time) = time else { return std::future::pending().await };
        loop {
            if self.set.is_none_or(|set| time < set) {
                let left = time.since(now());
                if left.is_zero() {
                    return;
                }
                self.sleep.as_mut().reset(invoke::now() + left);
                self.set = Some(time);
            }
            self.sleep.as_mut().await;
            self.set = None;
        }
    }
}

/// Sleeps until `time`. The timer may not count suspension: whoever relies on the time reads the clock again.
pub(crate) async fn sleep_until(time: Option<Time>) {
    match time {
        Some(time) => tokio::time::sleep(time.since(now())).await,
        None => std::future::pending().await,
    }
}
