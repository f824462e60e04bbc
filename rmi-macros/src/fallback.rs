//! What stands in the place of something that was refused: its users compile, so that they report nothing.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{FnArg, Pat, PatWild, Safety, Token, TraitItem, TraitItemFn, parse_quote};

use crate::check;

/// Makes a refused method one that proxies need not implement: it gets a body.
pub(crate) fn method(function: &mut TraitItemFn) {
    function.attrs.retain(|attr| !check::is_of_later(attr));
    function.modifiers.defaultness = None;
    let sig = &mut function.sig;
    sig.constness = None;
    sig.safety = Safety::Default;
    sig.abi = None;
    sig.variadic = None;
    for input in &mut sig.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.attrs.clear(),
            FnArg::Typed(input) => {
                let underscore_token = Token![_](input.pat.span());
                input.attrs.clear();
                *input.pat = Pat::Wild(PatWild { attrs: Vec::new(), underscore_token });
            }
        }
    }
    // The body that was written may use what has just been taken away.
    function.default = Some(parse_quote!({ ::core::unreachable!() }));
    function.semi_token = None;
    function.attrs.push(parse_quote!(#[allow(unused, clippy::all)]));
}

/// What remains of a refused member that is not a method.
pub(crate) fn member(member: TraitItem) -> Option<TraitItem> {
    match member {
        // With a value, neither servants nor proxies need one.
        TraitItem::Const(mut constant) => {
            constant.default = Some((Token![=](constant.span()), parse_quote!(::core::panic!())));
            Some(TraitItem::Const(constant))
        }
        // The proxy is given one.
        TraitItem::Type(ty) => Some(TraitItem::Type(ty)),
        _ => None,
    }
}

/// An item that is no trait, or a trait that cannot be expanded, beside its errors.
pub(crate) fn item(item: TokenStream, errors: TokenStream) -> TokenStream {
    quote!(#errors #item)
}
