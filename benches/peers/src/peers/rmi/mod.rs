//! Us, as a user has us by default: a node on each side, nothing configured, objects published at the server.

pub mod crowd;
mod growth;
mod handoff;
mod interface;
mod local;
mod tap;
pub mod visitor;

use std::net::SocketAddr;

use ::rmi::Node;
use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::Value;

use crate::measure::{Calls, Makes, Object};
use crate::process;
use crate::runtime::Mode;
use crate::workload::{Job, Workload};
use interface::{Bench, BenchProxy, Obj, ObjProxy, Servant, WarehouseProxy};

/// Serves for ever. `advertise`: others are told to dial this in place of where it listens.
pub async fn server(address: SocketAddr, advertise: Option<String>) -> Result<()> {
    let mut builder = Node::builder().listen(format!("tcp://{address}"));
    if let Some(advertise) = advertise {
        builder = builder.advertise(advertise);
        anyhow::ensure!(address.port() != 0, "what is advertised leads to a port that is known");
    }
    let node = builder.start().await?;
    node.publish("bench", &BenchProxy::new(Servant));
    node.publish("warehouse", &WarehouseProxy::new(interface::Store(node.clone())));
    let address = if address.port() == 0 { listening(&node)? } else { address };
    process::ready(address);
    std::future::pending().await
}

/// Where a node that listens at one TCP address does.
fn listening(node: &Node) -> Result<SocketAddr> {
    let addresses = node.addresses();
    let address = addresses.first().and_then(|address| address.strip_prefix("tcp://"));
    Ok(address.context("a node that does not listen")?.parse()?)
}

/// What `echo` carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    Bytes,
    Vec,
}

#[derive(Clone)]
struct Client {
    bench: BenchProxy,
    echo: Echo,
}

impl Calls for Client {
    async fn add(&mut self, a: u64, b: u64) -> Result<u64> {
        Ok(self.bench.add(a, b).await?)
    }
    async fn echo(&mut self, data: &Bytes) -> Result<usize> {
        Ok(match self.echo {
            Echo::Bytes => self.bench.echo(data.clone()).await?.len(),
            Echo::Vec => self.bench.echo_vec(data.to_vec()).await?.len(),
        })
    }
}

impl Makes for Client {
    type Object = ObjProxy;
    async fn make(&mut self) -> Result<ObjProxy> {
        Ok(self.bench.make().await?)
    }
    async fn live(&mut self) -> Result<u64> {
        Ok(self.bench.live().await?)
    }
}

impl Object for ObjProxy {
    async fn get(&self) -> Result<u64> {
        Ok(Obj::get(self).await?)
    }
}

pub async fn client(mode: Mode, address: SocketAddr, job: Job, echo: Echo) -> Result<Value> {
    if job.workload == Workload::Local {
        return local::measure(&job).await;
    }
    let node = Node::builder().start().await?;
    let server = format!("tcp://{address}");
    let client = Client { bench: node.root(&server, "bench").await?, echo };
    let figures = match job.workload {
        Workload::Memobj => crate::drive_objects!(tokio::spawn, client, job),
        Workload::Handoff => handoff::measure(mode, &node, address, &job).await?,
        Workload::GrowthObjects => {
            growth::objects(client, node.root(&server, "warehouse").await?, &job).await?
        }
        Workload::GrowthSessions => {
            growth::sessions(mode, address, client, node.root(&server, "warehouse").await?, &job).await?
        }
        _ => crate::drive!(tokio::spawn, client, job),
    };
    node.shutdown().await;
    Ok(figures)
}
