//! Instructions per call, client and server together, counted by callgrind, beside those that were counted when `baseline.txt` was written.
//!
//! `cargo bench --bench instructions` says what has changed, and fails where a call takes 5 % more; `-- --bless` writes the baseline; `-- lat1` runs one workload;
//! `-- --steps lat1` says which functions they are in.
//! It needs valgrind (`apt-get install valgrind`). Other than times, the counts are the same on a busy machine. They are another compiler's own, and depend a little on
//! the processor: the baseline says where it was made.

mod steps;
mod workload;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use workload::Workload;

/// What is put up with, in percent: counts of one program differ by less than one.
const TOLERANCE: f64 = 5.0;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// False: something takes more than it should.
fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [run, workload, calls] = arguments.as_slice()
        && run == "run"
    {
        workload::named(workload).ok_or("no such workload")?.run(calls.parse()?)?;
        return Ok(true);
    }
    if let [option, workload] = arguments.as_slice()
        && option == "--steps"
    {
        steps::print(workload::named(workload).ok_or("no such workload")?)?;
        return Ok(true);
    }
    let bless = arguments.iter().any(|argument| argument == "--bless");
    let names: Vec<&String> = arguments.iter().filter(|argument| *argument != "--bless").collect();
    if let Some(unknown) = names.iter().find(|name| workload::named(name).is_none()) {
        return Err(format!("no workload {unknown}; there are {}", workload::names()).into());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind is not installed: apt-get install valgrind".into());
    }
    let mut baseline = Baseline::read()?;
    if baseline.made_by != made_by()? {
        println!("The baseline is another compiler's: {}", baseline.made_by);
    }
    let mut good = true;
    for workload in &workload::ALL {
        if !names.is_empty() && !names.iter().any(|name| *name == workload.name) {
            continue;
        }
        let counted = instructions(workload)?;
        let before = baseline.counts.insert(workload.name.to_owned(), counted);
        let verdict = match before {
            None => "new".to_owned(),
            Some(before) => {
                let grown = (counted as f64 / before as f64 - 1.0) * 100.0;
                good &= grown <= TOLERANCE;
                let remark = match grown {
                    grown if grown > TOLERANCE => "  TOO MUCH",
                    grown if grown < -TOLERANCE => "  less: -- --bless keeps it so",
                    _ => "",
                };
                format!("{grown:+.1} % of {before}{remark}")
            }
        };
        println!("{:12} {counted:>8} instructions per call   {verdict}", workload.name);
    }
    if bless {
        baseline.made_by = made_by()?;
        baseline.write()?;
        return Ok(true);
    }
    if !good {
        println!("More than {TOLERANCE} % over the baseline.");
    }
    Ok(good)
}

/// Per call: what a longer run takes more than a shorter one. Start, end and what grows once are in both.
fn instructions(workload: &Workload) -> Result<u64> {
    let (short, long) = workload.calls;
    Ok((counted(workload, long)? - counted(workload, short)?) / (long - short) as u64)
}

fn counted(workload: &Workload, calls: usize) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", workload.name, &calls.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count);
    match collected {
        Some(count) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(format!("{} failed under callgrind:\n{said}", workload.name).into()),
    }
}

fn made_by() -> Result<String> {
    let version = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8(version.stdout)?;
    Ok(format!("{}, {}", version.trim(), std::env::consts::ARCH))
}

/// The counts to compare with: a line that says who made them, then a line each.
struct Baseline {
    made_by: String,
    counts: BTreeMap<String, u64>,
}

impl Baseline {
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/baseline.txt")
    }

    /// Empty, if there is none.
    fn read() -> Result<Self> {
        let text = fs::read_to_string(Self::path()).unwrap_or_default();
        let mut lines = text.lines();
        let made_by = lines.next().unwrap_or("nobody, there is none").to_owned();
        let mut counts = BTreeMap::new();
        for line in lines {
            let (name, count) = line.split_once(' ').ok_or("a line of the baseline is no name and count")?;
            counts.insert(name.to_owned(), count.trim().parse()?);
        }
        Ok(Self { made_by, counts })
    }

    fn write(&self) -> Result<()> {
        let lines = self.counts.iter().map(|(name, count)| format!("{name} {count}\n"));
        Ok(fs::write(Self::path(), format!("{}\n{}", self.made_by, lines.collect::<String>()))?)
    }
}
