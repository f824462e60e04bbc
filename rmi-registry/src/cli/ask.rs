//! Questions to a running registry.

use std::time::Duration;

use rmi_core::{AnyProxy, Node};
use rmi_registry::{Entry, Registry, RegistryError};

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(crate) async fn list(global: &Global, prefix: &str) -> Result<(), Failure> {
    let entries = ask(global, async |registry| registry.list(prefix).await).await?;
    match (global.json, entries.as_slice()) {
        (true, entries) => output::print_json(&entries),
        (false, []) => Ok(()),
        (false, entries) => output::print(&output::table(entries)),
    }
}

pub(crate) async fn lookup(global: &Global, name: &str, wait: bool) -> Result<(), Failure> {
    // The description alone: the reference itself is nothing to be printed.
    let entry = ask(global, async |registry| {
        if wait {
            registry.lookup_wait::<AnyProxy>(name).await?;
        }
        registry.entry(name).await
    });
    let entry = match entry.await {
        Err(Failure::TooSlow { seconds, .. }) if wait => {
            return Err(Failure::NotYet { name: name.to_owned(), seconds });
        }
        entry => entry?,
    };
    describe(global, &entry)
}

pub(crate) async fn unbind(global: &Global, name: &str) -> Result<(), Failure> {
    let entry = ask(global, async |registry| registry.unbind(name).await).await?;
    match global.json {
        true => output::print_json(&entry),
        false => output::print(&format!("unbound {}\n", output::printable(&entry.name))),
    }
}

fn describe(global: &Global, entry: &Entry) -> Result<(), Failure> {
    match global.json {
        true => output::print_json(entry),
        false => output::print(&output::details(entry)),
    }
}

async fn ask<T>(
    global: &Global,
    question: impl AsyncFn(Registry) -> Result<T, RegistryError>,
) -> Result<T, Failure> {
    let node = Node::builder().start().await?;
    let limit = Duration::from_secs_f64(global.timeout);
    let asking = async {
        let registry = Registry::connect(&node, &global.registry).await.map_err(Failure::NoRegistry)?;
        Ok(question(registry).await?)
    };
    let answer = tokio::time::timeout(limit, asking).await;
    // Says goodbye, so that the registry does not keep a lease for it.
    let _ = tokio::time::timeout(limit, node.shutdown()).await;
    let too_slow = |_| Failure::TooSlow { registry: global.registry.clone(), seconds: global.timeout };
    answer.map_err(too_slow)?
}
