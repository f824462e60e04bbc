//! Calls between nodes.
#![expect(missing_docs, reason = "a test")]

use rmi::{Node, Proxy, RemoteError, remote};

type Result<T> = std::result::Result<T, RemoteError>;

#[remote]
pub trait Counter {
    async fn add(&self, n: u64, memo: &str) -> Result<u64>;
    async fn share(&self, other: CounterProxy) -> Result<CounterProxy>;
    async fn call_other(&self, other: &CounterProxy, n: u64) -> Result<u64>;
}

#[derive(Default)]
struct Plain(std::sync::atomic::AtomicU64);

impl Counter for Plain {
    async fn add(&self, n: u64, memo: &str) -> Result<u64> {
        assert_eq!(memo, "hello");
        Ok(self.0.fetch_add(n, std::sync::atomic::Ordering::SeqCst) + n)
    }
    async fn share(&self, other: CounterProxy) -> Result<CounterProxy> {
        Ok(other)
    }
    async fn call_other(&self, other: &CounterProxy, n: u64) -> Result<u64> {
        other.add(n, "hello").await
    }
}

#[tokio::test]
async fn a_call_and_a_callback_over_tcp() {
    let server = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    server.publish("counter", &CounterProxy::new(Plain::default()));
    let client = Node::builder().start().await.unwrap();
    let counter: CounterProxy = client.root(&server.addresses()[0], "counter").await.unwrap();
    assert!(!Proxy::is_local(&counter));
    assert_eq!(counter.add(2, "hello").await.unwrap(), 2);
    let own = CounterProxy::new(Plain::default());
    let back = counter.share(own.clone()).await.unwrap();
    assert!(Proxy::is_local(&back));
    assert_eq!(back, own);
    assert_eq!(counter.call_other(&own, 7).await.unwrap(), 7);
    assert_eq!(own.add(1, "hello").await.unwrap(), 8);
    println!("{:?}", server.stats());
    client.shutdown().await;
    server.shutdown().await;
    println!("{:?}", server.stats());
}
