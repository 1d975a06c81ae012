//! Mean cost and mean carbon as an exact sum over nodes and links.

use crate::graph::Graph;
use crate::lanes::Lanes;
use crate::link_terms::{waiting_carbon, waiting_cost};
use crate::problem::{Problem, Region};
use crate::signals::Signals;

/// A mean that is a term per node in its region plus, per link, its GB times a rate between two regions and what is
/// waited for.
#[derive(Clone, Debug)]
pub struct Additive {
    /// Number of regions.
    pub regions: usize,
    /// By node and region; not a number where the node may not run.
    pub node: Vec<f64>,
    /// Per GB, by pair of regions.
    pub rate: Vec<f64>,
    /// GB by link.
    pub link_gb: Vec<f64>,
    /// What waiting adds, by link and pair of regions; empty if none waits.
    pub waiting: Vec<f64>,
}

impl Additive {
    /// Mean cost in USD.
    #[must_use]
    pub fn cost(problem: &Problem, lanes: &Lanes) -> Self {
        Self {
            regions: problem.region_count(),
            node: lanes.means.node_cost.clone(),
            rate: problem.prices.iter().flat_map(|prices| prices.egress.iter().copied()).collect(),
            link_gb: lanes.means.link_gb.clone(),
            waiting: waiting(problem, lanes, |link, from| waiting_cost(problem, link, from)),
        }
    }

    /// Mean carbon in gCO2eq under the given signals.
    #[must_use]
    pub fn carbon(problem: &Problem, lanes: &Lanes, signals: &Signals) -> Self {
        let regions = problem.region_count();
        let mut node_terms = Vec::with_capacity(lanes.means.node_energy.len());
        for node in 0..problem.nodes.len() {
            for region in 0..regions as Region {
                let energy = lanes.means.node_energy[node * regions + usize::from(region)];
                let mut carbon = energy * signals.intensity[usize::from(region)];
                carbon += lanes.means.data_gb[node] * signals.unattributed_route(problem, region);
                for &(end, gb) in &lanes.means.attributed_gb[node] {
                    carbon += gb * signals.route_to(region, end);
                }
                if node == problem.graph.entry && region != problem.trigger_region {
                    carbon += lanes.forward_energy * signals.intensity[usize::from(problem.trigger_region)]
                        + lanes.means.trigger_gb * signals.route(problem.trigger_region, region);
                }
                node_terms.push(carbon);
            }
        }
        Self {
            regions,
            node: node_terms,
            rate: signals.routes().to_vec(),
            link_gb: lanes.means.link_gb.clone(),
            waiting: waiting(problem, lanes, |link, from| waiting_carbon(problem, signals, link, from)),
        }
    }

    /// `self + weight * other`, both over the same links.
    #[must_use]
    pub fn plus(&self, weight: f64, other: &Self) -> Self {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + weight * b).collect();
        Self {
            regions: self.regions,
            node: add(&self.node, &other.node),
            rate: add(&self.rate, &other.rate),
            link_gb: self.link_gb.clone(),
            waiting: add(&self.waiting, &other.waiting),
        }
    }

    /// Term of a node in a region.
    #[must_use]
    pub fn node_term(&self, node: usize, region: Region) -> f64 {
        self.node[node * self.regions + usize::from(region)]
    }

    /// Term of a link between two regions.
    #[must_use]
    pub fn link_term(&self, link: usize, from: Region, to: Region) -> f64 {
        let pair = usize::from(from) * self.regions + usize::from(to);
        let moved = self.link_gb[link] * self.rate[pair];
        // Most problems of benchmarks know of no waiting.
        self.waiting.get(link * self.regions * self.regions + pair).map_or(moved, |waiting| moved + waiting)
    }

    /// Mean of a placement.
    #[must_use]
    pub fn evaluate(&self, graph: &Graph, placement: &[Region]) -> f64 {
        let nodes: f64 = placement.iter().enumerate().map(|(node, &region)| self.node_term(node, region)).sum();
        let links: f64 = graph
            .links
            .iter()
            .enumerate()
            .map(|(link, ends)| self.link_term(link, placement[ends.from], placement[ends.to]))
            .sum();
        nodes + links
    }

    /// How the mean changes when one node moves.
    #[must_use]
    pub fn change(&self, graph: &Graph, placement: &[Region], node: usize, to: Region) -> f64 {
        let from = placement[node];
        let mut change = self.node_term(node, to) - self.node_term(node, from);
        for &link in &graph.arriving[node] {
            let other = placement[graph.links[link].from];
            change += self.link_term(link, other, to) - self.link_term(link, other, from);
        }
        for &link in &graph.leaving[node] {
            let other = placement[graph.links[link].to];
            change += self.link_term(link, to, other) - self.link_term(link, from, other);
        }
        change
    }
}

/// Mean of what waiting adds, by link and pair of regions; empty if nobody waits.
fn waiting(problem: &Problem, lanes: &Lanes, per_second: impl Fn(usize, Region) -> f64) -> Vec<f64> {
    let regions = problem.region_count();
    let rows = lanes.means.waited_s.chunks_exact(regions).enumerate();
    rows.flat_map(|(row, waited)| {
        let rate = per_second(row / regions, (row % regions) as Region);
        waited.iter().map(move |seconds| seconds * rate)
    })
    .collect()
}
