//! What the server offers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ::rmi::{Node, RemoteError, remote};
use bytes::Bytes;

#[remote]
pub trait Bench {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError>;
    async fn echo(&self, data: Bytes) -> Result<Bytes, RemoteError>;
    async fn echo_vec(&self, data: Vec<u8>) -> Result<Vec<u8>, RemoteError>;
    async fn make(&self) -> Result<ObjProxy, RemoteError>;
    /// Objects that were made and not dropped yet.
    async fn live(&self) -> Result<u64, RemoteError>;
}

#[remote]
pub trait Obj {
    async fn get(&self) -> Result<u64, RemoteError>;
}

/// Objects by the thousand, and what the node says of itself.
#[remote]
pub trait Warehouse {
    async fn make(&self, count: usize) -> Result<Vec<ObjProxy>, RemoteError>;
    async fn exports(&self) -> Result<usize, RemoteError>;
    async fn sessions(&self) -> Result<usize, RemoteError>;
}

pub struct Servant;

impl Bench for Servant {
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
        Ok(Made::proxy())
    }
    async fn live(&self) -> Result<u64, RemoteError> {
        Ok(LIVE.load(Relaxed))
    }
}

static LIVE: AtomicU64 = AtomicU64::new(0);

/// An object as small as one can be that still is one: 8 bytes.
struct Made(u64);

impl Made {
    fn proxy() -> ObjProxy {
        ObjProxy::new(Self(LIVE.fetch_add(1, Relaxed)))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

impl Obj for Made {
    async fn get(&self) -> Result<u64, RemoteError> {
        Ok(self.0)
    }
}

pub struct Store(pub Node);

impl Warehouse for Store {
    async fn make(&self, count: usize) -> Result<Vec<ObjProxy>, RemoteError> {
        Ok((0..count).map(|_| Made::proxy()).collect())
    }
    async fn exports(&self) -> Result<usize, RemoteError> {
        Ok(self.0.stats().exports)
    }
    async fn sessions(&self) -> Result<usize, RemoteError> {
        Ok(self.0.stats().sessions.len())
    }
}
