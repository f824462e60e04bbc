use rmi::{RemoteError, remote};

#[remote]
trait Account {
    #[oneway]
    async fn log(&self, line: &str) -> Result<(), RemoteError>;
    async fn balance(&self) -> Result<u64, RemoteError>;
    #[compute]
    async fn interest(&self) -> Result<u64, RemoteError>;
    #[stream]
    async fn history(&self) -> Result<Vec<u64>, RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.balance();
    }
}
