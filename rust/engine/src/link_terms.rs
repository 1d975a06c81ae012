//! What a link of two nodes adds to cost and carbon: quantities of the scenarios times rates between two regions.
//!
//! An edge moves bytes, and it keeps its caller: a function returns when its calls are accepted, and a call to another
//! region is accepted a round trip later. While it waits, the caller is billed, and idle. So does a node that reports to
//! a join, its own or that of a branch that died at it.

use crate::accounting::{execution_usd_per_second, idle_kilowatts, SECONDS_PER_HOUR};
use crate::evaluation::add_scaled;
use crate::kernels;
use crate::lanes::Lanes;
use crate::problem::{Problem, Region};
use crate::signals::Signals;

/// Rates of a link between two regions, or the least ones between several.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Per GB that its edge moves.
    per_gb: f64,
    /// Of waiting; `None` within a region, and where nobody waits.
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Seconds that a round trip to the other region takes longer than one within the own.
    added_s: f64,
    /// Per second that the near end waits.
    per_second: f64,
}

impl Rates {
    /// USD.
    #[must_use]
    pub fn of_cost(problem: &Problem, lanes: &Lanes, link: usize, from: Region, to: Region) -> Self {
        let per_gb = problem.prices[usize::from(from)].egress[usize::from(to)];
        Self { per_gb, waiting: waiting(problem, lanes, link, from, to, || waiting_cost(problem, link, from)) }
    }

    /// gCO2eq.
    #[must_use]
    pub fn of_carbon(
        problem: &Problem,
        lanes: &Lanes,
        signals: &Signals,
        link: usize,
        from: Region,
        to: Region,
    ) -> Self {
        let per_second = || waiting_carbon(problem, signals, link, from);
        Self { per_gb: signals.route(from, to), waiting: waiting(problem, lanes, link, from, to, per_second) }
    }

    /// The smallest rates of any pair of regions: what a link adds between them is not below what these give.
    #[must_use]
    pub fn least(rates: impl Iterator<Item = Self>) -> Self {
        let nothing = Waiting { added_s: f64::INFINITY, per_second: f64::INFINITY };
        rates.fold(Self { per_gb: f64::INFINITY, waiting: Some(nothing) }, |least, other| Self {
            per_gb: least.per_gb.min(other.per_gb),
            waiting: least.waiting.zip(other.waiting).map(|(first, second)| Waiting {
                added_s: first.added_s.min(second.added_s),
                per_second: first.per_second.min(second.per_second),
            }),
        })
    }

    /// Whether a link with these rates adds no more than with others, in any scenario.
    #[must_use]
    pub fn are_no_higher(self, others: Self) -> bool {
        let waits_no_longer = match (self.waiting, others.waiting) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(waiting), Some(other)) => waiting.added_s <= other.added_s && waiting.per_second <= other.per_second,
        };
        self.per_gb <= others.per_gb && waits_no_longer
    }

    /// Adds what a link adds in every scenario.
    pub fn add(self, sum: &mut [f32], lanes: &Lanes, link: usize) {
        if let Some(gb) = lanes.edge_gb(link) {
            add_scaled(sum, gb, self.per_gb as f32);
        }
        if let Some(waiting) = self.waiting {
            for awaited in lanes.awaited(link) {
                let (added, rate) = (waiting.added_s as f32, waiting.per_second as f32);
                kernels::add_waiting(sum, &awaited.round_trips, &awaited.fixed_s, added, rate);
            }
        }
    }
}

fn waiting(
    problem: &Problem,
    lanes: &Lanes,
    link: usize,
    from: Region,
    to: Region,
    per_second: impl Fn() -> f64,
) -> Option<Waiting> {
    let waits = from != to && !lanes.awaited(link).is_empty();
    waits.then(|| Waiting { added_s: added_round_trip(problem, from, to), per_second: per_second() })
}

/// Seconds that a round trip to another region takes longer than one within the own.
#[must_use]
pub fn added_round_trip(problem: &Problem, from: Region, to: Region) -> f64 {
    (problem.round_trip(from, to) - problem.round_trip(from, from)).max(0.0)
}

/// USD per second that the near end of a link waits.
#[must_use]
pub fn waiting_cost(problem: &Problem, link: usize, from: Region) -> f64 {
    execution_usd_per_second(problem, problem.graph.links[link].from, from)
}

/// gCO2eq per second that the near end of a link waits.
#[must_use]
pub fn waiting_carbon(problem: &Problem, signals: &Signals, link: usize, from: Region) -> f64 {
    let kilowatts = idle_kilowatts(problem, problem.graph.links[link].from) * problem.pue[usize::from(from)];
    kilowatts / SECONDS_PER_HOUR * signals.intensity[usize::from(from)]
}
