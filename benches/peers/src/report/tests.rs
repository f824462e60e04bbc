use serde_json::{Value, json};

use super::{Runs, markdown};

fn runs(lines: &[Value]) -> Runs {
    let mut runs = Runs::default();
    runs.add(&json!({ "machine": { "foreign_limit": 8.0 } }));
    lines.iter().for_each(|line| runs.add(line));
    runs
}

/// Three rounds of lat1 with these medians.
fn lat1(peer: &str, p50: f64) -> Vec<Value> {
    [p50 - 1.0, p50 + 5.0, p50]
        .map(|us| json!({ "workload": "lat1", "peer": peer, "p50_us": us, "foreign_pct": 1.0 }))
        .to_vec()
}

/// The cells of the one row, from the ratios on.
fn verdict(lines: &[Value]) -> Vec<String> {
    let table = markdown(&runs(lines));
    let row = table.lines().find(|line| line.starts_with("| lat1")).expect("a row");
    let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    cells[cells.len() - 6..].to_vec()
}

#[test]
fn medians_are_compared_with_raw_and_the_best_peer() {
    let lines = [lat1("rmi:ct", 11.0), lat1("raw-tokio:ct", 10.0), lat1("tarpc-bincode:mt", 22.0)].concat();
    assert_eq!(verdict(&lines)[..4], ["1.10", "0.50 (tarpc-bincode:mt)", "≤ 1.10 raw, < best", "yes"]);
}

#[test]
fn as_good_as_the_best_peer_is_not_better() {
    let lines = [lat1("rmi:ct", 11.0), lat1("raw-tokio:ct", 10.0), lat1("capnp:ct", 11.0)].concat();
    assert_eq!(verdict(&lines)[3], "**no**");
}

#[test]
fn what_was_not_measured_has_no_verdict() {
    let lines = [lat1("rmi:ct", 11.0), lat1("raw-tokio:ct", 10.0)].concat();
    assert_eq!(verdict(&lines)[3], "?");
}

#[test]
fn a_verdict_is_rough_after_a_round_or_beside_others() {
    let peers = [lat1("rmi:ct", 10.0), lat1("raw-tokio:ct", 10.0), lat1("capnp:ct", 21.0)];
    let one_round: Vec<_> = peers.iter().map(|rounds| rounds[2].clone()).collect();
    assert_eq!(verdict(&one_round)[3..5], ["yes (rough)", "-"]);
    let mut disturbed = peers.concat();
    disturbed[4]["foreign_pct"] = 30.0.into();
    assert_eq!(verdict(&disturbed)[3..], ["yes (rough)", "60 %", "30 %"]);
}
