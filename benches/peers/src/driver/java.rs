//! Java RMI, if there is a JDK.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::child::Child;
use crate::peers::Peer;
use crate::workload::{Amount, Workload};

pub enum Java {
    /// Compiled, in this folder.
    Ready(PathBuf),
    Missing(String),
    NotWanted,
}

/// Without the filter a call of the collector that names more than 10,000 objects is refused, and they are never freed.
const OPTIONS: &[&str] = &[
    "-Djava.rmi.server.hostname=127.0.0.1",
    "-Djava.rmi.dgc.leaseValue=2000",
    "-Xmx4g",
    "-Dsun.rmi.transport.dgcFilter=java.rmi.server.ObjID;java.rmi.server.UID;java.rmi.dgc.VMID;java.rmi.dgc.Lease;maxarray=10000000",
    "-Dleash=true",
];

impl Java {
    /// Compiles the peer beside this program.
    pub fn prepare(wanted: bool) -> Result<Self> {
        if !wanted {
            return Ok(Self::NotWanted);
        }
        if Command::new("javac").arg("--version").output().is_err() {
            let why = "java-rmi is left out: there is no javac (Debian: default-jdk-headless)";
            return Ok(Self::Missing(why.into()));
        }
        let classes = std::env::current_exe()?.with_file_name("java-classes");
        fs::create_dir_all(&classes)?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("java-rmi");
        let mut command = Command::new("javac");
        command.arg("-d").arg(&classes);
        command.args(["Bench.java", "Server.java", "Client.java"].map(|name| sources.join(name)));
        ensure!(command.status()?.success(), "javac failed");
        Ok(Self::Ready(classes))
    }

    pub fn allows(&self, peer: &Peer) -> bool {
        !peer.kind.is_java() || matches!(self, Self::Ready(_))
    }

    fn command(&self) -> Result<Command> {
        let Self::Ready(classes) = self else { anyhow::bail!("no JDK") };
        let mut command = Command::new("java");
        command.args(OPTIONS).arg("-cp").arg(classes);
        Ok(command)
    }

    pub fn server(&self) -> Result<Command> {
        // Its registry does not say which port it got.
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = self.command()?;
        command.arg("Server").arg(free.to_string());
        Ok(command)
    }

    pub fn client(&self, workload: Workload, amount: &Amount, server: &Child) -> Result<Command> {
        let pinned_or_not = if workload == Workload::Lat1 { Workload::Lat } else { workload };
        let mut command = self.command().context("client")?;
        command.arg("Client").arg(server.address.to_string()).arg(pinned_or_not.name());
        command.env("SERVER_PID", server.pid().to_string());
        command.env("MEASURE_S", amount.seconds.to_string());
        // Its compiler needs longer than a compiled peer.
        command.env("JAVA_WARM_S", (amount.warm * 4.0).to_string());
        command.env("OBJECTS", amount.objects.to_string());
        Ok(command)
    }
}
