//! Limits of one hour in the units of their metrics, and what counts as keeping them.

use crate::evaluation::Metrics;
use crate::problem::{Limit, LimitKind, Metric, Problem};

/// Relative excess of a tail (or a mean run time) that still counts as within its limit: above the rounding of
/// `f32` lanes.
pub const TAIL_TOLERANCE: f64 = 1e-6;

/// Relative excess of a mean cost or carbon that still counts as within its limit: above the rounding of `f64` sums.
pub const MEAN_TOLERANCE: f64 = 1e-9;

/// A limit on the confidence bound of a tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailLimit {
    /// What is limited.
    pub metric: Metric,
    /// In the unit of the metric.
    pub limit: f64,
}

impl TailLimit {
    /// Largest value that counts as within the limit.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.limit * (1.0 + TAIL_TOLERANCE)
    }
}

/// A limit on a mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanLimit {
    /// What is limited.
    pub metric: Metric,
    /// In the unit of the metric.
    pub limit: f64,
}

impl MeanLimit {
    /// Largest value that counts as within the limit.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        let tolerance = if self.metric == Metric::Runtime { TAIL_TOLERANCE } else { MEAN_TOLERANCE };
        self.limit * (1.0 + tolerance)
    }
}

/// The limits of one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// On tails; must hold.
    pub hard: Vec<TailLimit>,
    /// On means; as few as possible are broken.
    pub soft: Vec<MeanLimit>,
}

impl Limits {
    /// Resolves relative limits against home's metrics over the same scenarios: hard ones against the same
    /// confidence bound, soft ones against the mean.
    ///
    /// # Panics
    /// When there are hard limits but too few scenarios for a confidence bound, which reading a problem rules out.
    #[must_use]
    pub fn new(problem: &Problem, home: &Metrics) -> Self {
        let resolve = |limit: &Limit, home_value: f64| match limit.kind {
            LimitKind::Absolute => limit.value,
            LimitKind::Relative => limit.value * home_value,
        };
        let hard = problem
            .hard_limits
            .iter()
            .map(|limit| {
                let bound = home.of(limit.metric).tail_upper.expect("enough scenarios for a confidence bound");
                TailLimit { metric: limit.metric, limit: resolve(limit, bound) }
            })
            .collect();
        let soft = problem
            .soft_limits
            .iter()
            .map(|limit| MeanLimit { metric: limit.metric, limit: resolve(limit, home.of(limit.metric).mean) })
            .collect();
        Self { hard, soft }
    }

    /// Whether all hard limits hold.
    #[must_use]
    pub fn hold(&self, metrics: &Metrics) -> bool {
        self.hard
            .iter()
            .all(|limit| metrics.of(limit.metric).tail_upper.is_some_and(|bound| bound <= limit.threshold()))
    }
}
