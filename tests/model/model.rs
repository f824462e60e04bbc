//! The model as stateright sees it, and how a configuration is checked.

use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::action::{Action, each};
use crate::config::Config;
use crate::mutant::Mutant;
use crate::property::ALWAYS;
use crate::rules::{Mark, Marks, step};
use crate::state::{Node, Session, State};

/// The collection in one configuration.
#[derive(Debug, Clone)]
pub struct Collection {
    pub config: Config,
    pub marks: Arc<Marks>,
}

impl Model for Collection {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let config = &self.config;
        let roots = |node| config.objects.iter().map(|owner| *owner == node).collect();
        let nodes = (0..config.nodes).map(|node| Node { roots: roots(node), ..Node::default() }.into());
        let sessions =
            config.sessions.iter().map(|(dialer, acceptor)| Session::new(*dialer, *acceptor).into());
        vec![State {
            nodes: nodes.collect(),
            sessions: sessions.collect(),
            collected: vec![false; config.objects.len()],
            left: config.budget,
            flaw: None,
            settled: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        each(&self.config, state, &mut |action, _| actions.push(action));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(step(&self.config, &self.marks, state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        ALWAYS.map(|(name, condition)| Property::always(name, condition)).to_vec()
    }
}

impl Collection {
    pub fn new(config: Config) -> Self {
        Self { config, marks: Arc::default() }
    }
}

/// Explores all states of a configuration: every invariant holds, and it reaches what it is for.
pub fn holds(config: Config, must_reach: &[Mark]) {
    let name = config.name;
    let model = Collection::new(config);
    let marks = model.marks.clone();
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for (name, path) in checker.discoveries() {
        println!("{name}:\n{}", trace(&path.into_actions()));
    }
    assert!(checker.discoveries().is_empty(), "{name}: an invariant does not hold");
    let states = checker.unique_state_count();
    println!("{name}: {states} states, {} steps, {} deep", checker.state_count(), checker.max_depth());
    let missing: Vec<_> = must_reach.iter().filter(|mark| !marks.has(**mark)).collect();
    assert!(missing.is_empty(), "{name} does not reach {missing:?}");
}

/// Explores until the invariant fails that a mutant breaks.
pub fn fails(config: Config, mutant: Mutant, property: &'static str) {
    let name = config.name;
    let until = HasDiscoveries::AllOf([property].into());
    let checker = Collection::new(config.with(mutant)).checker().finish_when(until).spawn_bfs().join();
    let states = checker.unique_state_count();
    let Some(path) = checker.discovery(property) else {
        panic!(
            "{mutant:?} is not caught in {name}, by {property}: {states} states, {:?}",
            checker.discoveries().keys()
        );
    };
    let steps = path.into_actions();
    println!("{mutant:?}: caught in {name} by {property}, after {} steps, {states} states", steps.len());
    if std::env::var_os("RMI_MODEL_TRACE").is_some() {
        println!("{}", trace(&steps));
    }
}

fn trace(actions: &[Action]) -> String {
    actions.iter().map(|action| format!("    {action:?}\n")).collect()
}
