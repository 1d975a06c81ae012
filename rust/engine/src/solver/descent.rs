//! Heuristic: seeded descent with kicks, from several starts.
//!
//! Merit is compared lexicographically, excess over limits first, then the objective, so no weight has a scale to tune.
//! Mean cost and carbon of a move are known from the node's terms alone; scenarios are evaluated only for
//! placements that would otherwise be accepted.

use crate::evaluation::Scratch;
use crate::problem::{Placement, Region};
use crate::random::{bits, uniform, Stream};
use crate::solver::stage::{is_no_better, Candidate, HourContext, Stage, StageOutcome};

/// Kicks per start when the heuristic is the solver.
pub const THOROUGH_KICKS: usize = 40;

/// Kicks per start when it only looks for an incumbent.
pub const BRIEF_KICKS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Merit {
    excess: f64,
    objective: f64,
}

impl Merit {
    fn beats(self, other: Self) -> bool {
        // Two infeasible placements compare by excess, two feasible ones by objective.
        if self.excess > 0.0 || other.excess > 0.0 {
            self.excess < other.excess
        } else {
            !is_no_better(self.objective, other.objective)
        }
    }
}

struct Descent<'a, 'h> {
    context: &'a HourContext<'h>,
    stage: &'a Stage<'a>,
    scratch: Scratch,
    evaluations: u64,
    explored: u64,
}

/// Descends from `starts`, with `kicks` perturbations each. Proves only what the relaxed minimum proves.
pub fn descend(
    context: &HourContext<'_>,
    stage: &Stage<'_>,
    starts: &[Placement],
    kicks: usize,
    seed: u64,
) -> StageOutcome {
    let mut descent = Descent { context, stage, scratch: Scratch::default(), evaluations: 0, explored: 0 };
    let mut best: Option<(Placement, Merit)> = None;
    for (number, start) in starts.iter().enumerate() {
        let mut current = start.clone();
        let mut merit = descent.merit(&current);
        descent.improve(&mut current, &mut merit);
        for kick in 0..kicks {
            if context.budget.stop().is_some() {
                break;
            }
            let mut candidate = current.clone();
            descent.kick(&mut candidate, seed, (number * kicks + kick) as u64);
            let mut candidate_merit = descent.merit(&candidate);
            descent.improve(&mut candidate, &mut candidate_merit);
            if !merit.beats(candidate_merit) {
                (current, merit) = (candidate, candidate_merit);
            }
        }
        if best.as_ref().is_none_or(|(_, best)| merit.beats(*best)) {
            best = Some((current, merit));
        }
    }
    let best = best
        .filter(|(_, merit)| merit.excess <= 0.0)
        .map(|(placement, merit)| Candidate { placement, value: merit.objective });
    let lower_bound = context.relaxed_minimum(&mut descent.scratch, stage.objective);
    StageOutcome {
        is_proven: best.as_ref().is_some_and(|best| is_no_better(lower_bound, best.value)),
        lower_bound: best.as_ref().map_or(lower_bound, |best| lower_bound.min(best.value)),
        best,
        explored: descent.explored,
        evaluations: descent.evaluations,
    }
}

/// Starting points: home, the hint, the best placement without tails, every node in the region cheapest for it alone.
pub fn starts(context: &HourContext<'_>, stage: &Stage<'_>, hints: &[Placement]) -> Vec<Placement> {
    let mut starts: Vec<Placement> = hints.to_vec();
    if let Some(elimination) = context.relaxation.elimination(stage.objective) {
        starts.push(elimination.best_placement());
    }
    starts.push(context.problem().home_placement());
    let mut distinct: Vec<Placement> = Vec::new();
    for start in starts {
        if !distinct.contains(&start) {
            distinct.push(start);
        }
    }
    distinct
}

impl Descent<'_, '_> {
    fn merit(&mut self, placement: &[Region]) -> Merit {
        let objective = self.context.model.mean(&mut self.scratch, self.stage.objective, placement);
        self.evaluations += 1;
        Merit { excess: self.context.excess(&mut self.scratch, self.stage, placement), objective }
    }

    /// First-improvement descent over single moves, moves of two connected nodes, and moves of whole regions.
    fn improve(&mut self, current: &mut Placement, merit: &mut Merit) {
        let problem = self.context.problem();
        loop {
            let mut improved = false;
            for node in 0..problem.nodes.len() {
                if self.context.budget.stop().is_some() {
                    return;
                }
                for &region in &problem.nodes[node].domain {
                    improved |= self.try_moves(current, merit, &[(node, region)]);
                }
            }
            for ends in &problem.graph.edges {
                if self.context.budget.stop().is_some() {
                    return;
                }
                for &region in &problem.nodes[ends.from].domain {
                    if problem.nodes[ends.to].domain.contains(&region) {
                        improved |= self.try_moves(current, merit, &[(ends.from, region), (ends.to, region)]);
                    }
                }
            }
            let mut occupied = current.clone();
            occupied.sort_unstable();
            occupied.dedup();
            for &from in &occupied {
                for to in 0..problem.region_count() as Region {
                    if self.context.budget.stop().is_some() {
                        return;
                    }
                    let moves: Vec<(usize, Region)> = (0..problem.nodes.len())
                        .filter(|&node| current[node] == from && problem.nodes[node].domain.contains(&to))
                        .map(|node| (node, to))
                        .collect();
                    improved |= self.try_moves(current, merit, &moves);
                }
            }
            if !improved {
                return;
            }
        }
    }

    fn try_moves(&mut self, current: &mut Placement, merit: &mut Merit, moves: &[(usize, Region)]) -> bool {
        if moves.iter().all(|&(node, region)| current[node] == region) {
            return false;
        }
        self.explored += 1;
        let before: Vec<(usize, Region)> = moves.iter().map(|&(node, _)| (node, current[node])).collect();
        let apply = |placement: &mut Placement, moves: &[(usize, Region)]| {
            for &(node, region) in moves {
                placement[node] = region;
            }
        };
        if merit.excess <= 0.0 {
            if let Some(additive) = self.context.model.additive(self.stage.objective) {
                let graph = &self.context.problem().graph;
                let mut value = merit.objective;
                for &(node, region) in moves {
                    value += additive.change(graph, current, node, region);
                    current[node] = region;
                }
                if is_no_better(value, merit.objective) {
                    apply(current, &before);
                    return false;
                }
            }
            apply(current, moves);
            self.evaluations += 1;
            if !self.context.keeps(&mut self.scratch, self.stage, current) {
                apply(current, &before);
                return false;
            }
        }
        apply(current, moves);
        let candidate = self.merit(current);
        if candidate.beats(*merit) {
            *merit = candidate;
            return true;
        }
        apply(current, &before);
        false
    }

    /// Moves a quarter of the nodes (at least two, if there are as many) to random regions.
    fn kick(&self, placement: &mut Placement, seed: u64, counter: u64) {
        let problem = self.context.problem();
        let movable: Vec<usize> = (0..placement.len()).filter(|&node| problem.nodes[node].domain.len() > 1).collect();
        let moves = (movable.len() / 4).max(2).min(movable.len());
        for step in 0..moves as u64 {
            let node = movable[(bits(seed, Stream::Descent, counter, 2 * step) % movable.len() as u64) as usize];
            let domain = &problem.nodes[node].domain;
            let pick = uniform(seed, Stream::Descent, counter, 2 * step + 1) * domain.len() as f64;
            placement[node] = domain[pick as usize];
        }
    }
}
