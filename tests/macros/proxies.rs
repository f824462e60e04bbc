//! What proxies of an expansion are as values.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rmi::{Proxy, RemoteError, remote};

use crate::away;

#[remote]
trait Account {
    async fn balance(&self) -> Result<u64, RemoteError>;
    async fn same(&self, other: &AccountProxy) -> Result<bool, RemoteError>;
    async fn all(&self, others: Vec<AccountProxy>) -> Result<Vec<AccountProxy>, RemoteError>;
    async fn never(&self) -> Result<(), RemoteError>;
}

struct Servant;

impl Account for Servant {
    async fn balance(&self) -> Result<u64, RemoteError> {
        Ok(1)
    }
    async fn same(&self, other: &AccountProxy) -> Result<bool, RemoteError> {
        Ok(Proxy::is_local(other))
    }
    async fn all(&self, others: Vec<AccountProxy>) -> Result<Vec<AccountProxy>, RemoteError> {
        Ok(others)
    }
    async fn never(&self) -> Result<(), RemoteError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_proxy_is_a_value() {
    let one = AccountProxy::new(Servant);
    let shared = Arc::new(Servant);
    let two = AccountProxy::from_arc(shared.clone());
    let three = AccountProxy::from_arc(shared);
    assert_eq!(one, one.clone());
    assert_ne!(two, three, "identity is made by `from_arc`");
    let set: HashSet<_> = [one.clone(), two, one.clone(), three].into();
    assert_eq!(set.len(), 3);
    assert!(format!("{one:?}").starts_with("Proxy(rmi.Account #"), "{one:?}");

    fn is_value<T: Send + Sync + Unpin + 'static>(_: &T) {}
    is_value(&one);
}

#[tokio::test]
async fn references_travel_as_arguments_and_results() {
    let local = AccountProxy::new(Servant);
    let away = away(&local).await;
    assert_eq!(away.proxy.same(&away.proxy).await, Ok(true), "it has come home");
    let mine = AccountProxy::new(Servant);
    let back = away.proxy.all(vec![mine.clone(), away.proxy.clone()]).await.unwrap();
    assert_eq!(back, [mine, away.proxy.clone()]);
}

#[tokio::test]
async fn the_time_limit_of_a_proxy_holds_for_local_calls_too() {
    let local = AccountProxy::new(Servant);
    let away = away(&local).await;
    for proxy in [&local, &away.proxy] {
        let hasty = Proxy::with_timeout(proxy, Duration::from_millis(50));
        assert_eq!(hasty.balance().await, Ok(1));
        let error = hasty.never().await.unwrap_err();
        assert!(
            matches!(&error, RemoteError::TimedOut { call, .. } if call == "rmi.Account/never"),
            "{error}"
        );
    }
}
