//! What an edge adds to cost and carbon: quantities of the scenarios, each times a rate between two regions.
//!
//! An edge moves bytes, and it keeps its caller: a function returns when its calls are accepted, and a call to another
//! region is accepted a round trip later. While it waits, the caller is billed, and idle.

use crate::accounting::{execution_usd_per_second, idle_kilowatts, SECONDS_PER_HOUR};
use crate::problem::{Problem, Region};
use crate::signals::Signals;

/// A quantity of an edge, by scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// GB that it moves.
    Gigabytes,
    /// Round trips between the two regions that its caller has nothing to do but wait for.
    AwaitedRoundTrips,
    /// Seconds that its bytes take to another region, waited for by its caller.
    AwaitedTransfer,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gigabytes, Self::AwaitedRoundTrips, Self::AwaitedTransfer];
}

/// USD per unit of a quantity of an edge.
#[must_use]
pub fn cost_rate(problem: &Problem, quantity: Quantity, edge: usize, from: Region, to: Region) -> f64 {
    if quantity == Quantity::Gigabytes {
        return problem.prices[usize::from(from)].egress[usize::from(to)];
    }
    let caller = problem.graph.edges[edge].from;
    waited_seconds(problem, quantity, from, to) * execution_usd_per_second(problem, caller, from)
}

/// gCO2eq per unit of a quantity of an edge.
#[must_use]
pub fn carbon_rate(
    problem: &Problem,
    signals: &Signals,
    quantity: Quantity,
    edge: usize,
    from: Region,
    to: Region,
) -> f64 {
    if quantity == Quantity::Gigabytes {
        return signals.route(from, to);
    }
    let kilowatts = idle_kilowatts(problem, problem.graph.edges[edge].from) * problem.pue[usize::from(from)];
    let per_second = kilowatts / SECONDS_PER_HOUR * signals.intensity[usize::from(from)];
    waited_seconds(problem, quantity, from, to) * per_second
}

/// Seconds per unit that a call takes longer to be accepted in another region than in the caller's own.
fn waited_seconds(problem: &Problem, quantity: Quantity, from: Region, to: Region) -> f64 {
    if from == to {
        return 0.0;
    }
    match quantity {
        Quantity::Gigabytes => 0.0,
        Quantity::AwaitedRoundTrips => (problem.round_trip(from, to) - problem.round_trip(from, from)).max(0.0),
        Quantity::AwaitedTransfer => 1.0,
    }
}
