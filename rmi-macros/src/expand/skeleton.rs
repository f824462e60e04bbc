//! The server side: from an incoming call to the servant.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use super::identity::{id_const, method_const};
use super::{Names, assertions, servant_param, with_type};
use crate::ast::{Argument, Interface, Method};

pub(super) struct Expansion {
    /// Beside the trait.
    pub(super) public: TokenStream,
    /// In the unnamed constant.
    pub(super) private: TokenStream,
}

pub(super) fn expand(interface: &Interface, names: &Names) -> Expansion {
    let skeleton = implement_skeleton(interface, names);
    let implements = implement_implements(interface, names);
    let private = quote_spanned!(Span::mixed_site()=> #skeleton #implements);
    Expansion { public: public(interface, names), private }
}

fn public(interface: &Interface, names: &Names) -> TokenStream {
    let Names { skeleton, interface: marker, .. } = names;
    let (ident, vis) = (interface.ident(), interface.vis());
    let mut generics = interface.item.generics.clone();
    let param = servant_param();
    generics.params.insert(0, syn::parse_quote!(#param));
    let where_clause = &generics.where_clause;
    let docs = format!("Calls a servant for callers of [`{ident}`] at other nodes.");
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #[allow(dead_code)]
        #vis struct #skeleton #generics #where_clause {
            servant: ::std::sync::Arc<#param>,
            interface: ::core::marker::PhantomData<#marker>,
        }
    }
}

/// Thin: the interface does it all.
fn implement_skeleton(interface: &Interface, names: &Names) -> TokenStream {
    let Names { private, skeleton, interface: marker, servant, .. } = names;
    let param = servant_param();
    let generics = with_type(&interface.generics, &param, servant);
    let (impl_generics, arguments, where_clause) = generics.split_for_impl();
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #private::Skeleton for #skeleton #arguments #where_clause {
            fn descriptor(&self) -> &'static #private::Descriptor {
                <#marker as #private::Interface>::DESCRIPTOR
            }

            fn dispatch(
                &self,
                method: #private::MethodId,
                call: &mut #private::Incoming<'_>,
            ) -> ::core::option::Option<::core::result::Result<#private::Running, #private::RemoteError>> {
                <#marker as #private::Implements<#param>>::dispatch(&self.servant, method, call)
            }

            fn facet(
                &self,
                local: ::core::any::TypeId,
            ) -> ::core::option::Option<::std::boxed::Box<dyn ::core::any::Any + ::core::marker::Send>> {
                <#marker as #private::Implements<#param>>::facet(&self.servant, local)
            }
        }
    }
}

fn implement_implements(interface: &Interface, names: &Names) -> TokenStream {
    let Names { private, skeleton, interface: marker, servant, supers, .. } = names;
    let param = servant_param();
    let generics = with_type(&interface.generics, &param, servant);
    let (impl_generics, arguments, where_clause) = generics.split_for_impl();
    let arms = interface.methods.iter().map(|method| arm(method, names));
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #private::Implements<#param> for #marker #where_clause {
            type Skeleton = #skeleton #arguments;

            fn skeleton(servant: ::std::sync::Arc<#param>) -> Self::Skeleton {
                #skeleton { servant, interface: ::core::marker::PhantomData }
            }

            fn erase(servant: ::std::sync::Arc<#param>) -> ::std::sync::Arc<Self::Local> {
                servant
            }

            fn erase_ref(servant: &#param) -> &Self::Local {
                servant
            }

            fn facet(
                servant: &::std::sync::Arc<#param>,
                local: ::core::any::TypeId,
            ) -> ::core::option::Option<::std::boxed::Box<dyn ::core::any::Any + ::core::marker::Send>> {
                if local == ::core::any::TypeId::of::<<Self as #private::Interface>::Local>() {
                    let facet = <Self as #private::Implements<#param>>::erase(::core::clone::Clone::clone(servant));
                    return ::core::option::Option::Some(::std::boxed::Box::new(facet));
                }
                #(
                    let facet = <#supers as #private::Implements<#param>>::facet(servant, local);
                    if ::core::option::Option::is_some(&facet) {
                        return facet;
                    }
                )*
                ::core::option::Option::None
            }

            fn dispatch(
                servant: &::std::sync::Arc<#param>,
                method: #private::MethodId,
                call: &mut #private::Incoming<'_>,
            ) -> ::core::option::Option<::core::result::Result<#private::Running, #private::RemoteError>> {
                match method {
                    #(#arms)*
                    _ => {
                        #(
                            let started = <#supers as #private::Implements<#param>>::dispatch(servant, method, call);
                            if ::core::option::Option::is_some(&started) {
                                return started;
                            }
                        )*
                        ::core::option::Option::None
                    }
                }
            }
        }
    }
}

/// All arguments are decoded before the servant is called: if one fails, nothing has happened.
fn arm(method: &Method, names: &Names) -> TokenStream {
    let Names { private, servant, .. } = names;
    let Method { cfgs, ident, arguments, output, .. } = method;
    let (id, constant) = (id_const(ident), method_const(ident));
    let param = servant_param();
    let locals: Vec<_> = (0..arguments.len()).map(decoded).collect();
    let decodes = arguments.iter().zip(&locals).map(|(argument, local)| decode(argument, local, &constant));
    let assertions = assertions(method, names);
    let given = arguments.iter().zip(&locals).map(|(argument, local)| match &argument.lent {
        None => quote_spanned!(Span::mixed_site()=> #local),
        Some(lent) => quote_spanned! {Span::mixed_site()=>
            ::core::borrow::Borrow::<#lent>::borrow(&#local)
        },
    });
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #id => {
            #assertions
            #(#decodes)*
            let servant = ::core::clone::Clone::clone(servant);
            ::core::option::Option::Some(::core::result::Result::Ok(#private::answer::<#output>(async move {
                // In a statement of its own, so that no temporary lives as long as the call.
                let future = <#param as #servant>::#ident(&*servant, #(#given),*);
                future.await
            })))
        }
    }
}

fn decode(argument: &Argument, local: &Ident, method: &Ident) -> TokenStream {
    let name = argument.name();
    let next = match &argument.lent {
        None => {
            let ty = &argument.ty;
            quote_spanned!(Span::mixed_site()=> call.next::<#ty>(#method.path, #name))
        }
        Some(lent) => {
            let arguments = quote_spanned!(Span::mixed_site()=> call, #method.path, #name);
            decode_lent(lent, arguments)
        }
    };
    quote_spanned! {Span::mixed_site()=>
        let #local = match #next {
            ::core::result::Result::Ok(argument) => argument,
            ::core::result::Result::Err(error) => {
                return ::core::option::Option::Some(::core::result::Result::Err(error));
            }
        };
    }
}

/// rustc looks for the owned twin at the call as a whole too. Where the call has the span of the user's type, this is
/// what the assertion has said, and is not said again.
fn decode_lent(lent: &Type, arguments: TokenStream) -> TokenStream {
    let last = lent.to_token_stream().into_iter().last().map(|token| token.span());
    let mut parentheses = Group::new(Delimiter::Parenthesis, arguments);
    parentheses.set_span(last.unwrap_or_else(Span::mixed_site));
    quote_spanned!(lent.span()=> __rmi::check::lent::<#lent> #parentheses)
}

fn decoded(index: usize) -> Ident {
    format_ident!("argument_{index}", span = Span::mixed_site())
}
