use rmi::{RemoteError, remote};

mod elsewhere {
    use rmi::{RemoteError, remote};

    #[remote]
    pub trait Hidden {
        async fn hidden(&self) -> Result<(), RemoteError>;
    }
}

use elsewhere::Hidden;

#[remote]
trait Fourth: Hidden {
    async fn fourth(&self) -> Result<(), RemoteError>;
}

fn main() {}
