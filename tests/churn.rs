//! Peers that come, break their connections, hold things and go in every way, for long: nothing of them stays. `RMI_CHURN=N` for more of
//! them than by default.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use rmi::Node;
use support::relay::Relay;
use support::shelf::{Shelf, ShelfProxy, Site};
use support::{Random, eventually, start, within};

/// How many peers there are before memory is measured, and how many after that, unless told otherwise.
const BEFORE: u64 = 100;
const AFTER: u64 = 200;

/// How much memory may differ after that, in KiB: an allocator keeps what it likes. It is 10 KiB a peer.
const SLACK: u64 = 2048;

fn patient(builder: rmi::Builder) -> rmi::Builder {
    builder.lease(Duration::from_secs(2)).reconnect_window(Duration::from_millis(500))
}

/// One peer: some calls over a connection that breaks, and an end of some kind.
async fn visit(relay: &Relay, random: &mut Random) {
    let node = start(patient(Node::builder())).await;
    let shelf: ShelfProxy = within(node.root(&relay.address, "shelf")).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(within(shelf.make()).await.unwrap());
        if random.below(3) == 0 {
            relay.cut();
        }
        within(shelf.echo(held[0].clone())).await.unwrap();
    }
    match random.below(4) {
        0 => {
            drop((shelf, held));
            within(node.shutdown()).await;
        }
        1 => within(node.shutdown()).await,
        // What it holds and what runs for it is left to the end of its lease.
        2 => drop((node, shelf)),
        _ => {
            let _ = tokio::time::timeout(Duration::from_millis(1), shelf.stall(None)).await;
            relay.cut();
        }
    }
}

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_of_peers_that_come_and_go() {
    let more = std::env::var("RMI_CHURN").ok().and_then(|text| text.parse().ok()).unwrap_or(AFTER);
    let relay = Relay::new().await;
    let site = Site::at(start(patient(relay.builder())).await);
    let mut random = Random::new("churn");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let gone = || site.node.stats().sessions.is_empty();
    let rest = (tasks(), descriptors());
    for _ in 0..BEFORE {
        visit(&relay, &mut random).await;
    }
    eventually("all sessions are over", gone).await;
    let before = memory();
    for _ in 0..more {
        visit(&relay, &mut random).await;
    }
    eventually("all sessions are over", gone).await;
    let after = memory();
    println!("{more} peers: {before} KiB before, {after} KiB after");
    assert_eq!((site.node.stats().exports, site.keeper.population.alive()), (1, 0), "the shelf alone");
    assert!(after < before + SLACK + more.saturating_sub(AFTER) / 100, "{before} KiB became {after} KiB");
    eventually("tasks and descriptors are gone", || tasks() <= rest.0 && descriptors() <= rest.1).await;
}
