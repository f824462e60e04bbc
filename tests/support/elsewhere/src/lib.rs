//! Interfaces of another crate: tests extend them, and reach `rmi` only through here.

pub use rmi;

use rmi::{RemoteError, remote};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What has a name.
#[remote]
pub trait Named {
    /// The name.
    async fn name(&self) -> Result<String, RemoteError>;

    /// The name in capitals.
    async fn loud_name(&self) -> Result<String, RemoteError> {
        Ok(self.name().await?.to_uppercase())
    }
}

/// What has a value.
#[remote]
pub trait Valued<T: Serialize + DeserializeOwned + Send + Sync + 'static> {
    /// The value.
    async fn value(&self) -> Result<T, RemoteError>;
}
