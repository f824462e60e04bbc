use rmi::{RemoteError, remote};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[remote]
trait Store<K: Serialize + DeserializeOwned + Send> {
    async fn count(&self, key: K) -> Result<u64, RemoteError>;
}

struct Texts;

impl Store<String> for Texts {
    async fn count(&self, _key: String) -> Result<u64, RemoteError> {
        Ok(0)
    }
}

fn main() {
    // `Texts` is a store of texts.
    let _ = StoreProxy::<u8>::new(Texts);
}
