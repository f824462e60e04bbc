//! bind, rebind, unbind, list; what an entry tells.

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test measures time")]
fn unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test]
async fn a_name_is_bound_found_and_described() {
    let (server, at) = registry().await;
    let owner = listening().await;
    let registry = Registry::connect(&owner, &at).await.unwrap();
    let before = unix_ms();
    let binding = registry.bind("bank", &bank("first")).version(2).await.unwrap();
    let after = unix_ms();

    let url = format!("{}/bank", at.replace("tcp://", "rmi://"));
    let found: BankProxy = rmi::lookup(&silent().await, &url).await.unwrap();
    assert!(!rmi::Proxy::is_local(&found));
    assert_eq!(found.balance().await.unwrap(), 7);
    assert_eq!(found.name().await.unwrap(), "first");

    let entry = connect(&at).await.entry("bank").await.unwrap();
    assert_eq!((entry.name.as_str(), entry.version), ("bank", 2));
    assert_eq!((entry.id, binding.name()), (binding.id(), "bank"));
    assert_eq!(entry.interface, "rmi.Bank");
    assert_eq!((entry.owner, &entry.addresses), (owner.id(), &owner.addresses()));
    assert!((before..=after).contains(&entry.since), "{} not in {before}..={after}", entry.since);
    assert!(!entry.kept);
    assert_eq!(binding.entry().await.unwrap(), entry);
    assert_ne!(entry.owner, server.id());
}
