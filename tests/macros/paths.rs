//! Where `rmi` is, who sees the interface, and what it is called.

use rmi::{AnyProxy, Interface, RemoteError, remote};

mod vendored {
    pub(crate) mod inside {
        pub(crate) use ::rmi as remote_objects;
    }
}

#[remote(crate = vendored::inside::remote_objects)]
trait Relative {
    async fn f(&self, text: &str) -> Result<u8, RemoteError>;
}

#[remote(crate = "crate::paths::vendored::inside::remote_objects")]
trait Quoted: Relative {
    async fn g(&self) -> Result<u8, RemoteError>;
}

#[remote(crate = ::rmi, name = "tests.Absolute")]
trait Absolute {
    async fn h(&self) -> Result<u8, RemoteError>;
}

struct Servant;

impl Relative for Servant {
    async fn f(&self, text: &str) -> Result<u8, RemoteError> {
        Ok(text.len() as u8)
    }
}
impl Quoted for Servant {
    async fn g(&self) -> Result<u8, RemoteError> {
        Ok(2)
    }
}
impl Absolute for Servant {
    async fn h(&self) -> Result<u8, RemoteError> {
        Ok(3)
    }
}

#[tokio::test]
async fn rmi_may_be_anywhere() {
    let proxy = QuotedProxy::new(Servant);
    assert_eq!((proxy.f("x").await, proxy.g().await), (Ok(1), Ok(2)));
    assert_eq!(AbsoluteProxy::new(Servant).h().await, Ok(3));
}

#[test]
fn an_interface_is_named_after_package_and_trait() {
    assert_eq!(RelativeInterface::DESCRIPTOR.name, "rmi.Relative");
    assert_eq!(AbsoluteInterface::DESCRIPTOR.name, "tests.Absolute");
    assert_eq!(AbsoluteInterface::DESCRIPTOR.methods[0].path, "tests.Absolute/h");
    assert_eq!(elsewhere::NamedInterface::DESCRIPTOR.name, "elsewhere.Named");
}

mod outer {
    mod private {
        use rmi::{RemoteError, remote};

        #[remote]
        pub(in crate::paths) trait Restricted {
            async fn f(&self) -> Result<u8, RemoteError>;
        }

        #[remote]
        pub(super) trait Parent {
            async fn f(&self) -> Result<u8, RemoteError>;
        }
    }

    use private::ParentProxy;
    pub(super) use private::{Restricted as Renamed, RestrictedProxy as RenamedProxy};

    pub(super) struct Servant;
    impl private::Parent for Servant {
        async fn f(&self) -> Result<u8, rmi::RemoteError> {
            Ok(5)
        }
    }

    pub(super) async fn parent() -> u8 {
        private::Parent::f(&ParentProxy::new(Servant)).await.unwrap()
    }
}

impl outer::Renamed for Servant {
    async fn f(&self) -> Result<u8, RemoteError> {
        Ok(4)
    }
}

#[tokio::test]
async fn what_is_generated_is_as_visible_as_the_trait() {
    use outer::Renamed;
    let proxy = outer::RenamedProxy::new(Servant);
    assert_eq!(Renamed::f(&proxy).await, Ok(4));
    assert_eq!(outer::parent().await, 5);
}

#[tokio::test]
async fn a_description_says_what_was_written() {
    /// Shows
    /// two lines.
    #[remote]
    trait Described {
        /// Does it.
        async fn f(
            &self,
            values: &[Option<Vec<u8>>],
            pair: (u8, std::collections::HashMap<String, u8>),
        ) -> Result<[u8; 2], RemoteError>;
    }
    impl Described for Servant {
        async fn f(
            &self,
            _values: &[Option<Vec<u8>>],
            _pair: (u8, std::collections::HashMap<String, u8>),
        ) -> Result<[u8; 2], RemoteError> {
            Ok([1, 2])
        }
    }
    let description = AnyProxy::from(DescribedProxy::new(Servant)).describe().await.unwrap();
    assert_eq!(description.docs, "Shows\ntwo lines.");
    let [method] = description.methods.as_slice() else { panic!("one method") };
    assert_eq!((method.name.as_str(), method.docs.as_str()), ("f", "Does it."));
    assert_eq!(method.returns, "Result<[u8; 2], RemoteError>");
    let arguments: Vec<_> = method.arguments.iter().map(|a| (a.name.as_str(), a.ty.as_str())).collect();
    assert_eq!(
        arguments,
        [("values", "&[Option<Vec<u8>>]"), ("pair", "(u8, std::collections::HashMap<String, u8>)")]
    );
}
