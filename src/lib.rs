//! Remote method invocation: annotate a trait, and call objects on other nodes as if they were your own.
//!
//! * [A first remote object](#a-first-remote-object)
//! * [Passing references](#passing-references)
//! * [Errors](#errors)
//! * [Limits, cancelling, trying again](#limits-cancelling-trying-again)
//! * [How calls are served](#how-calls-are-served)
//! * [Lifetimes of objects](#lifetimes-of-objects)
//! * [The registry](#the-registry)
//! * [Deployment](#deployment)
//!
//! # A first remote object
//!
//! An interface is a trait with `#[remote]`. Its methods are `async`, take `&self`, and return a `Result` whose error can hold a
//! [`RemoteError`]. Arguments and results are serde types; `&str`, `&[T]` and `&T` are encoded from the borrow.
//!
//! A *servant* is any type that implements the trait: a plain `impl`, no attribute. `CounterProxy::new(servant)` makes it an object. A
//! [`Node`] serves objects to others and calls those of others.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use rmi::{Node, RemoteError, remote};
//!
//! #[remote]
//! pub trait Counter {
//!     /// Adds `n` and returns the new value.
//!     async fn add(&self, n: u64) -> Result<u64, RemoteError>;
//! }
//!
//! #[derive(Default)]
//! struct InMemory(AtomicU64);
//!
//! impl Counter for InMemory {
//!     async fn add(&self, n: u64) -> Result<u64, RemoteError> {
//!         Ok(self.0.fetch_add(n, Ordering::Relaxed) + n)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // One process ...
//! let server = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
//! server.publish("counter", &CounterProxy::new(InMemory::default()));
//!
//! // ... and another, here in the same for once.
//! let client = Node::builder().start().await?;
//! let counter: CounterProxy = client.root(&server.addresses()[0], "counter").await?;
//! assert_eq!(counter.add(2).await?, 2);
//! assert_eq!(counter.add(3).await?, 5);
//! # client.shutdown().await;
//! # server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! `#[remote]` generates three types beside the trait `Counter`: `CounterProxy`, an alias of [`Proxy<CounterInterface>`](Proxy), which implements
//! `Counter`; the marker `CounterInterface`; and `CounterSkeleton`, which serves calls. Servant and proxy implement one trait, so `async fn work(c: &impl
//! Counter)` takes either. To call a proxy, have the trait in scope. The operations of proxies themselves are associated functions, as with `Arc`:
//! `Proxy::is_local(&counter)`. [`Proxy::from_arc`] makes an object of a servant that the program goes on using itself.
//!
//! A proxy whose object is in this process calls the servant directly: nothing is serialized, limits do not apply, and a panic is an ordinary panic.
//!
//! Traits may have supertraits that are remote too ([`Proxy::upcast`], [`Proxy::cast`]), type parameters and default methods. The mistakes that can be made with the
//! attribute are compile errors that say what to write instead.
//!
//! # Passing references
//!
//! A proxy is a value. It travels as an argument or a result, in structs, vectors, maps and errors, and what arrives is a reference to the same object.
//!
//! * A client needs no listener to be called back: the server calls the client's objects over the client's own connection.
//! * A reference that is passed on to a third node leads from there directly to the object's owner; if that accepts no connections, through the node that passed it on.
//! * A reference that comes back to its owner is the local object again.
//!
//! ```
//! use rmi::{Node, Proxy, RemoteError, remote};
//!
//! #[remote]
//! pub trait Listener {
//!     async fn notify(&self, news: &str) -> Result<(), RemoteError>;
//! }
//!
//! #[remote]
//! pub trait Board {
//!     /// Tells the news to `listener`, and hands it back.
//!     async fn tell(&self, listener: ListenerProxy) -> Result<ListenerProxy, RemoteError>;
//! }
//!
//! struct TheBoard;
//!
//! impl Board for TheBoard {
//!     async fn tell(&self, listener: ListenerProxy) -> Result<ListenerProxy, RemoteError> {
//!         listener.notify("it works").await?;
//!         Ok(listener)
//!     }
//! }
//!
//! struct Printer;
//!
//! impl Listener for Printer {
//!     async fn notify(&self, news: &str) -> Result<(), RemoteError> {
//!         println!("{news}");
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Node::builder().listen("mem://board").start().await?;
//! server.publish("board", &BoardProxy::new(TheBoard));
//! let client = Node::builder().start().await?;
//! let board: BoardProxy = client.root("mem://board", "board").await?;
//!
//! let listener = ListenerProxy::new(Printer);
//! let back = board.tell(listener.clone()).await?;
//! assert!(back == listener && Proxy::is_local(&back));
//! # client.shutdown().await;
//! # server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! A proxy can be serialized only inside a call. Elsewhere it is an error: nobody would keep the object alive.
//!
//! # Errors
//!
//! A method's error type is the interface's own; it needs `From<RemoteError>` and serde, and usually has a variant for it:
//!
//! ```
//! # use rmi::RemoteError;
//! # use serde::{Serialize, Deserialize};
//! #[derive(Debug, thiserror::Error, Serialize, Deserialize)]
//! pub enum BankError {
//!     #[error("insufficient funds")]
//!     Insufficient,
//!     #[error(transparent)]
//!     Remote(#[from] RemoteError),
//! }
//! ```
//!
//! [`RemoteError`] says what happened, to which call, object and node. [`may_have_executed`](RemoteError::may_have_executed) answers the question that matters
//! after a failure; a method is never executed twice for one call, unless it says `#[idempotent]`. An error that a servant got from a call of its own and passed on arrives as
//! [`RemoteError::Forwarded`]: this call did run, and `origin()` says who saw the failure. (A local servant's error arrives as it is.)
//!
//! | what happened | what the caller gets |
//! |---|---|
//! | nobody listens at the address | `Unreachable` at once |
//! | nothing is bound to the name | `NotBound` |
//! | the connection broke and came back within the [reconnect window](Builder::reconnect_window) | nothing: the call is executed once |
//! | the server died during the call, or was away for longer | `OutcomeUnknown` if the call had left, otherwise `Unreachable` |
//! | the server was restarted at its address, or the object collected | `NoSuchObject` |
//! | the servant panicked | `Panicked`; its node goes on |
//! | an argument did not decode | `BadArgument`, which one and why; the servant was not called |
//! | its limit passed | `TimedOut`; the call is cancelled, and may have been executed in part |
//! | the arguments are over a limit | `TooLarge` with the numbers |
//! | the result is over a limit, or does not decode | `BadReply`: the call was executed |
//! | the other side has 4,096 calls of this node and answers none | `Overloaded`, after the reconnect window |
//! | the own node was shut down or dropped | `ShuttingDown`; `OutcomeUnknown` for calls under way |
//!
//! # Limits, cancelling, trying again
//!
//! A call takes as long as it takes, unless there is a limit: that of its proxy ([`Proxy::with_timeout`]), that of the scope in which it is made ([`with_timeout`]), or that of its node
//! ([`Builder::call_timeout`]) where there is neither. What is left of it travels with the call: whatever the servant calls in turn, on any node, has no more time than that.
//!
//! Dropping the future of a call, in a `select!` for instance, cancels it: the servant's future is dropped where it awaits something, and so are the calls that it awaits. The same happens
//! when a limit passes, or when the caller's process is gone and its lease has ended. A method with `#[no_cancel]` runs to its end once it has begun, whatever becomes of its caller.
//!
//! A method with `#[idempotent]` is sent again when its session is lost or its owner is out of reach, with growing pauses, until its limit; without one, for the
//! [reconnect window](Builder::reconnect_window). If it fails in the end and one of the attempts may have been executed, the error says so.
//!
//! ```
//! # use std::time::Duration;
//! # use rmi::{Proxy, RemoteError, remote};
//! #[remote]
//! pub trait Printer {
//!     /// How many pages are left. Asking twice does no harm.
//!     #[idempotent]
//!     async fn paper(&self) -> Result<u32, RemoteError>;
//!     /// Half a page helps nobody.
//!     #[no_cancel]
//!     async fn print(&self, page: &str) -> Result<(), RemoteError>;
//! }
//!
//! # async fn work(printer: PrinterProxy) -> Result<(), RemoteError> {
//! let hurried = Proxy::with_timeout(&printer, Duration::from_millis(300));
//! if hurried.paper().await? > 0 {
//!     rmi::with_timeout(Duration::from_secs(10), async {
//!         printer.print("one").await?;
//!         printer.print("two").await
//!     })
//!     .await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How calls are served
//!
//! Calls that one caller makes through one proxy start at the servant in the order in which they were made, whatever their size, also when the connection breaks in between. A call is
//! made when its future is polled for the first time. They do not wait for each other: the next starts as soon as the one before waits for something, or is done.
//!
//! One caller is one task (or servant's call, or thread outside of a runtime), and what that leads to: the first call of another task starts after those that were made before it. Tasks that have both made calls beside large ones before
//! do not wait for each other: a small call overtakes the 16 MiB that another task is sending to the same object.
//!
//! While small calls are made beside large ones, no more of the large ones is under way than the connection needs to be kept busy, so that the small ones do not stand in a queue behind them.
//!
//! A servant runs where its call arrived until it first waits, and in a task of its own from then on. One that computes or blocks without yielding keeps a thread from everybody else:
//!
//! * *On the multi-thread runtime*, the log names the method after a second or two (sooner if a quarter of the lease is less), and another thread goes on in its place: the session stays alive, and other calls of that
//!   peer are served, as long as the runtime has a thread left. What the same thread was about to do next, such as a call that arrived just before, may wait with it.
//! * *On the current-thread runtime*, and on one with a single worker, everything stands still, the lease included. If that takes longer than the lease, peers give the node up, and calls under way fail with
//!   `OutcomeUnknown`. The log names the method when it is done.
//!
//! Use `tokio::task::spawn_blocking` for what may keep a thread for longer than a few milliseconds.
//!
//! # Lifetimes of objects
//!
//! An object lives as long as any proxy to it lives, on any node. When the last is gone, the servant is dropped: its `Drop` is the finalizer.
//!
//! Nodes that hold references keep a *lease*, renewed by their session. A node that is not heard of for the term of the lease ([`Builder::lease`], 30 s by default) is
//! given up, and what it held is collected. A session that was made to reach the owner of a reference ends once nothing has used it for a third of the lease. [`Node::shutdown`] releases everything at once. Dropping the last handle of a node stops it, too,
//! without waiting for anything. (A [`Registry`] handle, or a published servant that contains a `Node`, is such a handle: end that node with `shutdown`.)
//!
//! Not collected: cycles of references across nodes, as when a servant holds a proxy to a client's object that holds a proxy to the servant. Break them by hand: give
//! one of the two a method that lets go. [`Node::stats`] shows what is held.
//!
//! # The registry
//!
//! A registry is a place where nodes find each other's objects by name. It is an object like any other; `rmi-registry serve` is a program that has
//! one, and [`Registry::serve`] puts one into any node.
//!
//! ```
//! # use rmi::{Node, Registry, RemoteError, remote};
//! # #[remote]
//! # pub trait Clock { async fn now(&self) -> Result<u64, RemoteError>; }
//! # struct Fixed;
//! # impl Clock for Fixed { async fn now(&self) -> Result<u64, RemoteError> { Ok(42) } }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let host = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
//! # Registry::serve(&host);
//! # let address = host.addresses()[0].clone();
//! # let server = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
//! # let client = Node::builder().start().await?;
//! // On the server. Dropping the binding takes the name back; `keep()` leaves it.
//! let registry = Registry::connect(&server, &address).await?;
//! let binding = registry.bind("clock", &ClockProxy::new(Fixed)).await?;
//!
//! // On the client: `rmi://HOST:PORT/NAME`.
//! let url = format!("{}/clock", address.replace("tcp:", "rmi:"));
//! let clock: ClockProxy = rmi::lookup(&client, &url).await?;
//! assert_eq!(clock.now().await?, 42);
//! # drop(binding);
//! # Ok(())
//! # }
//! ```
//!
//! A name is taken as long as its [`Binding`] is held, and until the lease is over if the holder was killed: a server that comes back at once uses
//! [`Registry::rebind`]. `lookup` does not ask the owner; if that is gone, the first call says so. A node without a listener whose objects are bound is reached through the registry's node, as long as that lives.
//!
//! What comes and goes finds each other again:
//!
//! * A [`Binding`] renews itself. A registry that was restarted has no names at first; those who hold bindings bind them again as soon as it answers. A name that somebody else took
//!   meanwhile is not taken back.
//! * [`lookup_wait`] waits until a name is bound, and for the registry, too: programs can be started in any order.
//! * [`follow`] is a lookup whose proxy looks the name up again when a call finds the object gone, as after a restart of its server. The call then goes to the new object, if
//!   it was certainly not executed or is `#[idempotent]`.
//! * [`Proxy::closed`] tells the holder of any proxy that the object is gone or its owner lost: to clean up what was kept for a client, or to go on elsewhere.
//!
//! ```
//! # use rmi::{Node, Proxy, RemoteError, remote};
//! # #[remote]
//! # pub trait Clock { async fn now(&self) -> Result<u64, RemoteError>; }
//! # async fn work(node: Node) -> Result<(), RemoteError> {
//! let url = "rmi://127.0.0.1:1099/clock";
//! // Once there is one; and from then on whichever has the name.
//! rmi::lookup_wait::<ClockProxy>(&node, url).await?;
//! let clock: ClockProxy = rmi::follow(&node, url).await?;
//! let now = clock.now().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Without a registry, [`Node::publish`] and [`Node::root`] do for two nodes that know each other's addresses.
//!
//! # Deployment
//!
//! * **Addresses.** A node tells others where it listens. `tcp://0.0.0.0:7001` is told as the addresses of the machine's interfaces; loopback addresses are told only on the same host. Behind
//!   port forwarding, or to use a DNS name, say [`Builder::advertise`].
//! * **What is dialed.** References bring addresses that peers made up as they liked. A node dials them within bounds, sends a fixed greeting alone until the right node has answered, and leaves
//!   out what the peer could not reach itself: loopback, local sockets, link-local addresses, also behind names. Addresses in private networks are dialed: [`Builder::dial_policy`]
//!   decides otherwise.
//! * **Who needs a listener.** A server that is dialed at an address. Objects of a node without one (a client, a node behind NAT) are used over the connections that it made: by the nodes at their other
//!   ends, and through these by whoever gets a reference there ([`Builder::relay`]). When such a node between goes, calls through it say so.
//! * **Streams.** [`Node::attach`] runs a session over any stream: a child's stdin and stdout, a socket pair.
//! * **Trust.** There is no encryption and no authentication yet: run it on networks you trust, or over streams that are protected by other means. Object identities are random and
//!   secret: whoever was not given a reference cannot call the object. Hostile bytes end the session they came on, nothing else.
//! * **Limits.** Everything that a peer can make grow is bounded; [`Builder::limits`] sets the bounds. Values nest at most 128 arrays and maps deep.
//! * **Runtimes.** tokio, multi-thread or current-thread, with I/O and time enabled.
//! * **serde.** Values travel as MessagePack: `Some(None)` and `Some(())` arrive as `None`. Bytes (`Vec<u8>`, `bytes::Bytes` with
//!   its feature `serde`) are copied at once, anywhere in a value; large `Bytes` that are an argument or a result share the memory of the message they came in.
//! * **Logs.** `tracing`: sessions at debug level, panics of servants, servants that keep their thread, and misbehaving peers above.
//! * **Threads.** A thread `rmi-pulse` of the process, if any node runs on a multi-thread runtime, wakes up once a second and has its nodes look for servants that keep their thread.

pub use rmi_core::{
    AnyProxy, Builder, DialRequest, Interface, InterfaceDescription, Limits, Node, NodeId, NodeStats,
    ObjectId, Peer, Proxy, Reference, RemoteError, SessionStats, StartError, with_timeout,
};
pub use rmi_macros::remote;
pub use rmi_registry::{Bind, Binding, BindingId, Entry, Registry, RegistryError, RegistryServer};
pub use rmi_registry::{follow, lookup, lookup_wait};

#[doc(hidden)]
pub use rmi_core::private;
