use rmi::{RemoteError, remote};

trait Plain: Send + Sync + 'static {}

#[remote]
trait Fifth: Plain {
    async fn fifth(&self) -> Result<(), RemoteError>;
}

fn main() {}
