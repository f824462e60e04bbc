//! Arguments, results and default methods, called here and from elsewhere.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rmi::{RemoteError, remote};
use serde::{Deserialize, Serialize};

use crate::away;

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum BankError {
    #[error("insufficient funds")]
    Insufficient,
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

type Res<T> = Result<T, BankError>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    amount: u64,
    memo: String,
}

#[remote]
trait Account {
    async fn deposit(&self, amount: u64, memo: &str) -> Res<u64>;
    async fn withdraw(&self, amount: u64) -> Res<u64>;
    async fn enter(&self, entries: &[Entry], by: &Entry, at: &Path) -> Res<Vec<Entry>>;
    async fn not_sync(&self, value: Cell<u64>) -> Res<u64>;
    async fn optional(&self, memo: &Option<String>, tags: BTreeMap<String, Vec<u8>>) -> Res<(usize, usize)>;
    async fn nothing(&self) -> Result<(), RemoteError>;

    async fn deposit_all(&self, amounts: &[u64]) -> Res<u64> {
        let mut balance = 0;
        for amount in amounts {
            balance = self.deposit(*amount, "one of several").await?;
        }
        Ok(balance)
    }

    async fn deposit_twice(&self, mut amount: u64) -> Res<u64> {
        amount *= 2;
        if amount == 0 {
            return Err(BankError::Insufficient);
        }
        self.deposit(amount, "twice").await
    }

    async fn who(&self) -> Res<String> {
        Ok("the default".into())
    }
}

#[derive(Default)]
struct Plain {
    balance: AtomicU64,
}

impl Account for Plain {
    async fn deposit(&self, amount: u64, memo: &str) -> Res<u64> {
        assert!(!memo.is_empty());
        tokio::task::yield_now().await;
        Ok(self.balance.fetch_add(amount, Ordering::SeqCst) + amount)
    }

    async fn withdraw(&self, amount: u64) -> Res<u64> {
        let balance =
            self.balance.load(Ordering::SeqCst).checked_sub(amount).ok_or(BankError::Insufficient)?;
        self.balance.store(balance, Ordering::SeqCst);
        Ok(balance)
    }

    async fn enter(&self, entries: &[Entry], by: &Entry, at: &Path) -> Res<Vec<Entry>> {
        let mut all = entries.to_vec();
        all.push(by.clone());
        all.push(Entry { amount: 0, memo: at.display().to_string() });
        Ok(all)
    }

    async fn not_sync(&self, value: Cell<u64>) -> Res<u64> {
        Ok(value.get())
    }

    async fn optional(&self, memo: &Option<String>, tags: BTreeMap<String, Vec<u8>>) -> Res<(usize, usize)> {
        Ok((memo.as_ref().map_or(0, String::len), tags.values().map(Vec::len).sum()))
    }

    async fn nothing(&self) -> Result<(), RemoteError> {
        Ok(())
    }
}

/// Overrides the default methods.
struct Special(Plain);

impl Account for Special {
    async fn deposit(&self, amount: u64, memo: &str) -> Res<u64> {
        self.0.deposit(amount, memo).await
    }
    async fn withdraw(&self, amount: u64) -> Res<u64> {
        self.0.withdraw(amount).await
    }
    async fn enter(&self, entries: &[Entry], by: &Entry, at: &Path) -> Res<Vec<Entry>> {
        self.0.enter(entries, by, at).await
    }
    async fn not_sync(&self, value: Cell<u64>) -> Res<u64> {
        self.0.not_sync(value).await
    }
    async fn optional(&self, memo: &Option<String>, tags: BTreeMap<String, Vec<u8>>) -> Res<(usize, usize)> {
        self.0.optional(memo, tags).await
    }
    async fn nothing(&self) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn deposit_all(&self, _amounts: &[u64]) -> Res<u64> {
        Ok(4711)
    }
    async fn who(&self) -> Res<String> {
        Ok("the owner's".into())
    }
}

/// Generic code takes servants and proxies alike, and can be spawned.
async fn use_account<A: Account>(account: A) {
    let memo = String::from("salary");
    assert_eq!(account.deposit(10, &memo).await, Ok(10));
    assert_eq!(account.withdraw(11).await, Err(BankError::Insufficient));
    assert_eq!(account.withdraw(4).await, Ok(6));
    let one = Entry { amount: 1, memo: "one".into() };
    let by = Entry { amount: 2, memo: "by".into() };
    let entered = account.enter(std::slice::from_ref(&one), &by, Path::new("/tmp")).await;
    assert_eq!(entered, Ok(vec![one, by, Entry { amount: 0, memo: "/tmp".into() }]));
    assert_eq!(account.not_sync(Cell::new(7)).await, Ok(7));
    let tags = BTreeMap::from([("a".to_owned(), vec![1, 2]), ("b".to_owned(), vec![3])]);
    assert_eq!(account.optional(&Some("four".into()), tags).await, Ok((4, 3)));
    assert_eq!(account.nothing().await, Ok(()));
    assert_eq!(account.deposit_all(&[1, 2, 3]).await, Ok(12));
    assert_eq!(account.deposit_twice(4).await, Ok(20));
    assert_eq!(account.deposit_twice(0).await, Err(BankError::Insufficient));
}

#[tokio::test]
async fn servants_and_proxies_are_called_alike() {
    tokio::spawn(use_account(Plain::default())).await.unwrap();
    let local = AccountProxy::new(Plain::default());
    tokio::spawn(use_account(local)).await.unwrap();
    let away = away(&AccountProxy::new(Plain::default())).await;
    tokio::spawn(use_account(away.proxy.clone())).await.unwrap();
}

#[tokio::test]
async fn a_default_method_is_the_owners() {
    let special = AccountProxy::new(Special(Plain::default()));
    assert_eq!(special.deposit_all(&[1]).await, Ok(4711));
    assert_eq!(special.who().await.as_deref(), Ok("the owner's"));
    let away = away(&special).await;
    assert_eq!(away.proxy.deposit_all(&[1]).await, Ok(4711));
    assert_eq!(away.proxy.who().await.as_deref(), Ok("the owner's"));

    let plain = AccountProxy::new(Plain::default());
    assert_eq!(plain.who().await.as_deref(), Ok("the default"));
}

#[remote]
trait Wide {
    #[expect(clippy::too_many_arguments)]
    #[rustfmt::skip]
    async fn sum(
        &self,
        a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64, k: u64, l: u64, m: u64,
        n: u64, o: u64, p: u64, q: u64, r: u64, s: u64, t: u64, u: u64, v: u64, w: u64, x: u64, y: u64, z: &str,
    ) -> Result<u64, RemoteError> {
        let low = a + b + c + d + e + f + g + h + i + j + k + l + m;
        Ok(low + n + o + p + q + r + s + t + u + v + w + x + 1000 * y + z.len() as u64)
    }
}

struct Adder;

impl Wide for Adder {}

#[tokio::test]
async fn there_may_be_more_arguments_than_a_tuple_has() {
    let local = WideProxy::new(Adder);
    let away = away(&local).await;
    for wide in [&local, &away.proxy] {
        #[rustfmt::skip]
        let sum = wide.sum(
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, "z",
        );
        assert_eq!(sum.await, Ok(24 * 25 / 2 + 25_000 + 1));
    }
}
