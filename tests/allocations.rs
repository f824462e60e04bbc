//! What marshalling and local calls allocate. A test of its own in a program of its own: the counter counts for all threads.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::alloc::System;
use std::sync::Arc;

use bytes::Bytes;
use rmi::private::Implements;
use rmi::{AnyProxy, NodeId, RemoteError, remote};
use rmi_core::id::MethodId;
use rmi_core::invoke::{Arguments, Incoming, RemoteResult, Reply, ReplyStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTER: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Result<T> = std::result::Result<T, RemoteError>;

#[remote]
pub trait Adder {
    async fn add(&self, a: u64, b: u64) -> Result<u64>;
}

struct Plain;

impl Adder for Plain {
    async fn add(&self, a: u64, b: u64) -> Result<u64> {
        Ok(a + b)
    }
}

/// How often each thing is done, so that what other threads do meanwhile is nothing to it.
const TIMES: usize = 1000;

/// Allocations that `work` makes, once it has made those that it makes once.
fn allocations(mut work: impl FnMut()) -> usize {
    work();
    let region = Region::new(COUNTER);
    for _ in 0..TIMES {
        work();
    }
    let change = region.change();
    (change.allocations + change.reallocations) / TIMES
}

fn node() -> NodeId {
    NodeId::from_bytes([7; 16])
}

/// Encodes a call as its caller does, and drops it as the session does that has copied it.
fn call<T: Serialize>(value: &T) {
    let mut arguments = Arguments::new(2);
    arguments.push_lent("value", value);
    arguments.push("more", &70_000_u64);
    arguments.finish("I/m").unwrap();
}

/// What encoding and decoding a result allocates.
fn result<T>(value: T) -> (usize, usize)
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let value = Result::Ok(value);
    let payload = Bytes::from(value.encode().unwrap().payload);
    // It is shared already, as what is cut out of a read buffer is.
    let _shared = payload.clone();
    let encode = allocations(|| drop(value.encode().unwrap()));
    let decode = allocations(|| {
        let payload = payload.clone();
        let reply =
            Reply { from: node(), status: ReplyStatus::Ok, payload: payload.into(), references: Vec::new() };
        drop(Result::<T>::decode(reply).unwrap());
    });
    (encode, decode)
}

#[test]
fn what_is_small_allocates_nothing() {
    assert_eq!(allocations(|| call(&1_u64)), 0);
    assert_eq!(allocations(|| call(&"a text that is copied into the buffer")), 0);
    let proxy = AnyProxy::from(AdderProxy::new(Plain));
    assert_eq!(allocations(|| call(&proxy)), 1, "the table of references");
    assert_eq!(result(70_000_u64), (0, 0));
    assert_eq!(result((1_u8, Some(2.5), [7_u8; 16])), (0, 0));
    assert_eq!(result("text".to_owned()), (0, 1));

    // Large values: one allocation for the buffer, one to share it.
    let large = vec![7_u8; 65_536];
    let (encode, decode) = result(large.clone());
    assert!(encode <= 3 && decode == 1, "{encode}, {decode}");
    let (encode, decode) = result((String::from("name"), large.clone()));
    assert!(encode <= 3 && decode == 2, "{encode}, {decode}");
    let (encode, decode) = result(Bytes::from(large));
    assert!(encode <= 3 && decode == 0, "{encode}, {decode}");

    // A call of a local servant: its future.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let local = AdderProxy::new(Plain);
    let calls = runtime.block_on(async {
        local.add(1, 2).await.unwrap();
        let region = Region::new(COUNTER);
        for i in 0..TIMES as u64 {
            local.add(i, 1).await.unwrap();
        }
        region.change().allocations / TIMES
    });
    assert_eq!(calls, 1);

    // A call that has arrived: the same.
    let mut arguments = Arguments::new(2);
    arguments.push("a", &1_u64);
    arguments.push("b", &2_u64);
    let payload = Bytes::from(arguments.finish("I/m").unwrap().0);
    let (servant, method) = (Arc::new(Plain), MethodId::of(concat!(env!("CARGO_PKG_NAME"), ".Adder"), "add"));
    let started = allocations(|| {
        let mut call = Incoming::new(node(), &payload, Vec::new());
        let running = AdderInterface::dispatch(&servant, method, &mut call).unwrap().unwrap();
        drop(running);
    });
    assert_eq!(started, 1);
}
