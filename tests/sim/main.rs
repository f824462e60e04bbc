//! A seeded simulation of the sans-io layers: sessions and collection of two to four nodes over simulated streams, which break and
//! are made again, with an invariant a file, checked after every step, and planted bugs that prove that the checks can fail.
//!
//! A failure prints the command that replays it: `RMI_SIM_SEED=7 cargo test --test sim NAME -- --exact --nocapture`.
//! `RMI_SIM_SEEDS=10000` tries more seeds than the default, and `RMI_SIM_FROM=10000` others.
#![expect(unreachable_pub, reason = "modules of one test")]
#![expect(clippy::panic, reason = "a test")]

mod app;
mod bug;
mod calls;
mod dial;
mod driver;
mod ends;
mod event;
mod fault;
mod handles;
mod invariant;
mod log;
mod net;
mod node;
mod plain;
mod planted;
mod reader;
mod resume;
mod rng;
mod routing;
mod run;
mod scenario;
mod sending;
mod serve;
mod world;

use std::collections::BTreeMap;

use run::{calm, holds, run, shaky, stormy};

#[test]
fn three_nodes() {
    holds("three_nodes", &calm(3));
}

#[test]
fn two_nodes() {
    holds("two_nodes", &calm(2));
}

#[test]
fn four_nodes() {
    holds("four_nodes", &calm(4));
}

#[test]
fn two_nodes_and_broken_connections() {
    holds("two_nodes_and_broken_connections", &shaky(2));
}

#[test]
fn three_nodes_and_broken_connections() {
    holds("three_nodes_and_broken_connections", &shaky(3));
}

#[test]
fn three_nodes_and_faults() {
    holds("three_nodes_and_faults", &stormy(3));
}

#[test]
fn two_nodes_and_faults() {
    holds("two_nodes_and_faults", &stormy(2));
}

#[test]
fn four_nodes_and_faults() {
    holds("four_nodes_and_faults", &stormy(4));
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..10 {
        let (first, second) = (run(stormy(3), seed, false), run(stormy(3), seed, false));
        assert_eq!((first.digest, first.steps), (second.digest, second.steps), "seed {seed}");
    }
}

#[test]
fn the_seeds_reach_what_they_must() {
    let mut reached = BTreeMap::new();
    for seed in 0..100 {
        for (what, times) in run(stormy(3), seed, false).reached {
            *reached.entry(what).or_insert(0) += times;
        }
    }
    println!("{reached:#?}");
    for what in [
        "a Dirty",
        "a Held",
        "a Gone",
        "a Clean",
        "a Cancel",
        "a Cancel of a call that runs",
        "an Abort",
        "a Clean that crosses a reference",
        "a reference that comes home",
        "references in a message of several frames",
        "a result of a third node",
        "an entry that asks again",
        "an owner out of reach",
        "another node at the address",
        "a connection that is lost",
        "a session that goes on",
        "a frame that is sent again",
        "a connection that is fenced",
        "a frame of an old connection",
        "a Resume that is held up",
        "a Resume that is refused",
        "a Resumed that is lost",
        "a silent connection",
        "a session that is forgotten",
        "a connection that is not made again",
        "a node that is stopped",
        "a call after all is healed",
        "a wall between two nodes",
        "a lease that ends",
        "a Bye",
        "a session that nothing uses",
        "a full ring",
        "a plain call",
        "a large plain call",
        "a plain answer",
        "a call that cannot leave at once",
        "an answer that cannot leave at once",
        "a write without the writer",
        "output that waits for the writer",
        "two sessions between two nodes",
    ] {
        assert!(reached.get(what).is_some_and(|times| *times >= 2), "{what}: {:?} times", reached.get(what));
    }
}
