//! What is explored: who is there, what may travel where, how often, and what may go wrong.

use crate::mutant::Mutant;

/// A node, by its place in [`Config::nodes`].
pub type NodeAt = u8;

/// The owner of the objects in most configurations, and its two holders.
pub const O: NodeAt = 0;
pub const X: NodeAt = 1;
pub const Y: NodeAt = 2;

/// How often what ends a run's growth may still happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// References in arguments and results.
    pub references: u8,
    /// Calls on proxies, without references.
    pub uses: u8,
    /// Calls that their callers give up.
    pub cancels: u8,
    /// Calls that are cut into two frames.
    pub fragments: u8,
    /// Connections that break.
    pub breaks: u8,
    /// Sides that give up as holders while they are detached and the other side is well.
    pub ends: u8,
    /// Nodes that crash.
    pub crashes: u8,
    /// Nodes that leave with a Bye.
    pub leaves: u8,
}

/// A configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub name: &'static str,
    /// How many nodes there are.
    pub nodes: u8,
    /// The owners of the objects.
    pub objects: Vec<NodeAt>,
    /// The sessions at the start: dialer and acceptor.
    pub sessions: Vec<(NodeAt, NodeAt)>,
    /// Who passes references to whom.
    pub routes: Vec<(NodeAt, NodeAt)>,
    /// Whether calls are answered; else a call is over when it has left.
    pub replies: bool,
    /// Whether answers may carry references.
    pub results: bool,
    /// The pairs of nodes whose connections break and whose sessions end.
    pub fragile: Vec<(NodeAt, NodeAt)>,
    /// The nodes that crash or leave.
    pub mortal: Vec<NodeAt>,
    pub budget: Budget,
    pub mutant: Option<Mutant>,
}

impl Config {
    /// Two nodes, one session that the holder dialed, one object.
    pub fn two(name: &'static str) -> Self {
        Self {
            name,
            nodes: 2,
            objects: vec![O],
            sessions: vec![(X, O)],
            routes: vec![(O, X), (X, O)],
            replies: false,
            results: false,
            fragile: vec![(O, X)],
            mortal: vec![],
            budget: Budget::default(),
            mutant: None,
        }
    }

    /// Three nodes; `Y` has a session with `X` and must dial `O`.
    pub fn three(name: &'static str) -> Self {
        Self {
            nodes: 3,
            sessions: vec![(X, O), (X, Y)],
            routes: vec![(O, X), (O, Y), (X, Y), (Y, X), (X, O), (Y, O)],
            fragile: vec![(O, X), (O, Y), (X, Y)],
            ..Self::two(name)
        }
    }

    pub fn with(mut self, mutant: Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether the session between two nodes may break.
    pub fn is_fragile(&self, one: NodeAt, other: NodeAt) -> bool {
        self.fragile.contains(&(one, other)) || self.fragile.contains(&(other, one))
    }

    pub fn owner(&self, object: u8) -> NodeAt {
        self.objects[usize::from(object)]
    }
}
