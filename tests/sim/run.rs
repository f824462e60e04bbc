//! Runs of seeds: how many, how they are replayed, and what a planted bug must lead to.

use std::collections::BTreeMap;
use std::env;

use crate::bug::Bug;
use crate::invariant::{Invariant, Violation};
use crate::world::{Config, World};

/// How many seeds a test tries, unless `RMI_SIM_SEEDS` says how many.
const SEEDS: u64 = 300;

/// Within how many seeds a planted bug must be caught.
const PLANTED_SEEDS: u64 = 400;

/// So many nodes, and nothing goes wrong.
pub fn calm(nodes: usize) -> Config {
    let actions = 150;
    Config { nodes, faults: false, breaks: false, actions, bug: None, only: Vec::new(), scripted: false }
}

/// So many nodes; connections break, and nothing else goes wrong: nobody notices.
pub fn shaky(nodes: usize) -> Config {
    Config { breaks: true, ..calm(nodes) }
}

/// So many nodes; connections break, nodes crash, end and are stopped, networks part, streams stall.
pub fn stormy(nodes: usize) -> Config {
    Config { faults: true, ..calm(nodes) }
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    pub violation: Option<Violation>,
    pub digest: u64,
    pub steps: u64,
    pub planted: u32,
    pub trace: Vec<String>,
    /// How often something came about that a simulation must reach.
    pub reached: BTreeMap<&'static str, u64>,
}

/// One run: chance, then healing, then rest.
pub fn run(config: Config, seed: u64, traced: bool) -> Report {
    let mut world = World::new(config, seed, traced);
    while world.actions > 0 && world.step(u64::MAX) {}
    world.heal();
    world.rest();
    let World { violation, digest, steps, planted, trace, reached, .. } = world;
    Report { violation, digest, steps, planted, trace: trace.unwrap_or_default(), reached }
}

impl World {
    /// Nothing goes wrong any more: sessions come back or end, and what is held works.
    pub fn heal(&mut self) {
        self.actions = 0;
        self.note(|| "nothing goes wrong any more".into());
        self.paused.clear();
        self.walls.clear();
        // All that was stopped or held up is through, and every end of a lease has come.
        self.run_for(5 * self.lease.as_millis() as u64);
        if self.violation.is_none() {
            self.check_healed();
        }
    }

    /// Nothing goes wrong any more and nothing is held: everything must go.
    pub fn rest(&mut self) {
        self.actions = 0;
        self.note(|| "nothing is held any more".into());
        self.paused.clear();
        let lease = self.lease.as_millis() as u64;
        // Calls end, then what they brought is dropped, too.
        for _ in 0..20 {
            for node in &mut self.nodes {
                node.held.clear();
                node.root = None;
            }
            self.calls.values_mut().for_each(|record| record.behaviour = None);
            self.take_notices();
            self.run_for(lease);
            if self.violation.is_some() || self.is_at_rest() {
                return;
            }
        }
        self.check_end();
    }
}

/// Runs many seeds and panics at the first that breaks an invariant. `RMI_SIM_SEED` replays one, with what happened;
/// `RMI_SIM_SEEDS` tries so many, beginning with `RMI_SIM_FROM`.
pub fn holds(test: &str, config: &Config) {
    if let Some(seed) = variable("RMI_SIM_SEED") {
        let report = run(config.clone(), seed, true);
        report.trace.iter().for_each(|line| println!("{line}"));
        println!("seed {seed}: {} steps, {:?}", report.steps, report.violation);
        assert!(report.violation.is_none(), "seed {seed}: {:?}", report.violation);
        return;
    }
    let seeds = variable("RMI_SIM_SEEDS").unwrap_or(SEEDS);
    let from = variable("RMI_SIM_FROM").unwrap_or(0);
    let mut steps = 0;
    for seed in from..from + seeds {
        let report = run(config.clone(), seed, false);
        steps += report.steps;
        if let Some(violation) = report.violation {
            panic!(
                "{violation}\nreplay: RMI_SIM_SEED={seed} cargo test --test sim {test} -- --exact --nocapture"
            );
        }
    }
    println!("{test}: {seeds} seeds, {steps} steps");
    assert!(steps > seeds * 500, "the runs are too short to mean anything: {steps} steps");
}

/// A planted bug must break exactly this invariant within a bounded number of seeds.
pub fn catches(config: Config, bug: Bug, invariant: Invariant) {
    let config = Config { bug: Some(bug), only: vec![invariant], ..config };
    let mut planted = 0;
    for seed in 0..PLANTED_SEEDS {
        let report = run(config.clone(), seed, false);
        planted += report.planted;
        if let Some(violation) = report.violation {
            println!("{bug:?} is caught by seed {seed}: {violation}");
            return;
        }
    }
    panic!("{bug:?} broke {invariant:?} in none of {PLANTED_SEEDS} seeds, planted {planted} times");
}

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
