use std::borrow::Cow;

use rmi::{RemoteError, remote};

#[remote]
trait Account {
    async fn mutable(&self, buffer: &mut Vec<u8>) -> Result<(), RemoteError>;
    async fn explicit(&self, memo: &'static str) -> Result<(), RemoteError>;
    async fn inside(&self, memo: Option<&str>) -> Result<(), RemoteError>;
    async fn inside_a_borrow(&self, memos: &[&str]) -> Result<(), RemoteError>;
    async fn cow(&self, memo: Cow<'_, str>) -> Result<(), RemoteError>;
    async fn unnamed(&self, memo: impl std::fmt::Display) -> Result<(), RemoteError>;
    async fn object(&self, memo: &dyn std::fmt::Display) -> Result<(), RemoteError>;
    async fn function(&self, memo: fn(&str) -> u8) -> Result<(), RemoteError>;
    async fn pointer(&self, memo: *const u8) -> Result<(), RemoteError>;
    async fn own(&self, other: &Self) -> Result<(), RemoteError>;
    async fn own_type(&self, other: Vec<Self::Item>) -> Result<(), RemoteError>;
    async fn text(&self, memo: str) -> Result<(), RemoteError>;
    async fn slice(&self, memo: [u8]) -> Result<(), RemoteError>;
    async fn two(&self, first: &mut u8, second: (u8, &str)) -> Result<(), RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.inside(None);
    }
}
