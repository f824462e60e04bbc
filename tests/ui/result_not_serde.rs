use rmi::{RemoteError, remote};

struct Statement;

#[remote]
trait Account {
    async fn statement(&self) -> Result<Statement, RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.statement();
    }
}
