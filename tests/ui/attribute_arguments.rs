use rmi::{RemoteError, remote};

#[remote(version = 2)]
trait Unknown {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote(name = "a.B", name = "a.C")]
trait Twice {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote(name = "a bank/account")]
trait Name {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote(name = "")]
trait Empty {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote(crate = "not a path")]
trait Crate {
    async fn f(&self) -> Result<(), RemoteError>;
}

struct Servant;

impl Unknown for Servant {
    async fn f(&self) -> Result<(), RemoteError> {
        Ok(())
    }
}

fn main() {
    let proxy = UnknownProxy::new(Servant);
    let _ = proxy.f();
}
