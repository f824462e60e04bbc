//! Processes of their own: this test's program again, running its ignored test `child` in a role.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::within;

const ROLE: &str = "RMI_TEST_ROLE";
const ADDRESS: &str = "RMI_TEST_ADDRESS";

/// What a child says after the test harness has said its own.
const SAYS: &str = "child says: ";

/// In the ignored test `child`: what it is to do, and where. `None`: a person runs ignored tests.
pub(crate) fn role() -> Option<(String, String)> {
    Some((std::env::var(ROLE).ok()?, std::env::var(ADDRESS).unwrap_or_default()))
}

/// In the child: tells the parent something.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout();
    // A harness that has begun a line has not ended it.
    write!(out, "\n{SAYS}{text}\n").and_then(|()| out.flush()).unwrap();
}

/// In the child: what the parent says next; `None` when it is gone.
pub(crate) async fn hear(from: &mut Lines<BufReader<tokio::io::Stdin>>) -> Option<String> {
    from.next_line().await.ok().flatten()
}

pub(crate) fn ears() -> Lines<BufReader<tokio::io::Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}

/// A child; killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

pub(crate) fn command(role: &str, address: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(ADDRESS, address).env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// The same in a new network namespace, which has nothing but a loopback interface that is down.
pub(crate) fn without_network(options: &[&str], role: &str, address: &str) -> Command {
    let inner = command(role, address);
    let inner = inner.as_std();
    let mut command = Command::new("unshare");
    command.arg("--net").args(options).arg(inner.get_program()).args(inner.get_args());
    command.env(ROLE, role).env(ADDRESS, address).env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

impl Process {
    pub(crate) fn start(role: &str, address: &str) -> Self {
        Self::of(&mut command(role, address))
    }

    /// In a network namespace of its own.
    pub(crate) fn alone(role: &str, address: &str) -> Self {
        Self::of(&mut without_network(&[], role, address))
    }

    /// A [`command`], or another one that ends in it.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdin, stdout }
    }

    /// What the child says next.
    pub(crate) async fn hear(&mut self) -> String {
        within(async {
            loop {
                let line = self.stdout.next_line().await.unwrap().expect("the child ended");
                if let Some(said) = line.strip_prefix(SAYS) {
                    return said.to_owned();
                }
            }
        })
        .await
    }

    pub(crate) async fn tell(&mut self, text: &str) {
        self.stdin.write_all(format!("{text}\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.tell(text).await;
        self.hear().await
    }

    /// Sends a signal, by name.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap();
        let command = format!("kill -{name} {pid}");
        assert!(Command::new("sh").args(["-c", &command]).status().await.unwrap().success(), "{command}");
        if name == "STOP" {
            // It is on its way: what is sent meanwhile might still be read.
            let stat = format!("/proc/{pid}/stat");
            let stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
            super::eventually("it is stopped", stopped).await;
        }
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn ended(&mut self) {
        within(self.child.wait()).await.unwrap();
    }
}
