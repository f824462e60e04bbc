//! Writes the expansion.
//!
//! All that a user names appears beside the trait: the marker, the proxy's alias, the skeleton. The rest stands in
//! an unnamed constant, whose names collide with nobody's; within it, names that a user's types could hide begin
//! with two underscores. Paths are absolute. Locals have mixed-site hygiene, so arguments may be called anything.

mod identity;
mod local;
mod proxy;
mod servant;
mod skeleton;
#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{GenericParam, Generics, Ident, Item, ItemTrait, Path, parse_quote};

use crate::args::Args;
use crate::ast::{Interface, Method};
use crate::context::Context;
use crate::fallback;

/// The whole attribute.
pub(crate) fn remote(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Context::default();
    let args = Args::parse(arguments, &cx);
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Trait(item)) => interface(item, &args, cx),
        Ok(_) => {
            cx.error_at(
                Span::call_site(),
                "`#[remote]` stands before a trait: the interface of remote objects",
            );
            fallback::item(item, cx.into_compile_errors())
        }
        Err(error) => {
            cx.push(error);
            fallback::item(item, cx.into_compile_errors())
        }
    }
}

fn interface(item: ItemTrait, args: &Args, cx: Context) -> TokenStream {
    let interface = Interface::lower(item, &cx);
    let servant = servant::expand(&interface);
    let errors = cx.into_compile_errors();
    if interface.generics.lifetimes().next().is_some() {
        // Without `'static` there is no object.
        return fallback::item(servant, errors);
    }
    let names = Names::new(&interface);
    let identity = identity::expand(&interface, &names, args);
    let local = local::expand(&interface, &names);
    let proxy = proxy::expand(&interface, &names);
    let skeleton = skeleton::expand(&interface, &names);
    let identity::Expansion { public, private } = identity;
    let (krate, rmi) = (&args.krate, &names.private);
    let skeleton::Expansion { public: skeleton, private: dispatch } = skeleton;
    quote_spanned! {Span::mixed_site()=>
        #errors
        #servant
        #public
        #skeleton
        #[allow(deprecated, non_upper_case_globals, non_camel_case_types, unused_qualifications)]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        const _: () = {
            use #krate::private as #rmi;

            #private
            #local
            #proxy
            #dispatch
        };
    }
}

/// The names that parts of the expansion share.
struct Names {
    /// `<crate>::private`, as it is called in the unnamed constant.
    private: Ident,
    /// `XInterface`.
    marker: Ident,
    /// `XInterface<K, V>`, with the trait's parameters.
    interface: TokenStream,
    /// `X<K, V>`.
    servant: TokenStream,
    /// `XProxy`.
    proxy: Ident,
    /// `XSkeleton`.
    skeleton: Ident,
    /// The object-safe twin of the trait.
    local: Ident,
    /// `Local<K, V>`.
    local_type: TokenStream,
    /// The markers of the ancestors, with their parameters.
    supers: Vec<Path>,
}

impl Names {
    fn new(interface: &Interface) -> Self {
        let ident = interface.ident();
        let marker = format_ident!("{ident}Interface");
        let local = format_ident!("__{ident}Local");
        let (_, arguments, _) = interface.generics.split_for_impl();
        Self {
            private: Ident::new("__rmi", Span::mixed_site()),
            interface: quote_spanned!(Span::mixed_site()=> #marker #arguments),
            servant: quote_spanned!(Span::mixed_site()=> #ident #arguments),
            local_type: quote_spanned!(Span::mixed_site()=> #local #arguments),
            proxy: format_ident!("{ident}Proxy"),
            skeleton: format_ident!("{ident}Skeleton"),
            supers: interface.supers.iter().map(marker_of).collect(),
            marker,
            local,
        }
    }
}

/// `path::Base<K>` to `path::BaseInterface<K>`.
fn marker_of(path: &Path) -> Path {
    let mut path = path.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = format_ident!("{}Interface", last.ident);
    }
    path
}

/// The trait's parameters, with one more type in front: `impl<__Servant: .., K, V>`.
fn with_type(generics: &Generics, param: &Ident, bounds: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    generics.params.insert(0, parse_quote!(#param: #bounds));
    generics
}

/// The parameters without bounds and clauses, for an alias.
fn without_bounds(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    generics.where_clause = None;
    for param in &mut generics.params {
        if let GenericParam::Type(param) = param {
            param.colon_token = None;
            param.bounds.clear();
        }
    }
    generics
}

/// The parameter that stands for the servant's type. Type parameters are not hygienic, and the trait's own must not
/// be hidden.
fn servant_param() -> Ident {
    Ident::new("__Servant", Span::mixed_site())
}

/// Says what the types of a method must be, in the user's places.
///
/// The calls that follow need the same. rustc reports one failure for each place and function that asks, so the
/// first to ask is the same wherever the method appears.
fn assertions(method: &Method, names: &Names) -> TokenStream {
    let private = &names.private;
    let arguments = method.arguments.iter().map(|argument| match &argument.lent {
        None => {
            let ty = &argument.ty;
            quote_spanned!(Span::mixed_site()=> #private::check::argument::<#ty>();)
        }
        Some(lent) => {
            quote_spanned!(Span::mixed_site()=> #private::check::borrowed_argument::<#lent>();)
        }
    });
    let output = &method.output;
    quote_spanned! {Span::mixed_site()=>
        #(#arguments)*
        #private::check::result::<#output>();
    }
}
