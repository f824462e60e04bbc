//! A window of time: how long it was, and who used how much CPU in it.

use std::time::{Duration, Instant};

use crate::machine;
use crate::workload::Job;

/// What was used up to a moment.
pub struct Mark {
    at: Instant,
    client: f64,
    servers: f64,
    machine: (f64, f64),
    pids: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub seconds: f64,
    pub client_cpu: f64,
    pub server_cpu: f64,
    /// Percent of the machine that none of our processes used, but somebody did.
    pub foreign: f64,
}

impl Mark {
    pub fn now(job: &Job) -> Self {
        Self::with(vec![job.server])
    }

    /// With these processes beside the client's own.
    pub fn with(pids: Vec<u32>) -> Self {
        let (client, servers) = (machine::own_cpu(), machine::cpu_of(&pids));
        Self { at: Instant::now(), client, servers, machine: machine::whole(), pids }
    }

    pub fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }

    pub fn window(&self) -> Window {
        let seconds = self.at.elapsed().as_secs_f64();
        let client_cpu = machine::own_cpu() - self.client;
        let server_cpu = machine::cpu_of(&self.pids) - self.servers;
        let (busy, there) = machine::whole();
        let foreign = busy - self.machine.0 - client_cpu - server_cpu;
        let there = (there - self.machine.1).max(f64::MIN_POSITIVE);
        Window { seconds, client_cpu, server_cpu, foreign: (foreign / there * 100.0).max(0.0) }
    }
}

/// The `share` quantile of nanoseconds, in microseconds. Sorts them.
pub fn quantile(nanoseconds: &mut [u32], share: f64) -> f64 {
    if nanoseconds.is_empty() {
        return f64::NAN;
    }
    nanoseconds.sort_unstable();
    let index = (nanoseconds.len() - 1) as f64 * share;
    f64::from(nanoseconds[index as usize]) / 1e3
}
