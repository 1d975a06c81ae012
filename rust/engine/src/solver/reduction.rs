//! Ruling out regions before a search: what cannot be part of a better placement is not looked at again.

use crate::bounds::{LowerBounds, PartialPlacement};
use crate::evaluation::{mean, Scratch};
use crate::limits::TAIL_TOLERANCE;
use crate::problem::{Metric, Region};
use crate::solver::dominance::undominated;
use crate::solver::relaxation::Relaxation;
use crate::solver::stage::{is_no_better, HourContext, Stage};

/// Tests partial placements against the limits of a stage, scenario by scenario.
pub struct Screen<'a> {
    context: &'a HourContext<'a>,
    stage: &'a Stage<'a>,
    /// Buffers.
    pub scratch: Scratch,
    /// Samples computed.
    pub evaluations: u64,
}

impl<'a> Screen<'a> {
    /// A screen for one stage.
    #[must_use]
    pub fn new(context: &'a HourContext<'a>, stage: &'a Stage<'a>) -> Self {
        Self { context, stage, scratch: Scratch::default(), evaluations: 0 }
    }

    /// The bounds that this stage needs; `None` if means alone decide.
    #[must_use]
    pub fn lower_bounds<'r>(&self, relaxation: &'r Relaxation) -> Option<LowerBounds<'r>>
    where
        'a: 'r,
    {
        let needs_carbon = self.stage.hard.iter().any(|limit| limit.metric == Metric::Carbon);
        (self.needs_mean_runtime() || !self.stage.hard.is_empty())
            .then(|| relaxation.lower_bounds(&self.context.model, needs_carbon))
    }

    fn needs_mean_runtime(&self) -> bool {
        self.stage.objective == Metric::Runtime || self.stage.caps.iter().any(|cap| cap.metric == Metric::Runtime)
    }

    /// A lower bound of the objective if it is run time (else zero); `None` if every completion breaks a limit.
    pub fn bound(&mut self, bounds: &LowerBounds<'_>, partial: &PartialPlacement) -> Option<f64> {
        let mut bound = 0.0;
        let limit = self.stage.hard.iter().find(|limit| limit.metric == Metric::Runtime);
        if self.needs_mean_runtime() || limit.is_some() {
            self.evaluations += 1;
            bounds.fill_sample(&mut self.scratch, Metric::Runtime, partial);
            if limit.is_some_and(|limit| limit.is_broken(&self.scratch, 0.0)) {
                return None;
            }
        }
        if self.needs_mean_runtime() {
            let least_mean = mean(self.scratch.sample());
            let mut caps = self.stage.caps.iter().filter(|cap| cap.metric == Metric::Runtime);
            if caps.any(|cap| least_mean > cap.threshold()) {
                return None;
            }
            if self.stage.objective == Metric::Runtime {
                bound = least_mean;
            }
        }
        for limit in self.stage.hard.iter().filter(|limit| limit.metric != Metric::Runtime) {
            self.evaluations += 1;
            bounds.fill_sample(&mut self.scratch, limit.metric, partial);
            // Partial sums are added in another order than complete ones: leave room for their rounding.
            if limit.is_broken(&self.scratch, TAIL_TOLERANCE) {
                return None;
            }
        }
        Some(bound)
    }
}

/// Regions of each node that may be part of a placement that keeps the limits and is below `ceiling`.
///
/// A region goes when another dominates it, when the best placement with the node there is no better (min-marginals of the means), or when the
/// scenarios' lower bounds with the node there break a limit already.
pub fn reduce(screen: &mut Screen<'_>, relaxation: &Relaxation, ceiling: Option<f64>) -> Vec<Vec<Region>> {
    let (context, stage) = (screen.context, screen.stage);
    let mut domains = undominated(context, stage, &relaxation.structure.domains);
    let hopeless = |bound: f64| ceiling.is_some_and(|ceiling| is_no_better(bound, ceiling));
    for metric in [Metric::Carbon, Metric::Cost] {
        let is_objective = stage.objective == metric;
        let caps: Vec<f64> =
            stage.caps.iter().filter(|cap| cap.metric == metric).map(crate::limits::MeanLimit::threshold).collect();
        if !is_objective && caps.is_empty() {
            continue;
        }
        let Some(marginals) = relaxation.elimination(metric).and_then(crate::elimination::Elimination::min_marginals)
        else {
            continue;
        };
        for (node, marginals) in marginals.iter().enumerate() {
            let full = &relaxation.structure.domains[node];
            domains[node].retain(|region| {
                let place = full.iter().position(|other| other == region).unwrap_or_default();
                let least = marginals[place];
                !(is_objective && hopeless(least)) && caps.iter().all(|&threshold| least <= threshold)
            });
        }
    }
    if domains.iter().any(Vec::is_empty) {
        return domains;
    }
    let Some(bounds) = screen.lower_bounds(relaxation) else { return domains };
    let mut partial = relaxation.settled();
    for (node, domain) in domains.iter_mut().enumerate().filter(|(_, domain)| domain.len() > 1) {
        if context.budget.stop().is_some() {
            break;
        }
        let before = partial[node];
        domain.retain(|&region| {
            partial[node] = Some(region);
            screen.bound(&bounds, &partial).is_some_and(|bound| !hopeless(bound))
        });
        partial[node] = before;
    }
    domains
}
