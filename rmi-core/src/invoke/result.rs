//! What a remote method returns.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RemoteError;
use crate::invoke::any::AnyProxy;
use crate::invoke::marshal;
use crate::invoke::payload::Payload;
use crate::invoke::remote::{Reply, ReplyStatus};

/// A result on its way back to the caller.
#[derive(Debug)]
pub struct Answer {
    /// Which side of `Result` the payload is.
    pub status: ReplyStatus,
    /// The encoded value.
    pub payload: Payload,
    /// The references that the payload names by index.
    pub references: Vec<AnyProxy>,
}

/// A call that a servant executes. It owns the servant; `Err` says why the result could not be encoded.
pub type Running = Pin<Box<dyn Future<Output = Result<Answer, String>> + Send>>;

/// What a remote method may return: `Result<T, E>` with `E: From<RemoteError>`, both of them serde types.
///
/// A trait rather than a syntactic check, so that aliases such as `type Result<T> = ..` work.
#[diagnostic::on_unimplemented(
    message = "a remote method must return `Result<T, E>` with `E: From<RemoteError>`, not `{Self}`",
    label = "not a return type of a remote method",
    note = "`T` and `E` must be `Serialize + DeserializeOwned + Send + 'static`, and `E: From<rmi::RemoteError>`"
)]
pub trait RemoteResult: Send + Sized + 'static {
    /// The failure of a call, as the method's own error.
    fn from_remote(error: RemoteError) -> Self;
    /// Encodes the result.
    fn encode(&self) -> Result<Answer, String>;
    /// Decodes a result.
    fn decode(reply: Reply) -> Result<Self, String>;
}

/// The error of a remote method: it can hold the failure of the call itself.
#[diagnostic::on_unimplemented(
    message = "the error `{Self}` of a remote method cannot hold a `RemoteError`",
    label = "`{Self}` must be `From<RemoteError>`: a call can fail before or after the method",
    note = "give it a variant such as `Remote(#[from] RemoteError)` (with thiserror), or use `RemoteError` itself"
)]
pub trait HoldsRemoteError: From<RemoteError> {}

#[diagnostic::do_not_recommend]
impl<E: From<RemoteError>> HoldsRemoteError for E {}

impl<T, E> RemoteResult for Result<T, E>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Serialize + DeserializeOwned + Send + 'static + HoldsRemoteError,
{
    fn from_remote(error: RemoteError) -> Self {
        Err(E::from(error))
    }

    fn encode(&self) -> Result<Answer, String> {
        let (status, encoded) = match self {
            Ok(value) => (ReplyStatus::Ok, marshal::encode(value)),
            Err(error) => (ReplyStatus::Err, marshal::encode(error)),
        };
        let (payload, references) = encoded?;
        Ok(Answer { status, payload, references })
    }

    fn decode(reply: Reply) -> Result<Self, String> {
        RemoteError::seen_by(reply.from, || {
            Ok(match reply.status {
                ReplyStatus::Ok => Ok(marshal::decode(&reply.payload, reply.references)?),
                ReplyStatus::Err => Err(marshal::decode(&reply.payload, reply.references)?),
            })
        })
    }
}

/// For expansions: runs the servant's method and encodes what it returns.
pub fn answer<R: RemoteResult>(call: impl Future<Output = R> + Send + 'static) -> Running {
    Box::pin(async move { call.await.encode() })
}
