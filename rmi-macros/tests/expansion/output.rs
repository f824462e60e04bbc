/// An account at a bank.
pub trait Account<
    C: Currency,
>: Named + ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Adds `amount` and returns the new balance.
    fn deposit(
        &self,
        amount: C,
        memo: &str,
    ) -> impl ::core::future::Future<
        Output = Result<C, BankError>,
    > + ::core::marker::Send;
    #[cfg(feature = "audit")]
    #[allow(clippy::manual_async_fn)]
    fn audit(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<(), BankError>,
    > + ::core::marker::Send {
        async move { Ok(()) }
    }
}
///The remote interface [`Account`] as a type.
#[allow(dead_code)]
pub struct AccountInterface<C: Currency>(
    ::core::marker::PhantomData<fn() -> (::core::marker::PhantomData<C>,)>,
    ::core::convert::Infallible,
);
///A reference to an object that implements [`Account`], here or at another node.
#[allow(dead_code)]
pub type AccountProxy<C> = ::rmi::private::Proxy<AccountInterface<C>>;
///Calls a servant for callers of [`Account`] at other nodes.
#[allow(dead_code)]
pub struct AccountSkeleton<__Servant, C: Currency> {
    servant: ::std::sync::Arc<__Servant>,
    interface: ::core::marker::PhantomData<AccountInterface<C>>,
}
#[allow(deprecated, non_upper_case_globals, non_camel_case_types, unused_qualifications)]
#[allow(clippy::all, clippy::pedantic, clippy::nursery)]
const _: () = {
    use ::rmi::private as __rmi;
    const __ID_deposit: __rmi::MethodId = __rmi::MethodId::of(
        ::core::concat!(::core::env!("CARGO_PKG_NAME"), ".", "Account"),
        "deposit",
    );
    const __METHOD_deposit: __rmi::Method = __rmi::Method::new(
        __ID_deposit,
        ::core::concat!(
            ::core::concat!(::core::env!("CARGO_PKG_NAME"), ".", "Account"), "/",
            "deposit"
        ),
        "deposit",
        "Adds `amount` and returns the new balance.",
        &[__rmi::Argument::new("amount", "C"), __rmi::Argument::new("memo", "&str")],
        "Result<C, BankError>",
    );
    #[cfg(feature = "audit")]
    const __ID_audit: __rmi::MethodId = __rmi::MethodId::of(
        ::core::concat!(::core::env!("CARGO_PKG_NAME"), ".", "Account"),
        "audit",
    );
    #[cfg(feature = "audit")]
    const __METHOD_audit: __rmi::Method = __rmi::Method::new(
            __ID_audit,
            ::core::concat!(
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), ".", "Account"), "/",
                "audit"
            ),
            "audit",
            "",
            &[],
            "Result<(), BankError>",
        )
        .idempotent()
        .no_cancel();
    #[automatically_derived]
    impl<C: Currency + 'static> __rmi::Interface for AccountInterface<C> {
        type Local = dyn __AccountLocal<C>;
        const DESCRIPTOR: &'static __rmi::Descriptor = &__rmi::Descriptor::new(
            ::core::concat!(::core::env!("CARGO_PKG_NAME"), ".", "Account"),
            "An account at a bank.",
            &[__METHOD_deposit, #[cfg(feature = "audit")] __METHOD_audit],
            &[<NamedInterface as __rmi::Interface>::DESCRIPTOR],
        );
    }
    #[automatically_derived]
    impl<C: Currency + 'static> __rmi::Extends<AccountInterface<C>>
    for AccountInterface<C> {
        fn up(local: &Self::Local) -> &Self::Local {
            local
        }
    }
    #[automatically_derived]
    impl<C: Currency + 'static> __rmi::Extends<NamedInterface> for AccountInterface<C> {
        fn up(local: &Self::Local) -> &<NamedInterface as __rmi::Interface>::Local {
            __AccountLocal::up_0(local)
        }
    }
    pub trait __AccountLocal<
        C: Currency + 'static,
    >: ::core::marker::Send + ::core::marker::Sync + 'static {
        fn call_deposit<'__call>(
            &'__call self,
            amount: C,
            memo: &'__call str,
        ) -> __rmi::BoxFuture<'__call, Result<C, BankError>>;
        #[cfg(feature = "audit")]
        fn call_audit<'__call>(
            &'__call self,
        ) -> __rmi::BoxFuture<'__call, Result<(), BankError>>;
        fn up_0(&self) -> &<NamedInterface as __rmi::Interface>::Local;
    }
    #[automatically_derived]
    impl<__Servant: Account<C>, C: Currency + 'static> __AccountLocal<C> for __Servant {
        fn call_deposit<'__call>(
            &'__call self,
            amount: C,
            memo: &'__call str,
        ) -> __rmi::BoxFuture<'__call, Result<C, BankError>> {
            ::std::boxed::Box::pin(
                <__Servant as Account<C>>::deposit(self, amount, memo),
            )
        }
        #[cfg(feature = "audit")]
        fn call_audit<'__call>(
            &'__call self,
        ) -> __rmi::BoxFuture<'__call, Result<(), BankError>> {
            ::std::boxed::Box::pin(<__Servant as Account<C>>::audit(self))
        }
        fn up_0(&self) -> &<NamedInterface as __rmi::Interface>::Local {
            <NamedInterface as __rmi::Implements<__Servant>>::erase_ref(self)
        }
    }
    #[automatically_derived]
    impl<
        __AccountInterface: __rmi::Extends<AccountInterface<C>>
            + __rmi::Extends<NamedInterface>,
        C: Currency + 'static,
    > Account<C> for __rmi::Proxy<__AccountInterface> {
        async fn deposit(&self, amount: C, memo: &str) -> Result<C, BankError> {
            __rmi::check::argument::<C>();
            __rmi::check::borrowed_argument::<str>();
            __rmi::check::result::<Result<C, BankError>>();
            match __rmi::route::<AccountInterface<C>, _>(self) {
                __rmi::Route::Local(target) => {
                    let servant = target.servant;
                    let future = __AccountLocal::call_deposit(servant, amount, memo);
                    let outcome = __rmi::local(target, &__METHOD_deposit, future).await;
                    __rmi::returned::<Result<C, BankError>>(outcome)
                }
                __rmi::Route::Remote(outgoing) => {
                    let mut encoded = __rmi::Arguments::new(2u32);
                    encoded.push::<C>("amount", &amount);
                    encoded.push_lent::<str>("memo", memo);
                    let reply = outgoing.send(&__METHOD_deposit, encoded);
                    __rmi::replied::<
                        Result<C, BankError>,
                    >(&__METHOD_deposit, reply.await)
                }
            }
        }
        #[cfg(feature = "audit")]
        async fn audit(&self) -> Result<(), BankError> {
            __rmi::check::result::<Result<(), BankError>>();
            match __rmi::route::<AccountInterface<C>, _>(self) {
                __rmi::Route::Local(target) => {
                    let servant = target.servant;
                    let future = __AccountLocal::call_audit(servant);
                    let outcome = __rmi::local(target, &__METHOD_audit, future).await;
                    __rmi::returned::<Result<(), BankError>>(outcome)
                }
                __rmi::Route::Remote(outgoing) => {
                    let encoded = __rmi::Arguments::new(0u32);
                    let reply = outgoing.send(&__METHOD_audit, encoded);
                    __rmi::replied::<Result<(), BankError>>(&__METHOD_audit, reply.await)
                }
            }
        }
    }
    #[automatically_derived]
    impl<__Servant: Account<C>, C: Currency + 'static> __rmi::Skeleton
    for AccountSkeleton<__Servant, C> {
        fn descriptor(&self) -> &'static __rmi::Descriptor {
            <AccountInterface<C> as __rmi::Interface>::DESCRIPTOR
        }
        fn dispatch(
            &self,
            method: __rmi::MethodId,
            call: &mut __rmi::Incoming<'_>,
        ) -> ::core::option::Option<
            ::core::result::Result<__rmi::Running, __rmi::RemoteError>,
        > {
            <AccountInterface<
                C,
            > as __rmi::Implements<__Servant>>::dispatch(&self.servant, method, call)
        }
        fn facet(
            &self,
            local: ::core::any::TypeId,
        ) -> ::core::option::Option<
            ::std::boxed::Box<dyn ::core::any::Any + ::core::marker::Send>,
        > {
            <AccountInterface<
                C,
            > as __rmi::Implements<__Servant>>::facet(&self.servant, local)
        }
    }
    #[automatically_derived]
    impl<__Servant: Account<C>, C: Currency + 'static> __rmi::Implements<__Servant>
    for AccountInterface<C> {
        type Skeleton = AccountSkeleton<__Servant, C>;
        fn skeleton(servant: ::std::sync::Arc<__Servant>) -> Self::Skeleton {
            AccountSkeleton {
                servant,
                interface: ::core::marker::PhantomData,
            }
        }
        fn erase(servant: ::std::sync::Arc<__Servant>) -> ::std::sync::Arc<Self::Local> {
            servant
        }
        fn erase_ref(servant: &__Servant) -> &Self::Local {
            servant
        }
        fn facet(
            servant: &::std::sync::Arc<__Servant>,
            local: ::core::any::TypeId,
        ) -> ::core::option::Option<
            ::std::boxed::Box<dyn ::core::any::Any + ::core::marker::Send>,
        > {
            if local == ::core::any::TypeId::of::<<Self as __rmi::Interface>::Local>() {
                let facet = <Self as __rmi::Implements<
                    __Servant,
                >>::erase(::core::clone::Clone::clone(servant));
                return ::core::option::Option::Some(::std::boxed::Box::new(facet));
            }
            let facet = <NamedInterface as __rmi::Implements<
                __Servant,
            >>::facet(servant, local);
            if ::core::option::Option::is_some(&facet) {
                return facet;
            }
            ::core::option::Option::None
        }
        fn dispatch(
            servant: &::std::sync::Arc<__Servant>,
            method: __rmi::MethodId,
            call: &mut __rmi::Incoming<'_>,
        ) -> ::core::option::Option<
            ::core::result::Result<__rmi::Running, __rmi::RemoteError>,
        > {
            match method {
                __ID_deposit => {
                    __rmi::check::argument::<C>();
                    __rmi::check::borrowed_argument::<str>();
                    __rmi::check::result::<Result<C, BankError>>();
                    let argument_0 = match call
                        .next::<C>(__METHOD_deposit.path, "amount")
                    {
                        ::core::result::Result::Ok(argument) => argument,
                        ::core::result::Result::Err(error) => {
                            return ::core::option::Option::Some(
                                ::core::result::Result::Err(error),
                            );
                        }
                    };
                    let argument_1 = match __rmi::check::lent::<
                        str,
                    >(call, __METHOD_deposit.path, "memo") {
                        ::core::result::Result::Ok(argument) => argument,
                        ::core::result::Result::Err(error) => {
                            return ::core::option::Option::Some(
                                ::core::result::Result::Err(error),
                            );
                        }
                    };
                    let servant = ::core::clone::Clone::clone(servant);
                    ::core::option::Option::Some(
                        ::core::result::Result::Ok(
                            __rmi::answer::<
                                Result<C, BankError>,
                            >(async move {
                                let future = <__Servant as Account<
                                    C,
                                >>::deposit(
                                    &*servant,
                                    argument_0,
                                    ::core::borrow::Borrow::<str>::borrow(&argument_1),
                                );
                                future.await
                            }),
                        ),
                    )
                }
                #[cfg(feature = "audit")]
                __ID_audit => {
                    __rmi::check::result::<Result<(), BankError>>();
                    let servant = ::core::clone::Clone::clone(servant);
                    ::core::option::Option::Some(
                        ::core::result::Result::Ok(
                            __rmi::answer::<
                                Result<(), BankError>,
                            >(async move {
                                let future = <__Servant as Account<C>>::audit(&*servant);
                                future.await
                            }),
                        ),
                    )
                }
                _ => {
                    let started = <NamedInterface as __rmi::Implements<
                        __Servant,
                    >>::dispatch(servant, method, call);
                    if ::core::option::Option::is_some(&started) {
                        return started;
                    }
                    ::core::option::Option::None
                }
            }
        }
    }
};
