//! Fine-grained: best-first search with exact conditional minima, anytime under a deadline.
//!
//! Nodes are set in the reverse order of elimination, so the messages give the exact minimum over all completions of
//! a partial placement. Partial placements are expanded in order of that bound. Each is completed optimally once: if
//! the completion keeps all limits, nothing better is left. Otherwise the partial placement is dropped when its
//! scenarios' lower bounds already break a limit, and split when not.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::bounds::LowerBounds;
use crate::elimination::Elimination;
use crate::evaluation::{mean, Scratch};
use crate::limits::TAIL_TOLERANCE;
use crate::problem::{Metric, Placement, Region};
use crate::solver::control::Budget;
use crate::solver::descent::{self, BRIEF_KICKS};
use crate::solver::stage::{is_no_better, Candidate, HourContext, Stage, StageOutcome};

/// Most partial placements kept in memory; beyond it the search ends with the gap it has reached.
const LARGEST_TREE: usize = 2_000_000;

/// Additive metrics that are bounded at once: the objective and the caps.
const ADDITIVE_METRICS: usize = 2;

/// Most placements that are tried one by one when only ties are left to break.
const MOST_ENUMERATED: usize = 64;

const NO_PARENT: u32 = u32::MAX;

/// A partial placement: the regions of the first `depth` nodes in search order, by way of its parents.
#[derive(Clone, Copy, Debug)]
struct Branch {
    parent: u32,
    depth: u16,
    choice: Region,
    /// Whether the parent's best completion continues here, so that it need not be tried again.
    repeats_parent: bool,
    /// Whether the lower bounds of its scenarios are part of the bound.
    is_bounded: bool,
    /// Conditional minima of the additive metrics.
    minima: [f64; ADDITIVE_METRICS],
}

/// Order of expansion: smallest bound first, then deepest, then oldest.
#[derive(Clone, Copy, Debug)]
struct Open {
    bound: f64,
    depth: u16,
    branch: u32,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_bound = other.bound.total_cmp(&self.bound);
        by_bound.then(self.depth.cmp(&other.depth)).then(other.branch.cmp(&self.branch))
    }
}

struct Search<'a, 'h> {
    context: &'a HourContext<'h>,
    stage: &'a Stage<'a>,
    scratch: Scratch,
    branches: Vec<Branch>,
    open: BinaryHeap<Open>,
    incumbent: Option<Candidate>,
    explored: u64,
    evaluations: u64,
}

/// Minimises a stage exactly, or as far as the budget reaches.
pub fn search(context: &HourContext<'_>, stage: &Stage<'_>, hints: &[Placement], seed: u64) -> StageOutcome {
    let mut search = Search {
        context,
        stage,
        scratch: Scratch::default(),
        branches: Vec::new(),
        open: BinaryHeap::new(),
        incumbent: None,
        explored: 0,
        evaluations: 0,
    };
    if let Some(outcome) = search.try_relaxation() {
        return outcome;
    }
    let brief = descent::descend(context, stage, &descent::starts(context, stage, hints), BRIEF_KICKS, seed);
    search.incumbent = brief.best;
    search.explored += brief.explored;
    search.evaluations += brief.evaluations;
    search.run()
}

/// Index of an additive metric in a branch's minima.
fn slot(metric: Metric) -> Option<usize> {
    match metric {
        Metric::Carbon => Some(0),
        Metric::Cost => Some(1),
        Metric::Runtime => None,
    }
}

impl<'a, 'h> Search<'a, 'h> {
    /// The best placement without limits on tails, if it keeps everything: then it is the answer.
    fn try_relaxation(&mut self) -> Option<StageOutcome> {
        for cap in &self.stage.caps {
            if self.context.relaxed_minimum(&mut self.scratch, cap.metric) > cap.threshold() {
                return Some(self.outcome(f64::INFINITY, true));
            }
        }
        let Some(elimination) = self.context.elimination(self.stage.objective) else {
            return self.try_enumeration();
        };
        let minimum = elimination.minimum;
        let placement = elimination.best_placement();
        self.consider(placement);
        let best = self.incumbent.as_ref()?;
        is_no_better(minimum, best.value).then(|| self.outcome(minimum, true))
    }

    /// For run time after other objectives: few placements are left within their caps, so try them all.
    fn try_enumeration(&mut self) -> Option<StageOutcome> {
        let structure = self.context.shared.structure;
        let tables = self.tables();
        let caps = self.stage.caps.iter().filter_map(|cap| slot(cap.metric).map(|slot| (slot, cap.threshold())));
        let caps: Vec<(usize, f64)> = caps.collect();
        let minima = tables.map(|table| table.map_or(0.0, |table| table.minimum));
        let mut pending = vec![(0_usize, vec![0; structure.domains.len()], minima)];
        let (mut row, mut complete) = (Vec::new(), Vec::new());
        let mut increments: [Vec<f64>; ADDITIVE_METRICS] = Default::default();
        let mut visited = 0;
        while let Some((depth, assigned, minima)) = pending.pop() {
            visited += 1;
            if depth == structure.domains.len() {
                complete.push(structure.placement(&assigned));
            }
            if complete.len() > MOST_ENUMERATED || visited > MOST_ENUMERATED * structure.domains.len() {
                return None;
            }
            let Some(&variable) = structure.search_order.get(depth) else {
                continue;
            };
            for (table, increments) in tables.iter().zip(&mut increments) {
                match table {
                    Some(table) => table.increments(&assigned, variable, &mut row, increments),
                    None => *increments = vec![0.0; structure.domains[variable].len()],
                }
            }
            for choice in 0..structure.domains[variable].len() {
                let minima = [minima[0] + increments[0][choice], minima[1] + increments[1][choice]];
                if caps.iter().all(|&(slot, threshold)| minima[slot] <= threshold) {
                    let mut assigned = assigned.clone();
                    assigned[variable] = choice as Region;
                    pending.push((depth + 1, assigned, minima));
                }
            }
        }
        self.explored += visited as u64;
        for placement in complete {
            self.consider(placement);
        }
        let value = self.incumbent.as_ref().map_or(f64::INFINITY, |best| best.value);
        Some(self.outcome(value, true))
    }

    fn outcome(&self, lower_bound: f64, is_proven: bool) -> StageOutcome {
        let best = self.incumbent.clone();
        StageOutcome {
            lower_bound: best.as_ref().map_or(lower_bound, |best| lower_bound.min(best.value)),
            best,
            is_proven,
            explored: self.explored,
            evaluations: self.evaluations,
        }
    }

    /// Makes a complete placement the incumbent if it keeps everything and is better.
    fn consider(&mut self, placement: Placement) {
        let value = self.context.model.mean(&mut self.scratch, self.stage.objective, &placement);
        if self.incumbent.as_ref().is_some_and(|best| is_no_better(value, best.value)) {
            return;
        }
        self.evaluations += 1;
        if self.context.excess(&mut self.scratch, self.stage, &placement) <= 0.0 {
            self.incumbent = Some(Candidate { placement, value });
        }
    }

    fn is_hopeless(&self, bound: f64) -> bool {
        self.incumbent.as_ref().is_some_and(|best| is_no_better(bound, best.value))
    }

    fn tables(&self) -> [Option<&'a Elimination<'h>>; ADDITIVE_METRICS] {
        let used =
            |metric: Metric| self.stage.objective == metric || self.stage.caps.iter().any(|cap| cap.metric == metric);
        let carbon = used(Metric::Carbon).then_some(&self.context.carbon);
        let cost = used(Metric::Cost).then_some(self.context.shared.cost);
        [carbon, cost]
    }

    fn run(&mut self) -> StageOutcome {
        let context = self.context;
        let structure = context.shared.structure;
        let needs_carbon = self.stage.hard.iter().any(|limit| limit.metric == Metric::Carbon);
        let bounds = context.lower_bounds(needs_carbon);
        let minima = self.tables().map(|table| table.map_or(0.0, |table| table.minimum));
        let root_bound = slot(self.stage.objective).map_or(0.0, |slot| minima[slot]);
        self.branches.push(Branch {
            parent: NO_PARENT,
            depth: 0,
            choice: 0,
            repeats_parent: false,
            is_bounded: false,
            minima,
        });
        self.open.push(Open { bound: root_bound, depth: 0, branch: 0 });
        let mut assigned = vec![0; structure.domains.len()];
        let mut partial = vec![None; structure.domains.len()];
        while let Some(open) = self.open.pop() {
            if self.is_hopeless(open.bound) {
                self.open.clear();
                break;
            }
            if self.branches.len() > LARGEST_TREE || context.budget.stop().is_some() {
                return self.outcome(open.bound, false);
            }
            let branch = self.branches[open.branch as usize];
            self.restore(open.branch, &mut assigned, &mut partial);
            if !branch.is_bounded {
                self.explored += 1;
                let Some(bound) = self.bound(&bounds, &partial, open.bound) else {
                    continue;
                };
                if bound > open.bound {
                    self.branches[open.branch as usize].is_bounded = true;
                    if !self.is_hopeless(bound) {
                        self.open.push(Open { bound, ..open });
                    }
                    continue;
                }
            }
            if usize::from(branch.depth) == structure.domains.len() {
                self.consider(structure.placement(&assigned));
                continue;
            }
            let continued = self.try_completion(&branch, &assigned);
            if self.is_hopeless(open.bound) {
                continue;
            }
            self.expand(open, &assigned, continued.as_deref());
        }
        let lower_bound = self.incumbent.as_ref().map_or(f64::INFINITY, |best| best.value);
        self.outcome(lower_bound, true)
    }

    /// Completes a branch as its objective likes best, tries the result, and returns it.
    fn try_completion(&mut self, branch: &Branch, assigned: &[Region]) -> Option<Vec<Region>> {
        let elimination = self.context.elimination(self.stage.objective)?;
        let mut completed = assigned.to_vec();
        elimination.complete(&mut completed, usize::from(branch.depth));
        if !branch.repeats_parent && branch.depth > 0 {
            self.consider(self.context.shared.structure.placement(&completed));
        }
        Some(completed)
    }

    /// Writes the regions of a branch into `assigned` (as indices within domains) and `partial`.
    fn restore(&self, mut index: u32, assigned: &mut [Region], partial: &mut [Option<Region>]) {
        let structure = self.context.shared.structure;
        partial.fill(None);
        while index != NO_PARENT {
            let branch = self.branches[index as usize];
            if branch.depth > 0 {
                let variable = structure.search_order[usize::from(branch.depth) - 1];
                assigned[variable] = branch.choice;
                partial[variable] = Some(structure.domains[variable][usize::from(branch.choice)]);
            }
            index = branch.parent;
        }
    }

    /// A bound from the scenarios of a partial placement; `None` if every completion breaks a limit.
    fn bound(&mut self, bounds: &LowerBounds<'_>, partial: &[Option<Region>], known: f64) -> Option<f64> {
        let mut bound = known;
        let runtime_is_objective = self.stage.objective == Metric::Runtime;
        let cap = self.stage.caps.iter().find(|cap| cap.metric == Metric::Runtime);
        let runtime_limit = self.stage.hard.iter().find(|limit| limit.metric == Metric::Runtime);
        if runtime_is_objective || cap.is_some() || runtime_limit.is_some() {
            self.evaluations += 1;
            bounds.fill_sample(&mut self.scratch, Metric::Runtime, partial);
            let least_mean = mean(self.scratch.sample());
            if cap.is_some_and(|cap| least_mean > cap.threshold()) {
                return None;
            }
            if runtime_is_objective {
                bound = bound.max(least_mean);
            }
            if runtime_limit.is_some_and(|limit| self.exceeds(limit.threshold())) {
                return None;
            }
        }
        for limit in self.stage.hard.iter().filter(|limit| limit.metric != Metric::Runtime) {
            self.evaluations += 1;
            bounds.fill_sample(&mut self.scratch, limit.metric, partial);
            // Partial sums are added in another order than complete ones: leave room for their rounding.
            if self.exceeds(limit.threshold() * (1.0 + TAIL_TOLERANCE)) {
                return None;
            }
        }
        Some(bound)
    }

    /// Whether the confidence bound of the last sample lies above a threshold: a count, cheaper than a selection.
    fn exceeds(&self, threshold: f64) -> bool {
        let within = self.scratch.sample().iter().filter(|&&value| f64::from(value) <= threshold).count();
        within < self.context.bound_rank()
    }

    fn expand(&mut self, open: Open, assigned: &[Region], completed: Option<&[Region]>) {
        let structure = self.context.shared.structure;
        let parent = self.branches[open.branch as usize];
        let variable = structure.search_order[usize::from(parent.depth)];
        let size = structure.domains[variable].len();
        let mut row = Vec::new();
        let mut increments: [Vec<f64>; ADDITIVE_METRICS] = [vec![0.0; size], vec![0.0; size]];
        for (table, increments) in self.tables().into_iter().zip(&mut increments) {
            if let Some(table) = table {
                table.increments(assigned, variable, &mut row, increments);
            }
        }
        let objective = slot(self.stage.objective);
        for choice in 0..size {
            let minima = [parent.minima[0] + increments[0][choice], parent.minima[1] + increments[1][choice]];
            let over_cap =
                self.stage.caps.iter().any(|cap| slot(cap.metric).is_some_and(|slot| minima[slot] > cap.threshold()));
            let bound = objective.map_or(open.bound, |slot| open.bound.max(minima[slot]));
            if over_cap || self.is_hopeless(bound) {
                continue;
            }
            let depth = parent.depth + 1;
            self.open.push(Open { bound, depth, branch: self.branches.len() as u32 });
            self.branches.push(Branch {
                parent: open.branch,
                depth,
                choice: choice as Region,
                repeats_parent: completed.is_some_and(|completed| usize::from(completed[variable]) == choice),
                is_bounded: false,
                minima,
            });
        }
    }
}

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
    let structure = context.shared.structure;
    let bounds = context.lower_bounds(metric == Metric::Carbon);
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
