//! The program `rmi-registry`, as a process: what it prints, its exit codes, and how it stops.
#![cfg(feature = "cli")]
#![expect(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::process::{Output, Stdio};
use std::time::Duration;

use rmi_core::{Node, RemoteError};
use rmi_macros::remote;
use rmi_registry::{BindOptions, Binding, ROOT, Registry, RegistryError};
use rmi_registry::{RegistryService, RegistryServiceProxy};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Nothing that a test waits for takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(20);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmi-registry"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("RMI_REGISTRY");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs it to its end.
async fn run(arguments: &[&str]) -> Output {
    timeout(LIMIT, command(arguments).output()).await.expect("it hangs").unwrap()
}

/// What it printed, if it ended with `code`.
#[track_caller]
fn printed(output: Output, code: i32) -> (String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
    (out, err)
}

/// A place that no other test can take while nobody listens there, as it could a port.
fn place() -> String {
    let file = format!("rmi-registry-{}.sock", uuid::Uuid::new_v4().simple());
    format!("unix://{}", std::env::temp_dir().join(file).display())
}

/// `rmi-registry serve`, killed when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    async fn start(arguments: &[&str]) -> Self {
        Self::of(command(arguments)).await
    }

    async fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(LIMIT, lines.next_line()).await.expect("it hangs").unwrap().expect("a line");
        let address = line.strip_prefix("listening at ").expect("where it listens").to_owned();
        Self { child, address }
    }

    async fn new() -> Self {
        Self::start(&["serve", "--listen", "tcp://127.0.0.1:0"]).await
    }

    async fn ask(&self, arguments: &[&str]) -> Output {
        run(&[&["--registry", &self.address], arguments].concat()).await
    }
}

#[remote(crate = rmi_core)]
pub trait Bank {
    async fn balance(&self) -> Result<u64, RemoteError>;
}

struct Poor;

impl Bank for Poor {
    async fn balance(&self) -> Result<u64, RemoteError> {
        Ok(0)
    }
}

/// Binds names in this process.
async fn bind(at: &str, names: &[&str]) -> (Node, Vec<Binding>) {
    let node = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let registry = Registry::connect(&node, at).await.unwrap();
    let mut bindings = Vec::new();
    for name in names {
        bindings.push(registry.bind(*name, &BankProxy::new(Poor)).version(3).await.unwrap());
    }
    (node, bindings)
}

#[tokio::test]
async fn list_lookup_and_unbind_for_people() {
    let server = Server::new().await;
    assert_eq!(printed(server.ask(&["list"]).await, 0), (String::new(), String::new()));
    let (node, bindings) = bind(&server.address, &["lab/arm", "lab/camera", "printer"]).await;
    let (all, _) = printed(server.ask(&["list"]).await, 0);
    assert!(all.starts_with("NAME ") && all.lines().count() == 4, "{all}");
    let (lab, _) = printed(server.ask(&["list", "lab/"]).await, 0);
    let names: Vec<_> = lab.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["lab/arm", "lab/camera"]);

    let (told, _) = printed(server.ask(&["lookup", "printer"]).await, 0);
    let field = |field: &str| {
        let line = told.lines().find(|line| line.split("  ").next() == Some(field));
        line.unwrap_or_else(|| panic!("{field} in {told}")).split_once("  ").unwrap().1.trim().to_owned()
    };
    assert_eq!(field("name"), "printer");
    assert_eq!(field("version"), "3");
    assert_eq!(field("interface"), "rmi-registry.Bank");
    assert_eq!(field("owner"), node.id().to_string());
    assert_eq!(field("addresses"), node.addresses()[0]);
    assert_eq!(field("binding"), bindings[2].id().to_string());
    assert_eq!(field("since"), bindings[2].entry().await.unwrap().since_utc());
    assert_eq!(field("stays"), "as long as its binder");

    let (out, _) = printed(server.ask(&["unbind", "printer"]).await, 0);
    assert_eq!(out, "unbound printer\n");
    printed(server.ask(&["lookup", "printer"]).await, 1);
    assert_eq!(printed(server.ask(&["list"]).await, 0).0.lines().count(), 3);
}

#[tokio::test]
async fn lookup_waits_for_a_name_if_it_is_told_to() {
    let server = Server::new().await;
    let (_, err) = printed(server.ask(&["lookup", "bank", "--wait", "--timeout", "0.3"]).await, 1);
    assert!(err.contains("`bank` within 0.3 s"), "{err}");
    let asked = server.ask(&["lookup", "bank", "--wait"]);
    let bound = async {
        sleep(Duration::from_millis(300)).await;
        bind(&server.address, &["bank"]).await
    };
    let (told, _bound) = tokio::join!(asked, bound);
    assert!(printed(told, 0).0.contains("bank"));
}

#[tokio::test]
async fn list_lookup_and_unbind_for_programs() {
    let server = Server::new().await;
    assert_eq!(printed(server.ask(&["--json", "list"]).await, 0).0, "[]\n");
    let (node, bindings) = bind(&server.address, &["a", "b"]).await;
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let list = json(&printed(server.ask(&["list", "--json"]).await, 0).0);
    let names: Vec<_> =
        list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);

    let (text, _) = printed(server.ask(&["lookup", "b", "--json"]).await, 0);
    assert_eq!(text.lines().count(), 1);
    let entry = json(&text);
    assert_eq!(entry["version"], 3);
    assert_eq!(entry["interface"], "rmi-registry.Bank");
    assert_eq!(entry["owner"], node.id().to_string());
    assert_eq!(entry["addresses"], serde_json::json!(node.addresses()));
    assert_eq!(entry["id"], bindings[1].id().to_string());
    assert_eq!(entry["kept"], false);
    assert!(entry["since"].as_u64() > Some(1_600_000_000_000), "{entry}");
    // What the library tells, and nothing else: above all, no reference.
    assert_eq!(entry, serde_json::to_value(bindings[1].entry().await.unwrap()).unwrap());
    assert_eq!(entry.as_object().unwrap().len(), 8, "{entry}");

    assert_eq!(json(&printed(server.ask(&["unbind", "b", "--json"]).await, 0).0), entry);
    let (out, err) = printed(server.ask(&["unbind", "b", "--json"]).await, 1);
    assert_eq!((out.as_str(), err.lines().count()), ("", 1), "{err}");
}

#[tokio::test]
async fn a_name_that_is_not_bound_is_exit_code_1() {
    let server = Server::new().await;
    for asked in [["lookup", "nothing"], ["unbind", "nothing"], ["lookup", "registry"]] {
        let (out, err) = printed(server.ask(&asked).await, 1);
        assert_eq!(out, "");
        assert!(err.lines().count() == 1 && err.contains(asked[1]) && err.contains(&server.address), "{err}");
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_exit_code_2() {
    for wrong in [
        &[][..],
        &["frobnicate"],
        &["lookup"],
        &["list", "--registry", "nonsense"],
        &["serve", "--listen", "nonsense"],
        &["serve", "--lease", "0"],
        &["serve", "--lease", "0.01", "--listen", "tcp://127.0.0.1:0"],
    ] {
        let (out, err) = printed(run(wrong).await, 2);
        assert!(out.is_empty() && !err.is_empty(), "{wrong:?}: {out} {err}");
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_exit_code_3() {
    let nobody = place();
    // A node that is no registry, something that is no node, and something that does not answer.
    let node = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let talker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("rmi://{}", talker.local_addr().unwrap());
    let talking = tokio::spawn(async move {
        while let Ok((mut stream, _)) = talker.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("rmi://{}", mute.local_addr().unwrap());
    for at in [&nobody, &node.addresses()[0], &other, &silent] {
        let (out, err) = printed(run(&["--registry", at, "--timeout", "1", "list"]).await, 3);
        assert_eq!((out.as_str(), err.lines().count()), ("", 1), "{err}");
        assert!(err.contains(at.split_once("://").unwrap().1), "{err} names {at}");
    }
    talking.abort();
}

#[tokio::test]
async fn an_address_in_use_is_one_clear_line_and_exit_code_4() {
    let server = Server::new().await;
    let (out, err) = printed(run(&["serve", "--listen", &server.address]).await, 4);
    assert_eq!(out, "");
    assert_eq!(err, format!("rmi-registry: cannot listen at {}: the address is in use\n", server.address));
}

#[tokio::test]
async fn the_registry_to_ask_comes_from_the_environment_unless_it_is_given() {
    let (one, two) = (Server::new().await, Server::new().await);
    let _bound = bind(&two.address, &["two"]).await;
    let url = two.address.replace("tcp://", "rmi://");
    let ask = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("RMI_REGISTRY", &url);
        async move { timeout(LIMIT, command.output()).await.unwrap().unwrap() }
    };
    printed(ask(&["lookup", "two"]).await, 0);
    printed(ask(&["lookup", "two", "--registry", &one.address]).await, 1);
}

#[tokio::test]
async fn help_tells_the_defaults_and_the_exit_codes() {
    let (help, _) = printed(run(&["--help"]).await, 0);
    for told in
        ["Exit codes", "  1  the name is not bound", "rmi://127.0.0.1:1099", "RMI_REGISTRY", "RUST_LOG"]
    {
        assert!(help.contains(told), "{told} in {help}");
    }
    let (help, _) = printed(run(&["serve", "--help"]).await, 0);
    assert!(help.contains("[default: tcp://127.0.0.1:1099]"), "{help}");
}

#[tokio::test]
async fn it_listens_at_several_addresses_and_tells_each() {
    let unix = place();
    let mut command = command(&["serve", "--json", "--listen", "tcp://127.0.0.1:0", "--listen", &unix]);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let addresses: Vec<_> =
        told["listening"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    assert_eq!(addresses[1], unix);
    let _bound = bind(addresses[0], &["bank"]).await;
    printed(run(&["--registry", &unix, "lookup", "bank"]).await, 0);
    stop(&mut child, "TERM").await;
    assert!(
        !std::path::Path::new(unix.trim_start_matches("unix://")).exists(),
        "the socket's file is removed"
    );

    let advertised =
        Server::start(&["serve", "--listen", "tcp://127.0.0.1:0", "--advertise", "tcp://bank.example:7"])
            .await;
    assert_eq!(advertised.address, "tcp://bank.example:7");
}

/// Sends a signal and waits for the end, which is exit code 0.
async fn stop(child: &mut Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().await.unwrap();
    assert!(sent.success());
    let status = timeout(LIMIT, child.wait()).await.expect("it does not stop").unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test]
async fn it_stops_cleanly_on_ctrl_c_and_on_sigterm() {
    for signal in ["INT", "TERM"] {
        let at = place();
        let mut server = Server::start(&["serve", "--listen", &at]).await;
        let (node, bindings) = bind(&at, &["bank"]).await;
        let peer = node.connect(&at).await.unwrap();
        stop(&mut server.child, signal).await;
        // Its peers were told, rather than left with a connection that broke.
        let reason = timeout(LIMIT, peer.closed()).await.unwrap();
        assert!(reason.contains("shutting down"), "{reason}");
        let mut err = String::new();
        server.child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!(err, "", "a stop that was asked for is nothing to complain about");
        drop(bindings);
        // The place is free for the next one.
        let mut again = Server::start(&["serve", "--listen", &at]).await;
        assert_eq!(printed(again.ask(&["list"]).await, 0).0, "");
        stop(&mut again.child, signal).await;
    }
}

#[tokio::test]
async fn garbage_on_its_port_does_not_hurt() {
    let mut server = Server::new().await;
    let _bound = bind(&server.address, &["bank"]).await;
    let at = server.address.trim_start_matches("tcp://").to_owned();
    let mut oversized = b"RMI\x01".to_vec();
    oversized.extend([0xff; 64]);
    let mut truncated = b"RMI\x01".to_vec();
    truncated.extend([0, 0, 0, 40, 1, 0, 1]);
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (noise >> 33) as u8
    };
    let random: Vec<u8> = b"RMI\x01\0\0\0\x20".iter().copied().chain((0..4096).map(|_| random())).collect();
    let mut open = Vec::new();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0", b"", &oversized, &truncated, &random] {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(&at).await.unwrap();
            // It may hang up before all of it is written.
            let _ = stream.write_all(garbage).await;
            open.push(stream);
        }
    }
    printed(server.ask(&["lookup", "bank"]).await, 0);
    drop(open);
    printed(server.ask(&["lookup", "bank"]).await, 0);
    assert_eq!(server.child.try_wait().unwrap(), None, "it runs on");
}

#[tokio::test]
async fn its_lease_is_what_was_asked_for() {
    let server = Server::start(&["serve", "--listen", "tcp://127.0.0.1:0", "--lease", "1"]).await;
    // A binder that is gone from one moment to the next: its runtime ends, and nothing of it is ever dropped.
    let address = server.address.clone();
    let binder = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        std::mem::forget(runtime.block_on(bind(&address, &["bank"])));
    });
    binder.join().unwrap();
    printed(server.ask(&["lookup", "bank"]).await, 0);
    let gone = async {
        while server.ask(&["lookup", "bank"]).await.status.code() != Some(1) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // Its default would be 30 s.
    timeout(LIMIT, gone).await.expect("the name goes with the lease");
}

#[tokio::test]
async fn it_keeps_as_many_names_as_was_asked_for() {
    let server = Server::start(&["serve", "--listen", "tcp://127.0.0.1:0", "--max-entries", "1"]).await;
    let (node, _bindings) = bind(&server.address, &["one"]).await;
    let registry = Registry::connect(&node, &server.address).await.unwrap();
    let error = registry.bind("two", &BankProxy::new(Poor)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Full { limit: 1, .. }), "{error}");
}

#[tokio::test]
async fn logs_go_to_stderr_by_rust_log() {
    for (level, logged) in [("info", true), ("warn", false)] {
        let mut command = command(&["serve", "--listen", "tcp://127.0.0.1:0"]);
        command.env("RUST_LOG", level);
        let mut server = Server::of(command).await;
        let _bound = bind(&server.address, &["bank"]).await;
        stop(&mut server.child, "TERM").await;
        let mut err = String::new();
        server.child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!(err.contains("bound"), logged, "{level}: {err}");
        assert!(!err.contains('\u{1b}'), "no colours where no terminal is: {err}");
    }
}

#[tokio::test]
async fn what_peers_say_does_not_drive_the_terminal() {
    let server = Server::new().await;
    let node = Node::builder().advertise("tcp://red\u{1b}[31m:1").start().await.unwrap();
    let registry: RegistryServiceProxy = node.root(&server.address, ROOT).await.unwrap();
    let _bound = registry.bind("evil", (&BankProxy::new(Poor)).into(), BindOptions::default()).await.unwrap();
    for asked in [&["list"][..], &["lookup", "evil"], &["lookup", "evil", "--json"], &["list", "--json"]] {
        let (out, _) = printed(server.ask(asked).await, 0);
        assert!(out.contains("red") && !out.contains('\u{1b}'), "{out:?}");
    }
    let (_, err) = printed(server.ask(&["lookup", "a\u{1b}[31mb"]).await, 1);
    assert!(!err.contains('\u{1b}'), "{err:?}");
}
