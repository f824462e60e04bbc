//! What was measured, as one table with ratios and verdicts.

mod markdown;
mod number;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;

use crate::peers::Peer;
use crate::workload::Workload;
pub use markdown::markdown;
use rows::ROWS;

#[cfg(test)]
mod tests;

/// All runs, and what there is to say about them.
#[derive(Default)]
pub struct Runs {
    machine: Value,
    notes: Vec<String>,
    runs: BTreeMap<(Workload, Peer), Vec<Value>>,
}

/// A figure of several rounds.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub median: f64,
    /// (largest - smallest) / median, in percent.
    pub spread: f64,
    pub rounds: usize,
}

impl Runs {
    pub fn read(files: &[PathBuf]) -> Result<Self> {
        let mut runs = Self::default();
        for file in files {
            let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|line| runs.add(&line));
        }
        Ok(runs)
    }

    /// A line of JSON: the machine, a note or a run.
    pub fn add(&mut self, line: &Value) {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        if !line["machine"].is_null() {
            self.machine = line["machine"].clone();
        } else if !line["note"].is_null() {
            self.notes.push(text("note").to_owned());
        } else if let (Ok(workload), Ok(peer)) =
            (Workload::from_str(text("workload"), false), Peer::from_str(text("peer")))
        {
            self.runs.entry((workload, peer)).or_default().push(line.clone());
        }
    }

    fn has(&self, workload: Workload) -> bool {
        self.runs.keys().any(|(had, _)| *had == workload)
    }

    /// The peers with any run.
    fn peers(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> = self.runs.keys().map(|(_, peer)| *peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    fn figure(&self, workload: Workload, peer: Peer, key: &str) -> Option<Figure> {
        let runs = self.runs.get(&(workload, peer))?;
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run[key].as_f64()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (first, last) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Some(Figure { median, spread: (last - first) / median * 100.0, rounds: values.len() })
    }

    /// The share of the machine over which a run is disturbed, in percent.
    fn foreign_limit(&self) -> f64 {
        self.machine["foreign_limit"].as_f64().unwrap_or(0.0)
    }

    /// The worst share of the machine that others used in any run of a workload, in percent.
    fn foreign(&self, workload: Workload) -> f64 {
        let runs = self.runs.iter().filter(|((of, _), _)| *of == workload).flat_map(|(_, runs)| runs);
        runs.filter_map(|run| run["foreign_pct"].as_f64()).fold(0.0, f64::max)
    }
}

/// The main figures of one run, for whoever watches.
pub fn brief(workload: Workload, run: &Value) -> String {
    let rows = ROWS.iter().filter(|row| row.workload == workload);
    let shown =
        rows.filter_map(|row| Some(format!("{} {}", row.title, number::figure(run[row.key].as_f64()?))));
    let foreign = run["foreign_pct"].as_f64().unwrap_or(f64::NAN);
    format!("{} (others {foreign:.0} %)", shown.collect::<Vec<_>>().join(", "))
}
