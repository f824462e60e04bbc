//! The shape of a call: what it allocates and how often it writes to the socket, however many callers share a proxy. Not timed. A test of its own in a
//! program of its own: the counter counts for all threads.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::alloc::System;
use std::process::Command;

use rmi::remote;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{Result, address, served, within};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static COUNTER: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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

/// How many calls are counted.
const CALLS: usize = 100_000;

/// Of both sides together, for one call.
#[derive(Debug)]
struct Shape {
    /// Allocations and reallocations.
    allocations: f64,
    /// Segments with data, if that is known. A write to the socket makes one at least, unless an earlier one has
    /// not left yet.
    segments: Option<f64>,
}

/// `callers`: how many share one proxy over loopback TCP, each with one call in flight.
async fn measure(callers: usize) -> Shape {
    let (server, _client, adder) = served(AdderProxy::new(Plain)).await;
    let at = address(&server);
    let port = at.rsplit(':').next().unwrap();
    let run = async |calls: usize| {
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let adder = adder.clone();
                tokio::spawn(async move {
                    for n in 0..(calls / callers) as u64 {
                        assert_eq!(adder.add(n, 1).await.unwrap(), n + 1);
                    }
                })
            })
            .collect();
        for caller in callers {
            within(caller).await.unwrap();
        }
    };
    // Buffers and tables grow once.
    run(CALLS / 10).await;
    let before = segments(port);
    let region = Region::new(COUNTER);
    run(CALLS).await;
    let change = region.change();
    let sent = segments(port);
    let each = |count: usize| count as f64 / CALLS as f64;
    Shape {
        allocations: each(change.allocations + change.reallocations),
        segments: before.zip(sent).map(|(before, sent)| each(sent - before)),
    }
}

/// How many segments with data the sockets at both ends of the connection to `port` have sent, as the system counts them. `None`: there is no `ss`
/// (iproute2) that could say so.
fn segments(port: &str) -> Option<usize> {
    let filter = format!("( sport = :{port} or dport = :{port} )");
    let shown = Command::new("ss").args(["-t", "-i", "-n", "-H", "state", "established", &filter]).output();
    let shown = String::from_utf8(shown.ok().filter(|shown| shown.status.success())?.stdout).unwrap();
    let counts: Vec<usize> = shown
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("data_segs_out:"))
        .map(|count| count.parse().unwrap())
        .collect();
    assert_eq!(counts.len(), 2, "both ends: {shown}");
    Some(counts.iter().sum())
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn several_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Measured: 2.3 allocations for each call of 64 callers and 2.2 for one of 512, both sides together; 0.06 to 0.11 and 0.02 to 0.04 segments, and
/// `strace -f -c -e trace=sendto,writev` counts as many writes.
#[test]
fn a_call_keeps_its_shape() {
    for (name, runtime) in [("one thread", one_thread()), ("several threads", several_threads())] {
        for (callers, max_segments) in [(64, 0.2), (512, 0.08)] {
            let shape = runtime.block_on(measure(callers));
            println!("{callers} callers, {name}: {shape:?}");
            assert!(shape.allocations < 2.5, "{callers} callers, {name}: {shape:?}");
            match shape.segments {
                Some(segments) => assert!(segments < max_segments, "{callers} callers, {name}: {shape:?}"),
                None => println!("SKIPPED: without ss (iproute2) nobody counts writes"),
            }
        }
    }
}
