//! Arguments and results to bytes and back.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use rmi::{AnyProxy, NodeId, RemoteError};
use rmi_core::invoke::{Arguments, Incoming, RemoteResult, Reply, ReplyStatus};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{AdderProxy, Plain};

type Result<T> = std::result::Result<T, RemoteError>;

/// How many bytes a large value has.
const LARGE: usize = 64 * 1024;

/// A value as users have them.
#[derive(Clone, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    place: (f64, f64),
    tags: Vec<String>,
    state: State,
    parent: Option<u64>,
}

#[derive(Clone, Serialize, Deserialize)]
enum State {
    Idle,
    Busy { since: u64, progress: f32 },
}

/// Bytes within a value.
#[derive(Clone, Serialize, Deserialize)]
struct File {
    name: String,
    content: Vec<u8>,
    mode: u32,
}

fn record(id: u64) -> Record {
    Record {
        id,
        name: format!("record {id}"),
        place: (1.5, -2.5),
        tags: vec!["first".into(), "second".into()],
        state: if id.is_multiple_of(2) { State::Idle } else { State::Busy { since: id, progress: 0.5 } },
        parent: id.checked_sub(1),
    }
}

fn node() -> NodeId {
    NodeId::from_bytes([7; 16])
}

/// The arguments of a small call, there and back.
pub fn arguments(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("marshal/arguments");
    let encode = |push: &dyn Fn(&mut Arguments)| {
        let mut arguments = Arguments::new(2);
        push(&mut arguments);
        arguments.finish("I/m").unwrap()
    };
    let numbers = |arguments: &mut Arguments| {
        arguments.push("a", black_box(&1_u64));
        arguments.push("b", black_box(&70_000_u64));
    };
    group.bench_function("two numbers, encode", |b| b.iter(|| encode(&numbers)));
    let payload = Bytes::from(encode(&numbers).0);
    group.bench_function("two numbers, decode", |b| {
        b.iter(|| {
            let mut call = Incoming::new(node(), black_box(&payload), Vec::new());
            call.next::<u64>("I/m", "a").unwrap() + call.next::<u64>("I/m", "b").unwrap()
        });
    });

    let (first, second) = (AdderProxy::new(Plain), AnyProxy::from(AdderProxy::new(Plain)));
    let proxies = |arguments: &mut Arguments| {
        arguments.push("a", black_box(&first));
        arguments.push("b", black_box(&second));
    };
    group.bench_function("two references, encode", |b| b.iter(|| encode(&proxies)));
    let (payload, references) = encode(&proxies);
    let payload = Bytes::from(payload);
    group.bench_function("two references, decode", |b| {
        b.iter(|| {
            let mut call = Incoming::new(node(), black_box(&payload), references.clone());
            let first: AnyProxy = call.next("I/m", "a").unwrap();
            (first, call.next::<AnyProxy>("I/m", "b").unwrap())
        });
    });
    group.finish();
}

/// A result, there and back.
fn value<T>(criterion: &mut Criterion, name: &str, value: T)
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let mut group = criterion.benchmark_group("marshal/results");
    let value = Result::Ok(value);
    let payload = Bytes::from(value.encode().unwrap().payload);
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group
        .bench_function(BenchmarkId::new("encode", name), |b| b.iter(|| black_box(&value).encode().unwrap()));
    group.bench_function(BenchmarkId::new("decode", name), |b: &mut Bencher<'_>| {
        b.iter(|| {
            let payload = black_box(&payload).clone();
            let reply = Reply {
                from: node(),
                status: ReplyStatus::Ok,
                payload: payload.into(),
                references: Vec::new(),
            };
            Result::<T>::decode(reply).unwrap()
        });
    });
    group.finish();
}

/// Results of several shapes, there and back.
pub fn results(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..LARGE).map(|i| i as u8).collect();
    value(criterion, "u64", 70_000_u64);
    value(criterion, "String of 12", String::from("hello, world"));
    value(criterion, "struct", record(7));
    value(criterion, "100 structs", (0..100).map(record).collect::<Vec<_>>());
    value(criterion, "64 KiB Vec<u8>", bytes.clone());
    value(criterion, "64 KiB Bytes", Bytes::from(bytes.clone()));
    value(criterion, "64 KiB ByteBuf", serde_bytes::ByteBuf::from(bytes.clone()));
    value(criterion, "64 KiB String", "x".repeat(LARGE));
    value(criterion, "64 KiB within a struct", File { name: "file".into(), content: bytes.clone(), mode: 7 });
    value(criterion, "64 of 1 KiB", bytes.chunks(1024).map(<[u8]>::to_vec).collect::<Vec<_>>());
    value(criterion, "8,192 numbers", (0..8192).map(|i| i * 1_000_003).collect::<Vec<u64>>());
}
