//! What each layer of a call costs by itself.
//!
//! `cargo bench --bench layers`, or `cargo bench --bench layers -- session` for one of them. A layer is a file, and a group of the report or
//! several: `marshal` (encode and decode), `session` (a call and its answer, without I/O), `table` (of the collection), `call` (of a local
//! proxy, and between two nodes in memory). Compare ratios within one run; times on a shared machine mean nothing by themselves.
#![expect(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a benchmark")]

mod call;
mod marshal;
mod session;
mod table;

use criterion::{criterion_group, criterion_main};
use rmi::{RemoteError, remote};

#[remote]
pub trait Adder {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError>;
}

struct Plain;

impl Adder for Plain {
    async fn add(&self, a: u64, b: u64) -> Result<u64, RemoteError> {
        Ok(a + b)
    }
}

criterion_group!(
    benches,
    marshal::arguments,
    marshal::results,
    session::small,
    session::large,
    table::listing,
    table::imports,
    call::local,
    call::remote
);
criterion_main!(benches);
