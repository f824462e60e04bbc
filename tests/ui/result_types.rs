use std::borrow::Cow;

use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn nothing(&self);
    async fn borrowed(&self) -> Result<&str, RemoteError>;
    async fn long_lived(&self) -> Result<&'static str, RemoteError>;
    async fn cow(&self) -> Result<Cow<'_, str>, RemoteError>;
    async fn unnamed(&self) -> Result<impl std::fmt::Display, RemoteError>;
    async fn own(&self) -> Result<Self, RemoteError>
    where
        Self: Sized;
    async fn function(&self) -> Result<fn(), RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.borrowed();
    }
}
