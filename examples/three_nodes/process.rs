//! The processes of the story: how the narrator starts and ends them, and how they know that they shall end.
//!
//! A child runs until its stdin is closed: the narrator dismisses it, or is gone itself. Whatever happens, it is gone after
//! `LIFE`, and it is killed when the narrator drops its `Process`, as when a step of the story fails.

use std::fmt::Display;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use rmi::{AnyProxy, Binding, Node, Reference, Registry, RemoteError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};

use crate::{Narrator, NarratorProxy, Outcome};

/// The story takes some seconds. No process of it is ever there for longer than this.
pub(crate) const LIFE: Duration = Duration::from_secs(50);

/// How long a dismissed process may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(10);

/// A line of the story. Nobody may be reading it: that is no reason to fail.
pub(crate) fn say(who: &str, what: impl Display) {
    let _ = writeln!(std::io::stdout(), "{who:>8}: {what}");
}

// ---- the narrator's side ----

/// The registry, the narrator's own node, and the processes' way to report there.
pub(crate) struct Stage {
    pub(crate) registry: Registry,
    url: String,
    node: Node,
    ready: mpsc::Receiver<AnyProxy>,
    binding: Binding,
    registry_process: Process,
}

/// The narrator's servant.
struct Ready(mpsc::Sender<AnyProxy>);

impl Narrator for Ready {
    async fn ready(&self, actor: AnyProxy) -> Result<(), RemoteError> {
        let _ = self.0.send(actor).await; // the story may be over
        Ok(())
    }
}

impl Stage {
    /// Starts the process of the registry, and binds the narrator there.
    pub(crate) async fn with_registry() -> Outcome<Self> {
        let mut registry_process = Process::start(&["registry"], Stdio::piped())?;
        let stdout = registry_process.child.stdout.take().ok_or("the registry has no stdout")?;
        let address =
            BufReader::new(stdout).lines().next_line().await?.ok_or("the registry has not started")?;
        say("narrator", format!("the registry listens at {address}"));

        let node = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
        let registry = Registry::connect(&node, &address).await?;
        let (sender, ready) = mpsc::channel(1);
        let binding = registry.bind("narrator", &NarratorProxy::new(Ready(sender))).await?;
        let url = address.replace("tcp://", "rmi://");
        Ok(Self { registry, url, node, ready, binding, registry_process })
    }

    /// Starts a process, and waits until it presents itself.
    pub(crate) async fn start<P: Reference>(&mut self, role: &str) -> Outcome<(P, Process)> {
        let mut process = Process::start(&[role, &self.url], Stdio::inherit())?;
        tokio::select! {
            actor = self.ready.recv() => Ok((P::from_any(actor.ok_or("nobody listens")?).await?, process)),
            status = process.child.wait() => Err(format!("the process `{role}` ended early: {}", status?).into()),
        }
    }

    /// Ends the narrator's node, then the registry.
    pub(crate) async fn close(self) -> Outcome<()> {
        drop(self.binding);
        self.node.shutdown().await;
        self.registry_process.leave().await
    }
}

/// A child process. None is left behind: when this is dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    fn start(arguments: &[&str], stdout: Stdio) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(stdout);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// Dismisses the process, and waits until it has ended without an error.
    pub(crate) async fn leave(mut self) -> Outcome<()> {
        drop(self.stdin.take());
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("a process ended with {status}").into()) }
    }

    /// Kills the process with SIGKILL.
    pub(crate) async fn kill(mut self) -> Outcome<()> {
        Ok(self.child.kill().await?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.start_kill(); // fails if it has ended already
        while let Ok(None) = self.child.try_wait() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

// ---- the processes' side ----

/// Resolves when the narrator dismisses this process, or is gone.
pub(crate) fn dismissal() -> impl Future<Output = ()> {
    let (tell, told) = oneshot::channel();
    let exit_after = |limit| {
        std::thread::sleep(limit);
        std::process::exit(1)
    };
    // Threads, because they work even when nothing else does any more.
    std::thread::spawn(move || exit_after(LIFE));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = tell.send(());
        exit_after(FAREWELL)
    });
    async { drop(told.await) }
}

/// Tells the narrator that this process is ready.
pub(crate) async fn report(registry: &Registry, actor: &impl Reference) -> Outcome<()> {
    let narrator: NarratorProxy = registry.lookup("narrator").await?;
    Ok(narrator.ready(actor.to_any()).await?)
}

/// The process of the registry: any node becomes one in a line.
pub(crate) async fn registry() -> Outcome<()> {
    let dismissal = dismissal();
    let node = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    let _registry = Registry::serve(&node);
    println!("{}", node.addresses()[0]);

    dismissal.await;
    node.shutdown().await;
    Ok(())
}
