use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn deposit(&self, amount: u64) -> Result<u64, RemoteError>;
    async fn rename(&self, name: &str) -> Result<u64, RemoteError>;
}

struct Servant;

impl Account for Servant {
    async fn deposit(&self, amount: u32) -> Result<u64, RemoteError> {
        Ok(amount.into())
    }
    async fn rename(&self, _name: &str) -> Result<u32, RemoteError> {
        Ok(1)
    }
}

fn main() {}
