//! Whatever happens, a process of a benchmark ends.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

/// How a server, client or helper ends by itself.
#[derive(Args, Clone, Debug)]
pub struct Life {
    /// End after so many seconds, whatever is under way.
    #[arg(long, default_value_t = 300.0)]
    pub max_seconds: f64,
    /// End when stdin does: when whoever started this is gone.
    #[arg(long)]
    pub leash: bool,
}

impl Life {
    /// Of a helper of a client. One that takes its leave by itself is not on the leash.
    pub const fn helper(leash: bool) -> Self {
        Self { max_seconds: 300.0, leash }
    }

    pub fn watch(&self) {
        let seconds = self.max_seconds;
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            eprintln!("over the limit of {seconds} s");
            std::process::exit(3);
        });
        if self.leash {
            std::thread::spawn(|| {
                wait_for_end_of_stdin();
                std::process::exit(0);
            });
        }
    }
}

pub fn wait_for_end_of_stdin() {
    let mut buffer = [0; 64];
    while std::io::stdin().read(&mut buffer).is_ok_and(|read| read > 0) {}
}

/// Tells whoever started this that it can be used, and where.
pub fn ready(address: SocketAddr) {
    say(&format!("READY {} {address}", std::process::id()));
}

/// A line of output at once, also into a pipe.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: there is nobody to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
