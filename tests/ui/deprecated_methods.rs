#![deny(warnings)]

use rmi::{RemoteError, remote};

#[remote]
trait Account {
    #[deprecated(note = "use `deposit`")]
    async fn add(&self, amount: u64) -> Result<u64, RemoteError>;
}

struct Servant;

impl Account for Servant {
    async fn add(&self, amount: u64) -> Result<u64, RemoteError> {
        Ok(amount)
    }
}

fn main() {
    let _ = AccountProxy::new(Servant).add(1);
}
