//! Who writes when. It mirrors `node/sending.rs`: whoever leaves something in a session writes it, or sees to it.

use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::Timeout;

use crate::invariant::Invariant;
use crate::world::World;

/// Who asks whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Others like it may be about to write, too.
    OneOfMany,
    /// The reader, when it has handled what has arrived.
    Reader,
}

impl World {
    /// Writes what was left in a session, or wakes the writer for it.
    pub fn send_as(&mut self, key: SessionKey, who: Who) {
        let Some(link) = self.links.get(&key) else { return };
        let session = &link.session;
        if !session.has_output() {
            if session.is_due() {
                self.wake(key);
            }
            return;
        }
        if link.rest.is_some() {
            return; // The writer knows.
        }
        let at_once = who == Who::Reader || session.is_quiet() || session.has_enough();
        let connected = session.is_open() && link.shake.is_none() && link.conn.is_some();
        // Some connections take only what the writer can wait for.
        let patient = !self.config.scripted && self.rng.chance(20);
        if at_once && connected && !patient {
            self.write_at_once(key);
        }
        if self.links.get(&key).is_some_and(|link| link.rest.is_some() || link.session.is_due()) {
            self.wake(key);
        }
    }

    fn write_at_once(&mut self, key: SessionKey) {
        let Some(link) = self.links.get(&key) else { return };
        let (local, conn) = (self.local(link.node), link.conn);
        let output = self.with_quietly(key, |session| session.poll_output(local)).flatten();
        let Some(output) = output.map(|output| output.concat()) else { return };
        if self.with_quietly(key, |session| session.handle_timeout(local)) == Some(Timeout::HolderEnd) {
            self.violate(Invariant::L2, || format!("link {key} sends, and its lease is over"));
        }
        // Now and then the system has no room: the writer waits for it, and the connection may break meanwhile.
        if !self.config.scripted && self.rng.chance(5) {
            self.reach("output that waits for the writer");
            if let (Some(link), Some((conn, _))) = (self.links.get_mut(&key), conn) {
                link.rest = Some((conn, output));
            }
            return;
        }
        self.reach("a write without the writer");
        self.send(key, &output);
        self.check_numbers(key);
    }
}
