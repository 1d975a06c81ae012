//! What a link of two nodes adds to cost and carbon: quantities of the scenarios, each times a rate between two regions.
//!
//! An edge moves bytes, and it keeps its caller: a function returns when its calls are accepted, and a call to another
//! region is accepted a round trip later. While it waits, the caller is billed, and idle. So does a node that reports to
//! a join, its own or that of a branch that died at it.

use crate::accounting::{execution_usd_per_second, idle_kilowatts, SECONDS_PER_HOUR};
use crate::problem::{Problem, Region};
use crate::signals::Signals;

/// A quantity of a link, by scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// GB that its edge moves.
    Gigabytes,
    /// Round trips between the two regions that the near end has nothing to do but wait for.
    AwaitedRoundTrips,
    /// Seconds that its bytes take to another region, waited for by the near end.
    AwaitedTransfer,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gigabytes, Self::AwaitedRoundTrips, Self::AwaitedTransfer];
}

/// USD per unit of a quantity of a link.
#[must_use]
pub fn cost_rate(problem: &Problem, quantity: Quantity, link: usize, from: Region, to: Region) -> f64 {
    if quantity == Quantity::Gigabytes {
        return problem.prices[usize::from(from)].egress[usize::from(to)];
    }
    let waits = problem.graph.links[link].from;
    waited_seconds(problem, quantity, from, to) * execution_usd_per_second(problem, waits, from)
}

/// gCO2eq per unit of a quantity of a link.
#[must_use]
pub fn carbon_rate(
    problem: &Problem,
    signals: &Signals,
    quantity: Quantity,
    link: usize,
    from: Region,
    to: Region,
) -> f64 {
    if quantity == Quantity::Gigabytes {
        return signals.route(from, to);
    }
    let kilowatts = idle_kilowatts(problem, problem.graph.links[link].from) * problem.pue[usize::from(from)];
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
