//! Owners without a listener are reached through the node that gave the reference.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rmi::{Builder, Node, RemoteError, remote};
use support::relay::Relay;
use support::shelf::{Counted, Item, ItemProxy, Population, Shelf, ShelfProxy, Site, close_down};
use support::{Result, address, all_zero, eventually, listening, silent, start, within};

/// How node `of` sees its sessions with `peer`: whether each of them is relayed.
fn relayed(of: &Node, peer: &Node) -> Vec<bool> {
    let sessions = of.stats().sessions;
    sessions.iter().filter(|s| s.peer == Some(peer.id()) && s.open).map(|s| s.relayed).collect()
}

/// A server, and a client without a listener that has put an item of its own on the server's shelf.
async fn served() -> (Site, Site) {
    let (x, b) = (Site::new().await, Site::at(silent().await));
    within(b.sees(&x).await.put(b.keeper.population.item())).await.unwrap();
    (x, b)
}

#[tokio::test]
async fn an_owner_without_a_listener_is_reached_through_the_introducer() {
    let (x, b) = served().await;
    let y = Site::at(silent().await);
    let shelf = y.sees(&x).await;
    let item = within(shelf.top()).await.unwrap();
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    assert_eq!((b.served(&y.node), x.served(&b.node)), (1, 1), "the call was the owner's to serve");
    assert_eq!((relayed(&y.node, &b.node), relayed(&b.node, &y.node)), (vec![true], vec![true]));
    assert_eq!((relayed(&y.node, &x.node), relayed(&b.node, &x.node)), (vec![false], vec![false]));

    // The node between holds nothing any more, and goes on to relay.
    within(shelf.clear()).await.unwrap();
    eventually("its pins and proxies go", || {
        let stats = x.node.stats();
        (stats.pins, stats.imports) == (0, 0)
    })
    .await;
    assert_eq!(b.alive(), 1);
    assert_eq!(within(item.ping(2)).await.unwrap(), 3);
    drop(item);
    eventually("the object is collected", || b.alive() == 0).await;
    drop(shelf);
    close_down(vec![x, b, y]).await;
}
