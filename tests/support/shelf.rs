//! Counted objects, and servants that make, keep and pass them on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rmi::{Node, RemoteError, remote};

use super::{Result, address, listening};

/// How many servants are alive.
#[derive(Clone, Default)]
pub(crate) struct Population(Arc<AtomicUsize>);

impl Population {
    pub(crate) fn alive(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn item(&self) -> ItemProxy {
        ItemProxy::new(Counted::new(self))
    }
}

/// A servant that is counted as long as it lives.
pub(crate) struct Counted(Population);

impl Counted {
    pub(crate) fn new(population: &Population) -> Self {
        population.0.fetch_add(1, Ordering::SeqCst);
        Self(population.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[remote]
pub(crate) trait Item {
    async fn ping(&self, n: u64) -> Result<u64>;
}

impl Item for Counted {
    async fn ping(&self, n: u64) -> Result<u64> {
        Ok(n + 1)
    }
}

/// Makes objects, keeps those of others, passes them on.
#[remote]
pub(crate) trait Shelf {
    /// A new object of this node.
    async fn make(&self) -> Result<ItemProxy>;
    async fn make_many(&self, count: u32) -> Result<Vec<ItemProxy>>;
    /// Keeps a reference, on top of others.
    async fn put(&self, item: ItemProxy) -> Result<()>;
    /// A copy of the reference on top.
    async fn top(&self) -> Result<ItemProxy>;
    /// Takes the reference on top.
    async fn take(&self) -> Result<Option<ItemProxy>>;
    /// Takes one of the references.
    async fn take_at(&self, at: u64) -> Result<Option<ItemProxy>>;
    async fn count(&self) -> Result<u64>;
    async fn clear(&self) -> Result<()>;
    /// Calls the object on top.
    async fn ping_top(&self, n: u64) -> Result<u64>;
    /// Calls an object that it does not keep.
    async fn ping_this(&self, item: &ItemProxy, n: u64) -> Result<u64>;
    /// Puts a copy of the reference on top onto another shelf, and returns what is on top there.
    async fn pass_top(&self, to: &ShelfProxy) -> Result<ItemProxy>;
    /// Puts what it is given onto the last of these shelves by way of the others.
    async fn forward(&self, item: ItemProxy, path: Vec<ShelfProxy>) -> Result<()>;
    /// Returns what it got.
    async fn echo(&self, item: ItemProxy) -> Result<ItemProxy>;
    /// Returns what it got, later.
    async fn echo_later(&self, item: ItemProxy, ms: u64) -> Result<ItemProxy>;
    /// Never returns.
    async fn stall(&self, item: Option<ItemProxy>) -> Result<()>;
}

#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) items: Mutex<Vec<ItemProxy>>,
    pub(crate) population: Population,
}

impl Keeper {
    /// The reference that was put first.
    pub(crate) fn first(&self) -> ItemProxy {
        self.items.lock()[0].clone()
    }

    fn the_top(&self) -> Result<ItemProxy> {
        let missing = RemoteError::NotBound { name: "the top".into(), at: "an empty shelf".into() };
        self.items.lock().last().cloned().ok_or(missing)
    }
}

impl Shelf for Keeper {
    async fn make(&self) -> Result<ItemProxy> {
        Ok(self.population.item())
    }
    async fn make_many(&self, count: u32) -> Result<Vec<ItemProxy>> {
        Ok((0..count).map(|_| self.population.item()).collect())
    }
    async fn put(&self, item: ItemProxy) -> Result<()> {
        self.items.lock().push(item);
        Ok(())
    }
    async fn top(&self) -> Result<ItemProxy> {
        self.the_top()
    }
    async fn take(&self) -> Result<Option<ItemProxy>> {
        Ok(self.items.lock().pop())
    }
    async fn take_at(&self, at: u64) -> Result<Option<ItemProxy>> {
        let mut items = self.items.lock();
        Ok(match items.len() {
            0 => None,
            len => Some(items.swap_remove(at as usize % len)),
        })
    }
    async fn count(&self) -> Result<u64> {
        Ok(self.items.lock().len() as u64)
    }
    async fn clear(&self) -> Result<()> {
        let items = std::mem::take(&mut *self.items.lock());
        drop(items);
        Ok(())
    }
    async fn ping_top(&self, n: u64) -> Result<u64> {
        self.the_top()?.ping(n).await
    }
    async fn ping_this(&self, item: &ItemProxy, n: u64) -> Result<u64> {
        item.ping(n).await
    }
    async fn pass_top(&self, to: &ShelfProxy) -> Result<ItemProxy> {
        to.put(self.the_top()?).await?;
        to.top().await
    }
    async fn forward(&self, item: ItemProxy, mut path: Vec<ShelfProxy>) -> Result<()> {
        match path.is_empty() {
            true => self.put(item).await,
            false => path.remove(0).forward(item, path).await,
        }
    }
    async fn echo(&self, item: ItemProxy) -> Result<ItemProxy> {
        Ok(item)
    }
    async fn echo_later(&self, item: ItemProxy, ms: u64) -> Result<ItemProxy> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(item)
    }
    async fn stall(&self, item: Option<ItemProxy>) -> Result<()> {
        let _kept = item;
        std::future::pending().await
    }
}

/// A node with a shelf, published as `shelf`.
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) keeper: Arc<Keeper>,
    /// The shelf, at its own node.
    pub(crate) shelf: ShelfProxy,
}

impl Site {
    /// At a node of this process.
    pub(crate) fn at(node: Node) -> Self {
        let keeper = Arc::new(Keeper::default());
        let shelf = ShelfProxy::from_arc(keeper.clone());
        node.publish("shelf", &shelf);
        Self { node, keeper, shelf }
    }

    pub(crate) async fn new() -> Self {
        Self::at(listening().await)
    }

    pub(crate) fn address(&self) -> String {
        address(&self.node)
    }

    /// The shelf of `other`, as this node sees it.
    pub(crate) async fn sees(&self, other: &Site) -> ShelfProxy {
        self.node.root(&other.address(), "shelf").await.unwrap()
    }

    pub(crate) fn alive(&self) -> usize {
        self.keeper.population.alive()
    }

    /// How many calls it served for the node of `other`.
    pub(crate) fn served(&self, other: &Node) -> u64 {
        self.node.stats().calls_served.get(&other.id()).copied().unwrap_or(0)
    }
}

/// Drops the shelves, and checks that nothing of anything is left at any of their nodes.
#[track_caller]
pub(crate) fn close_down(sites: Vec<Site>) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let populations: Vec<Population> = sites.iter().map(|s| s.keeper.population.clone()).collect();
        let nodes: Vec<Node> = sites.iter().map(|site| site.node.clone()).collect();
        for site in &sites {
            site.node.unpublish("shelf");
        }
        drop(sites);
        println!("closing down at {place}");
        super::all_zero(&nodes.iter().collect::<Vec<_>>()).await;
        assert!(populations.iter().all(|p| p.alive() == 0), "{place}: an object was not collected");
        for node in nodes {
            node.shutdown().await;
        }
    }
}
