//! What cannot work remotely is refused here, as far as syntax shows it; types are left to rustc.
//!
//! A message says what to write instead. Each stands at the tokens that it is about.

mod method;
mod types;

use std::collections::HashSet;

use syn::{
    GenericParam, Generics, ItemTrait, Path, PathSegment, TraitBound, TraitItem, TraitItemFn, TypeParamBound,
    WherePredicate,
};

use crate::ast::peel;
use crate::context::Context;

pub(crate) use method::{is_ours, method, no_call_styles};
pub(crate) use types::is_unsized;

/// Checks the trait, except for its members.
pub(crate) fn interface(item: &ItemTrait, cx: &Context) {
    if let Some(token) = &item.unsafety {
        cx.error(token, "a remote interface cannot be an unsafe trait: its proxies are safe to call");
    }
    if let Some(token) = &item.modifiers.auto_token {
        cx.error(token, "a remote interface cannot be an auto trait");
    }
    no_call_styles(&item.attrs, cx);
    generics(&item.generics, cx);
    for bound in &item.supertraits {
        supertrait(bound, cx);
    }
}

fn generics(generics: &Generics, cx: &Context) {
    for param in &generics.params {
        let attrs = match param {
            GenericParam::Lifetime(param) => {
                cx.error(
                    param,
                    "a remote interface has no lifetime parameters: what travels between nodes is owned, or \
                     borrowed for one call as `&T`",
                );
                continue;
            }
            GenericParam::Type(param) => &param.attrs,
            GenericParam::Const(param) => &param.attrs,
        };
        if let Some(attr) = attrs.first() {
            cx.error(attr, "the parameters of a remote interface take no attributes");
        }
    }
    for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if is_about_self(predicate) {
            cx.error(
                predicate,
                "write what the servant must be as supertraits, `trait Name: Bound`, not as `where Self: Bound`",
            );
        }
    }
}

fn supertrait(bound: &TypeParamBound, cx: &Context) {
    match bound {
        TypeParamBound::Trait(bound) => {
            if bound.maybe.is_some() {
                // rustc itself refuses `?Sized` here.
            } else if let Some(lifetimes) = &bound.lifetimes {
                cx.error(lifetimes, "a remote interface cannot extend another for all lifetimes");
            } else if known(&bound.path, &LOCAL_TRAITS) {
                let name = path_name(&bound.path);
                cx.error(
                    &bound.path,
                    format_args!(
                        "`{name}` is no remote interface, so a proxy cannot have it as a supertrait: leave it out, \
                         or declare what is needed of it as methods"
                    ),
                );
            }
        }
        TypeParamBound::Lifetime(lifetime) if lifetime.ident != "static" => {
            cx.error(lifetime, "objects are `'static`: they are shared by all their callers");
        }
        _ => {}
    }
}

/// Traits that all proxies implement; a servant may be required to.
const PROXY_TRAITS: [&str; 4] = ["Send", "Sync", "Unpin", "Debug"];

/// Traits of the standard library and serde that people are likely to list.
const LOCAL_TRAITS: [&str; 19] = [
    "Any",
    "AsRef",
    "Clone",
    "Copy",
    "Default",
    "Deserialize",
    "DeserializeOwned",
    "Display",
    "Drop",
    "Eq",
    "Error",
    "Hash",
    "Into",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Serialize",
    "Sized",
    "ToString",
];

/// Whether the bound names another remote interface.
pub(crate) fn is_remote(bound: &TraitBound) -> bool {
    bound.maybe.is_none() && !known(&bound.path, &PROXY_TRAITS)
}

/// Whether the bound is one that [`interface`] refuses.
pub(crate) fn is_refused(bound: &TypeParamBound) -> bool {
    match bound {
        TypeParamBound::Trait(bound) => {
            bound.maybe.is_none() && (bound.lifetimes.is_some() || known(&bound.path, &LOCAL_TRAITS))
        }
        _ => false,
    }
}

/// Whether the predicate is one that [`interface`] refuses.
pub(crate) fn is_about_self(predicate: &WherePredicate) -> bool {
    matches!(predicate, WherePredicate::Type(predicate) if types::is_self(peel(&predicate.bounded_ty)))
}

/// Libraries without remote interfaces, and modules of them by which their traits are named.
const LIBRARIES: [&str; 13] = [
    "alloc", "any", "clone", "cmp", "core", "default", "error", "fmt", "hash", "marker", "ops", "serde",
    "std",
];

/// Whether the path is one of these names alone, or that name in a library. A remote interface with such a name can
/// be listed as `self::Display`.
fn known(path: &Path, names: &[&str]) -> bool {
    let library = |first: &PathSegment| LIBRARIES.contains(&first.ident.to_string().as_str());
    let bare = path.segments.len() == 1 || path.segments.first().is_some_and(library);
    bare && names.contains(&path_name(path).as_str())
}

fn path_name(path: &Path) -> String {
    path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
}

/// Refuses a member of the trait that is not a method.
pub(crate) fn not_a_method(member: &TraitItem, cx: &Context) {
    let what = match member {
        TraitItem::Const(_) => "constants: a proxy cannot know the servant's; write a method that returns it",
        TraitItem::Type(_) => {
            "associated types: one proxy type stands for all servants; make it a parameter of the trait"
        }
        TraitItem::Macro(_) => {
            "macro calls: `#[remote]` does not see what they expand to; write the methods out"
        }
        _ => "anything but methods",
    };
    cx.error(member, format_args!("a remote interface has methods only, no {what}"));
}

/// The names of the methods so far.
#[derive(Default)]
pub(crate) struct Names {
    seen: HashSet<String>,
}

impl Names {
    /// False, and an error: another method has the name. Methods under `#[cfg]` may exclude each other.
    pub(crate) fn insert(&mut self, function: &TraitItemFn, cx: &Context) -> bool {
        if function.attrs.iter().any(|attr| attr.path().is_ident("cfg")) {
            return true;
        }
        let ident = &function.sig.ident;
        let new = self.seen.insert(ident.to_string());
        if !new {
            cx.error(ident, format_args!("there is another method `{ident}`: methods are called by name"));
        }
        new
    }
}
