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
    let client = silent().await;
    let found: BankProxy = rmi::lookup(&client, &url).await.unwrap();
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

#[tokio::test]
async fn a_taken_name_is_refused_and_the_error_says_who_has_it() {
    let (_server, at) = registry().await;
    let (owner, second) = (listening().await, connect(&at).await);
    let first = Registry::connect(&owner, &at).await.unwrap();
    let binding = first.bind("bank", &bank("first")).await.unwrap();
    let error = second.bind("bank", &bank("second")).await.unwrap_err();
    let since = binding.entry().await.unwrap().since;
    assert_eq!(error, RegistryError::AlreadyBound { name: "bank".into(), owner: owner.id(), since });
    let found: BankProxy = second.lookup("bank").await.unwrap();
    assert_eq!(found.name().await.unwrap(), "first");
    // In a function that returns one error: it says the same, and that nothing was done.
    let error = RemoteError::from(error);
    assert!(!error.may_have_executed() && error.to_string().contains("`bank` is bound already"), "{error}");
}

#[tokio::test]
async fn rebind_takes_a_name_and_the_older_binding_has_no_effect_any_more() {
    let (server, at) = registry().await;
    let (first, second) = (connect(&at).await, binder(&at).await);
    let older = first.rebind("bank", &bank("first")).await.unwrap();
    let newer = second.rebind("bank", &bank("second")).version(3).await.unwrap();
    assert_ne!(older.id(), newer.id());
    for error in [older.entry().await.map(drop), older.keep().await].map(Result::unwrap_err) {
        assert!(matches!(error, RegistryError::NotBound { .. }), "{error}");
    }
    // The registry's own object and one for each binding, until the older one is collected.
    assert_eq!(server.stats().exports, 3);
    drop(older);
    eventually("the older binding is collected", || server.stats().exports == 2).await;
    let entry = first.entry("bank").await.unwrap();
    assert_eq!((entry.id, entry.version, entry.kept), (newer.id(), 3, false));
    let found: BankProxy = first.lookup("bank").await.unwrap();
    assert_eq!(found.name().await.unwrap(), "second");
}

#[tokio::test]
async fn an_explicit_unbind_of_a_replaced_binding_leaves_the_newer_one() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let older = registry.bind("bank", &bank("first")).await.unwrap();
    let newer = registry.rebind("bank", &bank("second")).await.unwrap();
    assert!(matches!(older.unbind().await, Err(RegistryError::NotBound { .. })));
    assert_eq!(registry.entry("bank").await.unwrap().id, newer.id());
    newer.unbind().await.unwrap();
    assert!(!is_bound(&registry, "bank").await);
}

#[tokio::test]
async fn unbind_frees_a_name_whoever_bound_it_and_its_binding_has_no_effect_any_more() {
    let (server, at) = registry().await;
    let (first, second) = (connect(&at).await, connect(&at).await);
    let binding = first.bind("bank", &bank("first")).await.unwrap();
    assert_eq!(second.unbind("bank").await.unwrap().id, binding.id());
    assert!(!is_bound(&first, "bank").await);
    let again = second.bind("bank", &bank("second")).await.unwrap();
    drop(binding);
    eventually("the first binding is collected", || server.stats().exports == 2).await;
    assert_eq!(first.entry("bank").await.unwrap().id, again.id());
    let error = second.unbind("nothing").await.unwrap_err();
    let RegistryError::NotBound { name, at: asked } = &error else { panic!("{error}") };
    assert!(name == "nothing" && asked.contains(&at), "{error}");
}

#[tokio::test]
async fn what_cannot_be_a_name_is_refused() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let too_long = "x".repeat(256);
    for bad in ["", "/bank", "bank/", "ba\nnk", too_long.as_str()] {
        for bound in [registry.bind(bad, &bank("x")).await, registry.rebind(bad, &bank("x")).await] {
            let error = bound.unwrap_err();
            assert!(matches!(error, RegistryError::BadName { .. }), "{bad:?}: {error}");
        }
    }
    assert_eq!(registry.list("").await.unwrap(), []);
    let longest = "ü/".repeat(85);
    let binding = registry.bind(&longest[..254], &bank("x")).await.unwrap();
    assert_eq!(binding.name(), &longest[..254]);
}

#[tokio::test]
async fn list_finds_names_by_prefix_in_order_and_in_pages() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let object = bank("all");
    let mut bindings = Vec::new();
    for name in ["lab/arm", "lab", "lab/camera", "laboratory", "office/printer"] {
        bindings.push(registry.bind(name, &object).await.unwrap());
    }
    let listed = |prefix| {
        let registry = registry.clone();
        async move { names(&registry.list(prefix).await.unwrap()).join(" ") }
    };
    assert_eq!(listed("").await, "lab lab/arm lab/camera laboratory office/printer");
    assert_eq!(listed("lab/").await, "lab/arm lab/camera");
    assert_eq!(listed("lab").await, "lab lab/arm lab/camera laboratory");
    assert_eq!(listed("lab/camera").await, "lab/camera");
    assert_eq!(listed("z").await, "");

    // More than the registry sends at a time.
    for n in 0..1_100 {
        bindings.push(registry.bind(format!("many/{n:04}"), &object).await.unwrap());
    }
    let many = registry.list("many/").await.unwrap();
    let expected: Vec<String> = (0..1_100).map(|n| format!("many/{n:04}")).collect();
    assert_eq!(names(&many), expected);
    assert_eq!(registry.list("").await.unwrap().len(), 1_105);
}

#[tokio::test]
async fn a_full_registry_refuses_new_names_and_says_so() {
    let node = listening().await;
    Registry::server().max_entries(2).serve(&node);
    let registry = connect(&address(&node)).await;
    let one = registry.bind("one", &bank("x")).await.unwrap();
    let _two = registry.bind("two", &bank("x")).await.unwrap();
    let error = registry.bind("three", &bank("x")).await.unwrap_err();
    assert_eq!(error, RegistryError::Full { at: node.id(), limit: 2 });
    assert!(RemoteError::from(error).is_retryable());
    let _taken = registry.rebind("two", &bank("y")).await.unwrap();
    one.unbind().await.unwrap();
    let _three = registry.bind("three", &bank("x")).await.unwrap();
}

#[tokio::test]
async fn nothing_that_is_printed_has_the_capability_in_it() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let object = bank("secret");
    let binding = registry.bind("bank", &object).await.unwrap();
    let entry = registry.entry("bank").await.unwrap();
    let json = serde_json::to_string(&entry).unwrap();
    let shown = format!("{registry:?} {binding:?} {entry:?} {json}");
    // All UUIDs in it are those of the owner and of the binding.
    let known = [entry.owner.to_string(), entry.id.to_string()];
    for len in [32, 36] {
        for window in shown.as_bytes().windows(len).filter_map(|window| std::str::from_utf8(window).ok()) {
            if let Ok(uuid) = window.parse::<uuid::Uuid>() {
                assert!(known.contains(&uuid.to_string()), "{uuid} in {shown}");
            }
        }
    }
    assert!(known.iter().all(|id| shown.contains(id)), "{shown}");
}
