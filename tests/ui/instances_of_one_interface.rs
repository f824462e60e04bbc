use rmi::{RemoteError, remote};

#[remote]
trait Store<T: Send + Sync + 'static> {
    async fn count(&self) -> Result<u64, RemoteError>;
}

#[remote]
trait Both: Store<u8> + Store<String> {
    async fn both(&self) -> Result<u64, RemoteError>;
}

fn main() {}
