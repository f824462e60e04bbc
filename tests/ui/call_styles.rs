use rmi::{RemoteError, remote};

#[remote]
#[no_cancel]
trait Account {
    #[idempotent]
    const LIMIT: u64;
    #[idempotent]
    #[no_cancel]
    async fn balance(&self) -> Result<u64, RemoteError>;
    #[idempotent(3)]
    async fn close(&self) -> Result<(), RemoteError>;
    #[no_cancel = "always"]
    async fn settle(&self) -> Result<(), RemoteError> {
        Ok(())
    }
    #[idempotent]
    /// Once would do.
    #[idempotent]
    async fn open(&self) -> Result<(), RemoteError>;
    async fn rename(&self, #[idempotent] name: &str) -> Result<(), RemoteError>;
    #[cfg_attr(unix, no_cancel)]
    async fn move_to(&self, bank: &str) -> Result<(), RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.balance();
    }
}
