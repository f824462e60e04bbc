//! Small calls beside a bare TCP ping-pong of the same bytes, in one process over loopback.
//!
//! `cargo bench --bench roundtrip`. Compare ratios within one run; times on a shared machine mean nothing by themselves.
#![expect(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rmi::{Node, RemoteError, remote};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[remote]
pub trait Adder {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError>;
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>, RemoteError>;
}

struct Plain;

impl Adder for Plain {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError> {
        Ok(a + b)
    }
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>, RemoteError> {
        Ok(bytes)
    }
}

/// The bytes of one `add` on the wire, there and back.
const CALL: usize = 42;

async fn bare() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    tokio::spawn(async move {
        let mut frame = [0; CALL];
        while server.read_exact(&mut frame).await.is_ok() && server.write_all(&frame).await.is_ok() {}
    });
    client
}

fn roundtrip(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut stream, server, _client, remote) = runtime.block_on(async {
        let server = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        server.publish("adder", &AdderProxy::new(Plain));
        let client = Node::builder().start().await.unwrap();
        let remote: AdderProxy = client.root(&server.addresses()[0], "adder").await.unwrap();
        (bare().await, server, client, remote)
    });
    let local = AdderProxy::new(Plain);

    let mut group = criterion.benchmark_group("one call");
    group.bench_function("bare tcp", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let mut frame = [7; CALL];
                stream.write_all(&frame).await.unwrap();
                stream.read_exact(&mut frame).await.unwrap();
            });
        });
    });
    group.bench_function("remote add", |b| {
        b.iter(|| runtime.block_on(async { remote.add(1, 2).await.unwrap() }));
    });
    group.bench_function("local add", |b| {
        b.iter(|| runtime.block_on(async { local.add(1, 2).await.unwrap() }));
    });
    group.finish();

    let mut group = criterion.benchmark_group("64 callers");
    group.throughput(Throughput::Elements(64 * 16));
    group.bench_function("remote add", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let callers: Vec<_> = (0..64)
                    .map(|_| {
                        let remote = remote.clone();
                        tokio::spawn(async move {
                            for i in 0..16 {
                                remote.add(i, 1).await.unwrap();
                            }
                        })
                    })
                    .collect();
                for caller in callers {
                    caller.await.unwrap();
                }
            });
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("64 KiB");
    let payload = Arc::new(vec![7_u8; 64 * 1024]);
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("remote echo", |b| {
        b.iter(|| runtime.block_on(async { remote.echo(payload.to_vec()).await.unwrap() }));
    });
    group.finish();
    runtime.block_on(server.shutdown());
}

criterion_group!(benches, roundtrip);
criterion_main!(benches);
