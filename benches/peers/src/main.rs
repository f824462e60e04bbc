//! `peers server PEER ADDR` | `peers client PEER ADDR WORKLOAD` | `peers table FILE...`
//!
//! PEER may carry `:ct` (current-thread runtime) or `:mt` (multi-thread, one worker per core).
//! To add a peer: a module with `server` and `client` in `peers/`, and a line in each match below.

#[cfg(feature = "others")]
#[allow(clippy::all, dead_code)]
#[path = "generated/bench_capnp.rs"]
mod bench_capnp;
mod harness;
mod peers;
mod table;

use std::future::Future;

fn runtime(mode: &str) -> tokio::runtime::Runtime {
    match mode {
        "mt" => tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap(),
        _ => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
    }
}

/// On the multi-thread runtime the main future would run outside the workers: spawn it instead.
fn run<T: Send + 'static>(mode: &str, f: impl Future<Output = T> + Send + 'static) -> T {
    let rt = runtime(mode);
    let out = rt.block_on(async move { tokio::spawn(f).await.expect("main task") });
    rt.shutdown_background();
    out
}

#[cfg(feature = "others")]
fn run_local<T>(f: impl Future<Output = T>) -> T {
    let rt = runtime("ct");
    tokio::task::LocalSet::new().block_on(&rt, f)
}

/// Whatever happens, this process ends.
fn watchdog(secs: f64) {
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs_f64(secs));
        eprintln!("watchdog: {secs} s are over");
        std::process::exit(3);
    });
}

pub fn ready() {
    println!("READY {}", std::process::id());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize| args.get(i).map(String::as_str).unwrap_or_else(|| {
        eprintln!("usage: peers server PEER ADDR | peers client PEER ADDR WORKLOAD | peers table FILE...");
        std::process::exit(2);
    });
    if arg(0) == "table" {
        return table::table(&args[1..]);
    }
    let (peer, mode) = arg(1).split_once(':').unwrap_or((arg(1), "ct"));
    let (peer, mode) = (peer.to_string(), mode.to_string());
    let addr: std::net::SocketAddr = arg(2).parse().expect("ADDR");
    assert!(addr.ip().is_loopback(), "loopback only");
    match arg(0) {
        "server" => {
            watchdog(harness::env_f64("SERVER_MAX_S", 300.0));
            server(&peer, &mode, addr)
        }
        "client" => {
            watchdog(harness::env_f64("CLIENT_MAX_S", 150.0));
            let spec = harness::spec(arg(3));
            let Some(mut v) = client(&peer, &mode, addr, spec) else {
                eprintln!("{peer} has no {}", spec.name);
                std::process::exit(4);
            };
            v["peer"] = peer.into();
            v["mode"] = mode.into();
            println!("{v}");
            std::process::exit(0);
        }
        other => panic!("no command {other}"),
    }
}

fn server(peer: &str, mode: &str, addr: std::net::SocketAddr) {
    use peers::*;
    match peer {
        "raw-std" => raw::server_std(addr),
        "raw-tokio" => run(mode, raw::server(addr)),
        "mini" => run(mode, mini::server(addr)),
        "rmi" | "rmi-vec" => run(mode, rmi::server(addr)),
        #[cfg(feature = "others")]
        "tarpc-bincode" => run(mode, tarpc::server::<tarpc::Bincode>(addr)),
        #[cfg(feature = "others")]
        "tarpc-msgpack" => run(mode, tarpc::server::<tarpc::MsgPack>(addr)),
        #[cfg(feature = "others")]
        "remoc" => run(mode, remoc::server::<::remoc::codec::Default>(addr)),
        #[cfg(feature = "others")]
        "remoc-slim" => run(mode, remoc::server::<::remoc::codec::PostbagSlim>(addr)),
        #[cfg(feature = "others")]
        "remoc-bincode" => run(mode, remoc::server::<::remoc::codec::Bincode>(addr)),
        #[cfg(feature = "others")]
        "remoc-postcard" => run(mode, remoc::server::<::remoc::codec::Postcard>(addr)),
        #[cfg(feature = "others")]
        "remoc-msgpack" => run(mode, remoc::server::<::remoc::codec::MessagePack>(addr)),
        #[cfg(feature = "others")]
        "capnp" => run_local(capnp::server(addr)),
        #[cfg(feature = "others")]
        "tonic" => run(mode, tonic::server(addr)),
        _ => panic!("no peer {peer}"),
    }
}

fn client(peer: &str, mode: &str, addr: std::net::SocketAddr, spec: harness::Spec) -> Option<serde_json::Value> {
    use peers::*;
    match peer {
        "raw-std" => raw::client_std(addr, spec),
        "raw-tokio" => run(mode, raw::client(addr, spec)),
        "mini" => run(mode, mini::client(addr, spec)),
        "rmi" => run(mode, rmi::client(addr, spec, false)),
        "rmi-vec" => run(mode, rmi::client(addr, spec, true)),
        #[cfg(feature = "others")]
        "tarpc-bincode" => run(mode, tarpc::client::<tarpc::Bincode>(addr, spec)),
        #[cfg(feature = "others")]
        "tarpc-msgpack" => run(mode, tarpc::client::<tarpc::MsgPack>(addr, spec)),
        #[cfg(feature = "others")]
        "remoc" => run(mode, remoc::client::<::remoc::codec::Default>(addr, spec)),
        #[cfg(feature = "others")]
        "remoc-slim" => run(mode, remoc::client::<::remoc::codec::PostbagSlim>(addr, spec)),
        #[cfg(feature = "others")]
        "remoc-bincode" => run(mode, remoc::client::<::remoc::codec::Bincode>(addr, spec)),
        #[cfg(feature = "others")]
        "remoc-postcard" => run(mode, remoc::client::<::remoc::codec::Postcard>(addr, spec)),
        #[cfg(feature = "others")]
        "remoc-msgpack" => run(mode, remoc::client::<::remoc::codec::MessagePack>(addr, spec)),
        #[cfg(feature = "others")]
        "capnp" => run_local(capnp::client(addr, spec)),
        #[cfg(feature = "others")]
        "tonic" => run(mode, tonic::client(addr, spec)),
        _ => panic!("no peer {peer}"),
    }
}
