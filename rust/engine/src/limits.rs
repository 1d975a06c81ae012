//! Limits of one hour in the units of their metrics, and what counts as keeping them.

use crate::evaluation::{Metrics, Scratch, Summary};
use crate::order_statistics::{OrderStatistics, Statistic};
use crate::problem::{Limit, LimitKind, Metric, Problem};

/// Relative excess of a tail (or a mean run time) that still counts as within its limit: above the rounding of
/// `f32` lanes.
pub const TAIL_TOLERANCE: f64 = 1e-6;

/// Relative excess of a mean cost or carbon that still counts as within its limit: above the rounding of `f64` sums.
pub const MEAN_TOLERANCE: f64 = 1e-9;

/// The most that one statistic of a tail may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedLimit {
    /// What is held against the limit.
    pub statistic: Statistic,
    /// Its rank among the scenarios, from one.
    pub rank: usize,
    /// In the unit of the metric.
    pub limit: f64,
}

impl RankedLimit {
    /// Largest value that counts as within the limit.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.limit * (1.0 + TAIL_TOLERANCE)
    }

    /// A value as a fraction of the limit; against a limit of zero, the value itself.
    #[must_use]
    pub fn fraction(&self, value: f64) -> f64 {
        if self.limit > 0.0 {
            value / self.limit
        } else {
            value
        }
    }

    /// The value that is such a fraction.
    #[must_use]
    pub fn value_at(&self, fraction: f64) -> f64 {
        if self.limit > 0.0 {
            fraction * self.limit
        } else {
            fraction
        }
    }
}

/// A limit on a tail.
///
/// An absolute one is on the upper confidence bound alone: that the percentile is above it is unlikely, whatever the
/// distribution. A relative one compares two samples of the same scenarios. With few observed runs percentiles jump
/// from one run to the next, and a placement may be as fast as home at one rank and slower at the next; so it is held
/// to the limit at the estimate and at both ends of the confidence interval, each time over home's same statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct TailLimit {
    /// What is limited.
    pub metric: Metric,
    /// All of these must hold; the last one is on the upper confidence bound.
    pub ranked: Vec<RankedLimit>,
}

impl TailLimit {
    /// # Panics
    /// When there are too few scenarios for a confidence bound, which reading a problem with hard limits rules out.
    fn new(limit: &Limit, home: &Summary, ranks: OrderStatistics) -> Self {
        let relative = |statistic| {
            let rank = ranks.rank(statistic)?;
            Some(RankedLimit { statistic, rank, limit: limit.value * home.tail_at(statistic)? })
        };
        let rank = ranks.upper_bound.expect("enough scenarios for a confidence bound");
        let ranked = match limit.kind {
            LimitKind::Absolute => vec![RankedLimit { statistic: Statistic::UpperBound, rank, limit: limit.value }],
            // Of few scenarios and a low percentile there may be no lower bound.
            LimitKind::Relative => Statistic::ALL.into_iter().filter_map(relative).collect(),
        };
        Self { metric: limit.metric, ranked }
    }

    /// Whether a placement with this summary breaks the limit.
    #[must_use]
    pub fn is_broken_by(&self, summary: &Summary) -> bool {
        self.ranked.iter().any(|part| summary.tail_at(part.statistic).is_none_or(|value| value > part.threshold()))
    }

    /// Whether the sample computed last breaks the limit by more than the fraction `room`.
    #[must_use]
    pub fn is_broken(&self, scratch: &Scratch, room: f64) -> bool {
        for part in &self.ranked {
            let within = scratch.count_within(part.threshold() * (1.0 + room));
            if within < part.rank {
                return true;
            }
            // Mostly a placement is either well over the lowest of the limits or well below it at all ranks.
            if self.ranked.iter().all(|other| within >= other.rank && part.limit <= other.limit) {
                break;
            }
        }
        false
    }

    /// The sample computed last at the rank that is the highest over its limit, and that limit.
    pub fn tightest(&self, scratch: &mut Scratch) -> (f64, RankedLimit) {
        let ordered = scratch.order();
        self.highest(|part| f64::from(ordered.select(part.rank)))
    }

    /// A summary at the statistic that is the highest over its limit, and that limit.
    #[must_use]
    pub fn tightest_of(&self, summary: &Summary) -> (f64, RankedLimit) {
        self.highest(|part| summary.tail_at(part.statistic).unwrap_or(f64::INFINITY))
    }

    /// The first of the highest fractions.
    fn highest(&self, mut value_of: impl FnMut(&RankedLimit) -> f64) -> (f64, RankedLimit) {
        let mut highest = (f64::NEG_INFINITY, self.ranked[0]);
        let mut fraction = f64::NEG_INFINITY;
        for part in &self.ranked {
            let value = value_of(part);
            if part.fraction(value) > fraction {
                (highest, fraction) = ((value, *part), part.fraction(value));
            }
        }
        highest
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
    /// Resolves relative limits against home's metrics over the same scenarios: hard ones against the same statistics,
    /// soft ones against the mean.
    #[must_use]
    pub fn new(problem: &Problem, home: &Metrics, ranks: OrderStatistics) -> Self {
        let soft = |limit: &Limit| MeanLimit {
            metric: limit.metric,
            limit: match limit.kind {
                LimitKind::Absolute => limit.value,
                LimitKind::Relative => limit.value * home.of(limit.metric).mean,
            },
        };
        Self {
            hard: problem.hard_limits.iter().map(|limit| TailLimit::new(limit, home.of(limit.metric), ranks)).collect(),
            soft: problem.soft_limits.iter().map(soft).collect(),
        }
    }

    /// Whether all hard limits hold.
    #[must_use]
    pub fn hold(&self, metrics: &Metrics) -> bool {
        !self.hard.iter().any(|limit| limit.is_broken_by(metrics.of(limit.metric)))
    }
}
