//! Us, as a user has us by default: a node on each side, the object published at the server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ::rmi::{Node, RemoteError, remote};
use bytes::Bytes;

use crate::harness::*;

#[remote]
pub trait Obj {
    async fn get(&self) -> Result<u64, RemoteError>;
}

#[remote]
pub trait Bench {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError>;
    async fn echo(&self, data: Bytes) -> Result<Bytes, RemoteError>;
    async fn echo_vec(&self, data: Vec<u8>) -> Result<Vec<u8>, RemoteError>;
    async fn make(&self) -> Result<ObjProxy, RemoteError>;
    /// Objects made and not yet dropped.
    async fn live(&self) -> Result<u64, RemoteError>;
}

static LIVE: AtomicU64 = AtomicU64::new(0);

struct ObjImpl(u64);

impl Drop for ObjImpl {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

impl Obj for ObjImpl {
    async fn get(&self) -> Result<u64, RemoteError> {
        Ok(self.0)
    }
}

struct Impl;

impl Bench for Impl {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError> {
        Ok(a.wrapping_add(b))
    }
    async fn echo(&self, data: Bytes) -> Result<Bytes, RemoteError> {
        Ok(data)
    }
    async fn echo_vec(&self, data: Vec<u8>) -> Result<Vec<u8>, RemoteError> {
        Ok(data)
    }
    async fn make(&self) -> Result<ObjProxy, RemoteError> {
        Ok(ObjProxy::new(ObjImpl(LIVE.fetch_add(1, Relaxed))))
    }
    async fn live(&self) -> Result<u64, RemoteError> {
        Ok(LIVE.load(Relaxed))
    }
}

pub async fn server(addr: SocketAddr) {
    let node = Node::builder().listen(format!("tcp://{addr}")).start().await.unwrap();
    node.publish("bench", &BenchProxy::new(Impl));
    crate::ready();
    std::future::pending().await
}

#[derive(Clone)]
struct C {
    bench: BenchProxy,
    vec: bool,
}

impl C {
    async fn add(&mut self, a: u64, b: u64) -> anyhow::Result<u64> {
        Ok(self.bench.add(a, b).await?)
    }
    async fn echo(&mut self, p: &Bytes) -> anyhow::Result<usize> {
        Ok(match self.vec {
            false => self.bench.echo(p.clone()).await?.len(),
            true => self.bench.echo_vec(p.to_vec()).await?.len(),
        })
    }
    async fn make(&mut self) -> anyhow::Result<ObjProxy> {
        Ok(self.bench.make().await?)
    }
    async fn live(&mut self) -> anyhow::Result<u64> {
        Ok(self.bench.live().await?)
    }
}

/// `vec`: `echo` of `Vec<u8>` in place of `Bytes`.
pub async fn client(addr: SocketAddr, spec: Spec, vec: bool) -> Option<serde_json::Value> {
    let node = Node::builder().start().await.unwrap();
    let bench: BenchProxy = node.root(&format!("tcp://{addr}"), "bench").await.unwrap();
    let c = C { bench, vec };
    if spec.name == "memobj" {
        return Some(crate::drive_memobj!(tokio::spawn, c));
    }
    Some(crate::drive!(tokio::spawn, c, spec))
}
