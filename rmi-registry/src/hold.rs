//! Keeps a name bound for its binder, also when the registry was lost meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmi_core::companion::shortened;
use rmi_core::{AnyProxy, Proxy, RemoteError, with_timeout};
use tokio::sync::watch;

use crate::entry::BindingId;
use crate::error::RegistryError;
use crate::place::{PAUSES, Place};
use crate::service::{BindOptions, BindingService, BindingServiceProxy, Bound, RegistryService};

/// How often a binding is looked at, at the least: that others freed or took the name is not told.
const LOOK: Duration = Duration::from_secs(10);

/// How long a registry that was lost has to say that it still keeps the binding.
const ANSWER: Duration = Duration::from_secs(2);

/// What is to be bound, and where.
pub(crate) struct Want {
    pub(crate) place: Arc<Place>,
    pub(crate) name: String,
    pub(crate) object: AnyProxy,
    pub(crate) options: BindOptions,
    /// Whether it is to be kept.
    pub(crate) kept: Arc<AtomicBool>,
}

/// How it is.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) id: BindingId,
    /// The registry's object, as long as this is bound.
    pub(crate) entry: BindingServiceProxy,
    pub(crate) bound: bool,
}

impl State {
    pub(crate) fn new(bound: Bound) -> Self {
        Self { id: bound.entry.id, entry: bound.binding, bound: true }
    }
}

/// Whether a binding has a future.
enum End {
    /// The registry lost it, or is lost itself.
    Lost,
    /// Others freed or took the name.
    Over,
}

/// Binds again whenever the registry was lost. Ends when somebody else decided about the name, and when it is aborted.
pub(crate) async fn hold(want: Want, state: watch::Sender<State>) {
    loop {
        let entry = state.borrow().entry.clone();
        let end = watch(&want, &entry).await;
        state.send_modify(|state| state.bound = false);
        let regained = match end {
            End::Over => None,
            End::Lost => regain(&want, entry).await,
        };
        match regained {
            Some(bound) => drop(state.send_replace(State::new(bound))),
            None => return,
        }
    }
}

/// Waits for the end of a binding.
async fn watch(want: &Want, entry: &BindingServiceProxy) -> End {
    loop {
        tokio::select! {
            error = Proxy::closed(entry) => {
                tracing::debug!(name = want.name, registry = ?want.place, %error, "the binding is lost");
                return End::Lost;
            }
            () = tokio::time::sleep(shortened(LOOK)) => {}
        }
        if let Err(RegistryError::NotBound { .. }) = with_timeout(LOOK, entry.entry()).await {
            tracing::warn!(name = want.name, registry = ?want.place, "the name was freed or taken by others");
            return End::Over;
        }
    }
}

/// Binds the name again, as soon as the registry answers and the name is free. None: never.
async fn regain(want: &Want, entry: BindingServiceProxy) -> Option<Bound> {
    let mut pauses = PAUSES;
    let mut warned = false;
    loop {
        // A registry that was only out of reach may have it still.
        match with_timeout(ANSWER, entry.entry()).await {
            Ok(found) => return Some(Bound::new(found, entry)),
            Err(RegistryError::NotBound { .. }) => {
                tracing::warn!(name = want.name, registry = ?want.place, "the name was freed or taken by others");
                return None;
            }
            Err(_) => {}
        }
        let error = match bind(want).await {
            Ok(bound) => {
                tracing::info!(name = want.name, registry = ?want.place, id = %bound.entry.id, "bound again");
                return Some(bound);
            }
            Err(error) => error,
        };
        match &error {
            RegistryError::Remote(RemoteError::ShuttingDown { node }) if *node == want.place.node().id() => {
                return None;
            }
            RegistryError::AlreadyBound { .. } if !warned => {
                warned = true;
                tracing::warn!(registry = ?want.place, %error, "not bound again yet");
            }
            error => tracing::debug!(name = want.name, registry = ?want.place, %error, "not bound again yet"),
        }
        want.place.node().sleep(pauses.pause()).await;
    }
}

/// Never takes a name from somebody else.
async fn bind(want: &Want) -> Result<Bound, RegistryError> {
    let service = want.place.find().await?;
    let bound = service.bind(&want.name, want.object.clone(), want.options.clone()).await?;
    if want.kept.load(Ordering::Acquire) {
        bound.binding.keep().await?;
    }
    Ok(bound)
}
