//! What an expansion of `#[remote]` does, with objects of this process.

#![allow(missing_docs, reason = "the interfaces are examples")]

use rmi::{RemoteError, remote};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum BankError {
    #[error("insufficient funds")]
    Insufficient,
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

type Res<T> = Result<T, BankError>;

/// An account.
#[remote]
pub trait Account {
    /// Adds.
    async fn deposit(&self, amount: u64, memo: &str) -> Res<u64>;
    async fn sum(&self, amounts: &[u64]) -> Res<u64> {
        let mut sum = 0;
        for amount in amounts {
            sum = self.deposit(*amount, "sum").await?;
        }
        Ok(sum)
    }
}

#[remote]
pub trait Savings: Account {
    async fn rate(&self) -> Result<u32, RemoteError>;
}
#[remote]
pub trait Store<K, V = u8>
where
    K: Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
    V: Clone + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    async fn get(&self, k: K) -> Result<Option<V>, RemoteError>;
    async fn put(&self, k: K, v: &V) -> Result<(), RemoteError>;
}

struct Mine(std::sync::atomic::AtomicU64);
impl Account for Mine {
    async fn deposit(&self, amount: u64, memo: &str) -> Res<u64> {
        let _ = memo;
        Ok(self.0.fetch_add(amount, std::sync::atomic::Ordering::SeqCst) + amount)
    }
}

#[tokio::test]
async fn a_local_proxy_calls_its_servant() {
    let account = AccountProxy::new(Mine(0.into()));
    assert_eq!(account.deposit(3, "x").await, Ok(3));
    assert_eq!(account.sum(&[1, 2]).await, Ok(6));
}
