//! Dialing: from an address or an owner to an open session.

use std::sync::Arc;
use std::time::Duration;

use crate::id::NodeId;
use crate::node::core::Core;
use crate::node::driver;
use crate::node::link::{Link, Reason};
use crate::session::Role;
use crate::transport::{Address, Stream, dial};

/// The first pause before an owner that did not answer is asked again by itself; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Connects a link to whoever listens at `address`.
pub(crate) async fn to_address(link: Arc<Link>, address: Address) {
    match connect(&link.core, &address).await {
        Ok(stream) => driver::run(link, stream, Role::Dial(None)).await,
        Err(reason) => link.close(Reason::Unreachable(reason)),
    }
}

/// Connects a link to its owner: the first address at which that very node answers.
pub(crate) async fn to_owner(link: Arc<Link>, owner: NodeId, addresses: Arc<[String]>, attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(FIRST_PAUSE * 2u32.pow(attempt.min(8) - 1)).await;
    }
    let mut tried = Vec::new();
    let mut replaced = true;
    for address in addresses.iter() {
        let outcome = match address.parse() {
            Ok(parsed) => connect(&link.core, &parsed).await,
            Err(reason) => Err(reason),
        };
        let reason = match outcome {
            Err(reason) => {
                replaced = false;
                reason
            }
            Ok(stream) => match driver::handshake(&link, stream, Role::Dial(Some(owner))).await {
                Ok(connection) => return driver::pump(link, connection).await,
                Err(driver::NoSession::OtherNode(text)) => text,
                Err(driver::NoSession::Failed(reason)) => {
                    replaced = false;
                    reason.to_string()
                }
            },
        };
        tried.push(format!("{address}: {reason}"));
    }
    let tried = tried.join("; ");
    link.close(if replaced { Reason::Replaced(tried) } else { Reason::Unreachable(tried) });
}

async fn connect(core: &Core, address: &Address) -> Result<Stream, String> {
    let limit = core.settings.reconnect_window;
    match tokio::time::timeout(limit, dial(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection within {limit:?}")),
    }
}
