//! The proxy's implementation of the trait.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::Names;
use super::identity::method_const;
use super::local::call_method;
use super::with_type;
use crate::ast::{Interface, Method, Passing};

/// One implementation serves the interface and all that extend it, also those of other crates.
pub(super) fn expand(interface: &Interface, names: &Names) -> TokenStream {
    let Names { private, interface: marker, servant, supers, .. } = names;
    let param = Ident::new("__Interface", Span::mixed_site());
    let bounds = quote_spanned! {Span::mixed_site()=>
        #private::Extends<#marker> #(+ #private::Extends<#supers>)*
    };
    let generics = with_type(interface.generics(), &param, &bounds);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let methods = interface.methods.iter().map(|method| forward(method, names));
    let types = interface.types.iter().map(|ty| {
        let (ident, generics) = (&ty.ident, &ty.generics);
        quote_spanned!(Span::mixed_site()=> type #ident #generics = ::core::convert::Infallible;)
    });
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #servant for #private::Proxy<#param> #where_clause {
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
        match &argument.passing {
            Passing::Value => quote_spanned!(Span::mixed_site()=> encoded.push(#name, &#ident);),
            Passing::Borrow(_) => quote_spanned!(Span::mixed_site()=> encoded.push(#name, #ident);),
        }
    });
    let mutable = (count > 0).then(|| quote_spanned!(Span::mixed_site()=> mut));
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        async fn #ident(&self, #(#idents: #types),*) -> #output {
            match #private::route::<#marker, _>(self) {
                #private::Route::Local(target) => {
                    let servant = target.servant;
                    #private::local(target, &#constant, #local::#call(servant, #(#idents),*)).await
                }
                #private::Route::Remote(outgoing) => {
                    let #mutable encoded = #private::Arguments::new(#count);
                    #(#pushes)*
                    let reply = outgoing.call::<#output>(&#constant, encoded);
                    reply.await
                }
            }
        }
    }
}
