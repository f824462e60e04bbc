//! Carries out what arrived: references find their sessions, calls their servants, answers their callers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::error::RemoteError;
use crate::id::{MethodId, ObjectId};
use crate::invoke::{
    Answer, AnyProxy, Contents, DESCRIBE, Incoming, Limit, Object, RemoteResult, Reply, ReplyStatus, Target,
    decode_fault,
};
use crate::node::clock;
use crate::node::discard::discard;
use crate::node::execution::{Fate, start};
use crate::node::link::{Link, Reason};
use crate::node::live::{Caller, Live, chunk};
use crate::node::relay;
use crate::session::{
    Arrived, Assembly, BYE_UNUSED, Event, FragmentError, Head, References, Rope, Third, Time, Verdict,
};
use crate::wire::{Frame, ReplyKind};

/// How much of a panic's message travels, in bytes.
const MAX_PANIC_MESSAGE: usize = 1024;

/// The link must be closed.
pub(crate) struct Close(pub(crate) Reason);

/// The reader's side of a link: messages that are not complete.
pub(crate) struct Inbox {
    assembly: Assembly<(Head, Vec<AnyProxy>)>,
}

impl Inbox {
    pub(crate) fn new(partial: u64) -> Self {
        Self { assembly: Assembly::new(partial) }
    }

    /// Handles one frame. It waits for nothing. What it leaves in the session is sent by the reader.
    pub(crate) fn handle(
        &mut self,
        link: &Arc<Link>,
        now: Time,
        frame: Frame,
        len: usize,
    ) -> Result<Work, Close> {
        let core = &link.core;
        let event =
            link.with_quietly(|session| session.handle(now, frame, len, |object| link.new_import(object)));
        match event.map_err(|error| Close(error.into()))? {
            Event::Nothing => {}
            Event::Message { first, head, references, size, chunk } => {
                let references = resolve_all(link, references);
                if chunk.len() as u64 == size {
                    return Ok(deliver(link, head, references, chunk));
                }
                let weight = references.len();
                let whole = self.assembly.first(first, (head, references), weight, size, chunk);
                return delivered(link, whole);
            }
            Event::Answer { caller, status, references, payload, .. } => {
                let references = resolve_all(link, references);
                answered(link, caller, status, payload.into(), references);
            }
            Event::More { first, chunk } => return continued(link, self.assembly.more(first, &chunk)),
            Event::Abort { first } => {
                let (head, references) = self.assembly.abort(first).map_err(fragment)?;
                drop(references);
                match head {
                    Head::Call { call, .. } => link.with_quietly(|session| session.aborted(call)),
                    Head::Reply { call, .. } => unanswered(link, call),
                }
            }
            // If it is not all here, this is found out when it is.
            Event::Cancel { call } => link.running.abort(call),
            Event::Root { call, name, verdict: Verdict::Serve } => root(link, call, &name),
            Event::Root { call, verdict, .. } => refuse(link, call, verdict),
            Event::Dirty { object } => {
                let alive = core.exports.find(object);
                link.with_quietly(|session| session.answer_dirty(object, alive));
            }
            Event::Settled { pay, gone } => core.settle(link, pay, gone),
            Event::Tunnel { tunnel, what } => relay::tunneled(link, tunnel, what),
            Event::Bye { code: BYE_UNUSED, .. } => return Err(Close(Reason::Unused)),
            Event::Bye { code, text } => return Err(Close(Reason::Bye { code, text })),
        }
        Ok(Work::Done)
    }

    /// Where so many bytes of a message that has begun are to be read to, behind what is there. `None`: it has not, or has not so many left.
    pub(crate) fn room(&mut self, first: u64, bytes: usize) -> Option<&mut Vec<u8>> {
        self.assembly.room(first, bytes).ok()
    }

    /// Handles a frame of `len` bytes whose payload was read to where [`room`](Self::room) said.
    pub(crate) fn handle_more(
        &mut self,
        link: &Arc<Link>,
        now: Time,
        first: u64,
        len: usize,
    ) -> Result<Work, Close> {
        let handled = link.with_quietly(|session| session.handle_more(now, len));
        handled.map_err(|error| Close(error.into()))?;
        continued(link, Ok(self.assembly.whole(first)))
    }
}

/// Handles a frame of `len` bytes that is a whole call without references.
pub(crate) fn handle_call(
    link: &Arc<Link>,
    now: Time,
    len: usize,
    call: u64,
    called: (ObjectId, MethodId),
    payload: Bytes,
) -> Result<Work, Close> {
    let size = payload.len() as u64;
    let verdict = link.with_quietly(|session| session.handle_call(now, len, call, size));
    match verdict.map_err(|error| Close(error.into()))? {
        Verdict::Serve => Ok(execute(link, call, called, None, payload, Vec::new())),
        verdict => {
            refuse(link, call, verdict);
            Ok(Work::Done)
        }
    }
}

/// A frame of `len` bytes that is the whole answer to a call, without references.
pub(crate) struct PlainAnswer {
    pub(crate) len: usize,
    pub(crate) call: u64,
    pub(crate) status: ReplyKind,
    pub(crate) payload: Contents,
}

/// Such frames, one after the other.
pub(crate) type PlainAnswers = SmallVec<[PlainAnswer; 1]>;

/// Handles what came in one piece in one step: callers that make calls meanwhile wait for that once.
pub(crate) fn handle_answers(link: &Arc<Link>, now: Time, answers: PlainAnswers) -> Result<(), Close> {
    let mut callers = SmallVec::<[Caller; 1]>::with_capacity(answers.len());
    let heads = answers.iter().map(|answer| (answer.len, answer.call));
    let handled = link.with_quietly(|session| session.handle_answers(now, heads, &mut callers));
    for (PlainAnswer { status, payload, .. }, caller) in answers.into_iter().zip(callers) {
        answered(link, caller, status, payload, Vec::new());
    }
    handled.map_err(|error| Close(error.into()))
}

/// What the assembly returns: a message, if it is whole.
type Whole = Result<Option<((Head, Vec<AnyProxy>), Bytes)>, FragmentError>;

/// A message was continued; its caller may have given it up since it began.
fn continued(link: &Arc<Link>, mut whole: Whole) -> Result<Work, Close> {
    if let Ok(Some(((Head::Call { call, verdict, .. }, _), _))) = &mut whole {
        *verdict = link.look(|session| session.reconsider(*call, *verdict));
    }
    delivered(link, whole)
}

fn delivered(link: &Arc<Link>, whole: Whole) -> Result<Work, Close> {
    Ok(match whole.map_err(fragment)? {
        Some(((head, references), payload)) => deliver(link, head, references, payload),
        None => Work::Done,
    })
}

/// A message is whole.
fn deliver(link: &Arc<Link>, head: Head, references: Vec<AnyProxy>, payload: Bytes) -> Work {
    match head {
        Head::Call { call, object, method, deadline, verdict: Verdict::Serve } => {
            let deadline = deadline.and_then(|deadline| Limit::left(deadline.since(clock::now())));
            return execute(link, call, (object, method), deadline, payload, references);
        }
        Head::Call { call, verdict, .. } => refuse(link, call, verdict),
        Head::Reply { call, status } => {
            if let Some(caller) = link.with_quietly(|session| session.answered(call)) {
                answered(link, caller, status, payload.into(), references);
            }
        }
    }
    Work::Done
}

/// A call is to be executed, if it can be.
fn execute(
    link: &Arc<Link>,
    call: u64,
    (object, method): (ObjectId, MethodId),
    deadline: Option<Limit>,
    payload: Bytes,
    references: Vec<AnyProxy>,
) -> Work {
    match find(link, call, (object, method), deadline) {
        Ok((object, method)) => {
            return Work::Serve(Served { call, object, method, deadline, payload, references });
        }
        Err(Some(error)) => fault(link, call, error),
        Err(None) => {}
    }
    Work::Done
}

fn resolve_all(link: &Arc<Link>, references: References<Live>) -> Vec<AnyProxy> {
    if references.is_empty() {
        return Vec::new();
    }
    references.into_iter().map(|arrived| resolve(link, arrived)).collect()
}

fn fragment(error: FragmentError) -> Close {
    Close(Reason::Violation(
        match error {
            FragmentError::NotBegun => "it continued a message that had not begun",
            FragmentError::TooMuch => "it sent more of a message than it had announced",
            FragmentError::OverPartial => "it began more messages than the limits allow",
        }
        .into(),
    ))
}

/// Turns a reference that arrived into a handle; its accounting in other sessions is done here.
fn resolve(link: &Arc<Link>, arrived: Arrived<Live>) -> AnyProxy {
    let core = &link.core;
    match arrived {
        Arrived::Import { import, interface, .. } => AnyProxy::new(Target::Remote(import), interface),
        Arrived::Home { object, debt, interface } => {
            let home = core.home(object, interface);
            core.pay(vec![debt]);
            home
        }
        Arrived::Third(third) => {
            let Third { owner, addresses, object, debt, interface, excess } = *third;
            let source = link.third(owner, addresses);
            let import = match excess {
                true => core.unregistered(source, object, debt),
                false => core.import_from_third(source, object, debt),
            };
            AnyProxy::new(Target::Remote(import), interface)
        }
    }
}

/// Answers a call that is not executed, if anything may still be said.
fn refuse(link: &Arc<Link>, call: u64, verdict: Verdict) {
    let node = link.core.id;
    let error = match verdict {
        Verdict::Overloaded(what) => RemoteError::Overloaded { node, what: what.into() },
        Verdict::Cancelled => RemoteError::Cancelled { node, call: "a call that was not all there".into() },
        Verdict::Parted => return,
        _ => RemoteError::Unsupported { node, what: "this kind of target or option".into() },
    };
    fault(link, call, error);
}

fn root(link: &Arc<Link>, call: u64, name: &str) {
    let published = link.core.roots.lock().get(name).cloned();
    match published {
        Some(proxy) => {
            let answer = Ok::<_, RemoteError>(proxy).encode();
            reply(link, call, "a root", answer);
        }
        None => {
            let at = format!("node {}", link.core.id);
            fault(link, call, RemoteError::NotBound { name: name.to_owned(), at });
        }
    }
}

/// Finds what is called. The error is the answer, unless another was given.
fn find(
    link: &Arc<Link>,
    call: u64,
    (id, method): (ObjectId, MethodId),
    limit: Option<Limit>,
) -> Result<(Arc<Object>, Called), Option<RemoteError>> {
    let core = &link.core;
    let node = core.id;
    if core.is_draining() {
        return Err(Some(RemoteError::ShuttingDown { node }));
    }
    let Some(object) = core.exports.find(id) else {
        return Err(Some(RemoteError::NoSuchObject { node, object: id.to_string() }));
    };
    let descriptor = object.skeleton().descriptor();
    if method == DESCRIBE {
        let answer = Ok::<_, RemoteError>(descriptor.describe()).encode();
        reply(link, call, "rmi.Object/describe", answer);
        return Err(None);
    }
    let described = descriptor.method(method);
    let path = described.map_or("an unknown method", |method| method.path);
    if let Some(limit) = limit.filter(Limit::is_over) {
        return Err(Some(limit.timed_out(path)));
    }
    let no_cancel = described.is_some_and(|method| method.no_cancel);
    Ok((object, Called { id: method, path, no_cancel }))
}

/// What a frame leads to.
pub(crate) enum Work {
    /// Nothing more.
    Done,
    /// A servant is to be called: its code decodes the arguments, and runs.
    Serve(Served),
}

/// A method that is called.
struct Called {
    id: MethodId,
    path: &'static str,
    no_cancel: bool,
}

/// A call that is to be executed.
pub(crate) struct Served {
    call: u64,
    object: Arc<Object>,
    method: Called,
    deadline: Option<Limit>,
    payload: Bytes,
    references: Vec<AnyProxy>,
}

impl Served {
    /// `interface/method`.
    pub(crate) fn path(&self) -> &'static str {
        self.method.path
    }

    /// Decodes the arguments, and starts the servant.
    pub(crate) fn start(self, link: &Arc<Link>) {
        let Self { call, object, method, deadline, payload, references } = self;
        let core = &link.core;
        let fate = match method.no_cancel {
            true => Fate::RunsToItsEnd,
            false => Fate::EndsWithItsCaller(deadline),
        };
        let started = catch_unwind(AssertUnwindSafe(|| {
            let mut incoming = Incoming::new(core.id, &payload, references);
            object.skeleton().dispatch(method.id, &mut incoming)
        }));
        let running = match started {
            Ok(Some(Ok(running))) => running,
            Ok(Some(Err(error))) => return fault(link, call, error),
            Ok(None) => {
                let (node, interface) = (core.id, object.skeleton().descriptor().name.to_owned());
                let name = format!("{:016x}", method.id.0);
                return fault(link, call, RemoteError::NoSuchMethod { node, call: name, interface });
            }
            Err(panic) => return panicked(link, call, method.path, panic),
        };
        start(link, call, method.path, object, running, fate);
    }
}

/// Answers that the servant panicked.
pub(crate) fn panicked(link: &Arc<Link>, call: u64, path: &str, panic: Box<dyn Any + Send>) {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let mut message = text.unwrap_or_else(|| "it panicked with a value that is no text".into());
    message.truncate(message.floor_char_boundary(MAX_PANIC_MESSAGE));
    tracing::error!(node = %link.core.id, call = path, %message, "a servant panicked");
    fault(link, call, RemoteError::Panicked { node: link.core.id, call: path.to_owned(), message });
}

/// Answers with what the servant returned.
pub(crate) fn reply(link: &Arc<Link>, call: u64, path: &str, answer: Result<Answer, String>) {
    let sent = answer.and_then(|answer| {
        let references = match answer.references.is_empty() {
            true => Vec::new(),
            false => link.core.outward(answer.references)?,
        };
        let status = match answer.status {
            ReplyStatus::Ok => ReplyKind::Ok,
            ReplyStatus::Err => ReplyKind::Err,
        };
        let payload = answer.payload;
        if references.is_empty()
            && link.with_quietly(|session| session.reply_plain(call, status, chunk(&payload)))
        {
            return Ok(());
        }
        let payload = Rope::from(payload);
        link.with_quietly(|session| match session.check_reply(payload.len(), &references) {
            Ok(()) => {
                session.reply(call, status, payload, references);
                Ok(())
            }
            Err(failure) => Err((failure.to_string(), references)),
        })
        // The references are dropped here, unlocked.
        .map_err(|(reason, _references)| reason)
    });
    if let Err(reason) = sent {
        fault(link, call, RemoteError::BadReply { node: link.core.id, call: path.to_owned(), reason });
    }
}

/// Answers with a failure outside of the method.
pub(crate) fn fault(link: &Arc<Link>, call: u64, error: RemoteError) {
    // Strings and numbers: this cannot fail; were it to, an empty map is an unknown error to the caller.
    let encode =
        |error: &RemoteError| Bytes::from(rmp_serde::to_vec_named(error).unwrap_or_else(|_| vec![0x80]));
    let payload = encode(&error);
    link.with_quietly(|session| {
        let fits = session.check_reply(payload.len(), &[]).is_ok();
        let payload = if fits { payload } else { encode(&shortened(error)) };
        session.reply(call, ReplyKind::Fault, payload.into(), Vec::new());
    });
}

fn shortened(mut error: RemoteError) -> RemoteError {
    error.shorten();
    error
}

/// The answer to a call of this side was begun, and will not come. Usually nobody waits for it.
fn unanswered(link: &Arc<Link>, call: u64) {
    let Some(caller) = link.with_quietly(|session| session.answered(call)) else { return };
    let (node, path) = (link.peer().unwrap_or(link.core.id), caller.path.to_string());
    caller.fail(RemoteError::BadReply { node, call: path, reason: "its owner did not finish it".into() });
}

/// The answer to a call of this side is complete.
fn answered(
    link: &Arc<Link>,
    caller: Caller,
    status: ReplyKind,
    payload: Contents,
    references: Vec<AnyProxy>,
) {
    let Some(from) = link.peer() else { return };
    let status = match status {
        ReplyKind::Ok => ReplyStatus::Ok,
        ReplyKind::Err => ReplyStatus::Err,
        ReplyKind::Fault => {
            let path = caller.path.to_string();
            return caller.fail(match decode_fault(&payload) {
                // The owner knows the method's hash alone.
                Ok(RemoteError::NoSuchMethod { node, interface, .. }) => {
                    RemoteError::NoSuchMethod { node, call: path, interface }
                }
                Ok(error) => error,
                Err(reason) => RemoteError::BadReply { node: from, call: path, reason },
            });
        }
    };
    // Whoever gave up drops the receiver: then the reply, and the references in it, are dropped here.
    let given_up = caller.answer.send(Ok(Reply { from, status, payload, references }));
    discard(given_up.err());
}
