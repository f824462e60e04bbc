//! S1: an object id never means another object; a call reaches its object or gets a definite error.

use bytes::Bytes;
use rmi_core::ObjectId;

use crate::handles::{Object, Proxy};
use crate::invariant::Invariant;
use crate::serve::is_whole;
use crate::world::World;

impl Invariant {
    /// A call is about to be served with what was found under its id.
    pub fn served(
        world: &mut World,
        number: u64,
        id: ObjectId,
        found: Option<&Object>,
        bytes: &Bytes,
        arguments: &[Proxy],
    ) {
        let Some(record) = world.calls.get_mut(&number) else {
            return world.violate(Self::S1, || format!("call {number} was never made"));
        };
        record.executed += 1;
        let (executed, meant, given) = (record.executed, record.object, record.given);
        let never = record.never;
        let waits = record.caller.upgrade().is_some_and(|caller| caller.waiting.get());
        let whole = is_whole(number, bytes, record.size);
        let same = record.arguments.iter().copied().eq(arguments.iter().map(Proxy::object));
        if meant != Some(id) {
            world.violate(Self::S1, || format!("call {number} reached {id}"));
        }
        match found {
            Some(object) if object.serial != world.record(id).serial => {
                world.violate(Self::S1, || format!("{id} means another object now"));
            }
            // A Clean follows all calls that were begun; but who gave up may drop the proxy before a call is whole.
            None if (waits || bytes.len() <= world.limits.frame as usize) && world.is_strict(id) => {
                world.violate(Self::S1, || format!("call {number} finds {id} collected"));
            }
            _ => {}
        }
        if never {
            world.violate(Self::L4, || format!("call {number} is executed, and had certainly not begun"));
        }
        if executed > 1 || !whole || !same {
            world.violate(Self::S4, || {
                format!("call {number}: executed {executed} times, whole: {whole}, its references: {same}")
            });
        }
        // Calls of one strand to one object, sent in one session, start in order (4.6).
        if let Some((link, sequence)) = given {
            let strand = world.strand(number);
            let last = world.started.insert((link, id.to_bytes(), strand), sequence);
            if last.is_some_and(|last| last > sequence) {
                world.violate(Self::S4, || format!("call {number} to {id} was overtaken"));
            }
        }
    }

    /// An answer is about to be given to its caller.
    pub fn came_back(world: &mut World, number: u64, bytes: &Bytes, references: &[Proxy]) {
        let Some(record) = world.calls.get(&number) else { return };
        if record.answers.is_empty() {
            return world.violate(Self::S1, || format!("call {number} was never answered"));
        }
        let came = |(size, objects): &(usize, Vec<ObjectId>)| {
            is_whole(number, bytes, *size) && objects.iter().copied().eq(references.iter().map(Proxy::object))
        };
        if !record.answers.iter().any(came) {
            world.violate(Self::S4, || format!("answer {number} is not what was answered"));
        }
    }
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches};

    #[test]
    fn an_id_that_is_used_again_is_caught() {
        catches(calm(3), Bug::ReuseId, Invariant::S1);
    }

    #[test]
    fn a_clean_that_overtakes_a_call_is_caught() {
        catches(calm(3), Bug::SpawnedClean, Invariant::S1);
    }
}
