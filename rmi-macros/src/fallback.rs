//! What stands in the place of something that was refused: its users compile, so that they report nothing.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, ItemTrait, Pat, PatWild, ReceiverKind, ReturnType, Safety, Token, TraitItem, TraitItemFn, Type,
    WherePredicate, parse_quote,
};

use crate::check;

/// Takes what was refused out of the head of the trait.
pub(crate) fn header(item: &mut ItemTrait) {
    item.attrs.retain(|attr| !check::is_ours(attr));
    item.unsafety = None;
    item.modifiers.auto_token = None;
    item.supertraits =
        std::mem::take(&mut item.supertraits).into_iter().filter(|bound| !check::is_refused(bound)).collect();
    for param in item.generics.type_params_mut() {
        param.attrs.clear();
    }
    for param in item.generics.const_params_mut() {
        param.attrs.clear();
    }
    if let Some(clause) = &mut item.generics.where_clause {
        clause.predicates = std::mem::take(&mut clause.predicates)
            .into_iter()
            .filter(|predicate| !check::is_about_self(predicate))
            .collect();
    }
}

/// Makes a refused method one that proxies need not implement: it gets a body.
pub(crate) fn method(function: &mut TraitItemFn) {
    function.attrs.retain(|attr| !check::is_ours(attr));
    function.modifiers.defaultness = None;
    let sig = &mut function.sig;
    sig.constness = None;
    sig.safety = Safety::Default;
    sig.abi = None;
    sig.variadic = None;
    let mut sized: Vec<WherePredicate> = Vec::new();
    for input in &mut sig.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                if matches!(receiver.kind, ReceiverKind::Value) {
                    // Now that it has a body.
                    sized.push(parse_quote!(Self: ::core::marker::Sized));
                }
                receiver.attrs.clear();
            }
            FnArg::Typed(input) => {
                if check::is_unsized(&input.ty) {
                    let ty = &input.ty;
                    *input.ty = parse_quote!(&#ty);
                }
                let underscore_token = Token![_](input.pat.span());
                input.attrs.clear();
                *input.pat = Pat::Wild(PatWild { attrs: Vec::new(), underscore_token });
            }
        }
    }
    if !sized.is_empty() {
        sig.generics.make_where_clause().predicates.extend(sized);
    }
    if let ReturnType::Type(_, ty) = &mut sig.output {
        NameUnnamed.visit_type_mut(ty);
    }
    // The body that was written may use what has just been taken away.
    function.default = Some(parse_quote!({ ::core::unreachable!() }));
    function.semi_token = None;
    function.attrs.push(parse_quote!(#[allow(unused, clippy::all)]));
}

/// `impl Trait` to a type that has no values: a body that returns nothing does not say what it stands for.
struct NameUnnamed;

impl VisitMut for NameUnnamed {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::ImplTrait(_) => *ty = parse_quote!(::core::convert::Infallible),
            other => visit_mut::visit_type_mut(self, other),
        }
    }
}

/// What remains of a refused member that is not a method.
pub(crate) fn member(member: TraitItem) -> Option<TraitItem> {
    match member {
        // With a value, neither servants nor proxies need one.
        TraitItem::Const(mut constant) => {
            constant.attrs.retain(|attr| !check::is_ours(attr));
            constant.default = Some((Token![=](constant.span()), parse_quote!(::core::panic!())));
            Some(TraitItem::Const(constant))
        }
        // The proxy is given one.
        TraitItem::Type(mut ty) => {
            ty.attrs.retain(|attr| !check::is_ours(attr));
            Some(TraitItem::Type(ty))
        }
        _ => None,
    }
}

/// An item that is no trait, or a trait that cannot be expanded, beside its errors.
pub(crate) fn item(item: TokenStream, errors: TokenStream) -> TokenStream {
    quote!(#errors #item)
}
