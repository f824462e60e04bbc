use rmi::remote;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Broke;

#[remote]
trait Account {
    async fn balance(&self) -> Result<u64, Broke>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.balance();
    }
}
