//! The best single region for all planned hours: the baseline that asks for no hourly choice.

use crate::limits::{Limits, MeanLimit};
use crate::problem::{Metric, Problem};
use crate::solver::single_region::{named, SingleRegion};

/// Index of the region whose candidates are the best over all hours; none if every region breaks a hard limit at some
/// hour.
///
/// The rule is that of a single hour with sums in place of values: fewest soft limits broken, then the means over the
/// hours in order of priority, the first region listed among equals.
pub fn choose(problem: &Problem, hours: &[(&Limits, &[SingleRegion])]) -> Option<usize> {
    let is_feasible = |region: usize| hours.iter().all(|(_, candidates)| candidates[region].is_feasible);
    let broken = |region: usize| -> usize {
        let of_hour = |(limits, candidates): &(&Limits, &[SingleRegion])| {
            let metrics = &candidates[region].metrics;
            limits.soft.iter().filter(|limit| metrics.of(limit.metric).mean > limit.threshold()).count()
        };
        hours.iter().map(of_hour).sum()
    };
    let mean = |region: usize, metric: Metric| {
        let values = hours.iter().map(|(_, candidates)| candidates[region].metrics.of(metric).mean);
        values.sum::<f64>() / hours.len() as f64
    };
    let mut left: Vec<usize> = (0..problem.region_count()).filter(|&region| is_feasible(region)).collect();
    let fewest = left.iter().map(|&region| broken(region)).min()?;
    left.retain(|&region| broken(region) == fewest);
    for &metric in &problem.priority_order {
        let best = left.iter().map(|&region| mean(region, metric)).fold(f64::INFINITY, f64::min);
        let cap = MeanLimit { metric, limit: best * (1.0 + problem.priority_tolerance) };
        left.retain(|&region| mean(region, metric) <= cap.threshold());
    }
    let (_, candidates) = hours.first()?;
    left.first().and_then(|&best| named(problem, candidates, &candidates[best].placement))
}
