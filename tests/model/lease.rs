//! The clocks, apart from the rest (PROTOCOL 7.6): two sides whose clocks run differently, messages that take any time or are lost. The other
//! scenarios assume what is found here: the owner's end of a session never comes before the other side's end as a holder.
//!
//! Every message, be it a Ping, an Ack, a Resume or any other, renews for its receiver as an owner, and says which
//! of the receiver's messages was the last to arrive: that one's time of sending renews for the receiver as a holder.

use stateright::{Checker, HasDiscoveries, Model, Property};

/// The lease, in ticks. What is older makes no difference any more, so that time itself need not be bounded.
const T: u8 = 5;
/// How far the clocks get apart, and what a holder leaves for that at both ends of a lease.
const DRIFT: i8 = 1;
const MARGIN: u8 = 2 * DRIFT as u8;

/// The rules left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutant {
    /// A holder counts from when it heard of the arrival, not from when it sent.
    CountsFromAnswer,
    /// A holder counts from what it sent, arrived or not.
    CountsFromSending,
    /// A holder leaves nothing for clocks that run differently.
    NoMargin,
    /// A message renews a lease that was over.
    Revives,
}

#[derive(Debug, Clone, Copy, Default)]
struct Clocks {
    mutant: Option<Mutant>,
}

/// All times are ages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    sides: [Side; 2],
    /// To each side. One at a time: of two, the later says all.
    flight: [Option<Message>; 2],
    /// How far the first clock is ahead.
    ahead: i8,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Side {
    /// Since the last message left that the other side is known to have.
    confirmed: u8,
    /// Since the last message arrived.
    received: u8,
    /// Since it left, by the other clock.
    heard: u8,
    /// It has given up as a holder.
    given_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Message {
    /// Since it left, by its sender's clock.
    left: u8,
    /// Since that left which its sender had heard last, by its receiver's clock.
    heard: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Tick(usize),
    Send(usize),
    Receive(usize),
    /// The connection breaks. The next message goes over another.
    Lose(usize),
}

impl Clocks {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn is_over(&self, side: &Side) -> bool {
        side.confirmed >= T - if self.is(Mutant::NoMargin) { 0 } else { MARGIN }
    }

    fn tick(&self, state: &mut State, at: usize) {
        let age = |age: &mut u8| *age = (*age + 1).min(T);
        state.ahead += if at == 0 { 1 } else { -1 };
        age(&mut state.sides[at].confirmed);
        age(&mut state.sides[at].received);
        age(&mut state.sides[1 - at].heard);
        state.flight[1 - at].iter_mut().for_each(|sent| age(&mut sent.left));
        state.flight[at].iter_mut().for_each(|coming| age(&mut coming.heard));
        state.sides[at].given_up |= self.is_over(&state.sides[at]);
    }

    fn receive(&self, side: &mut Side, message: Message) {
        if side.given_up && !self.is(Mutant::Revives) {
            return;
        }
        (side.received, side.heard) = (0, message.left);
        let confirmed = if self.is(Mutant::CountsFromAnswer) { 0 } else { message.heard };
        side.confirmed = side.confirmed.min(confirmed);
    }
}

impl Model for Clocks {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for at in 0..2 {
            let ahead = if at == 0 { state.ahead } else { -state.ahead };
            if ahead < DRIFT {
                actions.push(Action::Tick(at));
            }
            if state.flight[1 - at].is_none() && !state.sides[at].given_up {
                actions.push(Action::Send(at));
            }
            if state.flight[at].is_some() {
                actions.push(Action::Receive(at));
                actions.push(Action::Lose(at));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        match action {
            Action::Tick(at) => self.tick(&mut state, at),
            Action::Send(at) => {
                let side = &mut state.sides[at];
                if self.is(Mutant::CountsFromSending) {
                    side.confirmed = 0;
                }
                state.flight[1 - at] = Some(Message { left: 0, heard: side.heard });
            }
            Action::Receive(at) => {
                let message = state.flight[at].take()?;
                self.receive(&mut state.sides[at], message);
            }
            Action::Lose(at) => state.flight[at] = None,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(FIRST, |_, state: &State| {
                (0..2).all(|at| state.sides[at].received < T || state.sides[1 - at].given_up)
            }),
            Property::always(FOR_GOOD, |model: &Self, state: &State| {
                state.sides.iter().all(|side| !side.given_up || model.is_over(side))
            }),
            Property::sometimes("an owner's end comes", |_, state: &State| {
                state.sides.iter().any(|side| side.received == T)
            }),
        ]
    }
}

const FIRST: &str = "the holder gives up before the owner does";
const FOR_GOOD: &str = "who has given up has done so for good";

#[test]
fn leases() {
    let checker = Clocks::default().checker().spawn_bfs().join();
    checker.assert_properties();
    println!("leases: {} states", checker.unique_state_count());
}

#[test]
fn every_mutant_of_the_lease_is_caught() {
    for (mutant, property) in [
        (Mutant::CountsFromAnswer, FIRST),
        (Mutant::CountsFromSending, FIRST),
        (Mutant::NoMargin, FIRST),
        (Mutant::Revives, FOR_GOOD),
    ] {
        let until = HasDiscoveries::AllOf([property].into());
        let checker = Clocks { mutant: Some(mutant) }.checker().finish_when(until).spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "{mutant:?} is not caught");
    }
}
