//! How low a tail can get: used to say by how much a hard limit is missed.

use std::collections::BinaryHeap;

use crate::evaluation::Scratch;
use crate::limits::{RankedLimit, TailLimit, TAIL_TOLERANCE};
use crate::problem::{Metric, Placement, Region};
use crate::solver::control::Budget;
use crate::solver::search::{Open, NO_PARENT};
use crate::solver::stage::HourContext;

/// How close placements come to a hard limit.
#[derive(Clone, Copy, Debug)]
pub struct Closest {
    /// The statistic of the closest placement that is the highest over its limit, and that limit.
    pub ranked: RankedLimit,
    /// Its value, in the unit of the metric.
    pub best: f64,
    /// No placement has a lower value here without being higher over the limit of another statistic.
    pub lower_bound: f64,
}

/// The placement whose tail is the lowest over its limit, at the statistic where it is the highest.
///
/// Best-first on the order statistics of the scenarios' lower bounds; used to say by how much a limit is missed.
pub fn approach(context: &HourContext<'_>, limit: &TailLimit, starts: &[Placement], budget: Budget<'_>) -> Closest {
    /// Bounds evaluated at most: enough for small problems to be proven, little next to a full search.
    const MOST_BOUNDS: usize = 20_000;
    let structure = &context.relaxation.structure;
    let bounds = context.relaxation.lower_bounds(&context.model, limit.metric == Metric::Carbon);
    let mut scratch = Scratch::default();
    context.model.fill_sample(&mut scratch, limit.metric, &context.problem().home_placement());
    let mut closest = limit.tightest(&mut scratch);
    let fraction = |(value, ranked): (f64, RankedLimit)| ranked.fraction(value);
    for start in starts {
        context.model.fill_sample(&mut scratch, limit.metric, start);
        let found = limit.tightest(&mut scratch);
        if fraction(found) < fraction(closest) {
            closest = found;
        }
    }
    let answer = |(best, ranked): (f64, RankedLimit), least: f64| Closest {
        ranked,
        best,
        lower_bound: ranked.value_at(least).min(best),
    };
    let mut partial = vec![None; structure.domains.len()];
    bounds.fill_sample(&mut scratch, limit.metric, &partial);
    let root = fraction(limit.tightest(&mut scratch));
    let mut open = BinaryHeap::from([Open { bound: root, depth: 0, branch: 0 }]);
    let mut branches: Vec<(u32, Region)> = vec![(NO_PARENT, 0)];
    while let Some(next) = open.pop() {
        let is_proven = next.bound >= fraction(closest) * (1.0 - TAIL_TOLERANCE);
        if is_proven || branches.len() > MOST_BOUNDS || budget.stop().is_some() {
            return answer(closest, next.bound);
        }
        partial.fill(None);
        let (mut index, mut depth) = (next.branch, usize::from(next.depth));
        while depth > 0 {
            let (parent, region) = branches[index as usize];
            partial[structure.search_order[depth - 1]] = Some(region);
            (index, depth) = (parent, depth - 1);
        }
        let variable = structure.search_order[usize::from(next.depth)];
        for &region in &structure.domains[variable] {
            partial[variable] = Some(region);
            bounds.fill_sample(&mut scratch, limit.metric, &partial);
            let found = limit.tightest(&mut scratch);
            if fraction(found) >= fraction(closest) * (1.0 - TAIL_TOLERANCE) {
                continue;
            }
            if usize::from(next.depth) + 1 == structure.domains.len() {
                closest = found;
                continue;
            }
            open.push(Open { bound: fraction(found), depth: next.depth + 1, branch: branches.len() as u32 });
            branches.push((next.branch, region));
        }
    }
    answer(closest, fraction(closest))
}
