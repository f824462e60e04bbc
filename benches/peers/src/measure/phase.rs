//! A phase: crews of callers at work for a warm-up and a window.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinHandle;

use super::window::{Mark, Window};
use crate::workload::{Job, Shape};

/// Shared by the callers and by who measures.
pub struct Phase {
    stop: AtomicBool,
    measuring: AtomicBool,
    crews: Vec<Crew>,
}

struct Crew {
    shape: Shape,
    counts: Vec<Count>,
}

/// Calls done by one caller, on a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
struct Count(AtomicU64);

/// The calls of one crew within the window.
pub struct Done {
    pub calls: u64,
    /// Nanoseconds of each call; only of callers that are alone in their crew.
    pub latencies: Vec<u32>,
}

pub struct Outcome {
    pub window: Window,
    pub crews: Vec<Done>,
}

/// Nanoseconds that one caller recorded, and its crew.
pub type Recorded = (usize, Vec<u32>);

impl Phase {
    pub fn new(shapes: &[Shape]) -> Arc<Self> {
        let crew = |shape: &Shape| Crew {
            shape: *shape,
            counts: (0..shape.inflight).map(|_| Count::default()).collect(),
        };
        Arc::new(Self {
            stop: AtomicBool::new(false),
            measuring: AtomicBool::new(false),
            crews: shapes.iter().map(crew).collect(),
        })
    }

    pub fn shapes(&self) -> impl Iterator<Item = (usize, Shape)> {
        self.crews.iter().map(|crew| crew.shape).enumerate()
    }

    pub fn shape(&self, crew: usize) -> Shape {
        self.crews[crew].shape
    }

    #[inline]
    pub fn is_running(&self) -> bool {
        !self.stop.load(Relaxed)
    }

    /// Counts `calls` more of one caller: nobody else writes its count.
    #[inline]
    pub fn done(&self, crew: usize, caller: usize, calls: u64) {
        let count = &self.crews[crew].counts[caller].0;
        count.store(count.load(Relaxed) + calls, Relaxed);
    }

    /// Records the time since `start`, as long as there is room.
    #[inline]
    pub fn record(&self, latencies: &mut Vec<u32>, start: Instant) {
        if self.measuring.load(Relaxed) && latencies.len() < latencies.capacity() {
            latencies.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
    }

    fn totals(&self) -> Vec<u64> {
        let total = |crew: &Crew| crew.counts.iter().map(|count| count.0.load(Relaxed)).sum();
        self.crews.iter().map(total).collect()
    }

    /// Warm-up and window, then the callers stop and are joined.
    pub async fn run(&self, callers: Vec<JoinHandle<Result<Recorded>>>, job: &Job) -> Result<Outcome> {
        let seconds = |seconds: f64| Duration::from_secs_f64(seconds.clamp(0.05, 30.0));
        tokio::time::sleep(seconds(job.amount.warm)).await;
        self.measuring.store(true, Relaxed);
        let (before, mark) = (self.totals(), Mark::now(job));
        tokio::time::sleep(seconds(job.amount.seconds)).await;
        let (after, window) = (self.totals(), mark.window());
        self.measuring.store(false, Relaxed);
        self.stop.store(true, Relaxed);
        let calls = after.iter().zip(before).map(|(after, before)| after - before);
        let mut crews: Vec<Done> = calls.map(|calls| Done { calls, latencies: Vec::new() }).collect();
        for caller in callers {
            let (crew, latencies) = caller.await??;
            crews[crew].latencies.extend(latencies);
        }
        Ok(Outcome { window, crews })
    }
}
