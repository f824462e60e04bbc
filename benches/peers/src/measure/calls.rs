//! Callers of `add` and `echo`.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Calls;
use super::phase::{Outcome, Phase, Recorded};
use super::window::quantile;
use crate::workload::Shape;

/// Room for the latencies of one caller: more than 10 s of 3 us calls.
pub const LATENCIES: usize = 4_000_000;

/// One caller: one call after the other until the phase is over.
pub async fn caller(
    phase: Arc<Phase>,
    mut client: impl Calls,
    crew: usize,
    index: usize,
) -> Result<Recorded> {
    let shape = phase.shape(crew);
    let mut latencies = Vec::new();
    if shape.payload > 0 {
        let data = Bytes::from(vec![index as u8; shape.payload]);
        while phase.is_running() {
            let length = client.echo(&data).await?;
            ensure!(length == data.len(), "{length} bytes came back");
            phase.done(crew, index, 1);
        }
    } else if shape.inflight == 1 {
        latencies.reserve_exact(LATENCIES);
        let mut i = 0;
        while phase.is_running() {
            let start = Instant::now();
            let sum = client.add(i, 7).await?;
            phase.record(&mut latencies, start);
            ensure!(sum == i + 7, "{i} + 7 = {sum}");
            phase.done(crew, index, 1);
            i += 1;
        }
    } else {
        let mut i = (index as u64) << 32;
        while phase.is_running() {
            let sum = client.add(i, 7).await?;
            ensure!(sum == i + 7, "{i} + 7 = {sum}");
            phase.done(crew, index, 1);
            i += 1;
        }
    }
    Ok((crew, latencies))
}

/// The figures of a phase with one crew.
pub fn figures(mut outcome: Outcome, shape: Shape) -> Value {
    let (window, done) = (outcome.window, &mut outcome.crews[0]);
    let calls = done.calls.max(1) as f64;
    let per_call = |seconds: f64| seconds * 1e6 / calls;
    let mut figures = json!({
        "calls": done.calls,
        "secs": window.seconds,
        "calls_per_s": calls / window.seconds,
        "cpu_us": per_call(window.client_cpu + window.server_cpu),
        "cpu_client_us": per_call(window.client_cpu),
        "cpu_server_us": per_call(window.server_cpu),
        "foreign_pct": window.foreign,
    });
    if !done.latencies.is_empty() {
        figures["p50_us"] = quantile(&mut done.latencies, 0.50).into();
        figures["p99_us"] = quantile(&mut done.latencies, 0.99).into();
    }
    if shape.payload > 0 {
        figures["mib_s"] = (calls * shape.payload as f64 / 1_048_576.0 / window.seconds).into();
    }
    figures
}
