//! A chat room. Members give it an object to be called back at, and leave by letting their seat go: the room has no code for
//! members who leave, crash or are cut off. When nobody holds a `Seat` any more, at once or at the end of a lease, its
//! servant is dropped, and its `Drop` is all there is to leaving. Run it with `cargo run --example chat`.

use std::sync::Arc;

use parking_lot::Mutex;
use rmi::{Node, RemoteError, remote};
use tokio::{sync::mpsc, task::JoinSet};

#[remote]
trait Room {
    /// Takes a seat. As long as it is held, `listener` is told what is said.
    async fn join(&self, name: &str, listener: ListenerProxy) -> Result<SeatProxy, RemoteError>;
}

#[remote]
trait Seat {
    async fn say(&self, text: &str) -> Result<usize, RemoteError>;
}

#[remote]
trait Listener {
    async fn hear(&self, line: &str) -> Result<(), RemoteError>;
}

/// The room's servant, shared with its seats: the listeners of those who are there.
#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<Vec<ListenerProxy>>>);

impl Listeners {
    /// Calls all at the same time. Who cannot be reached does not hear it.
    async fn tell(&self, line: &str) -> usize {
        let (listeners, mut calls) = (self.0.lock().clone(), JoinSet::new());
        for listener in listeners {
            let line = line.to_owned();
            calls.spawn(async move { listener.hear(&line).await });
        }
        calls.join_all().await.iter().filter(|heard| heard.is_ok()).count()
    }
}

impl Room for Listeners {
    async fn join(&self, name: &str, listener: ListenerProxy) -> Result<SeatProxy, RemoteError> {
        self.0.lock().push(listener.clone());
        self.tell(&format!("* {name} is here")).await;
        Ok(SeatProxy::new(TakenSeat { name: name.to_owned(), listener, room: self.clone() }))
    }
}

struct TakenSeat {
    name: String,
    listener: ListenerProxy,
    room: Listeners,
}

impl Seat for TakenSeat {
    async fn say(&self, text: &str) -> Result<usize, RemoteError> {
        Ok(self.room.tell(&format!("{}: {text}", self.name)).await)
    }
}

impl Drop for TakenSeat {
    fn drop(&mut self) {
        self.room.0.lock().retain(|listener| *listener != self.listener);
        let (room, line) = (self.room.clone(), format!("* {} has left", self.name));
        tokio::spawn(async move { room.tell(&line).await });
    }
}

impl Listener for mpsc::Sender<String> {
    async fn hear(&self, line: &str) -> Result<(), RemoteError> {
        let _ = self.send(line.to_owned()).await; // the member may have stopped reading
        Ok(())
    }
}

/// A member has a node of its own, which accepts no connections, and listens at a channel.
struct Member {
    node: Node,
    seat: SeatProxy,
    heard: mpsc::Receiver<String>,
}

impl Member {
    async fn join(address: &str, name: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let node = Node::builder().start().await?;
        let room: RoomProxy = node.root(address, "room").await?;
        let (listener, heard) = mpsc::channel(100);
        let seat = room.join(name, ListenerProxy::new(listener)).await?;
        Ok(Self { node, seat, heard })
    }

    async fn hears(&mut self, expected: &str) {
        let line = self.heard.recv().await;
        println!("{}", line.as_deref().unwrap_or_default());
        assert_eq!(line.as_deref(), Some(expected));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    host.publish("room", &RoomProxy::new(Listeners::default()));
    let address = &host.addresses()[0];
    let mut alice = Member::join(address, "alice").await?;
    let bob = Member::join(address, "bob").await?;
    let carol = Member::join(address, "carol").await?;
    assert_eq!(bob.seat.say("good morning").await?, 3);
    for line in ["* alice is here", "* bob is here", "* carol is here", "bob: good morning"] {
        alice.hears(line).await;
    }
    drop(bob.seat); // Bob lets his seat go; Carol switches her computer off.
    alice.hears("* bob has left").await;
    drop(carol.node);
    alice.hears("* carol has left").await;
    assert_eq!(alice.seat.say("anybody there?").await?, 1);
    Ok(())
}
