//! What expansions of `#[remote]` may call. Not for users; it changes without notice.

pub use crate::error::RemoteError;
pub use crate::id::MethodId;
pub use crate::invoke::{
    Argument, Arguments, Descriptor, Extends, Implements, Incoming, Interface, Local, Method, Object,
    Outgoing, Proxy, RefArg, RemoteResult, Route, Running, Skeleton, answer, local, replied, returned, route,
};

/// What the types of a method must be. Expansions say so before anything else, in the user's places.
pub mod check {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::{Incoming, RefArg, RemoteError, RemoteResult};

    /// `T` is an argument by value.
    pub const fn argument<T: Serialize + DeserializeOwned>() {}

    /// `&T` is an argument.
    pub const fn borrowed_argument<T: RefArg + ?Sized>() {}

    /// `R` is a result.
    pub const fn result<R: RemoteResult>() {}

    /// As [`Incoming::next`], for an argument `&T`: decodes what the servant is lent. A function, so that all of its
    /// call can stand at the user's `T`.
    pub fn lent<T: RefArg + ?Sized>(
        call: &mut Incoming<'_>,
        path: &str,
        argument: &str,
    ) -> Result<T::Owned, RemoteError> {
        call.next(path, argument)
    }
}

/// The future of a call of a local servant, behind a pointer.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
