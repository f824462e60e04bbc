//! Interfaces that extend those of another crate, and reach `rmi` through it.

use elsewhere::rmi::{self, Proxy, RemoteError, remote};
use elsewhere::{Named, NamedInterface, NamedProxy, Valued};

use crate::away;

#[remote(crate = elsewhere::rmi)]
trait Person: Named + elsewhere::Valued<u32> {
    async fn greet(&self, other: &NamedProxy) -> Result<String, RemoteError>;
}

/// Only of another crate's.
#[remote(crate = ::elsewhere::rmi)]
trait Pet: Named {}

struct Someone;

impl Named for Someone {
    async fn name(&self) -> Result<String, RemoteError> {
        Ok("someone".into())
    }
}
impl Valued<u32> for Someone {
    async fn value(&self) -> Result<u32, RemoteError> {
        Ok(7)
    }
}
impl Person for Someone {
    async fn greet(&self, other: &NamedProxy) -> Result<String, RemoteError> {
        Ok(format!("hello {}", other.loud_name().await?))
    }
}
impl Pet for Someone {}

#[tokio::test]
async fn an_interface_extends_one_of_another_crate() {
    let local = PersonProxy::new(Someone);
    let away = away(&local).await;
    for person in [&local, &away.proxy] {
        assert_eq!(person.name().await.as_deref(), Ok("someone"));
        assert_eq!(person.value().await, Ok(7));
        let named: NamedProxy = Proxy::upcast(person);
        assert_eq!(person.greet(&named).await.as_deref(), Ok("hello SOMEONE"));
        let back = Proxy::cast::<PersonInterface>(&named).await.unwrap();
        assert_eq!(&back, person);
    }
}

#[tokio::test]
async fn an_interface_may_have_no_methods_of_its_own() {
    let pet = PetProxy::new(Someone);
    let away = away(&pet).await;
    assert_eq!(away.proxy.name().await.as_deref(), Ok("someone"));
    let named = rmi::Proxy::<NamedInterface>::new(Someone);
    assert_eq!(named.loud_name().await.as_deref(), Ok("SOMEONE"));
}
