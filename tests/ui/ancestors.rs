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

fn main() {
    fn _use(third: ThirdProxy) {
        let _ = third.third();
    }
}
