use rmi::{RemoteError, remote};

#[remote]
trait Store<K> {
    async fn get(&self, key: K) -> Result<u64, RemoteError>;
}

fn main() {}
