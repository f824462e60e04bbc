//! The proxy's implementation of the trait.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};

use super::identity::method_const;
use super::local::call_method;
use super::with_type;
use super::{Names, assertions};
use crate::ast::{Interface, Method};

/// One implementation serves the interface and all that extend it, also those of other crates.
pub(super) fn expand(interface: &Interface, names: &Names) -> TokenStream {
    let Names { private, interface: marker, servant, supers, .. } = names;
    // rustc names it when an ancestor is missing.
    let span = Span::mixed_site().located_at(interface.ident().span());
    let param = format_ident!("__{}", names.marker, span = span);
    let bounds = quote_spanned! {Span::mixed_site()=>
        #private::Extends<#marker> #(+ #private::Extends<#supers>)*
    };
    let generics = with_type(&interface.generics, &param, &bounds);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let methods = interface.methods.iter().map(|method| forward(method, names));
    let types = interface.types.iter().map(|ty| {
        let (ident, generics) = (&ty.ident, &ty.generics);
        quote_spanned!(Span::mixed_site()=> type #ident #generics = ::core::convert::Infallible;)
    });
    // Here rustc looks for the ancestors of the ancestors, and says so if one is not listed.
    let proxy = quote_spanned!(span=> __rmi::Proxy<#param>);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #servant for #proxy #where_clause {
            #(#types)*
            #(#methods)*
        }
    }
}

/// The arguments are encoded before the first `await`, so that those taken by value need not be `Sync`.
fn forward(method: &Method, names: &Names) -> TokenStream {
    let Names { private, interface: marker, local, .. } = names;
    let Method { cfgs, ident, arguments, output, .. } = method;
    let (call, constant) = (call_method(ident), method_const(ident));
    let idents: Vec<_> = arguments.iter().map(|argument| &argument.ident).collect();
    let types = arguments.iter().map(|argument| &argument.ty);
    let count = arguments.len() as u32;
    let pushes = arguments.iter().map(|argument| {
        let (ident, name) = (&argument.ident, argument.name());
        match &argument.lent {
            None => {
                let ty = &argument.ty;
                quote_spanned!(Span::mixed_site()=> encoded.push::<#ty>(#name, &#ident);)
            }
            Some(lent) => quote_spanned!(Span::mixed_site()=> encoded.push_lent::<#lent>(#name, #ident);),
        }
    });
    let assertions = assertions(method, names);
    let mutable = (count > 0).then(|| quote_spanned!(Span::mixed_site()=> mut));
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        async fn #ident(&self, #(#idents: #types),*) -> #output {
            #assertions
            match #private::route::<#marker, _>(self) {
                #private::Route::Local(target) => {
                    let servant = target.servant;
                    let future = #local::#call(servant, #(#idents),*);
                    let outcome = #private::local(target, &#constant, future).await;
                    #private::returned::<#output>(outcome)
                }
                #private::Route::Remote(outgoing) => {
                    let #mutable encoded = #private::Arguments::new(#count);
                    #(#pushes)*
                    let reply = outgoing.send(&#constant, encoded);
                    #private::replied::<#output>(&#constant, reply.await)
                }
            }
        }
    }
}
