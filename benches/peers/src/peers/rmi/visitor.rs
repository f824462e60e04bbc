//! The third node of a hand-off, C: has a session with the owner B and is given references to B's objects by A.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ::rmi::{Node, RemoteError, remote};
use anyhow::Result;

use super::interface::{Bench, BenchProxy, Obj, ObjProxy};
use super::listening;
use crate::process;

#[remote]
pub trait Visitor {
    /// Calls the object, which is new here, keeps it, and says how many nanoseconds the call took.
    async fn visit(&self, object: ObjProxy) -> Result<u64, RemoteError>;
    /// The same for an object that is held since long.
    async fn plain(&self) -> Result<u64, RemoteError>;
    /// Drops what was kept.
    async fn leave(&self) -> Result<(), RemoteError>;
}

struct Third {
    old: ObjProxy,
    kept: Mutex<Vec<ObjProxy>>,
}

impl Visitor for Third {
    async fn visit(&self, object: ObjProxy) -> Result<u64, RemoteError> {
        let took = call(&object).await?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(object);
        Ok(took)
    }
    async fn plain(&self) -> Result<u64, RemoteError> {
        call(&self.old).await
    }
    async fn leave(&self) -> Result<(), RemoteError> {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
        Ok(())
    }
}

async fn call(object: &ObjProxy) -> Result<u64, RemoteError> {
    let start = Instant::now();
    object.get().await?;
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

pub async fn run(owner: SocketAddr) -> Result<()> {
    let node = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    let bench: BenchProxy = node.root(&format!("tcp://{owner}"), "bench").await?;
    let third = Third { old: bench.make().await?, kept: Mutex::default() };
    node.publish("visitor", &VisitorProxy::new(third));
    process::ready(listening(&node)?);
    std::future::pending().await
}
