//! The `#[remote]` attribute of `rmi`. Use it through the facade crate.
//!
//! An expansion is parsed ([`ast`]), checked ([`check`]) and written ([`expand`]). It only calls what
//! `rmi_core::private` lists; the logic is there. All mistakes of a trait are reported at once, each where it stands,
//! and the trait is still emitted ([`fallback`]), so that one mistake makes one message.

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
/// The methods are `async fn (&self, ..) -> Result<T, E>` with `E: From<RemoteError>`. The trait stays a trait, which
/// servants implement plainly and proxies implement by calling the owner. Beside `trait X` appear `XProxy`, the
/// reference to an object; `XInterface`, the interface as a type; and `XSkeleton`, the server side.
///
/// # Arguments
/// * `name = "bank.Account"`: the name on the wire; by default the package's name, a dot, and the trait's.
/// * `crate = path`: where `rmi` is, if not at `::rmi`: for crates that re-export it.
#[proc_macro_attribute]
pub fn remote(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::remote(arguments.into(), item.into()).into()
}
