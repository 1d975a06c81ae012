//! Ties that no objective breaks: where nodes go that no scenario reaches.
//!
//! Such a node costs nothing anywhere, so that a solver may leave it in a region where nothing else is; deploying it
//! there would cost what the model does not see, and a run that does reach it would travel.

use crate::evaluation::{HourModel, Metrics, Scratch};
use crate::problem::{Placement, Region};

/// Moves nodes that no scenario reaches out of regions that only such nodes use: to a caller's region, home, or any other
/// that is used, the first that the node may run in and that makes no metric worse. Nothing else changes.
pub fn gather_unreached(model: &HourModel<'_>, scratch: &mut Scratch, placement: Placement) -> Placement {
    let (problem, graph) = (model.problem, &model.problem.graph);
    let unreached: Vec<usize> = graph.order.iter().copied().filter(|&node| is_unreached(model, node)).collect();
    if unreached.is_empty() {
        return placement;
    }
    let reached = (0..graph.node_count()).filter(|node| !unreached.contains(node));
    let mut used: Vec<Region> = reached.map(|node| placement[node]).collect();
    used.sort_unstable();
    used.dedup();
    let mut tidied = placement;
    // In topological order, so that a caller has its place before those it calls.
    for node in unreached {
        if used.contains(&tidied[node]) {
            continue;
        }
        let callers = graph.incoming[node].iter().map(|&edge| tidied[graph.edges[edge].from]);
        let choices: Vec<Region> = callers.chain([problem.home]).chain(used.iter().copied()).collect();
        let allowed = &problem.nodes[node].domain;
        let before = model.metrics(scratch, &tidied);
        let better = choices.into_iter().filter(|region| used.contains(region) && allowed.contains(region));
        for region in better {
            let mut moved = tidied.clone();
            moved[node] = region;
            if is_no_worse(&model.metrics(scratch, &moved), &before) {
                tidied = moved;
                break;
            }
        }
    }
    tidied
}

/// Whether a node uses nothing in any region, which is so of nodes that never run alone.
fn is_unreached(model: &HourModel<'_>, node: usize) -> bool {
    let (means, regions) = (&model.lanes.means, model.problem.regions.len());
    let uses_nothing = |&region: &Region| {
        let place = node * regions + usize::from(region);
        means.node_cost[place] == 0.0 && means.node_energy[place] == 0.0
    };
    model.problem.nodes[node].domain.iter().all(uses_nothing)
}

fn is_no_worse(metrics: &Metrics, before: &Metrics) -> bool {
    let pairs = [(metrics.carbon, before.carbon), (metrics.cost, before.cost), (metrics.runtime, before.runtime)];
    pairs.iter().all(|(after, before)| {
        after.mean <= before.mean
            && after.tail <= before.tail
            && after.tail_upper.unwrap_or(0.0) <= before.tail_upper.unwrap_or(0.0)
            && after.tail_lower.unwrap_or(0.0) <= before.tail_lower.unwrap_or(0.0)
    })
}
