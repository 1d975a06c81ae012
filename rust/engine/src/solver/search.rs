//! Fine-grained: best-first search with exact conditional minima, anytime under a deadline.
//!
//! Nodes are set in the reverse order of elimination, so the messages give the exact minimum over all completions of
//! a partial placement. Partial placements are expanded in order of that bound. Each is completed optimally once: if
//! the completion keeps all limits, nothing better is left. Otherwise the partial placement is dropped when its
//! scenarios' lower bounds already break a limit, and split when not. Before the search, regions that cannot be part
//! of a better placement are ruled out, which tightens all bounds.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::elimination::Elimination;
use crate::problem::{Metric, Placement, Region};
use crate::solver::descent::{self, BRIEF_KICKS};
use crate::solver::reduction::{reduce, Screen};
use crate::solver::relaxation::Relaxation;
use crate::solver::stage::{is_no_better, Candidate, HourContext, Stage, StageOutcome};

/// Most partial placements kept in memory; beyond it the search ends with the gap it has reached.
const LARGEST_TREE: usize = 2_000_000;

/// Additive metrics that are bounded at once: the objective and the caps.
const ADDITIVE_METRICS: usize = 2;

/// Rounds of ruling out regions before the search.
const MOST_REDUCTIONS: usize = 4;

/// Most placements that are tried one by one when only ties are left to break.
const MOST_ENUMERATED: usize = 64;

/// Parent of the root.
pub(super) const NO_PARENT: u32 = u32::MAX;

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
pub(super) struct Open {
    /// No completion is below this.
    pub bound: f64,
    /// Nodes set.
    pub depth: u16,
    /// Index of the branch.
    pub branch: u32,
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

struct Search<'a> {
    context: &'a HourContext<'a>,
    stage: &'a Stage<'a>,
    screen: Screen<'a>,
    branches: Vec<Branch>,
    open: BinaryHeap<Open>,
    incumbent: Option<Candidate>,
    explored: u64,
}

/// Minimises a stage exactly, or as far as the budget reaches.
pub fn search(context: &HourContext<'_>, stage: &Stage<'_>, hints: &[Placement], seed: u64) -> StageOutcome {
    let mut search = Search::new(context, stage);
    if let Some(outcome) = search.try_relaxation(&context.relaxation) {
        return outcome;
    }
    let brief = descent::descend(context, stage, &descent::starts(context, stage, hints), BRIEF_KICKS, seed);
    search.incumbent = brief.best;
    search.explored += brief.explored;
    search.screen.evaluations += brief.evaluations;
    search.reduce_and_run()
}

/// Index of an additive metric in a branch's minima.
fn slot(metric: Metric) -> Option<usize> {
    match metric {
        Metric::Carbon => Some(0),
        Metric::Cost => Some(1),
        Metric::Runtime => None,
    }
}

impl<'a> Search<'a> {
    fn new(context: &'a HourContext<'a>, stage: &'a Stage<'a>) -> Self {
        Self {
            context,
            stage,
            screen: Screen::new(context, stage),
            branches: Vec::new(),
            open: BinaryHeap::new(),
            incumbent: None,
            explored: 0,
        }
    }

    /// Rules out regions as long as some go, then searches what is left.
    fn reduce_and_run(&mut self) -> StageOutcome {
        let context = self.context;
        let mut reduced: Option<Relaxation> = None;
        for _ in 0..MOST_REDUCTIONS {
            let relaxation = reduced.as_ref().unwrap_or(&context.relaxation);
            let ceiling = self.incumbent.as_ref().map(|best| best.value);
            let domains = reduce(&mut self.screen, relaxation, ceiling);
            if domains.iter().any(Vec::is_empty) {
                return self.outcome(f64::INFINITY, true);
            }
            if domains == relaxation.structure.domains {
                break;
            }
            let tighter = Relaxation::restricted(&context.model, domains);
            if let Some(outcome) = self.try_relaxation(&tighter) {
                return outcome;
            }
            reduced = Some(tighter);
        }
        self.run(reduced.as_ref().unwrap_or(&context.relaxation))
    }

    /// The best placement without limits on tails, if it keeps everything: then it is the answer.
    fn try_relaxation(&mut self, relaxation: &Relaxation) -> Option<StageOutcome> {
        for cap in &self.stage.caps {
            if relaxation.minimum(&self.context.model, &mut self.screen.scratch, cap.metric) > cap.threshold() {
                return Some(self.outcome(f64::INFINITY, true));
            }
        }
        if let Some(outcome) = self.try_enumeration(relaxation) {
            return Some(outcome);
        }
        let elimination = relaxation.elimination(self.stage.objective)?;
        let minimum = elimination.minimum;
        let placement = elimination.best_placement();
        self.consider(placement);
        let best = self.incumbent.as_ref()?;
        is_no_better(minimum, best.value).then(|| self.outcome(minimum, true))
    }

    /// After other objectives few placements are left within their caps, so all of them are tried.
    fn try_enumeration(&mut self, relaxation: &Relaxation) -> Option<StageOutcome> {
        let structure = relaxation.structure.as_ref();
        let tables = self.tables(relaxation);
        let caps = self.stage.caps.iter().filter_map(|cap| slot(cap.metric).map(|slot| (slot, cap.threshold())));
        let caps: Vec<(usize, f64)> = caps.collect();
        if caps.is_empty() {
            return None;
        }
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
            evaluations: self.screen.evaluations,
        }
    }

    /// Makes a complete placement the incumbent if it keeps everything and is better.
    fn consider(&mut self, placement: Placement) {
        let value = self.context.model.mean(&mut self.screen.scratch, self.stage.objective, &placement);
        if self.incumbent.as_ref().is_some_and(|best| is_no_better(value, best.value)) {
            return;
        }
        self.screen.evaluations += 1;
        if self.context.keeps(&mut self.screen.scratch, self.stage, &placement) {
            self.incumbent = Some(Candidate { placement, value });
        }
    }

    fn is_hopeless(&self, bound: f64) -> bool {
        self.incumbent.as_ref().is_some_and(|best| is_no_better(bound, best.value))
    }

    fn tables<'r>(&self, relaxation: &'r Relaxation) -> [Option<&'r Elimination>; ADDITIVE_METRICS] {
        let used =
            |metric: Metric| self.stage.objective == metric || self.stage.caps.iter().any(|cap| cap.metric == metric);
        let carbon = used(Metric::Carbon).then_some(&relaxation.carbon);
        let cost = used(Metric::Cost).then_some(relaxation.cost.as_ref());
        [carbon, cost]
    }

    fn run(&mut self, relaxation: &Relaxation) -> StageOutcome {
        let context = self.context;
        let structure = relaxation.structure.as_ref();
        let bounds = self.screen.lower_bounds(relaxation);
        let settled = relaxation.settled();
        let minima = self.tables(relaxation).map(|table| table.map_or(0.0, |table| table.minimum));
        let root_bound = slot(self.stage.objective).map_or(0.0, |slot| minima[slot]);
        // Nodes with one region come first in search order; the root sets them all.
        let depth = settled.iter().flatten().count() as u16;
        self.branches.push(Branch {
            parent: NO_PARENT,
            depth,
            choice: 0,
            repeats_parent: false,
            is_bounded: false,
            minima,
        });
        self.open.push(Open { bound: root_bound, depth, branch: 0 });
        let mut assigned = vec![0; structure.domains.len()];
        let mut partial = settled.to_vec();
        while let Some(open) = self.open.pop() {
            if self.is_hopeless(open.bound) {
                self.open.clear();
                break;
            }
            if self.branches.len() > LARGEST_TREE || context.budget.stop().is_some() {
                return self.outcome(open.bound, false);
            }
            let branch = self.branches[open.branch as usize];
            partial.copy_from_slice(&settled);
            self.restore(relaxation, open.branch, &mut assigned, &mut partial);
            if !branch.is_bounded {
                self.explored += 1;
                let bound = bounds.as_ref().map_or(Some(0.0), |bounds| self.screen.bound(bounds, &partial));
                let Some(bound) = bound else {
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
            let continued = self.try_completion(relaxation, &branch, &assigned);
            if self.is_hopeless(open.bound) {
                continue;
            }
            self.expand(relaxation, open, &assigned, continued.as_deref());
        }
        let lower_bound = self.incumbent.as_ref().map_or(f64::INFINITY, |best| best.value);
        self.outcome(lower_bound, true)
    }

    /// Completes a branch as its objective likes best, tries the result, and returns it.
    fn try_completion(&mut self, relaxation: &Relaxation, branch: &Branch, assigned: &[Region]) -> Option<Vec<Region>> {
        let elimination = relaxation.elimination(self.stage.objective)?;
        let mut completed = assigned.to_vec();
        elimination.complete(&mut completed, usize::from(branch.depth));
        if !branch.repeats_parent && branch.parent != NO_PARENT {
            self.consider(relaxation.structure.placement(&completed));
        }
        Some(completed)
    }

    /// Writes the regions of a branch into `assigned` (as indices within domains) and `partial`.
    fn restore(&self, relaxation: &Relaxation, index: u32, assigned: &mut [Region], partial: &mut [Option<Region>]) {
        let structure = relaxation.structure.as_ref();
        let mut branch = self.branches[index as usize];
        while branch.parent != NO_PARENT {
            let variable = structure.search_order[usize::from(branch.depth) - 1];
            assigned[variable] = branch.choice;
            partial[variable] = Some(structure.domains[variable][usize::from(branch.choice)]);
            branch = self.branches[branch.parent as usize];
        }
    }

    fn expand(&mut self, relaxation: &Relaxation, open: Open, assigned: &[Region], completed: Option<&[Region]>) {
        let structure = relaxation.structure.as_ref();
        let parent = self.branches[open.branch as usize];
        let variable = structure.search_order[usize::from(parent.depth)];
        let size = structure.domains[variable].len();
        let mut row = Vec::new();
        let mut increments: [Vec<f64>; ADDITIVE_METRICS] = [vec![0.0; size], vec![0.0; size]];
        for (table, increments) in self.tables(relaxation).into_iter().zip(&mut increments) {
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

#[cfg(test)]
mod tests;
