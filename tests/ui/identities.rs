use rmi::{RemoteError, remote};

#[remote(name = "bank.Account")]
trait Account {
    async fn balance(&self) -> Result<u64, RemoteError>;
}

#[remote(name = "bank.Account")]
trait Savings: Account {
    async fn balance(&self) -> Result<u64, RemoteError>;
}

fn main() {}
