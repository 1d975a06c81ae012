//! The Pareto frontier over mean carbon, mean cost and tail run time: anytime, with a proof of what may be missing.
//!
//! A set of points is an epsilon-Pareto set when every allowed placement is matched by a point that is at most the
//! factor 1 + epsilon above it in each metric (Papadimitriou and Yannakakis, FOCS 2000); at zero it is the whole
//! frontier. The search splits, again and again, the partial placement that the points found so far match worst, so
//! the epsilon it can prove falls until it is small enough, or time is up.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::bounds::LowerBounds;
use crate::elimination::Elimination;
use crate::evaluation::Scratch;
use crate::limits::{MEAN_TOLERANCE, TAIL_TOLERANCE};
use crate::problem::{Metric, Placement, Region};
use crate::solver::descent::{self, BRIEF_KICKS};
use crate::solver::reduction::Screen;
use crate::solver::search::{Open, NO_PARENT};
use crate::solver::stage::{HourContext, Stage};

/// Most points on a frontier; beyond it the search ends with what it can prove.
const MOST_POINTS: usize = 10_000;

/// Most partial placements kept in memory.
const LARGEST_TREE: usize = 2_000_000;

/// Most corners of the convex hull that are looked for.
const MOST_CORNERS: usize = 64;

/// Mean carbon, mean cost, tail of the run time.
pub type Values = [f64; 3];

/// Relative differences within which values count as equal: above the rounding of what they are computed from.
const ROUNDING: Values = [MEAN_TOLERANCE, MEAN_TOLERANCE, TAIL_TOLERANCE];

/// A placement that no other found beats in one metric without losing in another.
#[derive(Clone, Debug)]
pub struct Point {
    /// Region of every node.
    pub placement: Placement,
    /// Its metrics.
    pub values: Values,
    /// Whether it minimises some weighted sum of mean carbon and mean cost over all placements.
    pub is_supported: bool,
}

/// Points in ascending order of carbon, and how much of the frontier they are.
#[derive(Clone, Debug)]
pub struct Frontier {
    /// The points; empty if no placement was found that keeps the hard limits.
    pub points: Vec<Point>,
    /// Whether the tolerance that was asked for is proven.
    pub is_complete: bool,
    /// The proven epsilon; infinite if nothing was found and existence is not ruled out.
    pub epsilon: f64,
    /// Partial placements looked at.
    pub explored: u64,
    /// Evaluations over all scenarios.
    pub evaluations: u64,
}

/// A partial placement, by way of its parents.
#[derive(Clone, Copy, Debug)]
struct Branch {
    parent: u32,
    depth: u16,
    choice: Region,
    is_bounded: bool,
    bound: Values,
}

/// A partial placement to be split: those missed by the largest factor first. The factor is that of when it was last
/// looked at; more points can only lower it.
fn to_split(missed_by: f64, depth: u16, branch: u32) -> Open {
    Open { bound: -missed_by, depth, branch }
}

/// Points that do not dominate one another.
struct Archive {
    points: Vec<Point>,
    factor: f64,
}

impl Archive {
    /// The factor by which a bound is missed: the least, over the points, of the largest excess in a metric.
    fn missed_by(&self, bound: &Values) -> f64 {
        let mut least = f64::INFINITY;
        for point in &self.points {
            let excess = |index: usize| {
                let (value, bound) = (point.values[index], bound[index]);
                if value <= bound * (1.0 + ROUNDING[index]) {
                    1.0
                } else if bound > 0.0 {
                    value / bound
                } else {
                    f64::INFINITY
                }
            };
            least = least.min(excess(0).max(excess(1)).max(excess(2)));
            if least <= 1.0 {
                break;
            }
        }
        least
    }

    fn covers(&self, bound: &Values) -> bool {
        self.missed_by(bound) <= self.factor
    }

    fn insert(&mut self, placement: Placement, values: Values) {
        if self.covers(&values) {
            return;
        }
        let beats = |other: &Point| {
            values.iter().zip(&other.values).zip(&ROUNDING).all(|((new, old), room)| *new <= old * (1.0 + room))
        };
        self.points.retain(|other| !beats(other));
        self.points.push(Point { placement, values, is_supported: false });
    }
}

struct Explorer<'a> {
    context: &'a HourContext<'a>,
    stage: Stage<'a>,
    archive: Archive,
    /// (carbon, cost) at the corners of the convex hull of all placements.
    corners: Vec<[f64; 2]>,
    branches: Vec<Branch>,
    open: BinaryHeap<Open>,
    scratch: Scratch,
    explored: u64,
    evaluations: u64,
}

/// The frontier of an hour among the placements that keep its hard limits, each point within the fraction `tolerance`
/// of what it stands for; zero asks for every point.
#[must_use]
pub fn frontier(context: &HourContext<'_>, tolerance: f64, hints: &[Placement], seed: u64) -> Frontier {
    let stage = Stage { objective: Metric::Carbon, caps: Vec::new(), hard: &context.limits.hard };
    let mut explorer = Explorer {
        context,
        stage,
        archive: Archive { points: Vec::new(), factor: 1.0 + tolerance },
        corners: Vec::new(),
        branches: Vec::new(),
        open: BinaryHeap::new(),
        scratch: Scratch::default(),
        explored: 0,
        evaluations: 0,
    };
    explorer.find_corners();
    explorer.find_extremes(hints, seed);
    let unproven = explorer.run();
    explorer.finish(unproven.unwrap_or(tolerance), unproven.is_none())
}

impl Explorer<'_> {
    /// Corners of the convex hull over mean carbon and mean cost, by weighted sums that one elimination minimises
    /// (Aneja and Nair, Management Science 25, 1979).
    fn find_corners(&mut self) {
        let relaxation = &self.context.relaxation;
        let ends = [relaxation.carbon.best_placement(), relaxation.cost.best_placement()];
        let [first, last] = ends.map(|placement| self.add_corner(placement));
        let mut pending = vec![(first, last)];
        while let Some((dirty, clean)) = pending.pop().filter(|_| self.corners.len() < MOST_CORNERS) {
            let weight = (dirty[0] - clean[0]) / (clean[1] - dirty[1]);
            if self.context.budget.stop().is_some() || !weight.is_finite() || weight <= 0.0 {
                continue;
            }
            let model = &self.context.model;
            let sum = model.carbon.plus(weight, model.cost);
            let elimination = Elimination::new(&relaxation.structure, &model.problem.graph, &sum);
            if elimination.minimum < (dirty[0] + weight * dirty[1]) * (1.0 - ROUNDING[0]) {
                let corner = self.add_corner(elimination.best_placement());
                pending.push((dirty, corner));
                pending.push((corner, clean));
            }
        }
        if !relaxation.structure.is_exact {
            self.corners.clear();
        }
    }

    fn add_corner(&mut self, placement: Placement) -> [f64; 2] {
        let graph = &self.context.problem().graph;
        let model = &self.context.model;
        let corner = [model.carbon.evaluate(graph, &placement), model.cost.evaluate(graph, &placement)];
        self.corners.push(corner);
        self.consider(placement, 0.0);
        corner
    }

    /// Good points of each metric alone, so that the archive is of use from the beginning.
    fn find_extremes(&mut self, hints: &[Placement], seed: u64) {
        for metric in Metric::ALL {
            let stage = Stage { objective: metric, ..self.stage.clone() };
            let starts = descent::starts(self.context, &stage, hints);
            let found = descent::descend(self.context, &stage, &starts, BRIEF_KICKS, seed);
            self.explored += found.explored;
            self.evaluations += found.evaluations;
            if let Some(best) = found.best {
                self.consider(best.placement, 0.0);
            }
            for start in starts {
                self.consider(start, 0.0);
            }
        }
    }

    /// Adds a complete placement unless it is matched already, of which `least_tail` may tell early.
    fn consider(&mut self, placement: Placement, least_tail: f64) {
        let graph = &self.context.problem().graph;
        let model = &self.context.model;
        let mut values = [model.carbon.evaluate(graph, &placement), model.cost.evaluate(graph, &placement), least_tail];
        if self.archive.covers(&values) {
            return;
        }
        self.evaluations += 1;
        model.fill_sample(&mut self.scratch, Metric::Runtime, &placement);
        values[2] = self.scratch.ranked(model.ranks.estimate);
        if !self.archive.covers(&values) && self.context.keeps(&mut self.scratch, &self.stage, &placement) {
            self.archive.insert(placement, values);
        }
    }

    /// Splits until everything is matched; the epsilon that is proven by then, if that is not reached.
    fn run(&mut self) -> Option<f64> {
        let context = self.context;
        let relaxation = &context.relaxation;
        let structure = relaxation.structure.as_ref();
        let needs_carbon = self.stage.hard.iter().any(|limit| limit.metric == Metric::Carbon);
        let bounds = relaxation.lower_bounds(&context.model, needs_carbon);
        let stage = self.stage.clone();
        let mut screen = Screen::new(context, &stage);
        let settled = relaxation.settled();
        let depth = settled.iter().flatten().count() as u16;
        let bound = [relaxation.carbon.minimum, relaxation.cost.minimum, 0.0];
        self.branches.push(Branch { parent: NO_PARENT, depth, choice: 0, is_bounded: false, bound });
        self.open.push(to_split(f64::INFINITY, depth, 0));
        let mut assigned = vec![0; structure.domains.len()];
        let mut partial = settled.to_vec();
        while let Some(open) = self.open.pop() {
            let branch = self.branches[open.branch as usize];
            let missed_by = self.archive.missed_by(&branch.bound);
            if missed_by <= self.archive.factor {
                continue;
            }
            let is_full = self.branches.len() > LARGEST_TREE || self.archive.points.len() > MOST_POINTS;
            if is_full || context.budget.stop().is_some() {
                self.evaluations += screen.evaluations;
                return Some(self.open_epsilon(missed_by));
            }
            if missed_by < -open.bound {
                self.open.push(to_split(missed_by, open.depth, open.branch));
                continue;
            }
            partial.copy_from_slice(&settled);
            self.restore(open.branch, &mut assigned, &mut partial);
            if !branch.is_bounded {
                self.explored += 1;
                if let Some(tail) = self.least_tail(&bounds, &mut screen, &partial) {
                    let branch = &mut self.branches[open.branch as usize];
                    branch.is_bounded = true;
                    branch.bound[2] = branch.bound[2].max(tail);
                    self.open.push(open);
                }
                continue;
            }
            if usize::from(branch.depth) == structure.domains.len() {
                self.consider(structure.placement(&assigned), branch.bound[2]);
                continue;
            }
            for elimination in [&relaxation.carbon, &relaxation.cost] {
                let mut completed = assigned.clone();
                elimination.complete(&mut completed, usize::from(branch.depth));
                self.consider(structure.placement(&completed), branch.bound[2]);
            }
            self.expand(open, &assigned);
        }
        self.evaluations += screen.evaluations;
        None
    }

    /// The worst that is left to be matched.
    fn open_epsilon(&self, first: f64) -> f64 {
        let rest = self.open.iter().map(|open| self.archive.missed_by(&self.branches[open.branch as usize].bound));
        rest.fold(first, f64::max) - 1.0
    }

    /// A lower bound of the tail of the run time; `None` if every completion breaks a hard limit.
    fn least_tail(
        &mut self,
        bounds: &LowerBounds<'_>,
        screen: &mut Screen<'_>,
        partial: &[Option<Region>],
    ) -> Option<f64> {
        self.evaluations += 1;
        bounds.fill_sample(&mut self.scratch, Metric::Runtime, partial);
        let tail = self.scratch.ranked(self.context.model.ranks.estimate);
        if !self.stage.hard.is_empty() {
            screen.bound(bounds, partial)?;
        }
        Some(tail)
    }

    fn restore(&self, index: u32, assigned: &mut [Region], partial: &mut [Option<Region>]) {
        let structure = self.context.relaxation.structure.as_ref();
        let mut branch = self.branches[index as usize];
        while branch.parent != NO_PARENT {
            let variable = structure.search_order[usize::from(branch.depth) - 1];
            assigned[variable] = branch.choice;
            partial[variable] = Some(structure.domains[variable][usize::from(branch.choice)]);
            branch = self.branches[branch.parent as usize];
        }
    }

    fn expand(&mut self, open: Open, assigned: &[Region]) {
        let relaxation = &self.context.relaxation;
        let parent = self.branches[open.branch as usize];
        let variable = relaxation.structure.search_order[usize::from(parent.depth)];
        let mut row = Vec::new();
        let mut increments: [Vec<f64>; 2] = Default::default();
        for (table, increments) in [&relaxation.carbon, relaxation.cost.as_ref()].into_iter().zip(&mut increments) {
            table.increments(assigned, variable, &mut row, increments);
        }
        for choice in 0..relaxation.structure.domains[variable].len() {
            let mut bound = parent.bound;
            bound[0] += increments[0][choice];
            bound[1] += increments[1][choice];
            let missed_by = self.archive.missed_by(&bound);
            if missed_by <= self.archive.factor {
                continue;
            }
            let depth = parent.depth + 1;
            let branch = self.branches.len() as u32;
            self.branches.push(Branch {
                parent: open.branch,
                depth,
                choice: choice as Region,
                is_bounded: false,
                bound,
            });
            self.open.push(to_split(missed_by, depth, branch));
        }
    }

    fn finish(self, epsilon: f64, is_complete: bool) -> Frontier {
        let mut points = self.archive.points;
        let is_corner = |values: &Values| {
            let equals = |corner: &[f64; 2]| {
                let mut pairs = corner.iter().zip(values);
                pairs.all(|(first, second)| (first - second).abs() <= ROUNDING[0] * first.abs())
            };
            self.corners.iter().any(equals)
        };
        for point in &mut points {
            point.is_supported = is_corner(&point.values);
        }
        points.sort_by(|first, second| {
            let pairs = first.values.iter().zip(&second.values);
            pairs.fold(Ordering::Equal, |order, (a, b)| order.then(a.total_cmp(b)))
        });
        Frontier { points, is_complete, epsilon, explored: self.explored, evaluations: self.evaluations }
    }
}
