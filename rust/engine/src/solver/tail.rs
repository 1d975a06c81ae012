//! How low a tail can get: used to say by how much a hard limit is missed.

use std::collections::BinaryHeap;

use crate::evaluation::Scratch;
use crate::limits::TAIL_TOLERANCE;
use crate::problem::{Metric, Placement, Region};
use crate::solver::control::Budget;
use crate::solver::search::{Open, NO_PARENT};
use crate::solver::stage::HourContext;

/// Smallest confidence bound of a tail over all placements: (best found, lower bound).
///
/// Best-first on the order statistic of the scenarios' lower bounds; used to say by how much a limit is missed.
pub fn minimise_tail(
    context: &HourContext<'_>,
    metric: Metric,
    starts: &[Placement],
    budget: Budget<'_>,
) -> (f64, f64) {
    /// Bounds evaluated at most: enough for small problems to be proven, little next to a full search.
    const MOST_BOUNDS: usize = 20_000;
    let structure = &context.relaxation.structure;
    let bounds = context.relaxation.lower_bounds(&context.model, metric == Metric::Carbon);
    let rank = context.bound_rank();
    let mut scratch = Scratch::default();
    let mut best = f64::INFINITY;
    for start in starts {
        context.model.fill_sample(&mut scratch, metric, start);
        best = best.min(scratch.ranked(rank));
    }
    let mut partial = vec![None; structure.domains.len()];
    bounds.fill_sample(&mut scratch, metric, &partial);
    let mut open = BinaryHeap::from([Open { bound: scratch.ranked(rank), depth: 0, branch: 0 }]);
    let mut branches: Vec<(u32, Region)> = vec![(NO_PARENT, 0)];
    while let Some(next) = open.pop() {
        if next.bound >= best * (1.0 - TAIL_TOLERANCE) {
            return (best, next.bound.min(best));
        }
        if branches.len() > MOST_BOUNDS || budget.stop().is_some() {
            return (best, next.bound);
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
            bounds.fill_sample(&mut scratch, metric, &partial);
            let bound = scratch.ranked(rank);
            if bound >= best * (1.0 - TAIL_TOLERANCE) {
                continue;
            }
            if usize::from(next.depth) + 1 == structure.domains.len() {
                best = bound;
                continue;
            }
            open.push(Open { bound, depth: next.depth + 1, branch: branches.len() as u32 });
            branches.push((next.branch, region));
        }
    }
    (best, best)
}
