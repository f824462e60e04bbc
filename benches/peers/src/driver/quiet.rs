//! Waiting until others leave the machine alone, within bounds.

use std::time::{Duration, Instant};

use crate::machine;

/// Percent of the machine that may be in use.
const QUIET: f64 = 6.0;
const LOOK: Duration = Duration::from_millis(400);

pub struct Quiet {
    each: Duration,
    /// What is left for all runs together.
    left: Duration,
}

impl Quiet {
    pub fn new(each_seconds: u64, total_seconds: u64) -> Self {
        Self { each: Duration::from_secs(each_seconds), left: Duration::from_secs(total_seconds) }
    }

    pub fn wait(&mut self) {
        let start = Instant::now();
        while busy() > QUIET && start.elapsed() < self.each.min(self.left) {}
        self.left = self.left.saturating_sub(start.elapsed());
    }
}

/// Percent of the machine in use while this looks.
fn busy() -> f64 {
    let before = machine::whole();
    std::thread::sleep(LOOK);
    let after = machine::whole();
    (after.0 - before.0) / (after.1 - before.1).max(f64::MIN_POSITIVE) * 100.0
}
