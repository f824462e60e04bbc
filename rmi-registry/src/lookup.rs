//! Looking names up by URL, and following them.

use std::sync::Arc;

use rmi_core::companion::Background;
use rmi_core::{Node, Reference, RemoteError};

use crate::place::Place;
use crate::registry::Registry;
use crate::url;

/// Looks up an object by the URL `rmi://HOST:PORT/NAME`. The port may be left out: 1099. The name is what follows the slash, as
/// it is, without any escaping.
///
/// # Errors
/// As for [`Registry::connect`] and [`Registry::lookup`].
pub async fn lookup<P: Reference>(node: &Node, url: &str) -> Result<P, RemoteError> {
    let (address, name) = url::split(url)?;
    Registry::connect(node, &address).await?.lookup(name).await
}

/// Looks up an object by its [URL](lookup) once the name is bound, and waits for that; for the registry, too, if it is not
/// there yet. See [`Registry::lookup_wait`].
///
/// # Errors
/// [`RemoteError::BadAddress`] at once, and as for [`Registry::lookup_wait`].
pub async fn lookup_wait<P: Reference>(node: &Node, url: &str) -> Result<P, RemoteError> {
    let (address, name) = url::split(url)?;
    let place = Place::at(Background::of(node), address);
    P::from_any(place.lookup_wait(name).await?).await
}

/// Looks up an object by its [URL](lookup); the proxy looks the name up again when the object is gone. See
/// [`Registry::follow`].
///
/// # Errors
/// As for [`lookup`].
pub async fn follow<P: Reference>(node: &Node, url: &str) -> Result<P, RemoteError> {
    let (address, name) = url::split(url)?;
    Registry::connect(node, &address).await?.follow(name).await
}

/// A proxy of what `name` leads to, now and then.
pub(crate) async fn following<P: Reference>(place: &Arc<Place>, name: &str) -> Result<P, RemoteError> {
    let present: P = resolve(place, name).await?;
    let (place, name) = (place.clone(), name.to_owned());
    let again = move || {
        let (place, name) = (place.clone(), name.clone());
        Box::pin(async move {
            tracing::debug!(registry = ?place, name, "looking the name up again");
            let found: P = resolve(&place, &name).await?;
            Ok(found.to_any())
        }) as _
    };
    // Its interface is known here, so nobody is asked.
    P::from_any(present.to_any().following(Box::new(again))).await
}

async fn resolve<P: Reference>(place: &Place, name: &str) -> Result<P, RemoteError> {
    P::from_any(place.lookup(name).await?).await
}
