//! What the macro says about an interface: markers, their relations, and the descriptor.

use std::any::{Any, TypeId};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::RemoteError;
use crate::id::MethodId;
use crate::invoke::marshal::Incoming;
use crate::invoke::object::Skeleton;
use crate::invoke::result::Running;

/// A remote interface, as a type: the marker `XInterface` that `#[remote]` generates beside the trait `X`.
pub trait Interface: 'static {
    /// `dyn` of the object-safe twin of the trait: how local calls reach any servant.
    type Local: ?Sized + Send + Sync + 'static;
    /// The interface's description.
    const DESCRIPTOR: &'static Descriptor;
}

/// `XInterface: Implements<T>` says the same as `T: X`, and can be written in the crate of `X`.
#[diagnostic::on_unimplemented(
    message = "`{T}` does not implement the remote interface that `{Self}` stands for",
    label = "this type cannot be a servant of the interface",
    note = "write a plain `impl Trait for {T}`; a servant must be `Send + Sync + 'static`"
)]
pub trait Implements<T>: Interface {
    /// What the object table stores for a servant of type `T`.
    type Skeleton: Skeleton;
    /// Wraps the servant.
    fn skeleton(servant: Arc<T>) -> Self::Skeleton;
    /// The servant as this interface.
    fn erase(servant: Arc<T>) -> Arc<Self::Local>;
    /// The servant as this interface.
    fn erase_ref(servant: &T) -> &Self::Local;
    /// The servant as the interface, this one or an ancestor, whose `Local` type has the id `local`:
    /// an `Arc<Local>` in a box.
    fn facet(servant: &Arc<T>, local: TypeId) -> Option<Box<dyn Any + Send>>;
    /// Starts `method`, if this interface or an ancestor has it.
    fn dispatch(
        servant: &Arc<T>,
        method: MethodId,
        call: &mut Incoming<'_>,
    ) -> Option<Result<Running, RemoteError>>;
}

/// `Sub: Extends<Super>`; every interface extends itself.
#[diagnostic::on_unimplemented(
    message = "the remote interface `{Self}` does not list `{S}` among its supertraits",
    note = "every remote ancestor must be listed: `trait Sub: Parent + GrandParent`"
)]
pub trait Extends<S: Interface>: Interface {
    /// A local object as its ancestor.
    fn up(local: &Self::Local) -> &S::Local;
}

/// The description of an interface, made by the macro at compile time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Descriptor {
    /// The name on the wire: package and trait, or what `#[remote(name = "..")]` says.
    pub name: &'static str,
    /// The trait's documentation.
    pub docs: &'static str,
    /// The methods that the trait itself declares.
    pub methods: &'static [Method],
    /// The ancestors that the trait lists.
    pub supers: &'static [&'static Descriptor],
}

/// A method in a [`Descriptor`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Method {
    /// What stands for the method on the wire.
    pub id: MethodId,
    /// `interface/method`: how errors and logs name it.
    pub path: &'static str,
    /// The method's name.
    pub name: &'static str,
    /// Its documentation.
    pub docs: &'static str,
    /// Its arguments, in order.
    pub arguments: &'static [Argument],
    /// Its return type, as written.
    pub returns: &'static str,
    /// It may be executed several times for one call.
    pub idempotent: bool,
    /// It runs to its end, whoever gives the call up.
    pub no_cancel: bool,
}

/// An argument in a [`Descriptor`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its type, as written.
    pub ty: &'static str,
}

impl Descriptor {
    /// For expansions: refuses, at compile time, two methods with one identity.
    #[doc(hidden)]
    pub const fn new(
        name: &'static str,
        docs: &'static str,
        methods: &'static [Method],
        supers: &'static [&'static Descriptor],
    ) -> Self {
        let this = Self { name, docs, methods, supers };
        let mut i = 0;
        while i < methods.len() {
            let mut j = i + 1;
            while j < methods.len() {
                assert!(
                    methods[i].id.0 != methods[j].id.0,
                    "two methods of this interface have the same 64-bit identity: rename one"
                );
                j += 1;
            }
            let mut s = 0;
            while s < supers.len() {
                assert!(
                    !supers[s].has(methods[i].id),
                    "a method has the same 64-bit identity as one of an ancestor: rename it"
                );
                s += 1;
            }
            i += 1;
        }
        // All ancestors are listed, so that comparing what they declare themselves compares everything.
        let mut a = 0;
        while a < supers.len() {
            let mut b = a + 1;
            while b < supers.len() {
                assert!(
                    !supers[a].shares_a_method_with(supers[b]),
                    "two ancestors have a method of the same identity, as instances of one generic interface do: \
                     an object cannot be both"
                );
                b += 1;
            }
            a += 1;
        }
        this
    }

    const fn shares_a_method_with(&self, other: &Self) -> bool {
        let mut i = 0;
        while i < self.methods.len() {
            let mut j = 0;
            while j < other.methods.len() {
                if self.methods[i].id.0 == other.methods[j].id.0 {
                    return true;
                }
                j += 1;
            }
            i += 1;
        }
        false
    }

    const fn has(&self, id: MethodId) -> bool {
        let mut i = 0;
        while i < self.methods.len() {
            if self.methods[i].id.0 == id.0 {
                return true;
            }
            i += 1;
        }
        let mut s = 0;
        while s < self.supers.len() {
            if self.supers[s].has(id) {
                return true;
            }
            s += 1;
        }
        false
    }

    /// Whether this is the interface `name` or has it among its ancestors.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.supers.iter().any(|ancestor| ancestor.is(name))
    }

    /// The method with this identity, of this interface or an ancestor.
    pub fn method(&self, id: MethodId) -> Option<&'static Method> {
        let own = self.methods.iter().find(|method| method.id == id);
        own.or_else(|| self.supers.iter().find_map(|ancestor| ancestor.method(id)))
    }

    /// The description as a value that travels.
    pub fn describe(&self) -> InterfaceDescription {
        let mut ancestors = Vec::new();
        self.collect_ancestors(&mut ancestors);
        InterfaceDescription {
            name: self.name.to_owned(),
            docs: self.docs.to_owned(),
            ancestors: ancestors.into_iter().map(str::to_owned).collect(),
            methods: self.methods.iter().map(Method::describe).collect(),
        }
    }

    fn collect_ancestors(&self, names: &mut Vec<&'static str>) {
        for ancestor in self.supers {
            if !names.contains(&ancestor.name) {
                names.push(ancestor.name);
                ancestor.collect_ancestors(names);
            }
        }
    }
}

impl Method {
    /// For expansions.
    #[doc(hidden)]
    pub const fn new(
        id: MethodId,
        path: &'static str,
        name: &'static str,
        docs: &'static str,
        arguments: &'static [Argument],
        returns: &'static str,
    ) -> Self {
        Self { id, path, name, docs, arguments, returns, idempotent: false, no_cancel: false }
    }

    /// For expansions: of a method with `#[idempotent]`.
    #[doc(hidden)]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// For expansions: of a method with `#[no_cancel]`.
    #[doc(hidden)]
    pub const fn no_cancel(mut self) -> Self {
        self.no_cancel = true;
        self
    }

    fn describe(&self) -> MethodDescription {
        let arguments = self.arguments.iter();
        MethodDescription {
            name: self.name.to_owned(),
            docs: self.docs.to_owned(),
            arguments: arguments
                .map(|a| ArgumentDescription { name: a.name.to_owned(), ty: a.ty.to_owned() })
                .collect(),
            returns: self.returns.to_owned(),
            idempotent: self.idempotent,
            no_cancel: self.no_cancel,
        }
    }
}

impl Argument {
    /// For expansions.
    #[doc(hidden)]
    pub const fn new(name: &'static str, ty: &'static str) -> Self {
        Self { name, ty }
    }
}

/// What an object says about its interface when it is asked: the answer to `rmi.Object/describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InterfaceDescription {
    /// The interface's name.
    pub name: String,
    /// Its documentation.
    #[serde(default)]
    pub docs: String,
    /// All its ancestors, nearest first.
    #[serde(default)]
    pub ancestors: Vec<String>,
    /// The methods that it declares itself.
    #[serde(default)]
    pub methods: Vec<MethodDescription>,
}

/// A method in an [`InterfaceDescription`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MethodDescription {
    /// The method's name.
    pub name: String,
    /// Its documentation.
    #[serde(default)]
    pub docs: String,
    /// Its arguments, in order.
    #[serde(default)]
    pub arguments: Vec<ArgumentDescription>,
    /// Its return type, as written in Rust.
    #[serde(default)]
    pub returns: String,
    /// Whether it may be executed several times for one call: callers try it again when its outcome is unknown.
    #[serde(default)]
    pub idempotent: bool,
    /// Whether it runs to its end when its caller gives it up.
    #[serde(default)]
    pub no_cancel: bool,
}

/// An argument in a [`MethodDescription`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArgumentDescription {
    /// Its name.
    pub name: String,
    /// Its type, as written in Rust.
    pub ty: String,
}
