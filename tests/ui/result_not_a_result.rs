use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn balance(&self) -> u64;
    async fn fine(&self) -> Result<u64, RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.balance();
    }
}
