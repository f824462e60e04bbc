//! The `#[remote]` attribute of `rmi`. Use it through the facade crate.
//!
//! A trait is parsed (`ast`), checked (`check`) and expanded (`expand`). An expansion only calls what
//! `rmi_core::private` lists; the logic is there. All mistakes of a trait are reported at once, each where it stands,
//! and the trait is still emitted (`fallback`), so that one mistake makes one message.

mod args;
mod ast;
mod check;
mod context;
mod expand;
mod fallback;
mod print;

use proc_macro::TokenStream;

/// Makes a trait a remote interface.
///
/// ```ignore
/// #[remote]
/// pub trait Account: Named {
///     /// Adds `amount` and returns the new balance.
///     async fn deposit(&self, amount: u64, memo: &str) -> Result<u64, BankError>;
/// }
/// ```
///
/// The trait stays a trait: servants implement it plainly, with `async fn`; proxies implement it by calling the owner;
/// code that takes `impl Account` takes either, and its futures are `Send`. Beside `trait Account` appear
///
/// * `AccountProxy`, a reference to an object, here or at another node: an alias of `rmi::Proxy<AccountInterface>`;
/// * `AccountInterface`, the interface as a type;
/// * `AccountSkeleton`, which calls a servant for callers at other nodes.
///
/// # Methods
/// A method is an `async fn` that takes `&self` and returns `Result<T, E>`, also by an alias. `T` and `E` are serde
/// types, and `E: From<RemoteError>`, because any call can fail.
///
/// Arguments are serde types by value, or `&T` if `T` is `Serialize` and its owned form (`String` for `str`, `Vec<T>`
/// for `[T]`, `T` itself if it is `Clone`) can be deserialized: the servant borrows that for the call. Arguments are
/// encoded when the call is first polled, and all of them are decoded before the servant is called.
///
/// A method with a body is called like any other: at the owner, whose servant may override it.
///
/// `#[cfg]`, `#[deprecated]`, documentation and lint levels work on methods as they do everywhere.
///
/// # Attributes of methods
/// * `#[idempotent]`: executing it twice does what executing it once does. A call that is lost with its session, or finds
///   the owner out of reach, is sent again until its limit: that of the proxy, the scope or the node, or else the node's
///   reconnect window. Without the attribute no call is ever executed twice.
/// * `#[no_cancel]`: once begun, it runs to its end at the owner, whoever gives the call up meanwhile, and whatever limit the
///   call has; only the end of the owner's node stops it. What it calls is not limited by its caller either. A local
///   servant borrows the arguments, so a limit, or dropping the future, ends a local call all the same: where that
///   matters, let the method spawn a task that owns what it needs, and await that.
///
/// # Traits
/// Type parameters, bounds and `where` clauses are the user's; parameters are not part of the interface's name. All
/// remote ancestors are listed as supertraits, `trait Savings: Account + Named`, and their `..Interface` types must be
/// in scope beside them. `Send`, `Sync`, `Unpin` and `Debug` may be listed too. Servants are `Send + Sync + 'static`.
///
/// # Arguments of the attribute
/// * `name = "bank.Account"`: the interface's name on the wire. By default this is the package's name, a dot, and the
///   trait's name.
/// * `crate = path`: where `rmi` is, if not at `::rmi`: for crates that reach it through another one.
#[proc_macro_attribute]
pub fn remote(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::remote(arguments.into(), item.into()).into()
}
