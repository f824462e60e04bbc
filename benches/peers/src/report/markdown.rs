//! The table in Markdown.

use std::fmt::Write;

use super::number::{figure, ratio};
use super::rows::{Better, Bound, ROWS, Row};
use super::{Figure, Runs};
use crate::peers::{Kind, Peer, Role};
use crate::runtime::Mode;

/// With fewer, or with others at work, a verdict is a rough one.
const ROUNDS: usize = 3;

const MODES: [Mode; 2] = [Mode::Ct, Mode::Mt];

pub fn markdown(runs: &Runs) -> String {
    let mut kinds: Vec<&'static Kind> = runs.peers().iter().map(|peer| peer.kind).collect();
    kinds.sort_by_key(|kind| kind.position());
    kinds.dedup();
    let mut table = String::from("\n| | runtime |");
    kinds.iter().for_each(|kind| table += &format!(" {} |", kind.name));
    table += " rmi / raw | rmi / best Rust peer | target | verdict | spread | others |\n";
    let columns = table.matches('|').count() - 1;
    table += &format!("|---|---|{}\n", "---:|".repeat(columns - 2));
    for row in ROWS.iter().filter(|row| runs.has(row.workload)) {
        for mode in MODES {
            table += &Line { runs, row, mode }.markdown(&kinds).unwrap_or_default();
        }
    }
    table + &legend(runs)
}

struct Line<'a> {
    runs: &'a Runs,
    row: &'a Row,
    mode: Mode,
}

impl Line<'_> {
    /// `None`: nobody has this figure in this runtime.
    fn markdown(&self, kinds: &[&'static Kind]) -> Option<String> {
        let figures: Vec<_> = kinds.iter().map(|kind| self.of(kind)).collect();
        let in_mode = |kind: &&&'static Kind| self.exact(kind).is_some();
        kinds.iter().find(in_mode)?;
        let mut line = format!("| {} | {} |", self.row.title, self.mode.name());
        for (kind, figure_of) in kinds.iter().zip(figures) {
            let text = figure_of.map_or_else(|| "-".into(), |of| figure(of.median));
            let text = if kind.role == Role::Us && text != "-" { format!("**{text}**") } else { text };
            let _ = write!(line, " {text} |");
        }
        let us = self.us();
        let raw = self.ratio_to(self.raw()).map_or_else(|| "-".into(), ratio);
        let best = match (self.best(), self.ratio_to(self.best().map(|(_, best)| best))) {
            (Some((peer, _)), Some(of)) => format!("{} ({peer})", ratio(of)),
            _ => "-".into(),
        };
        let spread = us.filter(|us| us.rounds > 1);
        let spread = spread.map_or_else(|| "-".into(), |us| format!("{:.0} %", us.spread.abs()));
        let foreign = self.runs.foreign(self.row.workload);
        let (target, verdict) = (self.target(), self.verdict());
        let _ = writeln!(line, " {raw} | {best} | {target} | {verdict} | {spread} | {foreign:.0} % |");
        Some(line)
    }

    fn figure(&self, peer: Peer) -> Option<Figure> {
        self.runs.figure(self.row.workload, peer, self.row.key)
    }

    fn exact(&self, kind: &'static Kind) -> Option<Figure> {
        self.figure(Peer { kind, mode: Some(self.mode) })
    }

    /// In this runtime, or in the only one that the peer has.
    fn of(&self, kind: &'static Kind) -> Option<Figure> {
        let only = || kind.only_mode().and_then(|mode| self.figure(Peer { kind, mode }));
        self.exact(kind).or_else(only)
    }

    fn us(&self) -> Option<Figure> {
        self.exact(Kind::named("rmi")?)
    }

    fn raw(&self) -> Option<Figure> {
        self.exact(Kind::named("raw-tokio")?)
    }

    /// The best Rust peer, in whichever runtime.
    fn best(&self) -> Option<(Peer, Figure)> {
        let rust = self.runs.peers().into_iter().filter(|peer| peer.kind.role == Role::Rust);
        let figures = rust.filter_map(|peer| Some((peer, self.figure(peer)?)));
        let by_median = |a: &(Peer, Figure), b: &(Peer, Figure)| a.1.median.total_cmp(&b.1.median);
        match self.row.better {
            Better::Less => figures.min_by(by_median),
            Better::More => figures.max_by(by_median),
        }
    }

    fn ratio_to(&self, other: Option<Figure>) -> Option<f64> {
        Some(self.us()?.median / other?.median)
    }

    /// What a bound looks at; `None` if it was not measured.
    fn value(&self, bound: Bound) -> Option<f64> {
        match bound {
            Bound::Raw(_) => self.ratio_to(self.raw()),
            Bound::Best(_) => self.ratio_to(self.best().map(|(_, best)| best)),
            Bound::Peer(name, _) => self.ratio_to(self.of(Kind::named(name)?)),
            Bound::Plain(_) => self.us().map(|us| us.median),
        }
    }

    fn target(&self) -> String {
        let sign = match self.row.better {
            Better::Less => "≤",
            Better::More => "≥",
        };
        let one = |bound: &Bound| match bound {
            Bound::Raw(factor) => format!("{sign} {factor:.2} raw"),
            Bound::Best(1.0) if self.row.better == Better::Less => "< best".into(),
            Bound::Best(factor) => format!("{sign} {factor} best"),
            Bound::Peer(name, factor) => format!("{sign} {factor} {name}"),
            Bound::Plain(limit) => format!("{sign} {limit}"),
        };
        self.row.bounds.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn verdict(&self) -> String {
        let met = |bound: &Bound| Some(bound.is_met(self.row.better, self.value(*bound)?));
        let verdicts: Vec<_> = self.row.bounds.iter().map(met).collect();
        let verdict = match () {
            () if verdicts.is_empty() => return String::new(),
            () if verdicts.contains(&Some(false)) => "**no**",
            () if verdicts.contains(&None) => return "?".into(),
            () => "yes",
        };
        let is_disturbed = self.runs.foreign(self.row.workload) > self.runs.foreign_limit();
        let is_rough = is_disturbed || self.us().is_none_or(|us| us.rounds < ROUNDS);
        format!("{verdict}{}", if is_rough { " (rough)" } else { "" })
    }
}

fn legend(runs: &Runs) -> String {
    let text = |key: &str| runs.machine[key].as_str().unwrap_or("?");
    let versions = runs.machine["versions"].as_array().into_iter().flatten();
    let versions: Vec<_> = versions.filter_map(|version| version.as_str()).collect();
    let mut legend = format!(
        "\n{}; {} cores, {}, Linux {}; {}; {}; {}.\n",
        text("date"),
        runs.machine["cores"],
        text("processor"),
        text("kernel"),
        text("rustc"),
        versions.join(", "),
        text("java"),
    );
    let _ = writeln!(
        legend,
        "Medians of {} rounds, interleaved; {}.\nspread: (largest - smallest) / median of rmi's rounds. others: the worst share of the machine that other \
         processes used in a run of the workload; runs over {} % were repeated. A peer that has one runtime stands in both rows; the best Rust peer is that of \
         either runtime. A verdict is rough with fewer than {ROUNDS} rounds, or when others used more than that.",
        runs.machine["rounds"],
        text("amount"),
        runs.foreign_limit(),
    );
    runs.notes.iter().for_each(|note| legend += &format!("- {note}\n"));
    legend
}
