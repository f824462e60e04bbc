//! Invocation: proxies, skeletons, marshalling, and the way of one call.
//!
//! What it is for: a call on a [`Proxy`] either goes straight to a local servant or becomes a [`Request`] that a
//! [`RemoteObject`] carries to the owner; at the owner a [`Skeleton`] decodes the arguments, calls the servant
//! and encodes the result.
//!
//! May use: `id`, `error`. It knows neither sessions nor sockets: what it needs of them are the traits
//! [`RemoteObject`] and [`ExportTable`], which `node` implements.
//!
//! Invariants:
//! * A call on a local servant serializes nothing and spawns nothing.
//! * References travel beside the payload, in the table of a message; the payload holds indices. So whoever
//!   receives a message can account for its references without decoding the payload.
//! * No lock is held while user code (serde, `poll`, `Drop`) runs.

mod any;
mod attempt;
mod call;
mod context;
mod following;
mod interface;
mod marshal;
mod msgpack;
mod object;
mod payload;
mod proxy;
mod references;
mod remote;
mod result;

pub use any::{AnyProxy, Reference};
pub use call::{Local, Outgoing, Route, local, replied, returned, route};
pub use context::{limited, with_timeout};
pub use following::Resolver;
pub use interface::{Argument, ArgumentDescription, Descriptor, Extends, Implements, Interface};
pub use interface::{InterfaceDescription, Method, MethodDescription};
pub use marshal::{Arguments, Incoming, RefArg};
pub use object::{Object, Skeleton};
pub use payload::{Contents, Payload};
pub use proxy::Proxy;
pub use remote::SentBy;
pub use remote::{Closed, ExportTable, GiveUp, Pending, RemoteObject, Renewal, Reply, ReplyStatus, Request};
pub use result::{Answer, HoldsRemoteError, RemoteResult, Running, answer};

pub(crate) use any::Target;
pub(crate) use call::DESCRIBE;
pub(crate) use context::{Context, Limit, caller, now};
pub(crate) use marshal::decode_fault;
