//! Whole calls: of a servant in the same process, and between two nodes whose connection is memory.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use rmi::Node;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::{Adder, AdderProxy, Plain};

/// How many callers share a proxy, and how many calls each makes at a time.
const CALLERS: u64 = 64;
const CALLS: u64 = 16;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A call of a servant in the same process.
pub fn local(criterion: &mut Criterion) {
    let proxy = AdderProxy::new(Plain);
    let mut group = criterion.benchmark_group("call/local");
    group.bench_function("add", |b| {
        b.to_async(runtime()).iter(|| async { proxy.add(black_box(1), 2).await.unwrap() });
    });
    group.finish();
}

/// A call of a servant of another node, both on one thread.
pub fn remote(criterion: &mut Criterion) {
    let runtime = runtime();
    let (server, client, proxy) = runtime.block_on(async {
        let server = Node::builder().listen("mem://layers").start().await.unwrap();
        server.publish("adder", &AdderProxy::new(Plain));
        let client = Node::builder().start().await.unwrap();
        let proxy: AdderProxy = client.root(&server.addresses()[0], "adder").await.unwrap();
        (server, client, proxy)
    });
    let mut group = criterion.benchmark_group("call/remote");
    group.throughput(Throughput::Elements(1));
    group.bench_function("1 in flight", |b| {
        b.to_async(&runtime).iter(|| async { proxy.add(black_box(1), 2).await.unwrap() });
    });
    group.throughput(Throughput::Elements(CALLERS * CALLS));
    group.bench_function("64 in flight", |b| b.to_async(&runtime).iter(|| crowd(&proxy)));
    group.finish();
    runtime.block_on(async {
        client.shutdown().await;
        server.shutdown().await;
    });
}

/// Each of many callers makes some calls, one after the other.
async fn crowd(proxy: &AdderProxy) {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let proxy = proxy.clone();
        callers.spawn(async move {
            for i in 0..CALLS {
                proxy.add(i, 1).await.unwrap();
            }
        });
    }
    callers.join_all().await;
}
