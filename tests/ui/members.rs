use rmi::{RemoteError, remote};

macro_rules! method {
    () => {};
}

#[remote]
trait Account {
    const LIMIT: u64;
    type Currency;
    method!();
    async fn fine(&self) -> Result<u64, RemoteError>;
}

struct Servant;

impl Account for Servant {
    const LIMIT: u64 = 3;
    type Currency = u8;
    async fn fine(&self) -> Result<u64, RemoteError> {
        Ok(Self::LIMIT)
    }
}

fn main() {
    let _ = AccountProxy::new(Servant).fine();
}
