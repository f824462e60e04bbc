//! A gives C a reference to an object of B, and C calls it; all three are connected. This is A.
//!
//! The frames are counted in a second pass, in which the connections lead through taps: a node's statistics know bytes, not frames.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ::rmi::Node;
use anyhow::Result;
use serde_json::{Value, json};

use super::interface::{ObjProxy, Warehouse, WarehouseProxy};
use super::tap::{Tap, total};
use super::visitor::{Visitor, VisitorProxy};
use crate::child::{self, Child};
use crate::measure::window::{Mark, quantile};
use crate::runtime::Mode;
use crate::workload::Job;

/// References in one result of the warehouse.
const BATCH: usize = 1_000;

/// Hand-offs whose frames are counted.
const COUNTED: usize = 500;

pub async fn measure(mode: Mode, node: &Node, owner: SocketAddr, job: &Job) -> Result<Value> {
    let mut figures = timed(mode, node, owner, job).await?;
    let counted = counted(mode).await?;
    for (key, value) in counted {
        figures[key] = value;
    }
    Ok(figures)
}

async fn timed(mode: Mode, node: &Node, owner: SocketAddr, job: &Job) -> Result<Value> {
    let third = Child::start_beside(third(mode, owner)?).await?;
    let warehouse: WarehouseProxy = node.root(&format!("tcp://{owner}"), "warehouse").await?;
    let visitor: VisitorProxy = node.root(&format!("tcp://{}", third.address), "visitor").await?;
    for object in objects(&warehouse, job.amount.handoffs / 5 + 1).await? {
        visitor.visit(object).await?;
        visitor.plain().await?;
    }
    let objects = objects(&warehouse, job.amount.handoffs).await?;
    let mark = Mark::with(vec![job.server, third.pid()]);
    let (mut first, mut plain) = (Vec::new(), Vec::new());
    let (mut round_first, mut round_plain) = (Vec::new(), Vec::new());
    for object in &objects {
        let start = Instant::now();
        first.push(short(visitor.visit(object.clone()).await?));
        round_first.push(short(start.elapsed().as_nanos()));
        let start = Instant::now();
        plain.push(short(visitor.plain().await?));
        round_plain.push(short(start.elapsed().as_nanos()));
    }
    let window = mark.window();
    visitor.leave().await?;
    let medians = [&mut first, &mut plain, &mut round_first, &mut round_plain].map(|all| quantile(all, 0.5));
    Ok(json!({
        "handoffs": objects.len(),
        "first_us": medians[0],
        "plain_us": medians[1],
        "first_ratio": medians[0] / medians[1],
        "round_us": medians[2],
        "round_plain_us": medians[3],
        "foreign_pct": window.foreign,
    }))
}

/// The frames of a hand-off, by connection, direction and kind.
async fn counted(mode: Mode) -> Result<Vec<(&'static str, Value)>> {
    let (to_b, to_c) = (Tap::start().await?, Tap::start().await?);
    let b = Child::start_beside(owner(mode, to_b.address)?).await?;
    to_b.lead_to(b.address);
    let node = Node::builder().start().await?;
    let warehouse: WarehouseProxy = node.root(&format!("tcp://{}", to_b.address), "warehouse").await?;
    let c = Child::start_beside(third(mode, to_b.address)?).await?;
    to_c.lead_to(c.address);
    let visitor: VisitorProxy = node.root(&format!("tcp://{}", to_c.address), "visitor").await?;
    let names = [(&to_b, ["A", "C"], "B"), (&to_c, ["A", "?"], "C")];
    let counts = || names.iter().flat_map(|(tap, from, to)| tap.counts(*from, to)).collect();

    let objects = objects(&warehouse, COUNTED).await?;
    settle(&counts).await;
    let before = counts();
    for object in &objects {
        visitor.visit(object.clone()).await?;
    }
    settle(&counts).await;
    let given = counts();
    visitor.leave().await?;
    drop(objects);
    settle(&counts).await;
    let released = counts();
    node.shutdown().await;
    let per = |before: &Counts, after: &Counts| -> BTreeMap<String, f64> {
        let grown = after.iter().map(|(name, n)| (name.clone(), n - before.get(name).copied().unwrap_or(0)));
        grown.filter(|(_, n)| *n > 0).map(|(name, n)| (name, n as f64 / COUNTED as f64)).collect()
    };
    let (giving, releasing) = (per(&before, &given), per(&given, &released));
    Ok(vec![
        ("frames", total(&giving).into()),
        ("frames_by_kind", json!(giving)),
        ("frames_of_release", json!(releasing)),
    ])
}

type Counts = BTreeMap<String, u64>;

/// Until nothing moves for 300 ms: late acknowledgements and notices of what was dropped included.
async fn settle(counts: &impl Fn() -> Counts) {
    let (start, mut last, mut still) = (Instant::now(), counts(), 0);
    while still < 6 && start.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = counts();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
}

async fn objects(warehouse: &WarehouseProxy, count: usize) -> Result<Vec<ObjProxy>> {
    let mut objects = Vec::with_capacity(count);
    while objects.len() < count {
        objects.extend(warehouse.make(BATCH.min(count - objects.len())).await?);
    }
    Ok(objects)
}

fn third(mode: Mode, owner: SocketAddr) -> Result<std::process::Command> {
    let mut command = child::myself()?;
    command.args(["visitor", mode.name(), &owner.to_string()]);
    Ok(command)
}

/// An owner that tells others to dial `tap`.
fn owner(mode: Mode, tap: SocketAddr) -> Result<std::process::Command> {
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = child::myself()?;
    command.args(["server", &format!("rmi:{}", mode.name()), &free.to_string(), "--leash"]);
    command.args(["--advertise", &format!("tcp://{tap}")]);
    Ok(command)
}

fn short(nanoseconds: impl TryInto<u32>) -> u32 {
    nanoseconds.try_into().unwrap_or(u32::MAX)
}
