//! How long nodes wait until other regions have accepted what they send, scenario by scenario and on average.

use crate::estimates::moved_bytes;
use crate::problem::Problem;
use crate::scenarios::Scenarios;

/// What the near end of a link waits for over one edge, by scenario: `max(0, round_trips * added + fixed_s)` seconds,
/// `added` being how much longer a round trip takes than one within the region. Zeros where it waits for nothing.
#[derive(Clone, Debug)]
pub struct Awaited<T> {
    /// Round trips between the regions of its ends.
    pub round_trips: Vec<T>,
    /// Seconds: of the bytes on their way, less what would pass anyway.
    pub fixed_s: Vec<T>,
}

/// What is waited for over each link, an entry for each edge that is waited for there.
///
/// Calls are waited for together, and then what is reported of the branches that died: within each of the two every one
/// counts an equal part, which is exact if all go equally far.
pub(crate) fn awaited_by_link(problem: &Problem, scenarios: &Scenarios) -> Vec<Vec<Awaited<f64>>> {
    let graph = &problem.graph;
    let mut found: Vec<Vec<Awaited<f64>>> = graph.links.iter().map(|_| Vec::new()).collect();
    let trips = &scenarios.awaited_round_trips;
    if trips.iter().flatten().all(|&trips| trips == 0.0) {
        return found;
    }
    // Where an edge's entry is among those of a link; a dead node's edge may be reported by several nodes.
    let mut place = std::collections::HashMap::new();
    // By node: links that it waits for, each with its edge.
    let (mut calls, mut reports) = (vec![Vec::new(); graph.node_count()], vec![Vec::new(); graph.node_count()]);
    for scenario in 0..scenarios.count {
        let ran = |node: usize| scenarios.ran[node][scenario];
        for (edge, ends) in graph.edges.iter().enumerate().filter(|(edge, _)| trips[*edge][scenario] > 0.0) {
            if scenarios.called[edge][scenario] {
                calls[ends.from].push((edge, edge));
                continue;
            }
            let origin = graph.origin(ends.from, ran);
            // Whoever reports for a join that is dead itself is not known.
            if let Some(link) = graph.link(origin, ends.to).filter(|_| ran(origin)) {
                reports[origin].push((if origin == ends.from { edge } else { link }, edge));
            }
        }
        for together in calls.iter_mut().chain(&mut reports) {
            let part = 1.0 / together.len() as f64;
            for (link, edge) in together.drain(..) {
                let index = *place.entry((link, edge)).or_insert_with(|| {
                    let zeros = || vec![0.0; scenarios.count];
                    found[link].push(Awaited { round_trips: zeros(), fixed_s: zeros() });
                    found[link].len() - 1
                });
                let mut fixed_s = -scenarios.slack_s[edge][scenario];
                if scenarios.called[edge][scenario] {
                    let bytes = moved_bytes(problem, edge, scenarios.payload_bytes[edge][scenario]);
                    fixed_s += bytes / problem.bandwidth_bytes_per_s;
                }
                found[link][index].round_trips[scenario] = part * trips[edge][scenario];
                found[link][index].fixed_s[scenario] = part * fixed_s;
            }
        }
    }
    found
}

/// The mean of what is waited for, as a function of `added`: convex, in as many straight pieces as there are scenarios.
pub(crate) struct MeanWait {
    /// From where on each scenario waits, ascending.
    from: Vec<f64>,
    /// Round trips and fixed seconds of the first scenarios together.
    sums: Vec<(f64, f64)>,
    count: usize,
}

impl MeanWait {
    pub(crate) fn new(awaited: &Awaited<f64>) -> Self {
        let waits = awaited.round_trips.iter().zip(&awaited.fixed_s).filter(|(&trips, _)| trips > 0.0);
        let mut pieces: Vec<(f64, f64, f64)> = waits.map(|(&trips, &fixed)| (-fixed / trips, trips, fixed)).collect();
        pieces.sort_by(|first, second| first.0.total_cmp(&second.0));
        let mut sums = vec![(0.0, 0.0)];
        for &(_, trips, fixed) in &pieces {
            let (all_trips, all_fixed) = sums[sums.len() - 1];
            sums.push((all_trips + trips, all_fixed + fixed));
        }
        Self { from: pieces.into_iter().map(|(from, ..)| from).collect(), sums, count: awaited.round_trips.len() }
    }

    /// Seconds, for a round trip that takes `added` seconds longer.
    pub(crate) fn at(&self, added: f64) -> f64 {
        let (trips, fixed) = self.sums[self.from.partition_point(|&from| from < added)];
        // Rounding of sums may leave less than nothing.
        ((trips * added + fixed) / self.count as f64).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_all_scenarios() {
        let awaited =
            Awaited { round_trips: vec![1.0, 0.0, 0.5, 2.0, 1.0], fixed_s: vec![-0.05, 0.0, 0.01, -0.3, 0.0] };
        let mean = MeanWait::new(&awaited);
        for step in 0..60 {
            let added = f64::from(step) * 0.01;
            let pairs = awaited.round_trips.iter().zip(&awaited.fixed_s);
            let waits = pairs.map(|(&trips, &fixed)| if trips > 0.0 { (trips * added + fixed).max(0.0) } else { 0.0 });
            let expected = waits.sum::<f64>() / 5.0;
            assert!((mean.at(added) - expected).abs() < 1e-12, "{added}: {} and {expected}", mean.at(added));
        }
    }
}
