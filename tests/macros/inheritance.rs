//! Interfaces that extend others.

use rmi::{AnyProxy, Proxy, RemoteError, remote};

use crate::away;

type Res = Result<String, RemoteError>;

#[remote]
trait Root {
    async fn root(&self) -> Res;
    /// The other interfaces have a method of this name too.
    async fn same(&self) -> Res;
    async fn default(&self) -> Res {
        Ok(format!("default of {}", self.root().await?))
    }
}

#[remote]
trait Left: Root {
    async fn left(&self) -> Res;
    async fn same(&self) -> Res;
}

#[remote]
trait Right: Root + Send + std::fmt::Debug {
    async fn right(&self) -> Res;
}

#[remote]
trait Bottom: Left + Right + Root {
    async fn bottom(&self) -> Res;
}

#[derive(Debug)]
struct Servant;

impl Root for Servant {
    async fn root(&self) -> Res {
        Ok("root".into())
    }
    async fn same(&self) -> Res {
        Ok("same of root".into())
    }
}
impl Left for Servant {
    async fn left(&self) -> Res {
        Ok("left".into())
    }
    async fn same(&self) -> Res {
        Ok("same of left".into())
    }
}
impl Right for Servant {
    async fn right(&self) -> Res {
        Ok("right".into())
    }
}
impl Bottom for Servant {
    async fn bottom(&self) -> Res {
        Ok("bottom".into())
    }
}

async fn use_root(root: &impl Root) {
    assert_eq!(root.root().await.as_deref(), Ok("root"));
    assert_eq!(root.same().await.as_deref(), Ok("same of root"));
    assert_eq!(root.default().await.as_deref(), Ok("default of root"));
}

async fn use_bottom(bottom: &impl Bottom) {
    use_root(bottom).await;
    assert_eq!(bottom.left().await.as_deref(), Ok("left"));
    assert_eq!(Left::same(bottom).await.as_deref(), Ok("same of left"));
    assert_eq!(bottom.right().await.as_deref(), Ok("right"));
    assert_eq!(bottom.bottom().await.as_deref(), Ok("bottom"));
}

#[tokio::test]
async fn a_proxy_has_the_methods_of_all_ancestors() {
    use_bottom(&Servant).await;
    let local = BottomProxy::new(Servant);
    use_bottom(&local).await;
    use_bottom(&away(&local).await.proxy).await;
}

#[tokio::test]
async fn an_upcast_is_the_same_object() {
    let local = BottomProxy::new(Servant);
    let away = away(&local).await;
    for bottom in [&local, &away.proxy] {
        let left: LeftProxy = Proxy::upcast(bottom);
        let right: RightProxy = Proxy::upcast(bottom);
        let root: RootProxy = Proxy::upcast(&left);
        use_root(&root).await;
        assert_eq!(left.left().await.as_deref(), Ok("left"));
        assert_eq!(right.right().await.as_deref(), Ok("right"));
        assert_eq!(root, Proxy::upcast(&right));
        assert_eq!(AnyProxy::from(&root), AnyProxy::from(bottom));
        assert_eq!(Proxy::is_local(&root), Proxy::is_local(bottom));
        let reflexive: BottomProxy = Proxy::upcast(bottom);
        assert_eq!(&reflexive, bottom);
    }
}

#[tokio::test]
async fn a_cast_finds_the_way_back() {
    let local = BottomProxy::new(Servant);
    let away = away(&local).await;
    for bottom in [&local, &away.proxy] {
        let root: RootProxy = Proxy::upcast(bottom);
        use_bottom(&Proxy::cast::<BottomInterface>(&root).await.unwrap()).await;
    }
    let root = RootProxy::new(Servant);
    let error = Proxy::cast::<LeftInterface>(&root).await.unwrap_err();
    assert!(matches!(error, RemoteError::WrongInterface { .. }), "{error}");
}

#[tokio::test]
async fn a_description_names_the_ancestors_once() {
    let description = AnyProxy::from(BottomProxy::new(Servant)).describe().await.unwrap();
    assert_eq!(description.name, "rmi.Bottom");
    let mut ancestors = description.ancestors;
    ancestors.sort();
    assert_eq!(ancestors, ["rmi.Left", "rmi.Right", "rmi.Root"]);
}
