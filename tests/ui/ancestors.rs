use rmi::{RemoteError, remote};

#[remote]
trait First {
    async fn first(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Second: First {
    async fn second(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Third: Second {
    async fn third(&self) -> Result<(), RemoteError>;
}

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

trait Plain: Send + Sync + 'static {}

#[remote]
trait Fifth: Plain {
    async fn fifth(&self) -> Result<(), RemoteError>;
}

fn main() {
    fn _use(third: ThirdProxy) {
        let _ = third.third();
    }
}
