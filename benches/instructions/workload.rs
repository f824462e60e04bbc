//! Calls between two nodes over loopback TCP, both on one thread: what happens is the same each time.

use bytes::Bytes;
use rmi::{Node, RemoteError, remote};
use tokio::task::JoinSet;

use crate::Result;

#[remote]
pub(crate) trait Adder {
    async fn add(&self, a: u64, b: u64) -> std::result::Result<u64, RemoteError>;
    async fn echo(&self, bytes: Bytes) -> std::result::Result<Bytes, RemoteError>;
}

struct Plain;

impl Adder for Plain {
    async fn add(&self, a: u64, b: u64) -> std::result::Result<u64, RemoteError> {
        Ok(a + b)
    }
    async fn echo(&self, bytes: Bytes) -> std::result::Result<Bytes, RemoteError> {
        Ok(bytes)
    }
}

/// As in docs/PERFORMANCE.md.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// How many callers share a proxy, each with one call in flight.
    callers: usize,
    /// 0: `add`; otherwise `echo` of so many bytes.
    bytes: usize,
    /// How many calls are made in the shorter and in the longer run.
    pub(crate) calls: (usize, usize),
}

pub(crate) const ALL: [Workload; 4] = [
    Workload { name: "lat1", callers: 1, bytes: 0, calls: (2_000, 12_000) },
    Workload { name: "tput64", callers: 64, bytes: 0, calls: (12_800, 64_000) },
    Workload { name: "tput512", callers: 512, bytes: 0, calls: (25_600, 102_400) },
    Workload { name: "blob", callers: 8, bytes: 64 * 1024, calls: (400, 2_400) },
];

pub(crate) fn named(name: &str) -> Option<&'static Workload> {
    ALL.iter().find(|workload| workload.name == name)
}

pub(crate) fn names() -> String {
    ALL.map(|workload| workload.name).join(", ")
}

impl Workload {
    pub(crate) fn run(&self, calls: usize) -> Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.make(calls))
    }

    async fn make(&self, calls: usize) -> Result<()> {
        let server = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
        server.publish("adder", &AdderProxy::new(Plain));
        let client = Node::builder().start().await?;
        let adder: AdderProxy = client.root(&server.addresses()[0], "adder").await?;
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            callers.spawn(caller(adder.clone(), self.bytes, calls / self.callers));
        }
        while let Some(done) = callers.join_next().await {
            done??;
        }
        Ok(())
    }
}

async fn caller(adder: AdderProxy, bytes: usize, calls: usize) -> std::result::Result<(), RemoteError> {
    let data = Bytes::from(vec![7; bytes]);
    for n in 0..calls as u64 {
        match bytes {
            0 => assert_eq!(adder.add(n, 1).await?, n + 1),
            _ => assert_eq!(adder.echo(data.clone()).await?.len(), bytes),
        }
    }
    Ok(())
}
