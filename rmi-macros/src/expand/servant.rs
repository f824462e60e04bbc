//! The trait itself, which servants and proxies implement.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Block, ReturnType, Stmt, TraitItem, TraitItemFn, Type, parse_quote, parse_quote_spanned};

use crate::ast::Interface;

/// The trait, with futures that are `Send`.
pub(super) fn expand(interface: &Interface) -> TokenStream {
    let mut item = interface.item.clone();
    item.colon_token = Some(item.colon_token.unwrap_or_default());
    item.supertraits.push(parse_quote!(::core::marker::Send));
    item.supertraits.push(parse_quote!(::core::marker::Sync));
    item.supertraits.push(parse_quote!('static));
    for member in &mut item.items {
        if let TraitItem::Fn(function) = member {
            return_future(function);
        }
    }
    quote_spanned!(Span::mixed_site()=> #item)
}

/// `async fn f(..) -> R { body }` to `fn f(..) -> impl Future<Output = R> + Send { async move { body } }`.
fn return_future(function: &mut TraitItemFn) {
    if function.sig.asyncness.take().is_none() {
        return;
    }
    let output: Type = match &function.sig.output {
        ReturnType::Type(_, ty) => Type::clone(ty),
        ReturnType::Default => parse_quote!(()),
    };
    // At the type, because rustc shows this place when a future cannot be sent.
    let span = output.span();
    function.sig.output = parse_quote_spanned! {span=>
        -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    if let Some(body) = &mut function.default {
        // The braces stay the user's: rustc and rustdoc take the method to reach from its name to them.
        let future = parse_quote_spanned!(Span::mixed_site()=> async move #body);
        *body = Block { brace_token: body.brace_token, stmts: vec![Stmt::Expr(future, None)] };
        function.attrs.push(parse_quote!(#[allow(clippy::manual_async_fn)]));
    }
}
