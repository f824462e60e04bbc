//! Interfaces with parameters.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use rmi::{Proxy, RemoteError, remote};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::away;

/// What can be passed in both directions.
trait Data: Serialize + DeserializeOwned + Clone + Send + Sync {}
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync> Data for T {}

#[remote]
trait Store<K, V = u32>
where
    K: Data + Eq + Hash,
    V: Data,
{
    async fn get(&self, key: &K) -> Result<Option<V>, RemoteError>;
    async fn put(&self, key: K, value: &V) -> Result<(), RemoteError>;
    async fn put_all(&self, values: HashMap<K, V>) -> Result<usize, RemoteError> {
        let len = values.len();
        for (key, value) in values {
            self.put(key, &value).await?;
        }
        Ok(len)
    }
}

#[remote]
trait Named<K: Data + Eq + Hash>: Store<K, String> {
    async fn name(&self, default: K) -> Result<String, RemoteError>;
}

#[remote]
trait Block<const N: usize, T: Data> {
    async fn fill(&self, with: T) -> Result<Vec<T>, RemoteError>;
}

/// Nothing of `T` travels, and it has no size.
#[remote]
trait Tagged<T: ?Sized> {
    async fn tag(&self) -> Result<String, RemoteError>;
}

#[derive(Clone)]
struct Memory<K, V>(Arc<Mutex<HashMap<K, V>>>);

impl<K, V> Memory<K, V> {
    fn new() -> Self {
        Self(Arc::default())
    }
}

impl<K: Data + Eq + Hash + 'static, V: Data + 'static> Store<K, V> for Memory<K, V> {
    async fn get(&self, key: &K) -> Result<Option<V>, RemoteError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }
    async fn put(&self, key: K, value: &V) -> Result<(), RemoteError> {
        self.0.lock().unwrap().insert(key, value.clone());
        Ok(())
    }
}

impl<K: Data + Eq + Hash + 'static> Named<K> for Memory<K, String> {
    async fn name(&self, default: K) -> Result<String, RemoteError> {
        Ok(self.get(&default).await?.unwrap_or_default())
    }
}

impl Block<3, char> for Memory<u8, u8> {
    async fn fill(&self, with: char) -> Result<Vec<char>, RemoteError> {
        Ok(vec![with; 3])
    }
}

impl Tagged<str> for Memory<u8, u8> {
    async fn tag(&self) -> Result<String, RemoteError> {
        Ok("str".into())
    }
}

impl Tagged<dyn Send> for Memory<u8, u8> {
    async fn tag(&self) -> Result<String, RemoteError> {
        Ok("dyn Send".into())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Key(u8);

/// The proxy of a generic interface, in a generic struct.
struct Cache<K: Data + Eq + Hash + 'static>(StoreProxy<K, String>);

impl<K: Data + Eq + Hash + 'static> Cache<K> {
    async fn fetch(&self, key: K) -> String {
        self.0.get(&key).await.unwrap().unwrap_or_default()
    }
}

#[tokio::test]
async fn a_generic_interface_is_called_from_elsewhere() {
    let local = NamedProxy::<Key>::new(Memory::new());
    let away = away(&local).await;
    for (i, named) in (1..).zip([&local, &away.proxy]) {
        named.put(Key(i), &"one".to_owned()).await.unwrap();
        assert_eq!(named.name(Key(i)).await.as_deref(), Ok("one"));
        assert_eq!(named.put_all(HashMap::from([(Key(i), "two".into())])).await, Ok(1));
        let cache = Cache(Proxy::upcast(named));
        assert_eq!(cache.fetch(Key(i)).await, "two");
    }
}

#[tokio::test]
async fn parameters_have_defaults() {
    let store: StoreProxy<String> = Proxy::new(Memory::new());
    store.put("key".into(), &1_u32).await.unwrap();
    assert_eq!(store.get(&"key".into()).await, Ok(Some(1)));
}

#[tokio::test]
async fn parameters_may_be_constants_or_have_no_size() {
    let block = BlockProxy::<3, char>::new(Memory::new());
    assert_eq!(away(&block).await.proxy.fill('x').await, Ok(vec!['x'; 3]));
    let tagged = TaggedProxy::<str>::new(Memory::new());
    assert_eq!(away(&tagged).await.proxy.tag().await.as_deref(), Ok("str"));
    let tagged = TaggedProxy::<dyn Send>::new(Memory::new());
    assert_eq!(tagged.tag().await.as_deref(), Ok("dyn Send"));
}
