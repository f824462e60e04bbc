//! Accepts connections until the node ends.

use std::sync::Arc;
use std::time::Duration;

use crate::node::connection::driver;
use crate::node::core::Core;
use crate::node::link::{Link, Origin};
use crate::session::Role;
use crate::transport::{Listener, Stream};

/// The pause after the system could not accept, as when it is out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn accept(core: Arc<Core>, mut listener: Listener) {
    let mut stop = core.stop.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok(stream) => serve(&core, stream),
            Err(error) => {
                tracing::warn!(node = %core.id, %error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Somebody connected.
pub(crate) fn serve(core: &Arc<Core>, stream: Stream) {
    // Those still in their handshakes are bounded, too: beyond twice the limit nobody is even refused politely.
    if core.inbound_sessions() >= core.settings.max_sessions.saturating_mul(2) {
        return;
    }
    let link = Link::new(core, "a node that connected".into(), Origin::Accepted);
    core.add_link(&link);
    core.spawn(driver::run(link.clone(), stream, Role::Accept, core.settings.handshake_timeout));
    core.close_if_stopped(&link);
}
