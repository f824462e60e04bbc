//! Calls of an object in the same process, through its proxy.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::interface::{Bench, BenchProxy, Servant};
use crate::allocations;
use crate::measure::window::Mark;
use crate::workload::Job;

/// Calls between two readings of the clock.
const BATCH: u64 = 10_000;

pub async fn measure(job: &Job) -> Result<Value> {
    let bench = BenchProxy::new(Servant);
    batch(&bench).await?;
    allocations::start();
    batch(&bench).await?;
    let allocated = allocations::stop();
    let window = Mark::with(Vec::new());
    let mut batches = Vec::new();
    while window.elapsed() < Duration::from_secs_f64(job.amount.seconds.clamp(0.05, 30.0)) {
        let start = Instant::now();
        batch(&bench).await?;
        batches.push(start.elapsed().as_nanos() as f64 / BATCH as f64);
        tokio::task::yield_now().await;
    }
    batches.sort_unstable_by(f64::total_cmp);
    Ok(json!({
        "ns": batches[batches.len() / 2],
        "allocations": allocated as f64 / BATCH as f64,
        "calls": batches.len() as u64 * BATCH,
        "foreign_pct": window.window().foreign,
    }))
}

async fn batch(bench: &BenchProxy) -> Result<()> {
    for i in 0..BATCH {
        let sum = black_box(bench).add(black_box(i), 7).await?;
        ensure!(sum == i + 7, "{i} + 7 = {sum}");
    }
    Ok(())
}
