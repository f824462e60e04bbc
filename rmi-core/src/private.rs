//! What expansions of `#[remote]` may call. Not for users; it changes without notice.

pub use crate::error::RemoteError;
pub use crate::id::MethodId;
pub use crate::invoke::{
    Argument, Arguments, Descriptor, Extends, Implements, Incoming, Interface, Local, Method, Object,
    Outgoing, Proxy, RefArg, RemoteResult, Route, Running, Skeleton, answer, local, route,
};

/// The future of a call of a local servant, behind a pointer.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
