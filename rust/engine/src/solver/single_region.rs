//! Coarse-grained: everything in one region, as far as the nodes may run there.

use crate::evaluation::{Metrics, Scratch};
use crate::problem::{Placement, Problem, Region};
use crate::solver::stage::{is_no_better, Candidate, HourContext, Stage, StageOutcome};

/// A placement with one region, and what is left at home.
#[derive(Clone, Debug)]
pub struct SingleRegion {
    /// The region.
    pub region: Region,
    /// Nodes that may not run there are at home.
    pub placement: Placement,
    /// Whether all nodes run in the region.
    pub is_pure: bool,
    /// Metrics of the placement.
    pub metrics: Metrics,
    /// Whether all hard limits hold.
    pub is_feasible: bool,
}

fn placement_in(problem: &Problem, region: Region) -> Placement {
    let choose = |domain: &Vec<Region>| {
        if domain.contains(&region) {
            region
        } else {
            problem.home
        }
    };
    problem.nodes.iter().map(|node| choose(&node.domain)).collect()
}

/// Evaluates every region.
pub fn candidates(context: &HourContext<'_>, scratch: &mut Scratch) -> Vec<SingleRegion> {
    let problem = context.problem();
    (0..problem.region_count() as Region)
        .map(|region| {
            let placement = placement_in(problem, region);
            let metrics = context.model.metrics(scratch, &placement);
            SingleRegion {
                region,
                is_pure: placement.iter().all(|&chosen| chosen == region),
                is_feasible: context.limits.hold(&metrics),
                placement,
                metrics,
            }
        })
        .collect()
}

/// Index of the candidate that a placement is: home, where nothing may run in a region that is listed before it.
#[must_use]
pub fn named(problem: &Problem, candidates: &[SingleRegion], placement: &[Region]) -> Option<usize> {
    let is_it = |index: &usize| candidates[*index].placement == *placement;
    Some(usize::from(problem.home)).filter(is_it).or_else(|| (0..candidates.len()).find(is_it))
}

/// The best candidate of a stage; the first one listed among equals.
pub fn choose(
    context: &HourContext<'_>,
    stage: &Stage<'_>,
    candidates: &[SingleRegion],
    scratch: &mut Scratch,
) -> StageOutcome {
    let keeps_caps = |metrics: &Metrics| stage.caps.iter().all(|cap| metrics.of(cap.metric).mean <= cap.threshold());
    let mut best: Option<Candidate> = None;
    for candidate in candidates.iter().filter(|candidate| candidate.is_feasible && keeps_caps(&candidate.metrics)) {
        let value = candidate.metrics.of(stage.objective).mean;
        if best.as_ref().is_none_or(|best| !is_no_better(value, best.value)) {
            best = Some(Candidate { placement: candidate.placement.clone(), value });
        }
    }
    let lower_bound = context.relaxed_minimum(scratch, stage.objective);
    StageOutcome {
        is_proven: best.as_ref().is_some_and(|best| is_no_better(lower_bound, best.value)),
        lower_bound: best.as_ref().map_or(lower_bound, |best| lower_bound.min(best.value)),
        best,
        explored: candidates.len() as u64,
        evaluations: 0,
    }
}
