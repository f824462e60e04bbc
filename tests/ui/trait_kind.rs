use rmi::{RemoteError, remote};

#[remote]
unsafe trait Risky {
    async fn f(&self) -> Result<(), RemoteError>;
}

fn main() {
    fn _use(risky: RiskyProxy) {
        let _ = risky.f();
    }
}
