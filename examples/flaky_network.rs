//! A network that breaks every few milliseconds, and a till that must not count anything twice. The connection between the two nodes
//! goes through a cable that somebody keeps pulling; the calls do not notice. Then a customer who does not wait any longer, and one
//! who never comes back. Run it with `cargo run --example flaky_network`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{Node, Proxy, RemoteError, remote};
use tokio::net::{TcpListener, TcpStream};
use tokio::{sync::Mutex, task::JoinSet, time::sleep};

const SALES: u64 = 2_000;

#[remote]
trait Till {
    /// Books a sale. Twice would be once too often.
    async fn book(&self, number: u64) -> Result<u64, RemoteError>;
    /// May be asked again if the answer is lost for good.
    #[idempotent]
    async fn booked(&self) -> Result<u64, RemoteError>;
    /// Waits for the customer to find the money.
    async fn wait_for_money(&self) -> Result<(), RemoteError>;
}

#[derive(Default)]
struct Drawer {
    sales: Mutex<HashMap<u64, u32>>,
    waiting: Arc<AtomicUsize>,
}

/// Dropped with the future that holds it.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Till for Drawer {
    async fn book(&self, number: u64) -> Result<u64, RemoteError> {
        *self.sales.lock().await.entry(number).or_default() += 1;
        Ok(number)
    }

    async fn booked(&self) -> Result<u64, RemoteError> {
        Ok(self.sales.lock().await.len() as u64)
    }

    async fn wait_for_money(&self) -> Result<(), RemoteError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(self.waiting.clone());
        std::future::pending().await
    }
}

/// Carries bytes to `there`, and is pulled out every 20 ms, in the middle of whatever it carries.
async fn cable(listener: TcpListener, there: String) -> std::io::Result<()> {
    loop {
        let (mut near, _) = listener.accept().await?;
        let mut far = TcpStream::connect(&there).await?;
        let carried = tokio::io::copy_bidirectional(&mut near, &mut far);
        let _ = tokio::time::timeout(Duration::from_millis(20), carried).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    let drawer = Arc::new(Drawer::default());
    shop.publish("till", &TillProxy::from_arc(drawer.clone()));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("tcp://{}", listener.local_addr()?);
    let there = shop.addresses()[0].trim_start_matches("tcp://").to_owned();
    let cable = tokio::spawn(cable(listener, there));

    let customer = Node::builder().start().await?;
    let till: TillProxy = customer.root(&address, "till").await?;

    // Sales, eight at a time, over a connection that keeps breaking.
    let mut sales = JoinSet::new();
    for clerk in 0..8 {
        let till = till.clone();
        sales.spawn(async move {
            for number in (clerk..SALES).step_by(8) {
                assert_eq!(till.book(number).await?, number);
                sleep(Duration::from_micros(300)).await;
            }
            Ok::<_, RemoteError>(())
        });
    }
    while let Some(done) = sales.join_next().await {
        done??;
    }
    let resumed: u64 = customer.stats().sessions.iter().map(|session| session.resumed).sum();
    println!("{SALES} sales over a connection that broke {resumed} times");
    assert_eq!(till.booked().await?, SALES);
    assert!(drawer.sales.lock().await.values().all(|times| *times == 1), "each of them is booked once");
    assert!(resumed > 0);

    // A limit: when it passes, the servant stops waiting, too.
    let hurried = Proxy::with_timeout(&till, Duration::from_millis(100));
    match hurried.wait_for_money().await {
        Err(error @ RemoteError::TimedOut { .. }) => println!("the hurried customer: {error}"),
        other => return Err(format!("somebody paid: {other:?}").into()),
    }
    // Dropping the call does the same.
    drop(tokio::time::timeout(Duration::from_millis(100), till.wait_for_money()).await);
    while drawer.waiting.load(Ordering::SeqCst) > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    println!("nobody waits any more");

    // The shop closes, and says so: nobody waits for a timeout.
    shop.shutdown().await;
    println!("the shop is closed: {}", Proxy::closed(&till).await);
    cable.abort();
    Ok(())
}
