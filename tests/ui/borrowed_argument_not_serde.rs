use rmi::{RemoteError, remote};
use serde::{Deserialize, Serialize};

struct Cheque;

#[derive(Serialize, Deserialize)]
struct NotClone;

#[remote]
trait Account {
    async fn cash(&self, cheque: &Cheque) -> Result<u64, RemoteError>;
    async fn void(&self, cheque: &NotClone) -> Result<u64, RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.cash(&Cheque);
    }
}
