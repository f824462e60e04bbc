//! Processes that this one starts, and ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child as Process, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a process may take until it is ready.
const START: Duration = Duration::from_secs(20);

/// A server or helper that said READY. Killed when dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    pub address: SocketAddr,
    /// What it said behind its address.
    pub words: String,
}

impl Child {
    /// Starts it and waits for `READY PID ADDRESS ...`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut guard = Guard(Some(process.with_context(|| format!("{command:?}"))?));
        let out = guard.0.as_mut().and_then(|process| process.stdout.take()).context("no stdout")?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            let ready = lines.filter_map(|line| Some(line.strip_prefix("READY ")?.to_owned())).next();
            // Who started it may have given up.
            let _ = tell.send(ready);
        });
        let Ok(Some(ready)) = told.recv_timeout(START) else { bail!("{command:?} is not ready") };
        let mut words = ready.splitn(3, ' ').skip(1);
        let address = words.next().context("no address")?.parse()?;
        let words = words.next().unwrap_or_default().to_owned();
        Ok(Self { process: guard.0.take().context("no process")?, address, words })
    }

    /// Starts it on a thread of its own, while the runtime goes on.
    pub async fn start_beside(mut command: Command) -> Result<Self> {
        tokio::task::spawn_blocking(move || Self::start(&mut command)).await?
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells it to end, by the end of its stdin, and gives it time to take its leave.
    pub fn dismiss(mut self, patience: Duration) {
        drop(self.process.stdin.take());
        let start = Instant::now();
        while start.elapsed() < patience && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Ends what did not become ready.
struct Guard(Option<Process>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.as_mut().map(end);
    }
}

/// Kills the process, if it still is one, and waits for it.
pub fn end(process: &mut Process) {
    let _ = process.kill();
    let _ = process.wait();
}

/// This program again, in another part.
pub fn myself() -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}
