use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn deposit(&self, amount: u64) -> Result<(), RemoteError>;
    async fn deposit(&self, amount: u64, memo: &str) -> Result<(), RemoteError>;
}

#[remote]
trait Configured {
    #[cfg_attr(all(), cfg(all()))]
    async fn f(&self) -> Result<(), RemoteError>;
}

fn main() {}
