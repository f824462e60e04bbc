//! What expansions of `#[remote]` do. What it refuses is in `tests/ui`.

#![expect(clippy::unwrap_used, reason = "a test")]

mod attributes;
mod generic;
mod inheritance;
mod methods;
mod names;
mod other_crate;
mod paths;
mod proxies;

use rmi::{Interface, Node, Proxy};

/// A proxy of the same object at another node.
struct Away<I: Interface> {
    proxy: Proxy<I>,
    _nodes: [Node; 2],
}

/// Takes the reference to another node.
async fn away<I: Interface>(local: &Proxy<I>) -> Away<I> {
    let owner = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    owner.publish("object", local);
    let caller = Node::builder().start().await.unwrap();
    let proxy: Proxy<I> = caller.root(&owner.addresses()[0], "object").await.unwrap();
    assert!(!Proxy::is_local(&proxy), "the calls really are remote");
    Away { proxy, _nodes: [owner, caller] }
}
