//! An interface as the expansion needs it: what is left of the syntax once it has been checked.

use syn::ext::IdentExt;
use syn::{
    Attribute, Expr, ExprLit, FnArg, Generics, Ident, ItemTrait, Lit, Meta, Pat, Path, ReturnType, Signature,
    Token, TraitItem, TraitItemFn, TraitItemType, Type, TypeParamBound, Visibility, parse_quote,
};

use crate::check;
use crate::context::Context;
use crate::fallback;

/// A trait under `#[remote]`.
pub(crate) struct Interface {
    /// The trait. What was refused in it has been made harmless.
    pub(crate) item: ItemTrait,
    /// The trait's parameters, where what they stand for lives as long as an object.
    pub(crate) generics: Generics,
    /// The remote ancestors that the trait lists, as paths to the traits.
    pub(crate) supers: Vec<Path>,
    /// The methods that can be called from elsewhere.
    pub(crate) methods: Vec<Method>,
    /// The documentation.
    pub(crate) docs: String,
    /// Refused associated types, which the proxy must have nevertheless.
    pub(crate) types: Vec<TraitItemType>,
}

/// A method that can be called from elsewhere.
pub(crate) struct Method {
    /// Its `#[cfg]`s: they are repeated wherever the method appears.
    pub(crate) cfgs: Vec<Attribute>,
    /// Its documentation.
    pub(crate) docs: String,
    pub(crate) ident: Ident,
    pub(crate) arguments: Vec<Argument>,
    /// What its future results in, as written.
    pub(crate) output: Type,
    /// `#[idempotent]`
    pub(crate) idempotent: bool,
    /// `#[no_cancel]`
    pub(crate) no_cancel: bool,
}

/// An argument of a method.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    /// The type as written, reference and all.
    pub(crate) ty: Type,
    /// The `T` of a `&T`, whose owned twin is decoded and lent to the servant. A value is decoded and given.
    pub(crate) lent: Option<Type>,
}

impl Interface {
    /// Lowers the trait; mistakes go to `cx`, and what they concern is left out or made harmless.
    pub(crate) fn lower(mut item: ItemTrait, cx: &Context) -> Self {
        check::interface(&item, cx);
        fallback::header(&mut item);
        let supers = item.supertraits.iter().filter_map(remote_super).collect();
        let mut methods = Vec::new();
        let mut types = Vec::new();
        let items = std::mem::take(&mut item.items);
        let mut seen = check::Names::default();
        for member in items {
            match member {
                TraitItem::Fn(mut function) => {
                    if !seen.insert(&function, cx) {
                        continue;
                    }
                    if check::method(&function, &item.ident, cx)
                        && let Some(method) = Method::lower(&function)
                    {
                        methods.push(method);
                        function.attrs.retain(|attr| !check::is_ours(attr));
                    } else {
                        fallback::method(&mut function);
                    }
                    item.items.push(TraitItem::Fn(function));
                }
                other => {
                    check::not_a_method(&other, cx);
                    if let TraitItem::Type(ty) = &other {
                        types.push(ty.clone());
                    }
                    item.items.extend(fallback::member(other));
                }
            }
        }
        let docs = docs(&item.attrs);
        let generics = owned(&item.generics);
        Self { item, generics, supers, methods, docs, types }
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.item.ident
    }

    pub(crate) fn vis(&self) -> &Visibility {
        &self.item.vis
    }
}

impl Method {
    /// `None` only for what [`check::method`] refuses.
    fn lower(function: &TraitItemFn) -> Option<Self> {
        let Signature { ident, inputs, output: ReturnType::Type(_, output), .. } = &function.sig else {
            return None;
        };
        let arguments = inputs.iter().skip(1).map(Argument::lower).collect::<Option<_>>()?;
        let has = |name| function.attrs.iter().any(|attr| attr.path().is_ident(name));
        Some(Self {
            idempotent: has("idempotent"),
            no_cancel: has("no_cancel"),
            cfgs: function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect(),
            docs: docs(&function.attrs),
            ident: ident.clone(),
            arguments,
            output: Type::clone(output),
        })
    }

    /// The name on the wire.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

impl Argument {
    fn lower(input: &FnArg) -> Option<Self> {
        let FnArg::Typed(input) = input else { return None };
        let Pat::Ident(pattern) = &*input.pat else { return None };
        let lent = match peel(&input.ty) {
            Type::Reference(reference) => Some(Type::clone(&reference.elem)),
            _ => None,
        };
        Some(Self { ident: pattern.ident.clone(), ty: Type::clone(&input.ty), lent })
    }

    /// The name on the wire.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

/// The trait's parameters, where what they stand for lives as long as an object. Servants of a generic interface are
/// `'static`, so its types are too, and the user need not say so.
fn owned(generics: &Generics) -> Generics {
    let mut owned = generics.clone();
    for param in owned.type_params_mut() {
        // At the parameter: there rustc suggests to add bounds. It does so even better behind a bound of the user's.
        param.colon_token.get_or_insert(Token![:](param.ident.span()));
        param.bounds.push(parse_quote!('static));
    }
    owned
}

/// The type without parentheses and without the invisible groups that `macro_rules` leaves.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// The bound, if it is a remote ancestor and not one of the traits that every proxy implements.
fn remote_super(bound: &TypeParamBound) -> Option<Path> {
    match bound {
        TypeParamBound::Trait(bound) if check::is_remote(bound) => Some(bound.path.clone()),
        _ => None,
    }
}

/// The text of the doc comments, without the space that follows the slashes.
fn docs(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> =
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}
