use rmi::{RemoteError, remote};

#[remote]
trait Borrowing<'a> {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Configured<#[cfg(all())] T: Send + 'static> {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Bounded
where
    Self: Clone,
{
    async fn f(&self) -> Result<(), RemoteError>;
}

fn main() {}
