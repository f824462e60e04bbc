//! The rows of the table: which figure of which workload, and what it must reach.

use crate::workload::Workload::{
    self, Blob, GrowthObjects, GrowthSessions, Handoff, Lat, Lat1, Local, Mb, Memobj, Mixed, Tput64, Tput512,
};

pub struct Row {
    pub workload: Workload,
    /// Where it is in the line of a run.
    pub key: &'static str,
    pub title: &'static str,
    pub better: Better,
    /// All of them must be kept.
    pub bounds: &'static [Bound],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Less,
    More,
}

#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// So many times raw TCP in the same runtime.
    Raw(f64),
    /// So many times the best Rust peer in whichever runtime.
    Best(f64),
    /// So many times this peer.
    Peer(&'static str, f64),
    /// This figure itself.
    Plain(f64),
}

use Better::{Less, More};
use Bound::{Best, Peer, Plain, Raw};

const fn row(
    workload: Workload,
    key: &'static str,
    title: &'static str,
    better: Better,
    bounds: &'static [Bound],
) -> Row {
    Row { workload, key, title, better, bounds }
}

pub static ROWS: &[Row] = &[
    row(Lat, "p50_us", "lat: p50, us", Less, &[]),
    row(Lat1, "p50_us", "lat1: p50, us", Less, &[Raw(1.10), Best(1.0)]),
    row(Tput64, "calls_per_s", "tput64: calls/s", More, &[Raw(0.70), Best(2.0)]),
    row(Tput512, "calls_per_s", "tput512: calls/s", More, &[Raw(0.25), Best(4.0)]),
    row(Blob, "mib_s", "blob: MiB/s", More, &[Raw(0.85)]),
    row(Mb, "mib_s", "mb: MiB/s", More, &[Raw(0.75)]),
    row(Local, "ns", "local: ns/call", Less, &[Plain(100.0)]),
    row(Local, "allocations", "local: allocations/call", Less, &[Plain(1.0)]),
    row(Memobj, "calls_per_s", "memobj: made/s", More, &[Peer("capnp", 5.0)]),
    row(Memobj, "server_bytes_per_obj", "memobj: owner, bytes/object", Less, &[Plain(320.0)]),
    row(Memobj, "client_bytes_per_obj", "memobj: holder, bytes/object", Less, &[Plain(320.0)]),
    row(Memobj, "free_s", "memobj: all freed after, s", Less, &[Plain(0.3)]),
    row(Handoff, "plain_us", "handoff: plain call, p50, us", Less, &[]),
    row(Handoff, "first_us", "handoff: first call, p50, us", Less, &[]),
    row(Handoff, "first_ratio", "handoff: first / plain", Less, &[Plain(1.3)]),
    row(Handoff, "frames", "handoff: numbered frames", Less, &[Plain(7.0)]),
    row(Mixed, "p99_alone_us", "mixed: small calls alone, p99, us", Less, &[]),
    row(Mixed, "p99_us", "mixed: beside transfers, p99, us", Less, &[]),
    row(Mixed, "p99_ratio", "mixed: p99 beside / alone", Less, &[Plain(10.0)]),
    row(Mixed, "mib_s_alone", "mixed: transfers alone, MiB/s", More, &[]),
    row(Mixed, "mib_s_ratio", "mixed: transfers beside / alone", More, &[Plain(0.7)]),
    row(GrowthObjects, "p50_ratio", "growth-objects: p50, many / 1", Less, &[Plain(1.10)]),
    row(GrowthObjects, "cpu_ratio", "growth-objects: CPU, many / 1", Less, &[Plain(1.10)]),
    row(GrowthSessions, "p50_ratio", "growth-sessions: p50, many / 1", Less, &[Plain(1.10)]),
    row(GrowthSessions, "cpu_ratio", "growth-sessions: CPU, many / 1", Less, &[Plain(1.10)]),
    row(GrowthSessions, "server_bytes_per_session", "idle session, server, bytes", Less, &[Plain(16_384.0)]),
    row(GrowthSessions, "client_bytes_per_session", "idle session, client, bytes", Less, &[Plain(16_384.0)]),
    row(GrowthSessions, "bytes_per_node", "a node without sessions, bytes", Less, &[]),
];

impl Bound {
    /// Whether a figure, or its ratio to what it is compared with, is good enough.
    pub fn is_met(self, better: Better, value: f64) -> bool {
        let (Raw(factor) | Best(factor) | Peer(_, factor) | Plain(factor)) = self;
        match better {
            // Not like the best, but better.
            Less if matches!(self, Best(_)) => value < factor,
            Less => value <= factor,
            More => value >= factor,
        }
    }
}
