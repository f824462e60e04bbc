//! Where the instructions of a call are: by function, with those that it calls.

use std::process::Command;

use crate::Result;
use crate::workload::Workload;

/// Prints what functions of ours and of the runtime take for one call, the most expensive first. The start of the run is in it: a few percent.
pub(crate) fn print(workload: &Workload) -> Result<()> {
    let calls = workload.calls.1;
    let profile = std::env::temp_dir().join(format!("instructions-{}.callgrind", std::process::id()));
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args(["run", workload.name, &calls.to_string()])
        .status()?;
    let table = Command::new("callgrind_annotate")
        .args(["--inclusive=yes", "--threshold=100", "--auto=no"])
        .arg(&profile)
        .output();
    std::fs::remove_file(&profile)?;
    if !counted.success() {
        return Err(format!("{} failed under callgrind", workload.name).into());
    }
    for line in String::from_utf8_lossy(&table?.stdout).lines() {
        let Some((count, function)) = step(line) else { continue };
        let count = count / calls as u64;
        if count >= 20 && (function.contains("rmi_core") || function.contains("workload")) {
            println!("{count:>7} {function}");
        }
    }
    Ok(())
}

/// A line of the table: `12,345 (6.7%) file:function [object]`.
fn step(line: &str) -> Option<(u64, &str)> {
    let (count, rest) = line.trim_start().split_once(' ')?;
    let count = count.replace(',', "").parse().ok()?;
    let (_, function) = rest.split_once(':')?;
    Some((count, function.split(" [").next()?.trim()))
}
