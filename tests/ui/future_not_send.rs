use std::rc::Rc;

use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn balance(&self) -> Result<u64, RemoteError>;
    async fn twice(&self) -> Result<u64, RemoteError> {
        let factor = Rc::new(2);
        let balance = self.balance().await?;
        Ok(balance * *factor)
    }
}

struct Servant;

impl Account for Servant {
    async fn balance(&self) -> Result<u64, RemoteError> {
        let balance = Rc::new(1);
        std::future::ready(()).await;
        Ok(*balance)
    }
}

fn main() {}
