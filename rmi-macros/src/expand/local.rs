//! The object-safe twin of the trait: how a proxy calls any servant in its process.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;

use super::identity::up_method;
use super::{Names, servant_param, with_type};
use crate::ast::{Argument, Interface, Method};

pub(super) fn expand(interface: &Interface, names: &Names) -> TokenStream {
    let Names { private, local, local_type, servant, supers, .. } = names;
    let generics = &interface.generics;
    let where_clause = &generics.where_clause;
    let param = servant_param();
    let servants = with_type(generics, &param, servant);
    let (impl_generics, _, _) = servants.split_for_impl();
    let signatures: Vec<_> = interface.methods.iter().map(|method| signature(method, names)).collect();
    let bodies = interface.methods.iter().map(|method| {
        let ident = &method.ident;
        let arguments = method.arguments.iter().map(|argument| &argument.ident);
        quote_spanned! {Span::mixed_site()=>
            ::std::boxed::Box::pin(<#param as #servant>::#ident(self, #(#arguments),*))
        }
    });
    let up: Vec<_> = (0..supers.len()).map(up_method).collect();
    quote_spanned! {Span::mixed_site()=>
        pub trait #local #generics: ::core::marker::Send + ::core::marker::Sync + 'static #where_clause {
            #(#signatures;)*
            #(fn #up(&self) -> &<#supers as #private::Interface>::Local;)*
        }

        #[automatically_derived]
        impl #impl_generics #local_type for #param #where_clause {
            #(#signatures {
                #bodies
            })*
            #(fn #up(&self) -> &<#supers as #private::Interface>::Local {
                <#supers as #private::Implements<#param>>::erase_ref(self)
            })*
        }
    }
}

/// `fn call_f<'__call>(&'__call self, ..) -> BoxFuture<'__call, R>`: everything is borrowed for the call.
fn signature(method: &Method, names: &Names) -> TokenStream {
    let private = &names.private;
    let Method { cfgs, ident, arguments, output, .. } = method;
    let call = call_method(ident);
    let arguments = arguments.iter().map(|Argument { ident, ty, lent }| match lent {
        None => quote_spanned!(Span::mixed_site()=> #ident: #ty),
        Some(lent) => quote_spanned!(Span::mixed_site()=> #ident: &'__call #lent),
    });
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        fn #call<'__call>(&'__call self, #(#arguments),*) -> #private::BoxFuture<'__call, #output>
    }
}

/// The twin's name of a method. With its prefix it is none of [`up_method`]'s.
pub(super) fn call_method(method: &Ident) -> Ident {
    format_ident!("call_{}", method.unraw(), span = Span::mixed_site())
}
