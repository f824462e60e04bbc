//! The smallest program: an interface, an object of it at one node, and a call from another node.
//!
//! Both nodes are in this process, joined by a TCP connection. Run it with `cargo run --example hello`.

use rmi::{Node, Proxy, RemoteError, remote};

/// Somebody who greets. `#[remote]` leaves the trait as it is and adds `GreeterProxy`, which implements it as well.
#[remote]
trait Greeter {
    /// Greets `name`.
    async fn greet(&self, name: &str) -> Result<String, RemoteError>;
}

struct Friendly;

impl Greeter for Friendly {
    async fn greet(&self, name: &str) -> Result<String, RemoteError> {
        Ok(format!("Hello, {name}!"))
    }
}

/// Takes a servant as well as a proxy, and does not care where the object is.
async fn welcome(greeter: &impl Greeter) -> Result<String, RemoteError> {
    greeter.greet("world").await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One node offers an object under a name.
    let server = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    server.publish("greeter", &GreeterProxy::new(Friendly));

    // Another node, which could as well be on another machine, asks for it and calls it.
    let client = Node::builder().start().await?;
    let greeter: GreeterProxy = client.root(&server.addresses()[0], "greeter").await?;
    println!("{greeter:?} says: {}", greeter.greet("world").await?);

    assert!(!Proxy::is_local(&greeter));
    assert_eq!(welcome(&greeter).await?, welcome(&Friendly).await?);

    client.shutdown().await;
    server.shutdown().await;
    Ok(())
}
