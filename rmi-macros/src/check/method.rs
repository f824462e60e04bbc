//! What a method of a remote interface may look like.

use proc_macro2::TokenTree;
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericParam, Ident, Meta, Pat, PatType, Receiver, ReceiverKind, ReturnType, Safety,
    Signature, TraitItemFn,
};

use super::types;
use crate::context::Context;

/// Attributes that say how a method is called. They are taken out of the trait.
const CALL_STYLES: [&str; 2] = ["idempotent", "no_cancel"];

/// Attributes that later versions will know. What they mean cannot be ignored, so they are refused until then.
const LATER: [&str; 3] = ["compute", "oneway", "stream"];

/// Checks a method of the trait `interface`. True: it can be expanded.
pub(crate) fn method(function: &TraitItemFn, interface: &Ident, cx: &Context) -> bool {
    let before = cx.count();
    attributes(&function.attrs, cx);
    if let Some(token) = &function.modifiers.defaultness {
        cx.error(token, "a remote method cannot be `default`: a method with a body can be overridden anyway");
    }
    qualifiers(&function.sig, cx);
    generics(&function.sig, cx);
    receiver(&function.sig, cx);
    for input in &function.sig.inputs {
        if let FnArg::Typed(input) = input {
            argument(input, function.default.is_some(), interface, cx);
        }
    }
    match &function.sig.output {
        ReturnType::Type(_, ty) => types::output(ty, interface, cx),
        ReturnType::Default => cx.error_at(
            function.sig.paren_token.span.close(),
            "a remote method returns `Result<T, E>` with `E: From<RemoteError>`, because any call can fail: write \
             `-> Result<(), RemoteError>`",
        ),
    }
    cx.count() == before && !names_associated(&function.sig)
}

fn names_associated(sig: &Signature) -> bool {
    let argument = |input: &FnArg| matches!(input, FnArg::Typed(input) if types::names_associated(&input.ty));
    let output = matches!(&sig.output, ReturnType::Type(_, ty) if types::names_associated(ty));
    output || sig.inputs.iter().any(argument)
}

/// Whether the attribute means something to `#[remote]`, now or in a later version, and nothing to rustc.
pub(crate) fn is_ours(attr: &Attribute) -> bool {
    CALL_STYLES.iter().chain(&LATER).any(|name| attr.path().is_ident(name) || hides(attr, name))
}

/// Refuses attributes of methods on what is no method.
pub(crate) fn no_call_styles(attrs: &[Attribute], cx: &Context) {
    for attr in attrs.iter().filter(|attr| is_ours(attr)) {
        cx.error(attr, format_args!("`#[{}]` says something of a method: write it there", name(attr)));
    }
}

fn name(attr: &Attribute) -> String {
    attr.path().get_ident().map(Ident::to_string).unwrap_or_default()
}

fn attributes(attrs: &[Attribute], cx: &Context) {
    for (at, attr) in attrs.iter().enumerate() {
        if LATER.iter().any(|name| attr.path().is_ident(name)) {
            cx.error(attr, format_args!("`#[{}]` is not supported yet", name(attr)));
        } else if CALL_STYLES.iter().any(|name| attr.path().is_ident(name)) {
            if !matches!(attr.meta, Meta::Path(_)) {
                cx.error(attr, format_args!("`#[{}]` takes no arguments", name(attr)));
            } else if attrs[..at].iter().any(|earlier| earlier.path() == attr.path()) {
                cx.error(attr, format_args!("`#[{}]` is given twice", name(attr)));
            }
        }
        if hides(attr, "cfg") {
            cx.error(attr, "`#[remote]` does not see a `cfg` inside `cfg_attr`: write `#[cfg(..)]`");
        }
        for name in CALL_STYLES.iter().chain(&LATER).filter(|name| hides(attr, name)) {
            cx.error(
                attr,
                format_args!(
                    "`#[remote]` does not see `{name}` inside `cfg_attr`: write the method twice, under two `#[cfg(..)]`"
                ),
            );
        }
    }
}

/// Whether it is a `cfg_attr` with this in it.
fn hides(attr: &Attribute, name: &str) -> bool {
    let is = |token: TokenTree| matches!(token, TokenTree::Ident(ident) if ident == name);
    match &attr.meta {
        Meta::List(list) => attr.path().is_ident("cfg_attr") && list.tokens.clone().into_iter().any(is),
        _ => false,
    }
}

fn qualifiers(sig: &Signature, cx: &Context) {
    if sig.asyncness.is_none() {
        cx.error(
            sig.fn_token,
            "a remote method is an `async fn`: its caller waits for another node while other tasks run",
        );
    }
    if let Some(token) = &sig.constness {
        cx.error(token, "a remote method cannot be `const`: it is called at run time");
    }
    if let Safety::Unsafe(token) = &sig.safety {
        cx.error(
            token,
            "a remote method cannot be `unsafe`: the owner cannot rely upon what a caller at another node promises",
        );
    }
    if let Some(abi) = &sig.abi {
        cx.error(abi, "a remote method has no ABI: leave `extern` out");
    }
    if let Some(variadic) = &sig.variadic {
        cx.error(variadic, "a remote method has a fixed number of arguments: take a `Vec`");
    }
}

fn generics(sig: &Signature, cx: &Context) {
    for param in &sig.generics.params {
        match param {
            GenericParam::Lifetime(param) => cx.error(
                param,
                "a remote method has no lifetime parameters: write `&T`; the owner borrows a copy for the call",
            ),
            GenericParam::Type(_) | GenericParam::Const(_) => cx.error(
                param,
                "a remote method cannot be generic, since the owner cannot make an instance for each caller: make \
                 it a parameter of the trait, or take a concrete type",
            ),
        }
    }
    if let Some(clause) = &sig.generics.where_clause {
        cx.error(clause, "a remote method has no `where` clause: write it at the trait");
    }
}

fn receiver(sig: &Signature, cx: &Context) {
    match sig.receiver() {
        None => cx.error(
            &sig.ident,
            "a remote method takes `&self`: it is called on an object. For what needs none, write a plain function",
        ),
        Some(receiver) => {
            if let Some(attr) = receiver.attrs.first() {
                cx.error(attr, "an argument of a remote method takes no attributes");
            }
            if let Some(problem) = receiver_problem(receiver) {
                cx.error(receiver, problem);
            }
        }
    }
}

fn receiver_problem(receiver: &Receiver) -> Option<&'static str> {
    match &receiver.kind {
        ReceiverKind::Reference(_, None, None) => None,
        ReceiverKind::Reference(_, Some(_), None) => Some("write `&self`, without a lifetime"),
        ReceiverKind::Reference(_, _, Some(_)) => Some(
            "a remote method takes `&self`, since an object is shared by all its callers: write `&self` and keep what \
             changes in a `Mutex` or an atomic",
        ),
        ReceiverKind::Value => Some(
            "a remote method takes `&self`: callers cannot consume an object that they share. Write `&self`; the \
             object goes when its last proxy goes",
        ),
        _ => Some("a remote method takes `&self`: write `&self`"),
    }
}

fn argument(input: &PatType, has_body: bool, interface: &Ident, cx: &Context) {
    if let Some(attr) = input.attrs.first() {
        cx.error(attr, "an argument of a remote method takes no attributes; the method may");
    }
    match &*input.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_some() || pattern.subpat.is_some() => {
            cx.error(&input.pat, "an argument of a remote method is a plain name: take it apart in the body");
        }
        Pat::Ident(pattern) => {
            if let Some(token) = &pattern.mutability
                && !has_body
            {
                cx.error_at(
                    token.span(),
                    "`mut` says nothing here: leave it out, and write it where the method is implemented",
                );
            }
        }
        Pat::Wild(wild) => {
            cx.error(
                wild,
                "name the argument: errors and descriptions name it. `_name` is fine if it is not used",
            );
        }
        pattern => {
            cx.error(pattern, "an argument of a remote method is a plain name: take it apart in the body");
        }
    }
    types::argument(&input.ty, interface, cx);
}
