//! What happens at some time, and to whom.

use rmi_core::internal::gc::SessionKey;

use crate::world::World;

/// What happens at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An application or a fault does something.
    Act,
    /// A frame of `ends[from]` arrives.
    Deliver { conn: usize, from: usize },
    /// `ends[end]` notices that its connection is gone.
    Broken { conn: usize, end: usize },
    /// The writer of a link runs.
    Write { link: SessionKey },
    /// The next address of a link is dialed.
    Dial { link: SessionKey },
    /// The next address of a detached session is dialed, unless there is another plan.
    Redial { link: SessionKey, plan: u64 },
    /// The time for an attempt to resume is over.
    ResumeOver { link: SessionKey, conn: usize },
    /// A new connection takes the place of the old one.
    TakeOver { link: SessionKey },
    /// A connection breaks.
    Break,
    /// The time for a handshake is over.
    HandshakeOver { link: SessionKey, conn: usize },
    /// A servant is done.
    Finish { running: u64 },
    /// A node that shuts down looks whether it may go on.
    WindUp { node: usize, rounds: u32 },
    /// A new node starts where another was.
    Restart { slot: usize },
}

impl World {
    /// What a stopped node would do waits. Returns until when.
    pub fn sleeps(&self, event: &Event) -> Option<u64> {
        let of = |link: &SessionKey| self.links.get(link).map(|link| link.node);
        let node = match event {
            Event::Deliver { conn, from } => Some(self.conns[*conn].ends[1 - *from].node),
            Event::Broken { conn, end } => Some(self.conns[*conn].ends[*end].node),
            Event::Write { link }
            | Event::Dial { link }
            | Event::Redial { link, .. }
            | Event::ResumeOver { link, .. }
            | Event::TakeOver { link }
            | Event::HandshakeOver { link, .. } => of(link),
            Event::Finish { running } => self.running.get(running).map(|running| running.node),
            Event::WindUp { node, .. } => Some(*node),
            Event::Act | Event::Break | Event::Restart { .. } => None,
        };
        self.stopped.get(&node?).copied().filter(|until| self.now < *until)
    }

    pub fn sleep(&mut self, event: Event, until: u64) {
        if let Event::Write { link } = event
            && let Some(link) = self.links.get_mut(&link)
        {
            if link.write_at != Some(self.now) {
                return; // An earlier wake came in between.
            }
            link.write_at = Some(until);
        }
        self.at(until, event);
    }
}
