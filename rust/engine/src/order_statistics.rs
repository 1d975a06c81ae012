//! Percentiles of a sample and their distribution-free upper confidence bounds.

/// One-based ranks that estimate a percentile of a distribution from a sorted sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderStatistics {
    /// Rank of the point estimate: the smallest sample value with at least `tail` of the sample at or below it.
    pub estimate: usize,
    /// Rank of the upper confidence bound; `None` when the sample is too small to have one.
    pub upper_bound: Option<usize>,
}

impl OrderStatistics {
    /// Ranks for the `tail` percentile (0 < tail < 1) of `count` independent samples at the given confidence.
    ///
    /// The bound is the smallest rank j with P(Binomial(count, tail) >= j) <= 1 - confidence: the j-th smallest
    /// sample lies at or above the true percentile at least that often, whatever the distribution. Scenarios that
    /// repeat every observed run equally often vary less than independent draws, so the bound stays valid
    /// (Hoeffding, 1956, on the number of successes in independent trials).
    #[must_use]
    pub fn new(count: usize, tail: f64, confidence: f64) -> Self {
        // The subtraction keeps 0.95 * 1000 = 950.0000000001 from being rounded up to 951.
        let estimate = ((tail * count as f64 - 1e-9).ceil() as usize).clamp(1, count);
        Self { estimate, upper_bound: upper_rank(count, tail, confidence) }
    }

    /// Smallest sample count that has an upper bound for these settings.
    #[must_use]
    pub fn smallest_count(tail: f64, confidence: f64) -> usize {
        ((1.0 - confidence).ln() / tail.ln()).ceil() as usize
    }
}

/// Sums the binomial distribution from its upper end, in logarithms, so that no term underflows too early.
fn upper_rank(count: usize, tail: f64, confidence: f64) -> Option<usize> {
    let odds_of_failure = (1.0 - tail) / tail;
    let mut log_probability = count as f64 * tail.ln();
    let mut at_or_above = 0.0;
    for failures in 0..count {
        let successes = count - failures;
        at_or_above += log_probability.exp();
        if at_or_above > 1.0 - confidence {
            return (successes < count).then_some(successes + 1);
        }
        log_probability += (successes as f64 / (failures + 1) as f64 * odds_of_failure).ln();
    }
    Some(1)
}

/// Values as whole numbers in the same order (that of `f32::total_cmp`): comparing those takes one instruction.
#[derive(Clone, Debug, Default)]
pub struct Ordered(Vec<i32>);

impl Ordered {
    /// Takes in new values.
    pub fn fill(&mut self, values: &[f32]) {
        self.0.clear();
        self.0.extend(values.iter().map(|value| flip(i32::from_ne_bytes(value.to_ne_bytes()))));
    }

    /// The `rank`-th smallest value (one-based). Reorders what is kept.
    ///
    /// # Panics
    /// When `rank` is zero or above the number of values.
    pub fn select(&mut self, rank: usize) -> f32 {
        f32::from_ne_bytes(flip(*self.0.select_nth_unstable(rank - 1).1).to_ne_bytes())
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
        assert_eq!(ranks, OrderStatistics { estimate: 950, upper_bound: Some(962) });
    }

    #[test]
    fn the_bound_agrees_with_the_sum_from_below() {
        for count in [59_usize, 60, 100, 500, 1000] {
            for tail in [0.5_f64, 0.9, 0.95, 0.99] {
                let mut probability = (1.0 - tail).powi(i32::try_from(count).expect("small"));
                if probability == 0.0 {
                    continue;
                }
                let (mut cumulative, mut expected) = (0.0, None);
                for successes in 0..count {
                    cumulative += probability;
                    if cumulative >= 0.95 {
                        expected = Some(successes + 1);
                        break;
                    }
                    probability *= (count - successes) as f64 / (successes + 1) as f64 * (tail / (1.0 - tail));
                }
                assert_eq!(OrderStatistics::new(count, tail, 0.95).upper_bound, expected, "{count} {tail}");
            }
        }
    }

    #[test]
    fn large_samples_have_a_bound_close_to_the_normal_approximation() {
        let bound = OrderStatistics::new(100_000, 0.95, 0.95).upper_bound.expect("large enough");
        let normal = 95_000.0 + 1.6449 * (100_000.0_f64 * 0.95 * 0.05).sqrt();
        assert!((bound as f64 - normal).abs() < 3.0, "{bound} {normal}");
    }

    #[test]
    fn too_few_samples_have_no_bound() {
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
        }
    }
}
