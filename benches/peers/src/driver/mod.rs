//! Runs the peers round robin: every workload of a round with every peer, then the next round.

mod attempt;
mod java;
mod quiet;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::machine;
use crate::peers::{DEFAULT, Peer};
use crate::report::{self, Runs};
use crate::workload::{Amount, Workload};
use attempt::attempt;
use java::Java;
use quiet::Quiet;

#[derive(Args, Debug)]
pub struct Options {
    /// NAME, NAME:ct or NAME:mt; all of them if none is named
    peers: Vec<String>,
    /// Which workloads; all but lat if none is named
    #[arg(short, long, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// Rounds; the table shows medians
    #[arg(short, long, default_value_t = 3)]
    rounds: usize,
    /// One short round with less of everything: for a first look. Other amounts are ignored
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    amount: Amount,
    /// A run during which others used more percent of the machine than this is repeated, and the quietest counts
    #[arg(long, default_value_t = 8.0)]
    foreign: f64,
    /// How often
    #[arg(long, default_value_t = 2)]
    retries: usize,
    /// Seconds to wait for a quiet machine before each run
    #[arg(long, default_value_t = 30)]
    quiet_wait: u64,
    /// The same, for all runs together
    #[arg(long, default_value_t = 600)]
    total_wait: u64,
    /// Where each run is written to, as lines of JSON; `results.jsonl` beside the program by default
    #[arg(short, long)]
    out: Option<PathBuf>,
}

pub fn run(mut options: Options) -> Result<()> {
    if options.quick {
        (options.rounds, options.amount) = (1, Amount::QUICK);
    }
    let mut notes = Vec::new();
    let peers = peers(&options.peers, &mut notes)?;
    let java = Java::prepare(peers.iter().any(|peer| peer.kind.is_java()))?;
    if let Java::Missing(why) = &java {
        notes.push(why.clone());
    }
    let mut log = Log::create(&options, notes)?;
    let mut quiet = Quiet::new(options.quiet_wait, options.total_wait);
    for round in 1..=options.rounds.max(1) {
        for workload in workloads(&options.workloads) {
            for peer in peers.iter().filter(|peer| peer.has(workload) && java.allows(peer)) {
                match quietest(&options, &java, &mut quiet, *peer, workload) {
                    Ok(mut figures) => {
                        figures["round"] = round.into();
                        log.add(*peer, workload, figures)?;
                    }
                    Err(error) => log.failed(*peer, workload, &error)?,
                }
            }
        }
    }
    print!("{}", report::markdown(&log.runs));
    Ok(())
}

fn workloads(named: &[Workload]) -> Vec<Workload> {
    use Workload::{
        Blob, GrowthObjects, GrowthSessions, Handoff, Lat1, Local, Mb, Memobj, Mixed, Tput64, Tput512,
    };
    if named.is_empty() {
        return vec![
            Lat1,
            Tput64,
            Tput512,
            Blob,
            Mb,
            Local,
            Memobj,
            Handoff,
            Mixed,
            GrowthObjects,
            GrowthSessions,
        ];
    }
    named.to_vec()
}

fn peers(named: &[String], notes: &mut Vec<String>) -> Result<Vec<Peer>> {
    let names: Vec<&str> = match named.is_empty() {
        true => DEFAULT.to_vec(),
        false => named.iter().map(String::as_str).collect(),
    };
    let mut peers = Vec::new();
    for name in names {
        let named = Peer::all_of(name).map_err(anyhow::Error::msg)?;
        let (built, not_built): (Vec<_>, Vec<_>) = named.into_iter().partition(|peer| peer.kind.is_built());
        if !not_built.is_empty() {
            notes.push(format!("{name} is left out: this was built with --no-default-features"));
        }
        peers.extend(built);
    }
    Ok(peers)
}

/// The quietest of a few tries.
fn quietest(
    options: &Options,
    java: &Java,
    quiet: &mut Quiet,
    peer: Peer,
    workload: Workload,
) -> Result<Value> {
    let foreign = |figures: &Value| figures["foreign_pct"].as_f64().unwrap_or(100.0);
    let mut best: Result<Value> = Err(anyhow::anyhow!("not tried"));
    for _ in 0..=options.retries {
        quiet.wait();
        let tried = attempt(peer, workload, &options.amount, java);
        let is_better = match (&tried, &best) {
            (Ok(tried), Ok(best)) => foreign(tried) < foreign(best),
            (Ok(_), Err(_)) | (Err(_), Err(_)) => true,
            (Err(_), Ok(_)) => false,
        };
        if is_better {
            best = tried;
        }
        if best.as_ref().is_ok_and(|best| foreign(best) <= options.foreign) {
            break;
        }
    }
    best
}

/// What was measured so far: in memory, on disk, and a line of it for whoever watches.
struct Log {
    file: File,
    runs: Runs,
}

impl Log {
    fn create(options: &Options, notes: Vec<String>) -> Result<Self> {
        let path = match &options.out {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("results.jsonl"),
        };
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        eprintln!("writing {}", fs::canonicalize(&path)?.display());
        let mut log = Self { file, runs: Runs::default() };
        let quick = if options.quick { " --quick" } else { "" };
        let mut machine = machine::description();
        machine["rounds"] = options.rounds.into();
        machine["amount"] = format!("{:?}{quick}", options.amount).into();
        machine["foreign_limit"] = options.foreign.into();
        log.line(json!({ "machine": machine }))?;
        for note in notes {
            log.note(&note)?;
        }
        Ok(log)
    }

    fn line(&mut self, value: Value) -> Result<()> {
        writeln!(self.file, "{value}")?;
        self.runs.add(&value);
        Ok(())
    }

    fn note(&mut self, note: &str) -> Result<()> {
        eprintln!("{note}");
        self.line(json!({ "note": note }))
    }

    fn add(&mut self, peer: Peer, workload: Workload, mut figures: Value) -> Result<()> {
        figures["peer"] = peer.to_string().into();
        figures["workload"] = workload.name().into();
        figures["at"] = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().into();
        eprintln!(
            "round {}: {} {peer}: {}",
            figures["round"],
            workload.name(),
            report::brief(workload, &figures)
        );
        self.line(figures)
    }

    fn failed(&mut self, peer: Peer, workload: Workload, error: &anyhow::Error) -> Result<()> {
        self.note(&format!("{} of {peer} failed: {error:#}", workload.name()))
    }
}
