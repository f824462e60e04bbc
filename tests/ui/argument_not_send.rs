use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use rmi::{RemoteError, remote};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Pinned(PhantomData<Rc<u8>>);

#[remote]
trait Account {
    async fn given(&self, value: Pinned) -> Result<u64, RemoteError>;
    async fn lent(&self, value: &Cell<u64>) -> Result<u64, RemoteError>;
}

fn main() {
    fn _use(account: AccountProxy) {
        let _ = account.given(Pinned(PhantomData));
    }
}
