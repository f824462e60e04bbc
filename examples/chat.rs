//! A chat room: members give the room an object to be called back at, and leave by letting their seat go.
//!
//! The room has no code for members that leave, crash or are cut off: a member holds a `Seat`, and when nobody
//! holds it any more, at once or at the end of a lease, the servant is dropped. Its `Drop` is all there is to leaving.
//!
//! Run it with `cargo run --example chat`.

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use parking_lot::Mutex;
use rmi::{Node, RemoteError, remote};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

#[remote]
trait Room {
    /// Takes a seat. What is said from then on is told to `listener`, as long as the seat is held.
    async fn join(&self, name: &str, listener: ListenerProxy) -> Result<SeatProxy, ChatError>;
}

#[remote]
trait Seat {
    /// Says something to all members, and returns how many heard it.
    async fn say(&self, text: &str) -> Result<usize, ChatError>;
}

#[remote]
trait Listener {
    async fn hear(&self, line: &str) -> Result<(), RemoteError>;
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum ChatError {
    #[error("the name `{0}` is taken")]
    NameTaken(String),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// The room's servant, shared with its seats.
#[derive(Clone, Default)]
struct ChatRoom(Arc<Mutex<BTreeMap<String, ListenerProxy>>>);

impl ChatRoom {
    /// Calls all members at the same time. Who cannot be reached just does not hear it.
    async fn tell(&self, line: &str) -> usize {
        let mut calls = JoinSet::new();
        for listener in self.0.lock().values().cloned() {
            let line = line.to_owned();
            calls.spawn(async move { listener.hear(&line).await });
        }
        calls.join_all().await.iter().filter(|heard| heard.is_ok()).count()
    }
}

impl Room for ChatRoom {
    async fn join(&self, name: &str, listener: ListenerProxy) -> Result<SeatProxy, ChatError> {
        match self.0.lock().entry(name.to_owned()) {
            Entry::Occupied(_) => return Err(ChatError::NameTaken(name.to_owned())),
            Entry::Vacant(free) => free.insert(listener),
        };
        self.tell(&format!("* {name} is here")).await;
        Ok(SeatProxy::new(TakenSeat { name: name.to_owned(), room: self.clone() }))
    }
}

struct TakenSeat {
    name: String,
    room: ChatRoom,
}

impl Seat for TakenSeat {
    async fn say(&self, text: &str) -> Result<usize, ChatError> {
        Ok(self.room.tell(&format!("{}: {text}", self.name)).await)
    }
}

impl Drop for TakenSeat {
    fn drop(&mut self) {
        self.room.0.lock().remove(&self.name);
        let (room, line) = (self.room.clone(), format!("* {} has left", self.name));
        tokio::spawn(async move { room.tell(&line).await });
    }
}

/// A member's listener: an object of the member's own node, which needs no listening socket to be called back.
struct Ear(mpsc::UnboundedSender<String>);

impl Listener for Ear {
    async fn hear(&self, line: &str) -> Result<(), RemoteError> {
        let _ = self.0.send(line.to_owned()); // nobody reads it any more: so be it
        Ok(())
    }
}

/// A member: a node of its own, its seat in the room, and the lines it hears.
struct Member {
    node: Node,
    seat: SeatProxy,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Member {
    async fn join(address: &str, name: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let node = Node::builder().start().await?;
        let room: RoomProxy = node.root(address, "room").await?;
        let (ear, heard) = mpsc::unbounded_channel();
        let seat = room.join(name, ListenerProxy::new(Ear(ear))).await?;
        Ok(Self { node, seat, heard })
    }

    async fn hears(&mut self, expected: &str) {
        let line = self.heard.recv().await;
        println!("{}", line.as_deref().unwrap_or("(silence)"));
        assert_eq!(line.as_deref(), Some(expected));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    host.publish("room", &RoomProxy::new(ChatRoom::default()));
    let address = host.addresses().remove(0);

    let mut alice = Member::join(&address, "alice").await?;
    alice.hears("* alice is here").await;
    let bob = Member::join(&address, "bob").await?;
    alice.hears("* bob is here").await;
    let carol = Member::join(&address, "carol").await?;
    alice.hears("* carol is here").await;
    let taken = Member::join(&address, "bob").await.err().map(|error| error.to_string());
    assert_eq!(taken.as_deref(), Some("the name `bob` is taken"));

    assert_eq!(bob.seat.say("good morning").await?, 3);
    alice.hears("bob: good morning").await;

    drop(bob.seat); // Bob leaves: he only lets his seat go.
    alice.hears("* bob has left").await;
    drop(carol.node); // Carol's node stops, without a word to the room.
    alice.hears("* carol has left").await;
    assert_eq!(alice.seat.say("anybody there?").await?, 1);
    alice.hears("alice: anybody there?").await;

    alice.node.shutdown().await;
    host.shutdown().await;
    Ok(())
}
