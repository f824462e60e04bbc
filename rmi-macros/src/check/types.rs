//! What the types of arguments and results may look like.

use syn::visit::{self, Visit};
use syn::{Ident, Lifetime, Type, TypeFnPtr, TypeImplTrait, TypePath, TypePtr, TypeReference};

use crate::ast::peel;
use crate::context::Context;

/// Whether the type is `Self`.
pub(crate) fn is_self(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self"))
}

/// Whether the type is one that has no size, as far as syntax shows it.
pub(crate) fn is_unsized(ty: &Type) -> bool {
    match peel(ty) {
        Type::Slice(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}

/// Whether the type names an associated type of the trait. That type is refused where it is declared, or not there.
pub(crate) fn names_associated(ty: &Type) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_path(&mut self, ty: &'ast TypePath) {
            let segments = &ty.path.segments;
            self.0 |= segments.len() > 1 && segments.first().is_some_and(|first| first.ident == "Self");
            visit::visit_type_path(self, ty);
        }
    }
    let mut find = Find(false);
    find.visit_type(ty);
    find.0
}

/// Checks the type of an argument of the interface.
pub(crate) fn argument(ty: &Type, interface: &Ident, cx: &Context) {
    let mut walk = Walk { place: Place::Argument, interface, cx };
    match peel(ty) {
        Type::Reference(reference) => {
            if let Some(lifetime) = &reference.lifetime {
                cx.error(
                    lifetime,
                    "leave the lifetime out: the owner borrows a copy of the argument for the time of the call",
                );
            }
            if reference.mutability.is_some() {
                cx.error(
                    reference,
                    "`&mut` arguments are not supported yet, since the owner has a copy: take the value and return \
                     the changed one",
                );
            } else if let Type::TraitObject(object) = peel(&reference.elem) {
                cx.error(object, "a trait object cannot travel: take a proxy of a remote interface");
                return;
            }
            walk.visit_type(&reference.elem);
        }
        Type::Slice(slice) => {
            cx.error(slice, "an argument by value has a size: take a reference to the slice, or a `Vec`");
        }
        Type::Path(path) if path.path.is_ident("str") => {
            cx.error(path, "an argument by value has a size: take `&str` or `String`");
        }
        other => walk.visit_type(other),
    }
}

/// Checks the type that a method of the interface returns.
pub(crate) fn output(ty: &Type, interface: &Ident, cx: &Context) {
    Walk { place: Place::Result, interface, cx }.visit_type(ty);
}

#[derive(Clone, Copy)]
enum Place {
    Argument,
    Result,
}

/// Looks for what cannot stand inside the type of an argument or a result.
struct Walk<'a> {
    place: Place,
    interface: &'a Ident,
    cx: &'a Context,
}

impl Walk<'_> {
    fn borrowed(&self) -> &'static str {
        match self.place {
            Place::Argument => {
                "an argument is borrowed as a whole or not at all, since what is inside it must be decoded into \
                 something: take `&T` of an owned type, or an owned type"
            }
            Place::Result => {
                "a result cannot borrow: it is decoded at the caller's node. Return an owned type, such as `String` \
                 or `Vec<T>`"
            }
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.cx.error(reference, self.borrowed());
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.cx.error(lifetime, self.borrowed());
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let message = match self.place {
            Place::Argument => {
                "`impl Trait` makes the method generic, and the owner cannot make an instance for each caller: take \
                 a concrete type, or a proxy of a remote interface"
            }
            Place::Result => {
                "a caller at another node cannot receive an unnamed type: return a concrete type, or a proxy of a \
                 remote interface"
            }
        };
        self.cx.error(ty, message);
    }

    fn visit_type_fn_ptr(&mut self, ty: &'ast TypeFnPtr) {
        self.cx
            .error(ty, "a function cannot travel: make it a method of a remote interface and pass its proxy");
    }

    fn visit_type_ptr(&mut self, ty: &'ast TypePtr) {
        self.cx.error(ty, "a pointer means nothing at another node: pass the value, or a proxy");
    }

    fn visit_type_path(&mut self, ty: &'ast TypePath) {
        if ty.qself.is_none() && ty.path.is_ident("Self") {
            let interface = self.interface;
            self.cx.error(
                ty,
                format_args!(
                    "`Self` is the servant at the owner and the proxy at the caller: write `{interface}Proxy`"
                ),
            );
        } else {
            visit::visit_type_path(self, ty);
        }
    }
}
