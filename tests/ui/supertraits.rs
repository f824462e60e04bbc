use std::fmt;

use rmi::{RemoteError, remote};

#[remote]
trait Copied: Clone {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Shown: fmt::Display + Send {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Maybe: ?Sized {
    async fn f(&self) -> Result<(), RemoteError>;
}

#[remote]
trait Every: for<'a> PartialEq<&'a u8> {
    async fn f(&self) -> Result<(), RemoteError>;
}

fn main() {}
