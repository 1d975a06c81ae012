//! Lower bounds per scenario for placements of which only some nodes are set.
//!
//! Run time, cost and carbon of a scenario only grow with the duration, latency or term of each part, so taking for
//! every open part its smallest value in that scenario bounds every completion from below, and order statistics
//! and means of the bounds bound those of the completions.

use crate::evaluation::{add_node_carbon, Scratch, TimeColumns};
use crate::kernels::{self, add, lower};
use crate::lanes::{Identity, Lanes, LatencyColumn};
use crate::link_terms::Rates;
use crate::problem::{Metric, Problem, Region};
use crate::signals::Signals;

/// A region for some of the nodes.
pub type PartialPlacement = [Option<Region>];

/// Smallest values over the regions a node or edge may still take; the same for every hour.
#[derive(Debug)]
pub struct Minima {
    identity: Identity,
    count: usize,
    regions: usize,
    duration: Vec<f32>,
    cost: Vec<f32>,
    entry_start: Vec<f32>,
    latency_free: Vec<f32>,
    latency_from: Vec<f32>,
    latency_to: Vec<f32>,
    cost_rates_free: Vec<Rates>,
}

/// Lowers a column by the latencies of an edge between pairs of regions. Pairs that differ by their distance only
/// share a column, of which the nearest decides.
fn lower_over_pairs(least: &mut [f32], lanes: &Lanes, edge: usize, pairs: impl Iterator<Item = (Region, Region)>) {
    let mut nearest: [Option<LatencyColumn<'_>>; 2] = [None, None];
    for (from, to) in pairs {
        let column = lanes.latency(edge, from, to);
        if lanes.has_own_latency(edge, from, to) {
            lower_latency(least, column);
            continue;
        }
        let shared = &mut nearest[usize::from(from == to)];
        if shared.is_none_or(|nearest| column.shift < nearest.shift) {
            *shared = Some(column);
        }
    }
    for column in nearest.into_iter().flatten() {
        lower_latency(least, column);
    }
}

fn lower_latency(least: &mut [f32], column: LatencyColumn<'_>) {
    kernels::lower_shifted(least, column.seconds, column.shift);
}

impl Minima {
    /// Computes all minima over the given regions of each node.
    #[must_use]
    pub fn new(problem: &Problem, lanes: &Lanes, domains: &[Vec<Region>]) -> Self {
        let (count, regions) = (lanes.count, problem.region_count());
        let infinite = |columns: usize| vec![f32::INFINITY; columns * count];
        let edges = problem.graph.edges.len();
        let mut minima = Self {
            identity: Identity::new(),
            count,
            regions,
            duration: infinite(problem.nodes.len()),
            cost: infinite(problem.nodes.len()),
            entry_start: infinite(1),
            latency_free: infinite(edges),
            latency_from: infinite(edges * regions),
            latency_to: infinite(edges * regions),
            cost_rates_free: Vec::with_capacity(problem.graph.links.len()),
        };
        for (node, domain) in domains.iter().enumerate() {
            for &region in domain {
                lower(&mut minima.duration[node * count..][..count], lanes.duration(node, region));
                lower(&mut minima.cost[node * count..][..count], lanes.cost(node, region));
            }
        }
        for &region in &domains[problem.graph.entry] {
            lower(&mut minima.entry_start, lanes.entry_start(region));
        }
        for edge in 0..edges {
            minima.add_latencies(problem, lanes, domains, edge);
        }
        for (link, ends) in problem.graph.links.iter().enumerate() {
            let (from, to) = (&domains[ends.from], &domains[ends.to]);
            let rates = |from, to| Rates::of_cost(problem, lanes, link, from, to);
            minima.cost_rates_free.push(least_rates(from, to, rates));
        }
        minima
    }

    fn add_latencies(&mut self, problem: &Problem, lanes: &Lanes, domains: &[Vec<Region>], edge: usize) {
        let ends = &problem.graph.edges[edge];
        // Declines may leave from other nodes than the caller, so their regions count as well.
        let mut origins = domains[ends.from].clone();
        for detour in lanes.detours(edge) {
            origins.extend(&domains[detour.origin]);
        }
        origins.sort_unstable();
        origins.dedup();
        let targets = &domains[ends.to];
        for &from in &origins {
            let pairs = targets.iter().map(|&to| (from, to));
            let place = edge * self.regions + usize::from(from);
            lower_over_pairs(&mut self.latency_from[place * self.count..][..self.count], lanes, edge, pairs);
            let least = &self.latency_from[place * self.count..][..self.count];
            lower(&mut self.latency_free[edge * self.count..][..self.count], least);
        }
        for &to in targets {
            let pairs = origins.iter().map(|&from| (from, to));
            let place = edge * self.regions + usize::from(to);
            lower_over_pairs(&mut self.latency_to[place * self.count..][..self.count], lanes, edge, pairs);
        }
    }

    fn column<'a>(&self, columns: &'a [f32], index: usize) -> &'a [f32] {
        &columns[index * self.count..(index + 1) * self.count]
    }
}

/// Smallest rates between regions of two domains.
fn least_rates(from: &[Region], to: &[Region], rates: impl Fn(Region, Region) -> Rates) -> Rates {
    let pairs = from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)));
    Rates::least(pairs.map(|(from, to)| rates(from, to)))
}

/// Time columns of a partial placement.
struct PartialTime<'a> {
    problem: &'a Problem,
    lanes: &'a Lanes,
    minima: &'a Minima,
    partial: &'a PartialPlacement,
}

impl TimeColumns for PartialTime<'_> {
    fn identity(&self) -> (Identity, Option<Identity>) {
        (self.lanes.identity, Some(self.minima.identity))
    }

    fn entry_start(&self) -> &[f32] {
        match self.partial[self.problem.graph.entry] {
            Some(region) => self.lanes.entry_start(region),
            None => &self.minima.entry_start,
        }
    }

    fn duration(&self, node: usize) -> &[f32] {
        match self.partial[node] {
            Some(region) => self.lanes.duration(node, region),
            None => self.minima.column(&self.minima.duration, node),
        }
    }

    fn latency(&self, edge: usize, origin: usize) -> LatencyColumn<'_> {
        let (minima, regions) = (self.minima, self.minima.regions);
        let seconds = match (self.partial[origin], self.partial[self.problem.graph.edges[edge].to]) {
            (Some(from), Some(to)) => return self.lanes.latency(edge, from, to),
            (Some(from), None) => minima.column(&minima.latency_from, edge * regions + usize::from(from)),
            (None, Some(to)) => minima.column(&minima.latency_to, edge * regions + usize::from(to)),
            (None, None) => minima.column(&minima.latency_free, edge),
        };
        LatencyColumn { seconds, shift: 0.0 }
    }
}

/// Smallest carbon terms of one hour.
#[derive(Debug)]
pub struct CarbonMinima {
    node: Vec<f32>,
    rates_free: Vec<Rates>,
}

impl CarbonMinima {
    /// Computes the minima of an hour over the given regions of each node.
    #[must_use]
    pub fn new(problem: &Problem, lanes: &Lanes, signals: &Signals, domains: &[Vec<Region>]) -> Self {
        let mut node_minima = vec![f32::INFINITY; problem.nodes.len() * lanes.count];
        let mut column = vec![0.0; lanes.count];
        for (node, domain) in domains.iter().enumerate() {
            for &region in domain {
                column.fill(0.0);
                add_node_carbon(&mut column, problem, lanes, signals, node, region);
                lower(&mut node_minima[node * lanes.count..][..lanes.count], &column);
            }
        }
        let rates_free = problem
            .graph
            .links
            .iter()
            .enumerate()
            .map(|(link, ends)| {
                let (from, to) = (&domains[ends.from], &domains[ends.to]);
                least_rates(from, to, |from, to| Rates::of_carbon(problem, lanes, signals, link, from, to))
            })
            .collect();
        Self { node: node_minima, rates_free }
    }
}

/// Everything needed to bound the scenarios of one hour from below.
#[derive(Clone, Copy)]
pub struct LowerBounds<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// Columns.
    pub lanes: &'a Lanes,
    /// Regions each node may take.
    pub domains: &'a [Vec<Region>],
    /// Grid signals of the hour.
    pub signals: &'a Signals,
    /// Minima that all hours share.
    pub minima: &'a Minima,
    /// Minima of the hour; needed for carbon only.
    pub carbon: Option<&'a CarbonMinima>,
}

impl LowerBounds<'_> {
    /// Computes lower bounds of a metric for all scenarios into `scratch`.
    ///
    /// # Panics
    /// For carbon, when the minima of the hour are missing.
    pub fn fill_sample(&self, scratch: &mut Scratch, metric: Metric, partial: &PartialPlacement) {
        match metric {
            Metric::Runtime => {
                let columns = PartialTime { problem: self.problem, lanes: self.lanes, minima: self.minima, partial };
                scratch.runtimes(&self.problem.graph, self.lanes, &columns);
            }
            Metric::Cost => {
                let sum = scratch.fresh_sample(self.lanes.count);
                for (node, region) in partial.iter().enumerate() {
                    match *region {
                        Some(region) => add(sum, self.lanes.cost(node, region)),
                        None => add(sum, self.minima.column(&self.minima.cost, node)),
                    }
                }
                let rates = |link, from, to| Rates::of_cost(self.problem, self.lanes, link, from, to);
                self.add_links(sum, partial, &self.minima.cost_rates_free, rates);
            }
            Metric::Carbon => {
                let carbon = self.carbon.expect("carbon minima of the hour");
                let sum = scratch.fresh_sample(self.lanes.count);
                for (node, region) in partial.iter().enumerate() {
                    match *region {
                        Some(region) => {
                            add_node_carbon(sum, self.problem, self.lanes, self.signals, node, region);
                        }
                        None => add(sum, self.minima.column(&carbon.node, node)),
                    }
                }
                let rates = |link, from, to| Rates::of_carbon(self.problem, self.lanes, self.signals, link, from, to);
                self.add_links(sum, partial, &carbon.rates_free, rates);
            }
        }
    }

    fn add_links(
        &self,
        sum: &mut [f32],
        partial: &PartialPlacement,
        free: &[Rates],
        rates: impl Fn(usize, Region, Region) -> Rates,
    ) {
        for (link, ends) in self.problem.graph.links.iter().enumerate() {
            let (from_domain, to_domain) = (&self.domains[ends.from], &self.domains[ends.to]);
            let rates = |from, to| rates(link, from, to);
            let least = match (partial[ends.from], partial[ends.to]) {
                (Some(from), Some(to)) => rates(from, to),
                (Some(from), None) => least_rates(&[from], to_domain, rates),
                (None, Some(to)) => least_rates(from_domain, &[to], rates),
                (None, None) => free[link],
            };
            least.add(sum, self.lanes, link);
        }
    }
}
