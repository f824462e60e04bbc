//! The way of one call, at the caller: straight to a local servant, or out as a request.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::error::RemoteError;
use crate::id::MethodId;
use crate::invoke::attempt::{Sent, send};
use crate::invoke::context::Limit;
use crate::invoke::interface::{Extends, Interface, InterfaceDescription, Method};
use crate::invoke::marshal::Arguments;
use crate::invoke::proxy::{Inner, Proxy};
use crate::invoke::remote::{RemoteObject, Reply, Request};
use crate::invoke::result::RemoteResult;

/// Every object has it: which interface it is, as an [`InterfaceDescription`].
pub(crate) const DESCRIBE: MethodId = MethodId::of("rmi.Object", "describe");
const DESCRIBE_PATH: &str = "rmi.Object/describe";

/// Where a call on a proxy goes. For expansions.
pub enum Route<'a, S: Interface> {
    /// To a servant in this process.
    Local(Local<'a, S>),
    /// To another node.
    Remote(Outgoing<'a>),
}

/// A local servant, with the options of the proxy.
pub struct Local<'a, S: Interface> {
    /// The servant.
    pub servant: &'a S::Local,
    timeout: Option<Duration>,
}

/// An object elsewhere, with the options of the proxy.
pub struct Outgoing<'a> {
    remote: &'a Arc<dyn RemoteObject>,
    timeout: Option<Duration>,
}

/// Where a call of a method of `S` on this proxy goes.
pub fn route<S: Interface, I: Extends<S>>(proxy: &Proxy<I>) -> Route<'_, S> {
    let timeout = proxy.timeout;
    match proxy.inner() {
        Inner::Local { servant, .. } => Route::Local(Local { servant: I::up(servant), timeout }),
        Inner::Remote(remote) => Route::Remote(Outgoing { remote, timeout }),
    }
}

/// Awaits a call of a local servant under the options of the proxy and the limits of its context.
pub async fn local<S: Interface, R>(
    target: Local<'_, S>,
    method: &'static Method,
    call: impl Future<Output = R> + Send,
) -> Result<R, RemoteError> {
    match Limit::of_call(target.timeout, None) {
        None => Ok(call.await),
        Some(limit) => limit.bound_local(method.path, call).await,
    }
}

impl<'a> Outgoing<'a> {
    /// Sends the call and returns the future of its reply. Dropping that future cancels the call.
    pub fn send(&self, method: &'static Method, arguments: Arguments) -> Sent<'a> {
        let request = arguments.finish(method.path).map(|(payload, references)| Request {
            method: method.id,
            path: method.path,
            payload,
            references,
            deadline: None,
        });
        send(self.remote, request, self.timeout, method.idempotent, method.path)
    }
}

// Not part of the futures above: a future that knows `R: RemoteResult` makes rustc repeat at each `await` what it has
// to say about a wrong `R`, and is compiled for each `R` anew.

/// What a method returns whose servant is local.
pub fn returned<R: RemoteResult>(outcome: Result<R, RemoteError>) -> R {
    outcome.unwrap_or_else(R::from_remote)
}

/// What a method returns whose servant is elsewhere.
pub fn replied<R: RemoteResult>(method: &'static Method, outcome: Result<Reply, RemoteError>) -> R {
    returned(outcome.and_then(|reply| decode(reply, method.path)))
}

fn decode<R: RemoteResult>(reply: Reply, path: &'static str) -> Result<R, RemoteError> {
    let node = reply.from;
    R::decode(reply).map_err(|reason| RemoteError::BadReply { node, call: path.to_owned(), reason })
}

/// Asks an object for its description.
pub(crate) async fn describe(
    remote: Arc<dyn RemoteObject>,
    timeout: Option<Duration>,
) -> Result<InterfaceDescription, RemoteError> {
    let (payload, references) = Arguments::new(0).finish(DESCRIBE_PATH)?;
    let request = Request { method: DESCRIBE, path: DESCRIBE_PATH, payload, references, deadline: None };
    let reply = send(&remote, Ok(request), timeout, false, DESCRIBE_PATH).await?;
    decode::<Result<InterfaceDescription, RemoteError>>(reply, DESCRIBE_PATH)?
}
