//! The arguments of the attribute itself.

use proc_macro2::TokenStream;
use syn::meta::{self, ParseNestedMeta};
use syn::parse::Parser;
use syn::{LitStr, Path, parse_quote};

use crate::context::Context;

/// What `#[remote(..)]` says.
pub(crate) struct Args {
    /// Where `rmi` is.
    pub(crate) krate: Path,
    /// The name on the wire, if it is not made from package and trait.
    pub(crate) name: Option<LitStr>,
}

impl Args {
    /// Mistakes go to `cx`; the defaults stand for what was not understood.
    pub(crate) fn parse(tokens: TokenStream, cx: &Context) -> Self {
        let mut krate = None;
        let mut name = None;
        let parser = meta::parser(|meta| {
            if meta.path.is_ident("crate") {
                set(&mut krate, &meta, crate_path)
            } else if meta.path.is_ident("name") {
                set(&mut name, &meta, interface_name)
            } else {
                Err(meta.error("unknown argument: `#[remote]` takes `name = \"..\"` and `crate = path`"))
            }
        });
        if let Err(error) = parser.parse2(tokens) {
            cx.push(error);
        }
        Self { krate: krate.unwrap_or_else(|| parse_quote!(::rmi)), name }
    }
}

fn set<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    parse: fn(&ParseNestedMeta<'_>) -> syn::Result<T>,
) -> syn::Result<()> {
    let value = parse(meta)?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("this argument is given twice")),
    }
}

/// `crate = path` or `crate = "path"`.
fn crate_path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let value = meta.value()?;
    if !value.peek(LitStr) {
        return value.call(Path::parse_mod_style);
    }
    let text: LitStr = value.parse()?;
    text.parse_with(Path::parse_mod_style).map_err(|_| {
        let message = "this is not a path: `crate` says where `rmi` is, as in `crate = my_crate::rmi`";
        syn::Error::new(text.span(), message)
    })
}

/// `name = ".."`: any text that error messages and logs can show in `interface/method`.
fn interface_name(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let name: LitStr = meta.value()?.parse()?;
    let text = name.value();
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '/';
    if text.is_empty() || text.contains(bad) {
        return Err(syn::Error::new(
            name.span(),
            "the name of an interface is not empty and has neither spaces nor slashes: `name = \"bank.Account\"`",
        ));
    }
    Ok(name)
}
