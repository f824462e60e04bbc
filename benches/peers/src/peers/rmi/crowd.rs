//! A process full of nodes with a session each, which made a call and do nothing more.

use std::net::SocketAddr;
use std::time::Duration;

use ::rmi::Node;
use anyhow::Result;
use serde_json::json;
use tokio::sync::oneshot;

use super::interface::{Bench, BenchProxy};
use crate::{machine, process};

/// So many connect at a time.
const AT_ONCE: usize = 50;

pub async fn run(server: SocketAddr, count: usize) -> Result<()> {
    machine::unpin()?;
    let (over, end) = oneshot::channel();
    std::thread::spawn(move || {
        process::wait_for_end_of_stdin();
        over.send(())
    });
    // One of everything, so that what is there once is not counted.
    let warm = call(Node::builder().start().await?, server).await?;
    let own = std::process::id();
    let resident = || machine::resident(own) / count.max(1) as f64;
    let before = resident();
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(Node::builder().start().await?);
    }
    let started = resident();
    let mut members = Vec::with_capacity(count);
    for some in nodes.chunks(AT_ONCE) {
        let calls = some.iter().map(|node| call(node.clone(), server));
        members.extend(futures::future::try_join_all(calls).await?);
    }
    // What is acknowledged late, is by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = json!({ "node": started - before, "session": resident() - started });
    process::say(&format!("READY {own} {server} {memory}"));
    let _ = end.await;
    futures::future::join_all(members.iter().chain([&warm]).map(|(node, _)| node.shutdown())).await;
    Ok(())
}

async fn call(node: Node, server: SocketAddr) -> Result<(Node, BenchProxy)> {
    let bench: BenchProxy = node.root(&format!("tcp://{server}"), "bench").await?;
    anyhow::ensure!(bench.add(1, 2).await? == 3, "a wrong sum");
    Ok((node, bench))
}
