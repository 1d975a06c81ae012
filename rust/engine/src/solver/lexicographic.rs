//! The order of objectives: fewest soft limits broken, then one stage per metric, each among the best of the last.

use crate::limits::{MeanLimit, TailLimit};
use crate::problem::{Metric, Placement};
use crate::solver::stage::{Stage, StageOutcome};

/// One objective as it was settled.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The metric.
    pub metric: Metric,
    /// Its mean in the placement of this stage.
    pub value: f64,
    /// No placement allowed in this stage is below this.
    pub lower_bound: f64,
    /// Whether nothing below the value is allowed in this stage.
    pub is_proven: bool,
}

/// Outcome of all stages.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// The placement, if one keeps the hard limits.
    pub placement: Option<Placement>,
    /// The objectives in order of priority; empty without a placement.
    pub settled: Vec<Settled>,
    /// Whether every stage is proven (without a placement: that there is none).
    pub is_proven: bool,
    /// Partial placements looked at.
    pub explored: u64,
    /// Evaluations over all scenarios.
    pub evaluations: u64,
}

/// The question that is put to a strategy again and again.
pub struct Question<'a> {
    /// Metrics in order of priority.
    pub priority_order: &'a [Metric],
    /// Fraction within which two values count as equal.
    pub tolerance: f64,
    /// Hard limits.
    pub hard: &'a [TailLimit],
    /// Soft limits.
    pub soft: &'a [MeanLimit],
}

/// Answers a question with a strategy: `minimise` gets a stage and placements to start from.
pub fn solve_in_order(
    question: &Question<'_>,
    mut minimise: impl FnMut(&Stage<'_>, &[Placement]) -> StageOutcome,
) -> Ordered {
    let mut ordered = Ordered { placement: None, settled: Vec::new(), is_proven: true, explored: 0, evaluations: 0 };
    let mut ask = |objective: Metric, caps: Vec<MeanLimit>, hints: &[Placement], ordered: &mut Ordered| {
        let outcome = minimise(&Stage { objective, caps, hard: question.hard }, hints);
        ordered.explored += outcome.explored;
        ordered.evaluations += outcome.evaluations;
        ordered.is_proven &= outcome.is_proven;
        outcome
    };
    for broken in 0..=question.soft.len() {
        // Every way to keep all but `broken` soft limits. More broken ones are tried only when none of these works,
        // so keeping at least these is keeping exactly these.
        let mut ways = subsets(question.soft, question.soft.len() - broken);
        let mut caps: Vec<MeanLimit> = Vec::new();
        let mut hints: Vec<Placement> = Vec::new();
        for &metric in question.priority_order {
            let mut outcomes = Vec::with_capacity(ways.len());
            for way in &ways {
                let all_caps = way.iter().chain(&caps).copied().collect();
                outcomes.push(ask(metric, all_caps, &hints, &mut ordered));
            }
            let lower_bound = outcomes.iter().map(|outcome| outcome.lower_bound).fold(f64::INFINITY, f64::min);
            let best = outcomes
                .iter()
                .filter_map(|outcome| outcome.best.as_ref())
                .min_by(|first, second| first.value.total_cmp(&second.value));
            let Some(best) = best else { break };
            let cap = MeanLimit { metric, limit: best.value * (1.0 + question.tolerance) };
            hints = vec![best.placement.clone()];
            ordered.placement = Some(best.placement.clone());
            let is_proven = outcomes.iter().all(|outcome| outcome.is_proven);
            ordered.settled.push(Settled { metric, value: best.value, lower_bound, is_proven });
            // A way whose best is beyond the cap has nothing to offer to later stages.
            let may_continue: Vec<bool> =
                outcomes.iter().map(|outcome| outcome.lower_bound <= cap.threshold()).collect();
            let mut keep = may_continue.into_iter();
            ways.retain(|_| keep.next().unwrap_or(false));
            caps.push(cap);
        }
        if ordered.placement.is_some() {
            break;
        }
    }
    ordered
}

/// All ways to choose `size` of the items, in order.
fn subsets<T: Copy>(items: &[T], size: usize) -> Vec<Vec<T>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let Some((&first, rest)) = items.split_first() else {
        return Vec::new();
    };
    let mut with_first = subsets(rest, size - 1);
    for subset in &mut with_first {
        subset.insert(0, first);
    }
    with_first.extend(subsets(rest, size));
    with_first
}

#[cfg(test)]
mod tests {
    use super::subsets;

    #[test]
    fn subsets_are_complete_and_ordered() {
        assert_eq!(subsets(&[1, 2, 3], 2), [[1, 2], [1, 3], [2, 3]]);
        assert_eq!(subsets(&[1, 2, 3], 0), [Vec::<i32>::new()]);
        assert_eq!(subsets(&[1], 2), Vec::<Vec<i32>>::new());
    }
}
