use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn tuple(&self, (a, b): (u64, u64)) -> Result<u64, RemoteError>;
    async fn wild(&self, _: u64) -> Result<(), RemoteError>;
    async fn by_ref(&self, ref a: u64) -> Result<(), RemoteError> {
        let _ = a;
        Ok(())
    }
    async fn bound(&self, a @ 0..: u64) -> Result<(), RemoteError>;
    async fn mutable(&self, mut a: u64) -> Result<(), RemoteError>;
    async fn attribute(&self, #[cfg(all())] a: u64) -> Result<(), RemoteError>;
    async fn self_attribute(#[allow(unused)] &self) -> Result<(), RemoteError>;
}

struct Servant;

impl Account for Servant {
    async fn tuple(&self, (a, b): (u64, u64)) -> Result<u64, RemoteError> {
        Ok(a + b)
    }
}

fn main() {
    let _ = AccountProxy::new(Servant).tuple((1, 2));
}
