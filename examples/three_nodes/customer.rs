//! A and C: Alice, Carol and Dave.

use std::sync::Arc;

use parking_lot::Mutex;
use rmi::{Node, Registry, RemoteError};

use crate::process::{self, report, say};
use crate::{Account, AccountProxy, Bank, BankError, BankProxy, Customer, CustomerProxy, Outcome};
use crate::{Watcher, WatcherProxy};

struct Person {
    name: String,
    bank: BankProxy,
    /// The account that this customer holds. The object itself is at the bank.
    account: Mutex<Option<AccountProxy>>,
    notices: Arc<Notices>,
}

impl Person {
    fn no_account(&self) -> BankError {
        BankError::NoAccount(self.name.clone())
    }
}

impl Customer for Person {
    async fn open_account(&self) -> Result<(), BankError> {
        let account = self.bank.open(&self.name).await?;
        say(&self.name, format!("I have opened an account: {account:?}"));
        account.watch(WatcherProxy::from_arc(self.notices.clone())).await?;
        *self.account.lock() = Some(account);
        Ok(())
    }

    async fn give_account_to(&self, friend: &CustomerProxy) -> Result<(), BankError> {
        let account = self.account.lock().take().ok_or_else(|| self.no_account())?;
        say(&self.name, "I give the account to a friend");
        friend.take(account).await
    }

    async fn take(&self, account: AccountProxy) -> Result<(), BankError> {
        say(&self.name, format!("I was given {account:?}"));
        *self.account.lock() = Some(account);
        Ok(())
    }

    async fn deposit(&self, amount: u64) -> Result<u64, BankError> {
        let account = self.account.lock().clone().ok_or_else(|| self.no_account())?;
        let balance = account.deposit(amount).await?;
        say(&self.name, format!("I have deposited {amount}; the balance is {balance}"));
        Ok(balance)
    }

    async fn let_go(&self) -> Result<(), BankError> {
        say(&self.name, "I let the account go");
        let account = self.account.lock().take();
        account.map(drop).ok_or_else(|| self.no_account())
    }

    async fn notices(&self) -> Result<Vec<u64>, BankError> {
        Ok(self.notices.balances.lock().clone())
    }
}

/// What the bank calls back.
struct Notices {
    name: String,
    balances: Mutex<Vec<u64>>,
}

impl Watcher for Notices {
    async fn balance_is(&self, balance: u64) -> Result<(), RemoteError> {
        say(&self.name, format!("the bank calls me back; the balance is {balance}"));
        self.balances.lock().push(balance);
        Ok(())
    }
}

/// The process of a customer.
pub(crate) async fn run(name: &str, registry: &str) -> Outcome<()> {
    let dismissal = process::dismissal();
    // Only Carol is called by somebody to whom she has no connection, and must listen.
    let (part, node) = match name {
        "carol" => ("C", Node::builder().listen("tcp://127.0.0.1:0").start().await?),
        "alice" => ("A", Node::builder().start().await?),
        _ => ("another C", Node::builder().start().await?),
    };
    let bank = rmi::lookup(&node, &format!("{registry}/bank")).await?;
    say(name, format!("I am {part}, process {}, and have looked up the bank", std::process::id()));
    let notices = Arc::new(Notices { name: name.to_owned(), balances: Mutex::default() });
    let person = Person { name: name.to_owned(), bank, account: Mutex::default(), notices };
    report(&Registry::connect(&node, registry).await?, &CustomerProxy::new(person)).await?;

    dismissal.await;
    node.shutdown().await;
    Ok(())
}
