//! Names that an expansion could trip over.

use rmi::{AnyProxy, RemoteError, remote};

use crate::away;

#[remote]
trait Hostile {
    #[expect(clippy::wrong_self_convention)]
    async fn new(&self, self_: u8, this: u8) -> Result<u8, RemoteError>;
    async fn clone(&self, servant: u8, target: &u8, proxy: u8) -> Result<u8, RemoteError>;
    async fn dispatch(&self, call: u8, method: &u8, args: u8) -> Result<u8, RemoteError>;
    async fn facet(&self, local: u8, facet: &u8, started: u8) -> Result<u8, RemoteError>;
    async fn route(&self, encoded: u8, outgoing: &u8, reply: u8, outcome: u8) -> Result<u8, RemoteError>;
    async fn up_0(&self, argument_0: u8, argument: &u8, result: u8, error: u8) -> Result<u8, RemoteError>;
    async fn call_new(&self, __call: u8, __servant: &u8) -> Result<u8, RemoteError>;
    async fn erase(&self, r#type: u8, r#match: &u8, _unused: u8) -> Result<u8, RemoteError>;
    async fn r#loop(&self, r#fn: &str) -> Result<u8, RemoteError> {
        Ok(r#fn.len() as u8)
    }
}

struct Servant;

impl Hostile for Servant {
    async fn new(&self, self_: u8, this: u8) -> Result<u8, RemoteError> {
        Ok(self_ + this)
    }
    async fn clone(&self, servant: u8, target: &u8, proxy: u8) -> Result<u8, RemoteError> {
        Ok(servant + target + proxy)
    }
    async fn dispatch(&self, call: u8, method: &u8, args: u8) -> Result<u8, RemoteError> {
        Ok(call + method + args)
    }
    async fn facet(&self, local: u8, facet: &u8, started: u8) -> Result<u8, RemoteError> {
        Ok(local + facet + started)
    }
    async fn route(&self, encoded: u8, outgoing: &u8, reply: u8, outcome: u8) -> Result<u8, RemoteError> {
        Ok(encoded + outgoing + reply + outcome)
    }
    async fn up_0(&self, argument_0: u8, argument: &u8, result: u8, error: u8) -> Result<u8, RemoteError> {
        Ok(argument_0 + argument + result + error)
    }
    async fn call_new(&self, __call: u8, __servant: &u8) -> Result<u8, RemoteError> {
        Ok(__call + __servant)
    }
    async fn erase(&self, r#type: u8, r#match: &u8, _unused: u8) -> Result<u8, RemoteError> {
        Ok(r#type + r#match)
    }
}

#[tokio::test]
async fn methods_and_arguments_may_have_any_name() {
    let local = HostileProxy::new(Servant);
    let away = away(&local).await;
    for hostile in [&local, &away.proxy] {
        assert_eq!(hostile.new(1, 2).await, Ok(3));
        assert_eq!(Hostile::clone(hostile, 1, &2, 3).await, Ok(6));
        assert_eq!(hostile.dispatch(1, &2, 4).await, Ok(7));
        assert_eq!(hostile.facet(1, &2, 5).await, Ok(8));
        assert_eq!(hostile.route(1, &2, 3, 3).await, Ok(9));
        assert_eq!(hostile.up_0(1, &2, 3, 4).await, Ok(10));
        assert_eq!(hostile.call_new(5, &6).await, Ok(11));
        assert_eq!(hostile.erase(5, &7, 100).await, Ok(12));
        assert_eq!(hostile.r#loop("thirteen char").await, Ok(13));
    }
}

#[tokio::test]
async fn raw_names_travel_without_their_prefix() {
    let description = AnyProxy::from(HostileProxy::new(Servant)).describe().await.unwrap();
    let erase = description.methods.iter().find(|method| method.name == "erase").unwrap();
    let names: Vec<_> = erase.arguments.iter().map(|argument| argument.name.as_str()).collect();
    assert_eq!(names, ["type", "match", "_unused"]);
    assert!(description.methods.iter().any(|method| method.name == "loop"));
}

/// Types that are called like those that an expansion uses.
mod shadows {
    use rmi::remote;
    use serde::{Deserialize, Serialize};

    macro_rules! shadow {
        ($($name:ident)*) => {
            $(
                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
                pub(super) struct $name;
            )*
        };
    }

    shadow!(Option String Vec Box Arc Future Send Sync Proxy Interface Method Local Descriptor Incoming Servant);

    pub(super) type Outcome<T> = std::result::Result<T, rmi::RemoteError>;

    #[remote]
    pub(super) trait Shadowed {
        #[expect(clippy::too_many_arguments)]
        async fn all(
            &self,
            option: Option,
            string: &String,
            vec: Vec,
            r#box: &Box,
            arc: Arc,
            future: Future,
            send: Send,
            sync: &Sync,
            proxy: Proxy,
            interface: &Interface,
        ) -> Outcome<std::option::Option<Method>>;
        async fn more(&self, local: Local, incoming: &Incoming, servant: &[Servant]) -> Outcome<Descriptor>;
    }

    pub(super) struct Plain;

    impl Shadowed for Plain {
        async fn all(
            &self,
            _: Option,
            _: &String,
            _: Vec,
            _: &Box,
            _: Arc,
            _: Future,
            _: Send,
            _: &Sync,
            _: Proxy,
            _: &Interface,
        ) -> Outcome<std::option::Option<Method>> {
            Ok(Some(Method))
        }
        async fn more(&self, _: Local, _: &Incoming, servant: &[Servant]) -> Outcome<Descriptor> {
            assert_eq!(servant.len(), 2);
            Ok(Descriptor)
        }
    }
}

#[tokio::test]
async fn types_may_have_any_name() {
    use shadows::*;
    let away = away(&ShadowedProxy::new(Plain)).await;
    let more = away.proxy.more(Local, &Incoming, &[Servant, Servant]).await;
    assert_eq!(more, Ok(Descriptor));
}

mod without_prelude {
    #![no_implicit_prelude]

    #[::rmi::remote]
    pub(super) trait Bare<T: ::serde::Serialize + ::serde::de::DeserializeOwned + ::core::marker::Send> {
        async fn f(&self, value: T, text: &str) -> ::core::result::Result<u64, ::rmi::RemoteError>;
        async fn g(&self) -> ::core::result::Result<u64, ::rmi::RemoteError> {
            ::core::result::Result::Ok(1)
        }
    }

    #[::rmi::remote]
    pub(super) trait Barer: Bare<u8> {
        async fn h(&self) -> ::core::result::Result<u64, ::rmi::RemoteError>;
    }

    pub(super) struct Plain;

    impl Bare<u8> for Plain {
        async fn f(&self, value: u8, text: &str) -> ::core::result::Result<u64, ::rmi::RemoteError> {
            ::core::result::Result::Ok(value as u64 + text.len() as u64)
        }
    }

    impl Barer for Plain {
        async fn h(&self) -> ::core::result::Result<u64, ::rmi::RemoteError> {
            ::core::result::Result::Ok(3)
        }
    }
}

#[tokio::test]
async fn an_expansion_needs_no_prelude() {
    use without_prelude::{Bare, Barer, BarerProxy, Plain};
    let local = BarerProxy::new(Plain);
    assert_eq!(away(&local).await.proxy.f(1, "x").await, Ok(2));
    assert_eq!(local.g().await, Ok(1));
    assert_eq!(local.h().await, Ok(3));
}

/// An interface that a macro writes: types come in invisible groups, names from two places.
macro_rules! interface {
    ($name:ident, $method:ident($argument:ident: $ty:ty, $borrowed:ty) -> $result:ty) => {
        #[remote]
        trait $name {
            async fn $method(&self, $argument: $ty, hidden: $borrowed) -> Result<$result, RemoteError>;
            async fn default(&self, value: $ty) -> Result<$result, RemoteError> {
                self.$method(value, "default").await
            }
        }
    };
}

interface!(Written, write(value: u64, &str) -> String);

struct Writer;

impl Written for Writer {
    async fn write(&self, value: u64, hidden: &str) -> Result<String, RemoteError> {
        Ok(format!("{value} {hidden}"))
    }
}

#[tokio::test]
async fn an_interface_may_come_from_a_macro() {
    let away = away(&WrittenProxy::new(Writer)).await;
    assert_eq!(away.proxy.write(1, "text").await.as_deref(), Ok("1 text"));
    assert_eq!(away.proxy.default(2).await.as_deref(), Ok("2 default"));
}

/// In a function there is no path to what is generated.
#[tokio::test]
async fn an_interface_may_be_local_to_a_function() {
    #[remote]
    trait Inner {
        async fn f(&self) -> Result<u8, RemoteError>;
    }
    impl Inner for Servant {
        async fn f(&self) -> Result<u8, RemoteError> {
            Ok(1)
        }
    }
    assert_eq!(InnerProxy::new(Servant).f().await, Ok(1));
}
