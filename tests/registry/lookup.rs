//! Looking a name up: as what, from where, and what goes wrong.

use rmi::{AnyProxy, Proxy};

use super::*;

#[tokio::test]
async fn a_lookup_leads_to_the_owner_directly() {
    let (server, at) = registry().await;
    let (owner, client) = (listening().await, silent().await);
    let registry = Registry::connect(&owner, &at).await.unwrap();
    let _binding = registry.bind("bank", &bank("direct")).await.unwrap();
    let url = format!("rmi{}/bank", at.trim_start_matches("tcp"));
    let found: BankProxy = rmi::lookup(&client, &url).await.unwrap();
    assert_eq!(found.balance().await.unwrap(), 7);
    assert_eq!(Proxy::owner(&found), Some(owner.id()));
    assert_eq!(owner.stats().calls_served.get(&client.id()), Some(&1));
    assert_eq!(server.stats().calls_served.get(&client.id()), Some(&1), "the lookup");
}

#[tokio::test]
async fn the_wrong_interface_is_refused_and_both_are_named() {
    let (server, at) = registry().await;
    let registry = binder(&at).await;
    let _binding = registry.bind("bank", &bank("x")).await.unwrap();
    let local = Registry::connect(&server, &at).await.unwrap();
    let _local = local.bind("here", &bank("x")).await.unwrap();
    for (handle, name) in [(connect(&at).await, "bank"), (registry.clone(), "bank"), (local, "here")] {
        let error = handle.lookup::<ClockProxy>(name).await.unwrap_err();
        let named = RemoteError::WrongInterface { expected: "rmi.Clock".into(), found: "rmi.Bank".into() };
        assert_eq!(error, named);
    }
}

#[tokio::test]
async fn a_name_is_found_as_an_ancestor_and_as_what_the_object_really_is() {
    let (_server, at) = registry().await;
    let owner = listening().await;
    let registry = Registry::connect(&owner, &at).await.unwrap();
    let object = bank("kin");
    let _bank = registry.bind("bank", &object).await.unwrap();
    let _named = registry.bind("named", &Proxy::upcast::<NamedInterface>(&object)).await.unwrap();
    assert_eq!(registry.entry("named").await.unwrap().interface, "rmi.Named");
    for handle in [connect(&at).await, registry] {
        for name in ["bank", "named"] {
            let as_ancestor: NamedProxy = handle.lookup(name).await.unwrap();
            assert_eq!(as_ancestor.name().await.unwrap(), "kin");
            let as_itself: BankProxy = handle.lookup(name).await.unwrap();
            assert_eq!(as_itself.balance().await.unwrap(), 7);
            let any: AnyProxy = handle.lookup(name).await.unwrap();
            assert_eq!(any, AnyProxy::from(&as_ancestor));
        }
    }
}

#[tokio::test]
async fn an_owner_finds_its_own_object() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let object = bank("mine");
    let _binding = registry.bind("bank", &object).await.unwrap();
    let found: BankProxy = registry.lookup("bank").await.unwrap();
    assert!(Proxy::is_local(&found));
    assert_eq!(found, object);
}

#[tokio::test]
async fn a_name_that_is_not_bound_is_an_error_that_names_it_and_the_registry() {
    let (_server, at) = registry().await;
    let client = silent().await;
    let url = format!("rmi{}/a/bank", at.trim_start_matches("tcp"));
    let error = rmi::lookup::<BankProxy>(&client, &url).await.unwrap_err();
    let RemoteError::NotBound { name, at: asked } = &error else { panic!("{error}") };
    assert!(name == "a/bank" && asked.contains(&at), "{error}");
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn where_there_is_no_registry_the_error_says_so() {
    let at = place();
    let plain = start(Node::builder().listen(&at)).await;
    let client = silent().await;
    let error = Registry::connect(&client, &at).await.unwrap_err();
    let RemoteError::NotBound { name, at: asked } = &error else { panic!("{error}") };
    assert!(name == "registry" && asked.contains(&at), "{error}");
    plain.shutdown().await;
    let error = Registry::connect(&client, &at).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Unreachable { .. }) && error.to_string().contains(&at), "{error}");
    for bad in ["bank", "rmi://", "rmi://127.0.0.1:1/", "tcp://127.0.0.1:1/bank", "rmi://127.0.0.1:x/bank"] {
        let error = rmi::lookup::<BankProxy>(&client, bad).await.unwrap_err();
        assert!(matches!(error, RemoteError::BadAddress { .. }), "{bad}: {error}");
    }
}

#[tokio::test]
async fn a_handle_finds_the_registry_that_was_restarted_at_its_address() {
    let at = place();
    let server = start(Node::builder().listen(&at)).await;
    Registry::serve(&server);
    let owner = listening().await;
    let handle = Registry::connect(&owner, &at).await.unwrap();
    let binding = handle.bind("before", &bank("before")).await.unwrap();
    server.shutdown().await;
    let error = handle.entry("bank").await.unwrap_err();
    let RegistryError::Remote(remote @ RemoteError::Unreachable { .. }) = &error else { panic!("{error}") };
    assert!(remote.to_string().contains(&at), "{error}");

    let again = start(Node::builder().listen(&at)).await;
    Registry::serve(&again);
    handle.list("").await.unwrap();
    let _binding = handle.bind("bank", &bank("after")).await.unwrap();
    let other = connect(&at).await;
    let found: BankProxy = other.lookup("bank").await.unwrap();
    assert_eq!(found.name().await.unwrap(), "after");
    // The binding of the old one does no harm.
    drop(binding);
    assert!(is_bound(&handle, "bank").await);
}

#[tokio::test]
async fn a_registry_in_a_node_of_the_program_itself_works_in_place() {
    // It listens to nobody at first: names are for this process.
    let node = silent().await;
    let local = Registry::serve(&node);
    let object = bank("own");
    let binding = local.bind("bank", &object).version(4).await.unwrap();
    let found: BankProxy = local.lookup("bank").await.unwrap();
    assert!(Proxy::is_local(&found) && found == object);
    let entry = local.entry("bank").await.unwrap();
    assert_eq!((entry.owner, entry.version), (node.id(), 4));
    assert_eq!(entry.addresses, [""; 0]);
    assert!(matches!(local.lookup::<BankProxy>("else").await, Err(RemoteError::NotBound { .. })));
    assert_eq!(node.stats().exports, 0, "nothing has travelled");
    drop(binding);
    assert!(!is_bound(&local, "bank").await, "a local binding unbinds at once");
}

#[tokio::test]
async fn what_is_bound_in_place_is_found_from_elsewhere() {
    let node = listening().await;
    let local = Registry::serve(&node);
    let binding = local.bind("bank", &bank("own")).await.unwrap();
    let far = connect(&address(&node)).await;
    let found: BankProxy = far.lookup("bank").await.unwrap();
    assert!(!Proxy::is_local(&found));
    assert_eq!(found.name().await.unwrap(), "own");
    let entry = far.entry("bank").await.unwrap();
    assert_eq!((entry.owner, entry.addresses), (node.id(), node.addresses()));
    let theirs = far.bind("theirs", &bank("theirs")).await.unwrap();
    let found: BankProxy = local.lookup("theirs").await.unwrap();
    assert_eq!(found.name().await.unwrap(), "theirs");
    drop((binding, theirs));
    gone(&far, "bank").await;
    gone(&local, "theirs").await;
}
