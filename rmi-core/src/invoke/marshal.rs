//! Marshalling: the arguments and the result of a call to a payload and a table of references, and back.

use std::any::Any;
use std::borrow::Borrow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::any::AnyProxy;
use crate::invoke::msgpack::{self, Decoder, Encoder};
use crate::invoke::payload::{Contents, Payload};
use crate::invoke::references::{collecting, resolving};

/// From how many bytes on an argument or result that is `Bytes` shares the memory of the message. Fewer are not worth what they
/// would keep of it.
const SHARED: usize = 4096;

/// What part of a message must be shared at least, for one share keeps all of its memory.
const SHARED_PART: usize = 8;

/// How an argument `&T` travels: encoded from the borrow, decoded into its owned twin.
#[diagnostic::on_unimplemented(
    message = "`&{Self}` cannot be an argument of a remote method",
    label = "not an argument type of a remote method",
    note = "`{Self}` must be `Serialize` and have an owned form (`ToOwned`) that is `DeserializeOwned + Send`"
)]
pub trait RefArg: Serialize {
    /// What the servant's side decodes and lends to the servant.
    type Owned: DeserializeOwned + Borrow<Self> + Send + 'static;
}

impl<T: ?Sized + Serialize + ToOwned> RefArg for T
where
    T::Owned: DeserializeOwned + Send + 'static,
{
    type Owned = T::Owned;
}

/// Encodes one value and collects its references.
pub(super) fn encode<T: Serialize + 'static>(value: &T) -> Result<(Payload, Vec<AnyProxy>), String> {
    let mut references = Vec::new();
    let mut payload = Payload::buffer();
    if let Some(apart) = apart(value, &mut payload) {
        return Ok((Payload::with(payload, vec![apart]), references));
    }
    let written = collecting(&mut references, || value.serialize(Encoder::new(&mut payload)));
    written.map_err(|error| error.to_string())?;
    Ok((payload.into(), references))
}

/// The value, if it is `Bytes` and large: it is sent from where it is, behind what is in `payload` then.
fn apart<T: 'static>(value: &T, payload: &mut Vec<u8>) -> Option<(usize, Bytes)> {
    let bytes = (value as &dyn Any).downcast_ref::<Bytes>().filter(|bytes| bytes.len() >= SHARED)?;
    msgpack::bin_len(payload, bytes.len()).ok()?;
    Some((payload.len(), bytes.clone()))
}

/// Decodes one value; its references are among `references`.
pub(super) fn decode<T>(payload: &Contents, mut references: Vec<AnyProxy>) -> Result<T, String>
where
    T: DeserializeOwned + 'static,
{
    let mut decoder = Decoder::new(payload);
    let value = resolving(&mut references, || read(payload.shared(), &mut decoder));
    value.map_err(|error| error.to_string())
}

/// The next value of `payload`, which is none where it cannot be shared.
fn read<T>(payload: Option<&Bytes>, decoder: &mut Decoder<'_>) -> Result<T, msgpack::Error>
where
    T: DeserializeOwned + 'static,
{
    match payload.and_then(|payload| share(payload, decoder)) {
        Some(bytes) => Ok(bytes),
        None => T::deserialize(decoder),
    }
}

/// The next value, if it is `Bytes` and large: without a copy.
fn share<T: 'static>(payload: &Bytes, decoder: &mut Decoder<'_>) -> Option<T> {
    let mut value: Option<T> = None;
    let slot = (&mut value as &mut dyn Any).downcast_mut::<Option<Bytes>>()?;
    let bytes = decoder.bin_of(SHARED.max(payload.len() / SHARED_PART))?;
    *slot = Some(payload.slice_ref(bytes));
    value
}

/// Decodes a fault.
pub(crate) fn decode_fault(payload: &[u8]) -> Result<RemoteError, String> {
    RemoteError::deserialize(&mut Decoder::new(payload)).map_err(|error| error.to_string())
}

/// The arguments of a call, being encoded: a MessagePack array of `count` values.
#[derive(Debug)]
pub struct Arguments {
    payload: Vec<u8>,
    /// What is not copied into it, and where that belongs.
    apart: Vec<(usize, Bytes)>,
    references: Vec<AnyProxy>,
    /// The first argument that could not be encoded, and why.
    failed: Option<(&'static str, String)>,
}

impl Arguments {
    /// For `count` arguments; each must be pushed.
    pub fn new(count: u32) -> Self {
        let mut payload = Payload::buffer();
        msgpack::array_len(&mut payload, count);
        Self { payload, apart: Vec::new(), references: Vec::new(), failed: None }
    }

    /// Encodes the next argument, which the caller gives.
    pub fn push<T: Serialize + 'static>(&mut self, name: &'static str, value: &T) {
        match apart(value, &mut self.payload) {
            Some(apart) => self.apart.push(apart),
            None => self.push_lent(name, value),
        }
    }

    /// Encodes the next argument, which the caller lends.
    pub fn push_lent<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.failed.is_some() {
            return;
        }
        let written = collecting(&mut self.references, || value.serialize(Encoder::new(&mut self.payload)));
        if let Err(reason) = written {
            self.failed = Some((name, reason.to_string()));
        }
    }

    /// What goes to the owner of the object, in a call of the method `path`.
    ///
    /// # Errors
    /// [`RemoteError::BadArgument`] names the first argument that could not be encoded.
    pub fn finish(self, path: &'static str) -> Result<(Payload, Vec<AnyProxy>), RemoteError> {
        match self.failed {
            None => Ok((Payload::with(self.payload, self.apart), self.references)),
            Some((argument, reason)) => {
                Err(RemoteError::BadArgument { call: path.to_owned(), argument: argument.to_owned(), reason })
            }
        }
    }
}

/// A call that has arrived: its arguments are decoded one after the other, by name.
#[derive(Debug)]
pub struct Incoming<'a> {
    owner: NodeId,
    payload: &'a Bytes,
    references: Vec<AnyProxy>,
    decoder: Decoder<'a>,
    /// Arguments that are left in the payload. `None`: they are no array.
    left: Option<u32>,
}

impl<'a> Incoming<'a> {
    /// A call that arrived at `owner`.
    pub fn new(owner: NodeId, payload: &'a Bytes, references: Vec<AnyProxy>) -> Self {
        let mut decoder = Decoder::new(payload);
        let left = decoder.enter_array();
        Self { owner, payload, references, decoder, left }
    }

    /// The node at which the call arrived.
    pub fn owner(&self) -> NodeId {
        self.owner
    }

    /// Decodes the next argument of the method `path`.
    ///
    /// # Errors
    /// [`RemoteError::BadArgument`] names it.
    pub fn next<T>(&mut self, path: &str, argument: &str) -> Result<T, RemoteError>
    where
        T: DeserializeOwned + 'static,
    {
        let bad = |reason: String| RemoteError::BadArgument {
            call: path.to_owned(),
            argument: argument.to_owned(),
            reason,
        };
        let left = self.left.ok_or_else(|| bad("the arguments are not an array".into()))?;
        self.left = Some(left.checked_sub(1).ok_or_else(|| bad("it is missing".into()))?);
        let Self { payload, references, decoder, .. } = self;
        resolving(references, || read(Some(payload), decoder)).map_err(|error| bad(error.to_string()))
    }
}
