use rmi::{RemoteError, remote};

#[remote]
trait Account {
    fn sync(&self) -> Result<(), RemoteError>;
    async unsafe fn risky(&self) -> Result<(), RemoteError>;
    async extern "C" fn foreign(&self) -> Result<(), RemoteError>;
    const fn constant(&self) -> Result<(), RemoteError>;
}

struct Servant;

impl Account for Servant {
    fn sync(&self) -> Result<(), RemoteError> {
        Ok(())
    }
}

fn main() {
    let _ = AccountProxy::new(Servant).sync();
}
