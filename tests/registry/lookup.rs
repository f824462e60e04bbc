//! tmp
use super::*;
#[tokio::test]
async fn tmp() {
    let owner = listening().await;
    owner.publish("bank", &bank("x"));
    let node = silent().await;
    let found: BankProxy = node.root(&address(&owner), "bank").await.unwrap();
    let peer = node.connect(&address(&owner)).await.unwrap();
    let t = now();
    drop(node);
    for i in 0..60 {
    println!("{:?} {:?} {:?}", t.elapsed(), found.balance().await, owner.stats().sessions.first().map(|s| s.open));
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    if i > 40 { break; }
    }
    println!("{:?} {}", t.elapsed(), peer.closed().await);
}
