//! What the machine and its processes use: CPU, memory, cores. From `/proc`: Linux.

use std::fs;
use std::io;
use std::process::Command;
use std::time::SystemTime;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Seconds of CPU, user and system, that this process has used so far in all its threads.
pub fn own_cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The same of other processes together, to the tick (10 ms); one that is gone counts nothing.
pub fn cpu_of(pids: &[u32]) -> f64 {
    let ticks: f64 = pids.iter().filter_map(|pid| ticks_of(*pid)).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

fn ticks_of(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
    Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
}

/// Resident bytes of a process; 0 if it is gone.
pub fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0.0) * 1024.0
}

/// Seconds that the cores of the machine were busy, and that they were there, so far.
pub fn whole() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let idle: f64 = ticks.iter().skip(3).take(2).sum(); // idle and waiting for a disk
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    let all: f64 = ticks.iter().sum();
    ((all - idle) / per_second, all / per_second)
}

/// Runs `work` with this thread on the first core alone. Threads and processes that it starts stay there.
pub fn pinned<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|core| before.is_set(*core)).unwrap_or(0);
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one)?;
    let done = work();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

/// Lets this thread, and what it starts, run on every core again.
pub fn unpin() -> io::Result<()> {
    let mut all = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| all.set(core));
    Ok(sched_setaffinity(None, &all)?)
}

/// As many open files as the system permits: a thousand sessions are as many sockets.
pub fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer, what needs them says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// What a figure needs beside it: date, cores, processor, kernel, compiler, versions of the peers.
pub fn description() -> Value {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("processor unknown");
    json!({
        "date": humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        "cores": cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
        "processor": model,
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "rustc": first_line("rustc", "--version"),
        "java": first_line("java", "--version"),
        "versions": versions(),
    })
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// `name version` of the peers, from the lock file that this was built with.
fn versions() -> Vec<String> {
    let lock = include_str!("../Cargo.lock");
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
        let Some(name) = name.filter(|name| ["tokio", "tarpc", "remoc", "capnp-rpc", "tonic"].contains(name))
        else {
            continue;
        };
        let version = lines.next().and_then(|line| line.strip_prefix("version = ")).unwrap_or_default();
        found.push(format!("{name} {}", version.trim_matches('"')));
    }
    found
}
