//! The marker, what it says about the interface, and its relations.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, LitStr};

use super::{Names, without_bounds};
use crate::args::Args;
use crate::ast::{Interface, Method};
use crate::print::as_written;

pub(super) struct Expansion {
    /// Beside the trait.
    pub(super) public: TokenStream,
    /// In the unnamed constant.
    pub(super) private: TokenStream,
}

pub(super) fn expand(interface: &Interface, names: &Names, args: &Args) -> Expansion {
    Expansion { public: public(interface, names, args), private: private(interface, names, args) }
}

fn public(interface: &Interface, names: &Names, args: &Args) -> TokenStream {
    let Names { marker, proxy, interface: marker_type, .. } = names;
    let (ident, vis, generics) = (interface.ident(), interface.vis(), &interface.item.generics);
    let krate = &args.krate;
    let where_clause = &generics.where_clause;
    let alias_generics = without_bounds(generics);
    let params: Vec<_> = generics.type_params().map(|param| &param.ident).collect();
    let marker_docs = format!("The remote interface [`{ident}`] as a type.");
    let proxy_docs =
        format!("A reference to an object that implements [`{ident}`], here or at another node.");
    quote_spanned! {Span::mixed_site()=>
        #[doc = #marker_docs]
        #[allow(dead_code)]
        #vis struct #marker #generics (
            // A type that is neither owned nor borrowed, whatever its parameters are; and no value.
            ::core::marker::PhantomData<fn() -> (#(::core::marker::PhantomData<#params>,)*)>,
            ::core::convert::Infallible,
        ) #where_clause;

        #[doc = #proxy_docs]
        #[allow(dead_code)]
        #vis type #proxy #alias_generics = #krate::private::Proxy<#marker_type>;
    }
}

fn private(interface: &Interface, names: &Names, args: &Args) -> TokenStream {
    let Names { private, interface: marker, local, local_type, supers, .. } = names;
    let (impl_generics, _, where_clause) = interface.generics.split_for_impl();
    let name = interface_name(interface.ident(), args);
    let methods = interface.methods.iter().map(|method| constants(method, &name, names));
    let listed = interface.methods.iter().map(|method| {
        let (cfgs, constant) = (&method.cfgs, method_const(&method.ident));
        quote_spanned!(Span::mixed_site()=> #(#cfgs)* #constant)
    });
    let docs = &interface.docs;
    let up = (0..supers.len()).map(up_method);
    // A generic interface has no descriptor before it is used, so a collision shows only then.
    let evaluated = interface.generics.params.is_empty().then(|| {
        quote_spanned! {Span::mixed_site()=>
            const _: &#private::Descriptor = <#marker as #private::Interface>::DESCRIPTOR;
        }
    });
    quote_spanned! {Span::mixed_site()=>
        #(#methods)*

        #[automatically_derived]
        impl #impl_generics #private::Interface for #marker #where_clause {
            type Local = dyn #local_type;
            const DESCRIPTOR: &'static #private::Descriptor = &#private::Descriptor::new(
                #name,
                #docs,
                &[#(#listed),*],
                &[#(<#supers as #private::Interface>::DESCRIPTOR),*],
            );
        }
        #evaluated

        #[automatically_derived]
        impl #impl_generics #private::Extends<#marker> for #marker #where_clause {
            fn up(local: &Self::Local) -> &Self::Local {
                local
            }
        }
        #(
            #[automatically_derived]
            impl #impl_generics #private::Extends<#supers> for #marker #where_clause {
                fn up(local: &Self::Local) -> &<#supers as #private::Interface>::Local {
                    #local::#up(local)
                }
            }
        )*
    }
}

/// What is known of a method when the user's crate is compiled.
fn constants(method: &Method, interface: &TokenStream, names: &Names) -> TokenStream {
    let private = &names.private;
    let Method { cfgs, docs, ident, arguments, output, idempotent, no_cancel } = method;
    let idempotent = idempotent.then(|| quote_spanned!(Span::mixed_site()=> .idempotent()));
    let no_cancel = no_cancel.then(|| quote_spanned!(Span::mixed_site()=> .no_cancel()));
    let (id_const, method_const) = (id_const(ident), method_const(ident));
    let name = method.name();
    let argument_names = arguments.iter().map(|argument| argument.name());
    let argument_types = arguments.iter().map(|argument| as_written(&argument.ty));
    let returns = as_written(output);
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        const #id_const: #private::MethodId = #private::MethodId::of(#interface, #name);
        #(#cfgs)*
        const #method_const: #private::Method = #private::Method::new(
            #id_const,
            ::core::concat!(#interface, "/", #name),
            #name,
            #docs,
            &[#(#private::Argument::new(#argument_names, #argument_types)),*],
            #returns,
        ) #idempotent #no_cancel;
    }
}

/// The name on the wire, as an expression that `concat!` takes. The package is that of the user, when it is compiled.
fn interface_name(ident: &Ident, args: &Args) -> TokenStream {
    match &args.name {
        // The user's own span would mark it as the user's code for lints.
        Some(name) => {
            let name = LitStr::new(&name.value(), Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> #name)
        }
        None => {
            let name = ident.unraw().to_string();
            quote_spanned! {Span::mixed_site()=>
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), ".", #name)
            }
        }
    }
}

/// The constant that holds the identity of a method.
pub(super) fn id_const(method: &Ident) -> Ident {
    format_ident!("__ID_{}", method.unraw(), span = Span::mixed_site())
}

/// The constant that holds the description of a method.
pub(super) fn method_const(method: &Ident) -> Ident {
    format_ident!("__METHOD_{}", method.unraw(), span = Span::mixed_site())
}

/// The method of the twin that makes it the ancestor with this index.
pub(super) fn up_method(index: usize) -> Ident {
    format_ident!("up_{index}", span = Span::mixed_site())
}
