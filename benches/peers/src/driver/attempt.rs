//! One run: a server, a client, the line that the client prints.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::java::Java;
use crate::child::{Child, end, myself};
use crate::machine;
use crate::peers::Peer;
use crate::workload::{Amount, Workload};

/// Seconds after which a process ends by itself, and after which it is ended.
const LIMIT: u64 = 240;
const DEADLINE: Duration = Duration::from_secs(LIMIT + 5);

/// Both processes are gone when this returns, however.
pub fn attempt(peer: Peer, workload: Workload, amount: &Amount, java: &Java) -> Result<Value> {
    match workload.is_pinned() {
        true => machine::pinned(|| attempt_here(peer, workload, amount, java))?,
        false => attempt_here(peer, workload, amount, java),
    }
}

fn attempt_here(peer: Peer, workload: Workload, amount: &Amount, java: &Java) -> Result<Value> {
    let is_java = peer.kind.is_java();
    let server = match (workload.has_server(), is_java) {
        (false, _) => None,
        (true, false) => Some(Child::start(&mut server(peer)?)?),
        (true, true) => Some(Child::start(&mut java.server()?)?),
    };
    let client = match is_java {
        true => java.client(workload, amount, server.as_ref().context("no server")?)?,
        false => client(peer, workload, amount, server.as_ref())?,
    };
    let line = output(client)?;
    serde_json::from_str(&line).with_context(|| line)
}

fn server(peer: Peer) -> Result<Command> {
    let mut command = myself()?;
    command.args(["server", &peer.to_string(), "127.0.0.1:0"]).args(life());
    Ok(command)
}

fn client(peer: Peer, workload: Workload, amount: &Amount, server: Option<&Child>) -> Result<Command> {
    let mut command = myself()?;
    let address = server.map_or_else(|| "127.0.0.1:0".to_owned(), |server| server.address.to_string());
    let pid = server.map_or(0, Child::pid);
    command.args(["client", &peer.to_string(), &address, &workload.name()]).args(life());
    command.args(["--server", &pid.to_string()]).args(amount.arguments());
    Ok(command)
}

fn life() -> [String; 3] {
    ["--leash".into(), "--max-seconds".into(), LIMIT.to_string()]
}

/// The last line that a process prints before it ends well.
fn output(mut command: Command) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn()?;
    let start = Instant::now();
    let status = loop {
        match process.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if start.elapsed() < DEADLINE => std::thread::sleep(Duration::from_millis(20)),
            _ => break None,
        }
    };
    end(&mut process);
    // Both are short: a line, and what a failure says.
    let (mut out, mut errors) = (String::new(), String::new());
    process.stdout.take().context("no stdout")?.read_to_string(&mut out)?;
    process.stderr.take().context("no stderr")?.read_to_string(&mut errors)?;
    let Some(status) = status else { bail!("the client did not end: {}", errors.trim()) };
    ensure!(status.success(), "the client ended with {status}: {}", errors.trim());
    Ok(out.lines().last().context("the client said nothing")?.to_owned())
}
