//! Keeps a link going, over as many connections as it takes.

use std::sync::Arc;
use std::time::Duration;

use crate::node::clock;
use crate::node::connection::handshake::{Connection, NoSession, handshake};
use crate::node::connection::pump::pump;
use crate::node::connection::resume::{self, Retries, Return};
use crate::node::dispatch::Inbox;
use crate::node::link::{Link, Reason};
use crate::pool;
use crate::session::Role;
use crate::transport::Stream;

/// Makes the handshake of a side that did not dial, and keeps the link going until it is closed. What comes to resume another
/// link is handed over to that.
pub(crate) async fn run(link: Arc<Link>, stream: Stream, role: Role, limit: Duration) {
    // In memory that it gives back.
    match Box::pin(handshake(&link, stream, role, limit)).await {
        Ok(connection) => live(link, connection, Return::Wait).await,
        Err(NoSession::OtherNode(text)) => link.close(Reason::Refused(text)),
        Err(NoSession::Failed(reason)) => link.close(reason),
        Err(NoSession::Resume(resume, connection)) => {
            link.close(Reason::Broken("it was made to resume a session".into()));
            resume::hand_over(&link.core, resume, *connection, limit).await;
        }
    }
}

/// Closes the link of a task that ended in any other way: without it callers would wait for ever.
struct CloseOnDrop(Arc<Link>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close(Reason::Broken("the task of the session ended".into()));
    }
}

/// Pumps until the link is closed. What was half received stays while a connection is replaced by another.
pub(crate) async fn live(link: Arc<Link>, first: Connection, back: Return) {
    let _guard = CloseOnDrop(link.clone());
    let mut inbox = Inbox::new(link.core.settings.limits.partial);
    let mut connection = first;
    let mut retries = Retries::default();
    loop {
        let reason;
        (reason, inbox) = pump(&link, connection, inbox).await;
        retries.after(link.look(|session| session.delivered()));
        connection = match Box::pin(resume::reconnect(&link, &back, reason, &mut retries)).await {
            Ok(connection) => connection,
            Err(reason) => {
                // With the last session nobody would look any more.
                pool::trim(clock::now());
                return link.close(reason);
            }
        };
    }
}
