use rmi::{RemoteError, remote};

#[remote]
trait Store<K> {
    async fn get(&self, key: K) -> Result<u64, RemoteError>;
}

#[remote]
trait Cache<K: Send, V>
where
    V: Send,
{
    async fn get(&self, key: K) -> Result<V, RemoteError>;
}

fn main() {}
