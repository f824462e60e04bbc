//! Small calls beside large transfers: each alone, then both.

use serde_json::{Value, json};

use super::phase::{Done, Outcome};
use super::window::{Window, quantile};
use crate::workload::TRANSFERS;

pub fn figures(alone: Outcome, transfers: Outcome, both: Outcome) -> Value {
    let foreign = [alone.window, transfers.window, both.window].map(|window| window.foreign);
    let foreign = foreign.into_iter().fold(0.0, f64::max);
    let (mut small, mut beside) = (alone.crews, both.crews);
    let (p50_alone, p99_alone) = quantiles(&mut small[0]);
    let (p50, p99) = quantiles(&mut beside[0]);
    let mib_alone = throughput(&transfers.crews[0], transfers.window);
    let mib = throughput(&beside[1], both.window);
    json!({
        "p50_alone_us": p50_alone,
        "p99_alone_us": p99_alone,
        "p50_us": p50,
        "p99_us": p99,
        "p50_ratio": p50 / p50_alone,
        "p99_ratio": p99 / p99_alone,
        "mib_s_alone": mib_alone,
        "mib_s": mib,
        "mib_s_ratio": mib / mib_alone,
        "calls_beside": beside[0].calls,
        "foreign_pct": foreign,
    })
}

fn quantiles(done: &mut Done) -> (f64, f64) {
    (quantile(&mut done.latencies, 0.50), quantile(&mut done.latencies, 0.99))
}

fn throughput(done: &Done, window: Window) -> f64 {
    done.calls as f64 * TRANSFERS.payload as f64 / 1_048_576.0 / window.seconds
}
