//! Percentiles of a sample and their distribution-free confidence bounds.

/// What of a sorted sample stands for a percentile of its distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The lower confidence bound.
    LowerBound,
    /// The point estimate.
    Estimate,
    /// The upper confidence bound.
    UpperBound,
}

impl Statistic {
    /// All of them, from the lowest rank to the highest.
    pub const ALL: [Self; 3] = [Self::LowerBound, Self::Estimate, Self::UpperBound];
}

/// One-based ranks that estimate a percentile of a distribution from a sorted sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderStatistics {
    /// Rank of the lower confidence bound; `None` when the sample is too small to have one.
    pub lower_bound: Option<usize>,
    /// Rank of the point estimate: the smallest sample value with at least `tail` of the sample at or below it.
    pub estimate: usize,
    /// Rank of the upper confidence bound; `None` when the sample is too small to have one.
    pub upper_bound: Option<usize>,
}

impl OrderStatistics {
    /// Ranks for the `tail` percentile (0 < tail < 1) of `count` independent samples at the given confidence.
    ///
    /// The upper bound is the smallest rank j with P(Binomial(count, tail) >= j) <= 1 - confidence: the j-th smallest
    /// sample lies at or above the true percentile at least that often, whatever the distribution. The lower bound is
    /// the largest rank j with P(Binomial(count, tail) >= j) >= confidence: that sample lies at or below it as often.
    /// Scenarios that repeat every observed run equally often vary less than independent draws, so the bounds stay
    /// valid (Hoeffding, 1956, on the number of successes in independent trials).
    #[must_use]
    pub fn new(count: usize, tail: f64, confidence: f64) -> Self {
        // The subtraction keeps 0.95 * 1000 = 950.0000000001 from being rounded up to 951.
        let estimate = ((tail * count as f64 - 1e-9).ceil() as usize).clamp(1, count);
        let (lower_bound, upper_bound) = bounds(count, tail, confidence);
        Self { lower_bound, estimate, upper_bound }
    }

    /// The rank of a statistic; `None` when the sample is too small to have it.
    #[must_use]
    pub fn rank(&self, statistic: Statistic) -> Option<usize> {
        match statistic {
            Statistic::LowerBound => self.lower_bound,
            Statistic::Estimate => Some(self.estimate),
            Statistic::UpperBound => self.upper_bound,
        }
    }

    /// Smallest sample count that has an upper bound for these settings.
    #[must_use]
    pub fn smallest_count(tail: f64, confidence: f64) -> usize {
        ((1.0 - confidence).ln() / tail.ln()).ceil() as usize
    }
}

/// Sums the binomial distribution from its upper end, in logarithms, so that no term underflows too early.
fn bounds(count: usize, tail: f64, confidence: f64) -> (Option<usize>, Option<usize>) {
    let odds_of_failure = (1.0 - tail) / tail;
    let mut log_probability = count as f64 * tail.ln();
    let mut at_or_above = 0.0;
    let (mut lower, mut upper) = (None, None);
    for failures in 0..count {
        let successes = count - failures;
        at_or_above += log_probability.exp();
        if upper.is_none() && at_or_above > 1.0 - confidence {
            upper = Some(successes + 1);
        }
        if lower.is_none() && at_or_above >= confidence {
            lower = Some(successes);
        }
        if lower.is_some() && upper.is_some() {
            break;
        }
        log_probability += (successes as f64 / (failures + 1) as f64 * odds_of_failure).ln();
    }
    (lower, Some(upper.unwrap_or(1)).filter(|&rank| rank <= count))
}

/// Values as whole numbers in the same order (that of `f32::total_cmp`): comparing those takes one instruction.
#[derive(Clone, Debug, Default)]
pub struct Ordered {
    values: Vec<i32>,
    /// So many of the lowest values are in front.
    settled: usize,
}

impl Ordered {
    /// Takes in new values.
    pub fn fill(&mut self, values: &[f32]) {
        self.settled = 0;
        self.values.clear();
        self.values.extend(values.iter().map(|value| flip(i32::from_ne_bytes(value.to_ne_bytes()))));
    }

    /// The `rank`-th smallest value (one-based). Reorders what is kept; looks only among what the last selection left
    /// above itself, if that was of a lower rank.
    ///
    /// # Panics
    /// When `rank` is zero or above the number of values.
    pub fn select(&mut self, rank: usize) -> f32 {
        let first = if self.settled < rank { self.settled } else { 0 };
        self.settled = rank;
        f32::from_ne_bytes(flip(*self.values[first..].select_nth_unstable(rank - 1 - first).1).to_ne_bytes())
    }
}

/// Turns the order of negative numbers around, which the bits of floating-point numbers have the wrong way; its own
/// inverse.
fn flip(bits: i32) -> i32 {
    bits ^ ((bits >> 31) & i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousand_samples_give_the_known_ranks() {
        let ranks = OrderStatistics::new(1000, 0.95, 0.95);
        assert_eq!(ranks, OrderStatistics { lower_bound: Some(938), estimate: 950, upper_bound: Some(962) });
        assert_eq!(Statistic::ALL.map(|statistic| ranks.rank(statistic)), [Some(938), Some(950), Some(962)]);
    }

    #[test]
    fn the_bounds_agree_with_the_sum_from_below() {
        for count in [1_usize, 20, 59, 60, 100, 500, 1000] {
            for tail in [0.01_f64, 0.5, 0.9, 0.95, 0.99] {
                let mut probability = (1.0 - tail).powi(i32::try_from(count).expect("small"));
                if probability == 0.0 {
                    continue;
                }
                let (mut cumulative, mut lower, mut upper) = (0.0, None, None);
                for successes in 0..count {
                    cumulative += probability;
                    if cumulative <= 1.0 - 0.95 {
                        lower = Some(successes + 1);
                    }
                    if cumulative >= 0.95 {
                        upper = Some(successes + 1);
                        break;
                    }
                    probability *= (count - successes) as f64 / (successes + 1) as f64 * (tail / (1.0 - tail));
                }
                let ranks = OrderStatistics::new(count, tail, 0.95);
                assert_eq!((ranks.lower_bound, ranks.upper_bound), (lower, upper), "{count} {tail}");
            }
        }
    }

    #[test]
    fn large_samples_have_a_bound_close_to_the_normal_approximation() {
        let ranks = OrderStatistics::new(100_000, 0.95, 0.95);
        let (lower, upper) = (ranks.lower_bound.expect("large enough"), ranks.upper_bound.expect("large enough"));
        let half = 1.6449 * (100_000.0_f64 * 0.95 * 0.05).sqrt();
        assert!((upper as f64 - 95_000.0 - half).abs() < 3.0, "{upper} {half}");
        assert!((lower as f64 - 95_000.0 + half).abs() < 3.0, "{lower} {half}");
    }

    #[test]
    fn too_few_samples_have_no_upper_bound() {
        assert_eq!(OrderStatistics::smallest_count(0.95, 0.95), 59);
        assert_eq!(OrderStatistics::new(58, 0.95, 0.95).upper_bound, None);
        assert_eq!(OrderStatistics::new(59, 0.95, 0.95).upper_bound, Some(59));
    }

    #[test]
    fn selection_is_that_of_the_sorted_values() {
        let values = [5.0, -1.5, 3.0, f32::NEG_INFINITY, 0.0, -0.0, 4.0, 3.0, f32::INFINITY, 1e-40];
        let mut sorted = values;
        sorted.sort_by(f32::total_cmp);
        for rank in 1..=values.len() {
            let mut ordered = Ordered::default();
            ordered.fill(&values);
            assert_eq!(ordered.select(rank).to_bits(), sorted[rank - 1].to_bits());
            for next in 1..=values.len() {
                assert_eq!(ordered.select(rank).to_bits(), sorted[rank - 1].to_bits());
                assert_eq!(ordered.select(next).to_bits(), sorted[next - 1].to_bits());
            }
        }
    }
}
