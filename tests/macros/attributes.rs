//! Attributes on methods and traits.

use rmi::{AnyProxy, RemoteError, remote};

use crate::away;

#[remote]
#[allow(dead_code)]
trait Configured {
    #[cfg(any())]
    async fn absent(&self, argument: NoSuchType) -> NoSuchType;

    /// The name is there twice, but never at the same time.
    #[cfg(any())]
    async fn one(&self) -> NoSuchType;
    #[cfg(not(any()))]
    async fn one(&self, argument: &str) -> Result<u8, RemoteError>;

    #[cfg(test)]
    async fn two(&self) -> Result<u8, RemoteError> {
        Ok(2)
    }

    #[cfg_attr(test, allow(non_snake_case))]
    async fn Three(&self) -> Result<u8, RemoteError>;
}

struct Servant;

impl Configured for Servant {
    async fn one(&self, argument: &str) -> Result<u8, RemoteError> {
        Ok(argument.len() as u8)
    }
    async fn Three(&self) -> Result<u8, RemoteError> {
        Ok(3)
    }
}

#[tokio::test]
async fn a_method_that_is_configured_away_is_nowhere() {
    let local = ConfiguredProxy::new(Servant);
    let away = away(&local).await;
    for proxy in [&local, &away.proxy] {
        assert_eq!(proxy.one("x").await, Ok(1));
        assert_eq!(proxy.two().await, Ok(2));
        assert_eq!(proxy.Three().await, Ok(3));
    }
    let description = AnyProxy::from(local).describe().await.unwrap();
    let names: Vec<_> = description.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "Three"]);
}

/// Nothing in an expansion is deprecated: its callers are warned, see `tests/ui/deprecated_methods.rs`.
mod deprecated {
    #![deny(deprecated)]

    use rmi::{RemoteError, remote};

    #[remote]
    pub(super) trait Old {
        #[deprecated]
        async fn f(&self, text: &str) -> Result<u8, RemoteError>;
        #[deprecated(note = "call `f`, which is as old")]
        async fn g(&self) -> Result<u8, RemoteError> {
            Ok(2)
        }
    }

    impl Old for super::Servant {
        async fn f(&self, text: &str) -> Result<u8, RemoteError> {
            Ok(text.len() as u8)
        }
    }
}

#[tokio::test]
#[expect(deprecated)]
async fn deprecated_methods_work() {
    use deprecated::{Old, OldProxy};
    let away = away(&OldProxy::new(Servant)).await;
    assert_eq!((away.proxy.f("x").await, away.proxy.g().await), (Ok(1), Ok(2)));
}

/// The strictest lints find nothing in an expansion.
mod strict {
    #![deny(missing_docs, unreachable_pub, unused, unused_qualifications, missing_debug_implementations)]
    #![deny(single_use_lifetimes, elided_lifetimes_in_paths, unused_lifetimes, let_underscore_drop)]
    #![deny(clippy::all, clippy::pedantic)]

    use rmi::{RemoteError, remote};

    /// Documented.
    #[remote]
    pub(crate) trait Strict<T: serde::Serialize + serde::de::DeserializeOwned + Send> {
        /// Documented.
        ///
        /// # Errors
        /// Those of the call.
        async fn f(&self, value: T, text: &str) -> Result<u8, RemoteError>;

        /// Documented.
        ///
        /// # Errors
        /// Those of the call.
        async fn g(&self) -> Result<u8, RemoteError> {
            std::future::ready(Ok(2)).await
        }
    }

    impl Strict<u8> for super::Servant {
        async fn f(&self, value: u8, text: &str) -> Result<u8, RemoteError> {
            Ok(value + u8::try_from(text.len()).unwrap_or(u8::MAX))
        }
    }
}

#[tokio::test]
async fn strict_crates_can_have_interfaces() {
    use strict::{Strict, StrictProxy};
    let proxy = StrictProxy::new(Servant);
    assert_eq!((proxy.f(1, "x").await, proxy.g().await), (Ok(2), Ok(2)));
}
