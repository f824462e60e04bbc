//! A relay of bytes that counts the frames in them (PROTOCOL 2.2).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// `PREFACE` of PROTOCOL 2.1.
const PREFACE: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    In,
    Out,
}

/// Frames by connection (in the order in which they were made), direction and kind.
type Frames = Arc<Mutex<BTreeMap<(usize, Direction, u8), u64>>>;

pub struct Tap {
    pub address: SocketAddr,
    target: Arc<OnceLock<SocketAddr>>,
    frames: Frames,
}

impl Tap {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (target, frames) = (Arc::new(OnceLock::new()), Frames::default());
        let tap = Self { address: listener.local_addr()?, target: target.clone(), frames: frames.clone() };
        tokio::spawn(accept(listener, target, frames));
        Ok(tap)
    }

    pub fn lead_to(&self, target: SocketAddr) {
        self.target.get_or_init(|| target);
    }

    /// The frames so far by names as `A>B Call`; `from`: who made the first connection, and all others.
    pub fn counts(&self, from: [&str; 2], to: &str) -> Vec<(String, u64)> {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |connection: usize, direction, kind| {
            let from = from[connection.min(1)];
            match direction {
                Direction::In => format!("{from}>{to} {}", kind_name(kind)),
                Direction::Out => format!("{to}>{from} {}", kind_name(kind)),
            }
        };
        frames
            .iter()
            .map(|((connection, direction, kind), n)| (name(*connection, *direction, *kind), *n))
            .collect()
    }
}

/// Numbered frames: Ack, Ping and Pong depend on the time that passes.
pub fn total(counts: &BTreeMap<String, f64>) -> f64 {
    let is_numbered = |name: &str| ![" Ack", " Ping", " Pong"].iter().any(|kind| name.ends_with(kind));
    counts.iter().filter(|(name, _)| is_numbered(name)).map(|(_, n)| n).sum()
}

fn kind_name(kind: u8) -> String {
    let names = [
        (1, "Hello"),
        (2, "Welcome"),
        (8, "Ack"),
        (9, "Ping"),
        (10, "Pong"),
        (16, "Root"),
        (17, "Call"),
        (18, "Reply"),
        (19, "Dirty"),
        (20, "Held"),
        (21, "Gone"),
        (22, "Clean"),
        (23, "Unpin"),
        (24, "Bye"),
        (25, "More"),
        (32, "Cancel"),
    ];
    let name = names.iter().find(|(number, _)| *number == kind);
    name.map_or_else(|| format!("kind {kind}"), |(_, name)| (*name).to_owned())
}

async fn accept(listener: TcpListener, target: Arc<OnceLock<SocketAddr>>, frames: Frames) -> Result<()> {
    for connection in 0.. {
        let (inner, _) = listener.accept().await?;
        let outer = TcpStream::connect(*target.get().context("no target yet")?).await?;
        inner.set_nodelay(true)?;
        outer.set_nodelay(true)?;
        let (from_inner, to_inner) = inner.into_split();
        let (from_outer, to_outer) = outer.into_split();
        tokio::spawn(relay(from_inner, to_outer, frames.clone(), connection, Direction::In));
        tokio::spawn(relay(from_outer, to_inner, frames.clone(), connection, Direction::Out));
    }
    Ok(())
}

/// Ends with its connection.
async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    frames: Frames,
    connection: usize,
    direction: Direction,
) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut heads = Heads::default();
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        heads.feed(&buffer[..read], |kind| {
            let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
            *frames.entry((connection, direction, kind)).or_default() += 1;
        });
        to.write_all(&buffer[..read]).await?;
    }
}

/// Finds the heads of frames in a stream, however it is cut.
struct Heads {
    /// Bytes until the next head.
    skip: usize,
    head: Vec<u8>,
}

impl Default for Heads {
    fn default() -> Self {
        Self { skip: PREFACE, head: Vec::with_capacity(5) }
    }
}

impl Heads {
    /// Calls `each` with the kind of each frame whose head is complete.
    fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(u8)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let Some((byte, rest)) = bytes.split_first() else { return };
            self.head.push(*byte);
            bytes = rest;
            if let Some((length, [kind])) = self.head.split_first_chunk::<4>() {
                // The length counts the kind.
                self.skip = (u32::from_be_bytes(*length) as usize).saturating_sub(1);
                each(*kind);
                self.head.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_stream_is_cut() {
        let stream =
            [b"RMI\x01".as_slice(), &[0, 0, 0, 1, 9], &[0, 0, 0, 3, 17, 1, 2], &[0, 0, 0, 2, 18, 7]].concat();
        for cut in 1..=stream.len() {
            let (mut heads, mut kinds) = (Heads::default(), Vec::new());
            stream.chunks(cut).for_each(|part| heads.feed(part, |kind| kinds.push(kind)));
            assert_eq!(kinds, [9, 17, 18], "in parts of {cut}");
        }
    }
}
