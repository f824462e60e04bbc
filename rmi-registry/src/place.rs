//! Where a registry is, and whoever is the registry there now.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use rmi_core::companion::{Background, Backoff, limited};
use rmi_core::{AnyProxy, RemoteError};

use crate::ROOT;
use crate::error::RegistryError;
use crate::service::{RegistryService, RegistryServiceProxy};

/// The pauses between attempts to reach a registry.
pub(crate) const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));

/// The place of a registry, from the point of view of one node, which it does not keep.
pub(crate) struct Place {
    node: Background,
    /// `None`: in this node.
    address: Option<String>,
    /// None: nobody has asked yet.
    service: Mutex<Option<RegistryServiceProxy>>,
}

impl Place {
    /// At the address of a node.
    pub(crate) fn at(node: Background, address: String) -> Self {
        Self { node, address: Some(address), service: Mutex::default() }
    }

    /// In this node.
    pub(crate) fn here(node: Background, service: RegistryServiceProxy) -> Self {
        Self { node, address: None, service: Mutex::new(Some(service)) }
    }

    pub(crate) fn node(&self) -> &Background {
        &self.node
    }

    /// Looks who is the registry now.
    pub(crate) async fn find(&self) -> Result<RegistryServiceProxy, RemoteError> {
        let Some(address) = &self.address else {
            // It has been there from the beginning.
            return self.known().ok_or(RemoteError::ShuttingDown { node: self.node.id() });
        };
        let found: RegistryServiceProxy = self.node.root(address, ROOT).await?;
        let old = self.service.lock().replace(found.clone());
        drop(old);
        Ok(found)
    }

    fn known(&self) -> Option<RegistryServiceProxy> {
        self.service.lock().clone()
    }

    /// Asks the registry. If it is not there any more and did certainly not do it, asks the one that is now at its address.
    pub(crate) async fn ask<T, A>(
        &self,
        question: impl Fn(RegistryServiceProxy) -> A,
    ) -> Result<T, RegistryError>
    where
        A: Future<Output = Result<T, RegistryError>>,
    {
        let service = match self.known() {
            Some(service) => service,
            None => self.find().await?,
        };
        let answer = match (question(service).await, &self.address) {
            (Err(RegistryError::Remote(error)), Some(address)) if is_gone(&error) => {
                tracing::debug!(%address, %error, "the registry is gone: looking for another at its address");
                question(self.find().await?).await
            }
            (answer, _) => answer,
        };
        answer.map_err(|error| match (error, &self.address) {
            (RegistryError::NotBound { name, at }, Some(address)) => {
                RegistryError::NotBound { name, at: format!("{address} ({at})") }
            }
            (error, _) => error,
        })
    }

    /// The object that is bound to `name`.
    pub(crate) async fn lookup(&self, name: &str) -> Result<AnyProxy, RegistryError> {
        self.ask(|service| async move { service.lookup(name).await }).await
    }

    /// The same, once it is bound; waits for the registry, too. The limit of the scope ends it.
    pub(crate) async fn lookup_wait(&self, name: &str) -> Result<AnyProxy, RemoteError> {
        let what = format!("waiting for the name `{name}`");
        limited(&what, async {
            let mut pauses = PAUSES;
            loop {
                let error = match self.ask(|service| async move { service.lookup_wait(name).await }).await {
                    Ok(found) => return Ok(found),
                    Err(RegistryError::Remote(error)) if self.may_come_back(&error) => error,
                    Err(error) => return Err(error.into()),
                };
                tracing::debug!(registry = ?self, %error, name, "the registry is lost: waiting for it to come back");
                if error.may_have_executed() {
                    // It was there until now.
                    pauses = PAUSES;
                }
                self.node.sleep(pauses.pause()).await;
            }
        })
        .await
    }

    /// Whether a registry that answered so may answer otherwise in a moment, or another one in its place.
    fn may_come_back(&self, error: &RemoteError) -> bool {
        match error.root_cause() {
            RemoteError::ShuttingDown { node } => *node != self.node.id(),
            RemoteError::Unreachable { .. }
            | RemoteError::OutcomeUnknown { .. }
            | RemoteError::Cancelled { .. }
            | RemoteError::Refused { .. }
            | RemoteError::NoSuchObject { .. }
            // The node answers, and is not yet a registry.
            | RemoteError::NotBound { .. } => true,
            _ => false,
        }
    }
}

/// Whether the registry's own object cannot be reached; an error that it passed on is another matter.
fn is_gone(error: &RemoteError) -> bool {
    matches!(error, RemoteError::NoSuchObject { .. } | RemoteError::Unreachable { .. })
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "Registry(at {address})"),
            None => write!(f, "Registry(in node {})", self.node.id()),
        }
    }
}
