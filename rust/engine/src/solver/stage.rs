//! One stage of a lexicographic solve: minimise one mean within limits. Every strategy answers the same question.

use crate::evaluation::{mean, HourModel, Scratch};
use crate::limits::{Limits, MeanLimit, TailLimit, MEAN_TOLERANCE};
use crate::problem::{Metric, Placement, Problem, Region};
use crate::solver::control::Budget;
use crate::solver::relaxation::Relaxation;

/// What to minimise and what must hold.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// The mean of this metric is minimised.
    pub objective: Metric,
    /// Means that must not be exceeded: soft limits to keep, and objectives of higher priority.
    pub caps: Vec<MeanLimit>,
    /// Tails that must not be exceeded.
    pub hard: &'a [TailLimit],
}

/// A placement with its value.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Region of every node.
    pub placement: Placement,
    /// Mean of the objective.
    pub value: f64,
}

/// Answer of a strategy.
#[derive(Clone, Debug)]
pub struct StageOutcome {
    /// The best placement found that keeps everything.
    pub best: Option<Candidate>,
    /// No placement that keeps everything is below this; infinite if there is none.
    pub lower_bound: f64,
    /// Whether nothing better exists (or nothing at all).
    pub is_proven: bool,
    /// Partial placements looked at.
    pub explored: u64,
    /// Placements or bounds evaluated over all scenarios.
    pub evaluations: u64,
}

/// Whether `value` is not better than `best` by more than rounding.
#[must_use]
pub fn is_no_better(value: f64, best: f64) -> bool {
    value >= best - MEAN_TOLERANCE * best.abs()
}

/// One hour, ready for any strategy.
pub struct HourContext<'a> {
    /// Evaluation of the hour.
    pub model: HourModel<'a>,
    /// Limits of the hour.
    pub limits: Limits,
    /// Bounds over all regions that nodes may run in.
    pub relaxation: Relaxation,
    /// Time the hour may take.
    pub budget: Budget<'a>,
}

impl HourContext<'_> {
    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        self.model.problem
    }

    /// A lower bound of the mean of `metric` over all placements, limits ignored.
    pub fn relaxed_minimum(&self, scratch: &mut Scratch, metric: Metric) -> f64 {
        self.relaxation.minimum(&self.model, scratch, metric)
    }

    /// Whether a placement keeps all limits of a stage; the cheap ones are looked at first.
    pub fn keeps(&self, scratch: &mut Scratch, stage: &Stage<'_>, placement: &[Region]) -> bool {
        let graph = &self.problem().graph;
        let over = |cap: &MeanLimit| {
            let additive = self.model.additive(cap.metric);
            additive.is_some_and(|additive| additive.evaluate(graph, placement) > cap.threshold())
        };
        if stage.caps.iter().any(over) {
            return false;
        }
        for metric in [Metric::Runtime, Metric::Cost, Metric::Carbon] {
            let limit = stage.hard.iter().find(|limit| limit.metric == metric);
            let mut caps = stage.caps.iter().filter(|cap| cap.metric == metric && metric == Metric::Runtime).peekable();
            if limit.is_none() && caps.peek().is_none() {
                continue;
            }
            self.model.fill_sample(scratch, metric, placement);
            if limit.is_some_and(|limit| limit.is_broken(scratch, 0.0)) {
                return false;
            }
            if caps.any(|cap| mean(scratch.sample()) > cap.threshold()) {
                return false;
            }
        }
        true
    }

    /// How far a placement is above the limits of a stage: the sum of relative excesses, zero if it keeps all.
    pub fn excess(&self, scratch: &mut Scratch, stage: &Stage<'_>, placement: &[Region]) -> f64 {
        let mut excess = 0.0;
        for cap in &stage.caps {
            excess += relative_excess(self.model.mean(scratch, cap.metric, placement), cap.threshold());
        }
        for limit in stage.hard {
            self.model.fill_sample(scratch, limit.metric, placement);
            if limit.is_broken(scratch, 0.0) {
                let (value, ranked) = limit.tightest(scratch);
                excess += relative_excess(value, ranked.threshold());
            }
        }
        excess
    }
}

/// By which fraction `value` exceeds `threshold`; against a threshold of zero, the value itself.
fn relative_excess(value: f64, threshold: f64) -> f64 {
    if value <= threshold {
        0.0
    } else if threshold > 0.0 {
        value / threshold - 1.0
    } else {
        value
    }
}
