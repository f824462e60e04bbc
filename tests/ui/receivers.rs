use std::sync::Arc;

use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn exclusive(&mut self) -> Result<(), RemoteError>;
    async fn consuming(self) -> Result<(), RemoteError>;
    async fn shared(self: Arc<Self>) -> Result<(), RemoteError>;
    async fn typed(self: &Self) -> Result<(), RemoteError>;
    async fn named<'a>(&'a self) -> Result<(), RemoteError>;
    async fn none(amount: u64) -> Result<(), RemoteError>;
    async fn fine(&self) -> Result<(), RemoteError>;
}

struct Servant;

impl Account for Servant {
    async fn exclusive(&mut self) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn consuming(self) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn shared(self: Arc<Self>) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn typed(self: &Self) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn named<'a>(&'a self) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn none(_amount: u64) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn fine(&self) -> Result<(), RemoteError> {
        Ok(())
    }
}

fn main() {
    let proxy = AccountProxy::new(Servant);
    let _ = proxy.fine();
}
