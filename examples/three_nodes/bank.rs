//! B: the bank and its accounts.

use std::collections::HashMap;

use parking_lot::Mutex;
use rmi::{Node, NodeId, Registry};
use tokio::sync::watch;

use crate::process::{self, report, say};
use crate::{Account, AccountProxy, Bank, BankError, BankProxy, LEASE, Outcome, Watcher, WatcherProxy};

/// The bank. It does not keep its accounts; those who hold a reference do.
struct Office {
    node: Node,
    /// How many accounts there are.
    accounts: watch::Sender<usize>,
}

impl Bank for Office {
    async fn open(&self, owner: &str) -> Result<AccountProxy, BankError> {
        self.accounts.send_modify(|accounts| *accounts += 1);
        Ok(AccountProxy::new(Savings {
            owner: owner.to_owned(),
            balance: Mutex::default(),
            watchers: Mutex::default(),
            accounts: self.accounts.clone(),
        }))
    }

    async fn accounts(&self) -> Result<usize, BankError> {
        Ok(*self.accounts.borrow())
    }

    async fn all_closed(&self) -> Result<(), BankError> {
        let _ = self.accounts.subscribe().wait_for(|accounts| *accounts == 0).await;
        Ok(())
    }

    async fn calls_served(&self) -> Result<HashMap<NodeId, u64>, BankError> {
        Ok(self.node.stats().calls_served)
    }
}

struct Savings {
    owner: String,
    balance: Mutex<u64>,
    watchers: Mutex<Vec<WatcherProxy>>,
    accounts: watch::Sender<usize>,
}

impl Account for Savings {
    async fn deposit(&self, amount: u64) -> Result<u64, BankError> {
        let balance = {
            let mut balance = self.balance.lock();
            *balance += amount;
            *balance
        };
        let watchers = self.watchers.lock().clone();
        for watcher in watchers {
            if watcher.balance_is(balance).await.is_err() {
                say("bank", format!("{}'s watcher cannot be reached any more: I forget it", self.owner));
                self.watchers.lock().retain(|other| *other != watcher);
            }
        }
        Ok(balance)
    }

    async fn watch(&self, watcher: WatcherProxy) -> Result<(), BankError> {
        self.watchers.lock().push(watcher);
        Ok(())
    }
}

/// Runs when the last reference on any node is gone: dropped, or expired with the lease of its holder.
impl Drop for Savings {
    fn drop(&mut self) {
        say("bank", format!("{}'s account is closed, with a balance of {}", self.owner, self.balance.lock()));
        self.accounts.send_modify(|accounts| *accounts -= 1);
    }
}

/// The process B.
pub(crate) async fn run(registry: &str) -> Outcome<()> {
    let dismissal = process::dismissal();
    let node = Node::builder().listen("tcp://127.0.0.1:0").lease(LEASE).start().await?;
    let registry = Registry::connect(&node, registry).await?;
    let bank = BankProxy::new(Office { node: node.clone(), accounts: watch::Sender::new(0) });
    let binding = registry.bind("bank", &bank).await?;
    say("bank", format!("I am B, process {}, and bound as `bank` in the registry", std::process::id()));
    report(&registry, &bank).await?;

    dismissal.await;
    drop(binding); // unbinds the name
    node.shutdown().await;
    Ok(())
}
