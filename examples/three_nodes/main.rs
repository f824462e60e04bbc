//! Three nodes and a registry, each a process of its own, and an object that is handed around between them.
//!
//! `cargo run --example three_nodes`. This process is the narrator: it starts a registry and three more processes of this
//! same program, asks them for one thing after another, and checks each time that what was promised is what happened.
//!
//! * B, the bank, owns the accounts. It offers itself under a name in the registry.
//! * A is Alice, who opens an account, watches it, and gives it to Carol. Nobody could connect to her: she has no listener.
//! * C is Carol, who uses an account that she did not open. Later there is another C: Dave, who is killed.
//!
//! Read the interfaces first, then `story`. The servants are in `bank.rs` and `customer.rs`, plain implementations of these
//! traits; `process.rs` is about child processes, not about rmi.

mod bank;
mod customer;
mod process;

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use rmi::{AnyProxy, NodeId, Proxy, RemoteError, remote};
use serde::{Deserialize, Serialize};

use process::{Process, Stage, say};

/// B's root object, bound in the registry as `bank`.
#[remote]
trait Bank {
    /// Opens an account: a new object, which lives as long as anybody holds it, on whichever node.
    async fn open(&self, owner: &str) -> Result<AccountProxy, BankError>;
    /// How many accounts there are.
    async fn accounts(&self) -> Result<usize, BankError>;
    /// Returns when there is no account any more.
    async fn all_closed(&self) -> Result<(), BankError>;
    /// B's own statistics: how many calls it has served, by the node that made them.
    async fn calls_served(&self) -> Result<HashMap<NodeId, u64>, BankError>;
}

/// An account at B.
#[remote]
trait Account {
    /// Adds `amount`, tells the watchers, and returns the new balance.
    async fn deposit(&self, amount: u64) -> Result<u64, BankError>;
    /// Calls `watcher` back, from now on, whenever the balance changes.
    async fn watch(&self, watcher: WatcherProxy) -> Result<(), BankError>;
}

/// What B calls back: an object at the node of whoever watches.
#[remote]
trait Watcher {
    /// The balance has changed.
    async fn balance_is(&self, balance: u64) -> Result<(), RemoteError>;
}

/// What the narrator asks Alice, Carol and Dave to do.
#[remote]
trait Customer {
    /// Opens an account at the bank and watches it.
    async fn open_account(&self) -> Result<(), BankError>;
    /// Hands the account over to a friend.
    async fn give_account_to(&self, friend: &CustomerProxy) -> Result<(), BankError>;
    /// Takes an account over from a friend.
    async fn take(&self, account: AccountProxy) -> Result<(), BankError>;
    /// Deposits into the account, whoever opened it.
    async fn deposit(&self, amount: u64) -> Result<u64, BankError>;
    /// Forgets the account.
    async fn let_go(&self) -> Result<(), BankError>;
    /// The balances that the bank has told this customer about.
    async fn notices(&self) -> Result<Vec<u64>, BankError>;
}

/// Where a process reports when it is ready, bound in the registry as `narrator`.
#[remote]
trait Narrator {
    /// Presents the object that the narrator shall talk to.
    async fn ready(&self, actor: AnyProxy) -> Result<(), RemoteError>;
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum BankError {
    #[error("{0} has no account")]
    NoAccount(String),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long B waits for a sign of life before it collects what a node held.
const LEASE: Duration = Duration::from_secs(2);

async fn story() -> Outcome<String> {
    let mut stage = Stage::with_registry().await?;

    // B binds its bank. By whichever way a reference comes, it is the same object.
    let (bank, bank_process): (BankProxy, Process) = stage.start("bank").await?;
    assert_eq!(bank, stage.registry.lookup("bank").await?);

    // A looks the bank up, opens an account, which is a new object at B, and watches it with an object of her own.
    let (alice, alice_process): (CustomerProxy, Process) = stage.start("alice").await?;
    let (carol, carol_process): (CustomerProxy, Process) = stage.start("carol").await?;
    alice.open_account().await?;
    assert_eq!(bank.accounts().await?, 1);

    // A hands the account, B's object, to C. C deposits: not through A, but directly with B, who counts the calls by node.
    alice.give_account_to(&carol).await?;
    let by_alice = calls_by(&alice, &bank).await?;
    assert_eq!(calls_by(&carol, &bank).await?, 0);
    assert_eq!(carol.deposit(10).await?, 10);
    assert_eq!(calls_by(&carol, &bank).await?, 1);
    assert_eq!(calls_by(&alice, &bank).await?, by_alice);
    say("narrator", "B has counted one call from C's node, and no further one from A's");

    // A was called back meanwhile, over the connection that she made: nobody could connect to her.
    assert_eq!(alice.notices().await?, [10]);

    // A exits. The account is C's as well, so it stays, and is as good as before.
    alice_process.leave().await?;
    say("narrator", "A's process has ended");
    assert_eq!(carol.deposit(5).await?, 15);
    assert_eq!(bank.accounts().await?, 1);

    // C lets the account go. That was the last reference anywhere: B's object is dropped.
    carol.let_go().await?;
    bank.all_closed().await?;
    say("narrator", "nobody held it any more, so B has dropped it");

    // Another C takes an account, and is killed while holding it. Its deposit is the last that B hears of it: when nothing
    // more was heard for the time of the lease, B collects.
    let (dave, dave_process): (CustomerProxy, Process) = stage.start("dave").await?;
    dave.open_account().await?;
    assert_eq!(dave.deposit(1).await?, 1);
    dave_process.kill().await?;
    let killed = now();
    say("narrator", "Dave's process was killed with SIGKILL, and could not say goodbye");
    assert_eq!(bank.accounts().await?, 1);
    bank.all_closed().await?;
    let waited = killed.elapsed();
    assert!(waited >= Duration::from_secs(1), "collected after {waited:?}, with a lease of {LEASE:?}");

    carol_process.leave().await?;
    bank_process.leave().await?;
    stage.close().await?;
    Ok(format!("what C let go was collected at once, what a killed C held after {waited:.1?}"))
}

/// How many calls of this customer's node the bank has served.
async fn calls_by(customer: &CustomerProxy, bank: &BankProxy) -> Outcome<u64> {
    let node = Proxy::owner(customer).ok_or("a customer is at another node")?;
    Ok(bank.calls_served().await?.get(&node).copied().unwrap_or(0))
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (role, registry) = (arguments.next(), arguments.next());
    match (role.as_deref(), registry.as_deref()) {
        (None, _) => {
            let told =
                tokio::time::timeout(process::LIFE, story()).await.map_err(|_| "the story got stuck")??;
            say("three_nodes", format!("every step went as promised; {told}"));
            Ok(())
        }
        (Some("registry"), None) => process::registry().await,
        (Some("bank"), Some(registry)) => bank::run(registry).await,
        (Some(name), Some(registry)) => customer::run(name, registry).await,
        _ => Err("run it without arguments".into()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the story measures how long a lease lasts")]
fn now() -> Instant {
    Instant::now()
}
