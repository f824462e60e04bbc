use std::cell::Cell;

use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn balance(&self) -> Result<u64, RemoteError>;
}

struct NotSync(Cell<u64>);

impl Account for NotSync {
    async fn balance(&self) -> Result<u64, RemoteError> {
        Ok(self.0.get())
    }
}

struct Incomplete;

impl Account for Incomplete {}

struct NotAccount;

fn main() {
    let _ = AccountProxy::new(NotAccount);
    let _: AccountProxy = rmi::Proxy::from_arc(std::sync::Arc::new(NotAccount));
}
