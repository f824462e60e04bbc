//! What a call costs beside many exported objects, and beside many idle sessions. Each time: before, with them, after.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Client;
use super::interface::{ObjProxy, Warehouse, WarehouseProxy};
use crate::child::{self, Child};
use crate::machine::resident;
use crate::measure::Object;
use crate::measure::calls;
use crate::measure::window::quantile;
use crate::runtime::Mode;
use crate::workload::{Job, SMALL};

/// Objects that one call returns: within the limit of references in a message.
const BATCH: usize = 1_000;

/// References held beside those to the objects: those to the two that are published.
const ROOTS: usize = 2;

/// One client holds all of them, in the session in which the calls are made.
pub async fn objects(client: Client, warehouse: WarehouseProxy, job: &Job) -> Result<Value> {
    let before = small_calls(&client, job).await?;
    let mut held = Vec::with_capacity(job.amount.exports);
    let wanted = job.amount.exports.saturating_sub(ROOTS);
    while held.len() < wanted {
        held.extend(warehouse.make(BATCH.min(wanted - held.len())).await?);
    }
    let exports = warehouse.exports().await?;
    ensure!(exports == wanted + ROOTS, "{exports} objects are exported");
    let with = small_calls(&client, job).await?;
    let spread = all_over(&held).await?;
    drop(held);
    let patience = Patience::new();
    while warehouse.exports().await? > ROOTS {
        patience.pause().await?;
    }
    let after = small_calls(&client, job).await?;
    let mut figures = compare(&before, &with, &after);
    figures["exports"] = exports.into();
    figures["p50_all_over_us"] = spread.into();
    Ok(figures)
}

/// Sessions of as many nodes of one further process, each of which made a call and is idle since.
pub async fn sessions(
    mode: Mode,
    address: SocketAddr,
    client: Client,
    warehouse: WarehouseProxy,
    job: &Job,
) -> Result<Value> {
    let before = small_calls(&client, job).await?;
    let resident_before = resident(job.server);
    let count = job.amount.sessions;
    let mut command = child::myself()?;
    command.args(["crowd", mode.name(), &address.to_string(), &count.to_string()]);
    let crowd = Child::start_beside(command).await?;
    let sessions = warehouse.sessions().await?;
    // The crowd, its first member, who warmed it, and the client that measures.
    ensure!(sessions == count + 2, "{sessions} sessions are there");
    let server = resident(job.server) - resident_before;
    let memory: Value = serde_json::from_str(&crowd.words).context("what the crowd says")?;
    let with = small_calls(&client, job).await?;
    tokio::task::spawn_blocking(|| crowd.dismiss(Duration::from_secs(20))).await?;
    let patience = Patience::new();
    while warehouse.sessions().await? > 1 {
        patience.pause().await?;
    }
    let after = small_calls(&client, job).await?;
    let mut figures = compare(&before, &with, &after);
    figures["sessions"] = sessions.into();
    figures["server_bytes_per_session"] = (server / (count + 1) as f64).into();
    figures["client_bytes_per_session"] = memory["session"].clone();
    figures["bytes_per_node"] = memory["node"].clone();
    Ok(figures)
}

async fn small_calls(client: &Client, job: &Job) -> Result<Value> {
    Ok(calls::figures(crate::phase!(tokio::spawn, client, &[SMALL], job), SMALL))
}

/// What it costs with them, and how much that is of what it costs without.
fn compare(before: &Value, with: &Value, after: &Value) -> Value {
    let each = |key: &str| [before, with, after].map(|figures| figures[key].as_f64().unwrap_or(f64::NAN));
    let ratio = |[before, with, after]: [f64; 3]| with / ((before + after) / 2.0);
    let (p50, cpu, foreign) = (each("p50_us"), each("cpu_us"), each("foreign_pct"));
    json!({
        "p50_us": p50[1],
        "p50_us_before": p50[0],
        "p50_us_after": p50[2],
        "p50_ratio": ratio(p50),
        "cpu_us": cpu[1],
        "cpu_us_before": cpu[0],
        "cpu_us_after": cpu[2],
        "cpu_ratio": ratio(cpu),
        "foreign_pct": foreign.into_iter().fold(0.0, f64::max),
    })
}

/// The median of calls to objects that are far from each other.
async fn all_over(held: &[ObjProxy]) -> Result<f64> {
    let mut latencies = Vec::new();
    for i in 0..20_000 {
        let object = &held[i * 7_919 % held.len()];
        let start = Instant::now();
        Object::get(object).await?;
        latencies.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
    Ok(quantile(&mut latencies, 0.5))
}

/// Waiting for what is dropped to be gone.
struct Patience(Instant);

impl Patience {
    fn new() -> Self {
        Self(Instant::now())
    }

    async fn pause(&self) -> Result<()> {
        ensure!(self.0.elapsed() < Duration::from_secs(60), "what was dropped is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}
