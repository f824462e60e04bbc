use rmi::{RemoteError, remote};
use serde::Serialize;

#[remote]
trait Store {
    async fn put<T>(&self, value: T) -> Result<(), RemoteError>
    where
        T: Serialize + Send;
    async fn fill<const N: usize>(&self, values: [u8; N]) -> Result<(), RemoteError>;
    async fn borrow<'a>(&self, value: &'a str) -> Result<(), RemoteError>;
}

struct Servant;

impl Store for Servant {
    async fn put<T>(&self, _value: T) -> Result<(), RemoteError>
    where
        T: Serialize + Send,
    {
        Ok(())
    }
    async fn fill<const N: usize>(&self, _values: [u8; N]) -> Result<(), RemoteError> {
        Ok(())
    }
    async fn borrow<'a>(&self, _value: &'a str) -> Result<(), RemoteError> {
        Ok(())
    }
}

fn main() {
    let _ = StoreProxy::new(Servant).put(1);
}
