//! Three hosts: network namespaces whose only interface ends in the emulator, `emulator.py`.

use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::support::within;

/// What all names of namespaces begin with; the process that made them comes next.
const PREFIX: &str = "rmi-chaos";

/// The hosts, by the names the emulator knows them under, and their addresses.
pub(crate) const HOSTS: [(&str, &str); 3] = [("a", "10.79.0.1"), ("b", "10.79.0.2"), ("c", "10.79.0.3")];

/// A network of its own, away from that of this machine. Gone when dropped.
pub(crate) struct Net {
    emulator: Emulator,
    /// By host. Behind the emulator, so that it ends first.
    namespaces: Vec<Namespace>,
}

impl Net {
    /// `Err`: why it cannot be made here.
    pub(crate) async fn new(test: &str) -> Result<Self, String> {
        remove_left_over();
        if !std::path::Path::new("/dev/net/tun").exists() {
            return Err("there is no /dev/net/tun".into());
        }
        let mut emulator = Emulator::start()?;
        let mut namespaces = Vec::new();
        for (host, address) in HOSTS {
            let namespace = Namespace::new(test, host)?;
            emulator.tell(&format!("host {host} {} {address}", namespace.0)).await;
            emulator.hear().await.ok_or("the emulator cannot open its interfaces")?;
            namespace.ip(&["address", "add", &format!("{address}/24"), "dev", "eth0"])?;
            namespace.ip(&["link", "set", "lo", "up"])?;
            namespace.ip(&["link", "set", "eth0", "up"])?;
            namespaces.push(namespace);
        }
        Ok(Self { emulator, namespaces })
    }

    /// Puts a command into the namespace of a host.
    pub(crate) fn enter(&self, host: usize, command: tokio::process::Command) -> tokio::process::Command {
        let command = command.as_std();
        let mut inside = tokio::process::Command::new("ip");
        inside.args(["netns", "exec", &self.namespaces[host].0]);
        inside.arg(command.get_program()).args(command.get_args());
        inside.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Takes the interface of a host down, or up again.
    pub(crate) fn interface(&self, host: usize, up: bool) {
        let to = if up { "up" } else { "down" };
        self.namespaces[host].ip(&["link", "set", "eth0", to]).unwrap();
    }

    pub(crate) async fn tell(&mut self, order: &str) {
        self.emulator.tell(order).await;
    }

    /// What the emulator has counted.
    pub(crate) async fn counts(&mut self) -> String {
        self.emulator.tell("count").await;
        self.emulator.hear().await.expect("the emulator failed")
    }
}

struct Namespace(String);

impl Namespace {
    fn new(test: &str, host: &str) -> Result<Self, String> {
        let name = format!("{PREFIX}-{}-{test}-{host}", std::process::id());
        ip(&["netns", "add", &name])?;
        Ok(Self(name))
    }

    fn ip(&self, arguments: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.0], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.0]) {
            eprintln!("{}: {error}", self.0);
        }
    }
}

/// Removes namespaces of earlier runs that were killed.
fn remove_left_over() {
    let Ok(all) = std::fs::read_dir("/run/netns") else { return };
    let names = all.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for name in names {
        let made_by = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if made_by.is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists()) {
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`ip` does not run: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("ip {}: {said}", arguments.join(" ")))
        }
    }
}

/// The running script; killed when dropped.
struct Emulator {
    _child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Emulator {
    fn start() -> Result<Self, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/emulator.py");
        let mut command = tokio::process::Command::new("python3");
        command.args(["-B", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("`python3` does not run: {error}"))?;
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Ok(Self { _child: child, stdin, stdout })
    }

    async fn tell(&mut self, order: &str) {
        // If it has ended, its next answer is missing.
        let _ = self.stdin.write_all(format!("{order}\n").as_bytes()).await;
    }

    async fn hear(&mut self) -> Option<String> {
        within(self.stdout.next_line()).await.ok().flatten()
    }
}
