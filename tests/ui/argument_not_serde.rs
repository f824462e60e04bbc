use rmi::{RemoteError, remote};

struct Cheque;

#[remote]
trait Account {
    async fn cash(&self, cheque: Cheque) -> Result<u64, RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.cash(Cheque);
    }
}
