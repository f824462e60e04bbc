//! The remote interfaces of a registry, and the values that travel.

use rmi_core::AnyProxy;
use rmi_macros::remote;
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::error::RegistryError;

/// What a registry does, as a remote interface. Use [`Registry`](crate::Registry), which is made of it.
///
/// A name is 1 to 255 bytes of UTF-8 without control characters, and neither begins nor ends with a slash.
#[remote(crate = rmi_core)]
pub trait RegistryService {
    /// Binds a free name. It is unbound when nobody holds the binding that is returned.
    async fn bind(&self, name: &str, object: AnyProxy, options: BindOptions) -> Result<Bound, RegistryError>;
    /// Binds a name, taking it from whoever has it.
    async fn rebind(
        &self,
        name: &str,
        object: AnyProxy,
        options: BindOptions,
    ) -> Result<Bound, RegistryError>;
    /// Frees a name, whoever bound it, and returns what it was bound to.
    async fn unbind(&self, name: &str) -> Result<Entry, RegistryError>;
    /// The object that is bound to a name.
    async fn lookup(&self, name: &str) -> Result<AnyProxy, RegistryError>;
    /// The same, once the name is bound: waits for that.
    async fn lookup_wait(&self, name: &str) -> Result<AnyProxy, RegistryError>;
    /// The description of what is bound to a name.
    async fn entry(&self, name: &str) -> Result<Entry, RegistryError>;
    /// The names that begin with `prefix` and come after `after`, in the order of their bytes: as many as the registry
    /// cares to send at a time.
    async fn list(&self, prefix: &str, after: Option<String>) -> Result<Page, RegistryError>;
}

/// A binding, as the registry keeps it for the one who bound. It is referred to by nobody else: when the last
/// reference goes, it unbinds its name.
#[remote(crate = rmi_core)]
pub trait BindingService {
    /// Leaves the name bound when this object goes, until it is unbound or the owner of the object that is bound to it is gone.
    async fn keep(&self) -> Result<(), RegistryError>;
    /// Frees the name now, if it is still this binding's.
    async fn unbind(&self) -> Result<Entry, RegistryError>;
    /// The description, if the name is still this binding's.
    async fn entry(&self) -> Result<Entry, RegistryError>;
}

/// What may be said when a name is bound. The default says nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BindOptions {
    /// See [`Entry::version`].
    pub version: u32,
}

/// A name that was bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bound {
    /// Its description.
    pub entry: Entry,
    /// Who holds it keeps the name bound.
    pub binding: BindingServiceProxy,
}

impl Bound {
    pub(crate) fn new(entry: Entry, binding: BindingServiceProxy) -> Self {
        Self { entry, binding }
    }
}

/// Some of the names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page {
    /// They are described in the order of their names' bytes.
    pub entries: Vec<Entry>,
    /// Whether there are more after the last one.
    pub more: bool,
}

impl Page {
    pub(crate) fn new(entries: Vec<Entry>, more: bool) -> Self {
        Self { entries, more }
    }
}
