//! Whether a run can go on for ever. What `property` says of liveness rests on it that none can.

use std::collections::HashMap;

use stateright::Model;

use crate::config::Config;
use crate::model::Collection;
use crate::state::State;

/// Searches all paths, depth first, for a state that leads back to itself.
pub fn has_circle(config: Config) -> bool {
    let model = Collection::new(config);
    // Whether the path that is being followed leads through it.
    let mut seen: HashMap<State, bool> = HashMap::new();
    let mut path: Vec<(State, Vec<State>)> = Vec::new();
    for state in model.init_states() {
        path.push((state.clone(), model.next_states(&state)));
        seen.insert(state, true);
    }
    while let Some((state, next)) = path.last_mut() {
        let Some(next) = next.pop() else {
            seen.insert(state.clone(), false);
            path.pop();
            continue;
        };
        match seen.get(&next) {
            Some(true) => return true,
            Some(false) => {}
            None => {
                path.push((next.clone(), model.next_states(&next)));
                seen.insert(next, true);
            }
        }
    }
    false
}
