//! The columns that evaluation reads: one lane per scenario, one column per node, edge and region.
//!
//! Columns hold `f32`, so that a vector register takes many lanes; means are summed in `f64` while the columns are
//! made, and limits are compared with a tolerance above the rounding of a lane (see `limits`).

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::accounting::{
    edge_gigabytes, execution_cost, execution_power, forward_energy, receiving_cost, BYTES_PER_GB,
};
use crate::estimates::{distance_shift, moved_bytes, transfer_time, Estimates};
use crate::evidence::End;
use crate::link_terms::added_round_trip;
use crate::problem::{Problem, Region};
use crate::scenarios::Scenarios;
use crate::waiting::{awaited_by_link, Awaited, MeanWait};

const NO_COLUMN: u32 = u32::MAX;

/// Scenarios in which a dead node's declines leave from another node.
#[derive(Clone, Debug)]
pub struct Detour {
    /// The node at which the branch died.
    pub origin: usize,
    /// In which scenarios.
    pub scenarios: Vec<u32>,
}

/// Mean quantities over the scenarios.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// USD of node and region: execution, requests, logs, and all it receives.
    pub node_cost: Vec<f64>,
    /// kWh of node and region, power usage effectiveness included.
    pub node_energy: Vec<f64>,
    /// GB a node moves to or from nobody knows where.
    pub data_gb: Vec<f64>,
    /// GB a node moves to or from known regions.
    pub attributed_gb: Vec<Vec<(End, f64)>>,
    /// GB an edge moves.
    pub edge_gb: Vec<f64>,
    /// GB that a link's edge moves, if it is one.
    pub link_gb: Vec<f64>,
    /// Seconds that the near end of a link waits, by link and pair of regions; empty if nobody waits.
    pub waited_s: Vec<f64>,
    /// Links over which somebody waits.
    pub is_awaited: Vec<bool>,
    /// GB of the request that starts a run, with its envelope.
    pub trigger_gb: f64,
}

impl Means {
    /// Whether it matters to the means in which regions both ends of a link are.
    #[must_use]
    pub fn couples(&self, link: usize) -> bool {
        self.link_gb[link] > 0.0 || self.is_awaited[link]
    }
}

/// Tells one set of columns from every other that was ever made, wherever in memory they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64);

impl Identity {
    /// One that nobody else has.
    #[must_use]
    pub fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// All columns of one set of scenarios.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// Tells these columns from all others.
    pub identity: Identity,
    /// Number of scenarios.
    pub count: usize,
    /// Exact means.
    pub means: Means,
    /// kWh of forwarding a trigger, once, power usage effectiveness included.
    pub forward_energy: f64,
    regions: usize,
    node_column: Vec<u32>,
    duration: Vec<f32>,
    cost: Vec<f32>,
    power: Vec<f32>,
    data_gb: Vec<Option<Vec<f32>>>,
    attributed_gb: Vec<Vec<(End, Vec<f32>)>>,
    edge_gb: Vec<f32>,
    awaited: Vec<Vec<Awaited<f32>>>,
    trigger_gb: Vec<f32>,
    offset: Vec<f32>,
    latency_near: Vec<f32>,
    latency_far: Vec<f32>,
    shift: Vec<f32>,
    own_latency_column: Vec<Vec<u32>>,
    own_latency: Vec<f32>,
    absent: Vec<Option<Vec<f32>>>,
    detours: Vec<Vec<Detour>>,
    entry_start: Vec<Vec<f32>>,
}

/// A latency column with the constant that distance adds; the sum is never below zero.
#[derive(Clone, Copy, Debug)]
pub struct LatencyColumn<'a> {
    /// Seconds by scenario.
    pub seconds: &'a [f32],
    /// Seconds to add.
    pub shift: f32,
}

impl Lanes {
    /// Builds the columns for the regions in `used` of each node.
    #[must_use]
    pub fn new(problem: &Problem, estimates: &Estimates, scenarios: &Scenarios, used: &[Vec<Region>]) -> Self {
        let (count, regions) = (scenarios.count, problem.region_count());
        let mut lanes = Self {
            identity: Identity::new(),
            count,
            means: Means {
                node_cost: vec![f64::NAN; used.len() * regions],
                node_energy: vec![f64::NAN; used.len() * regions],
                ..Means::default()
            },
            forward_energy: forward_energy(problem),
            regions,
            node_column: vec![NO_COLUMN; used.len() * regions],
            duration: Vec::new(),
            cost: Vec::new(),
            power: Vec::with_capacity(used.len() * count),
            data_gb: Vec::new(),
            attributed_gb: Vec::new(),
            edge_gb: Vec::new(),
            awaited: Vec::new(),
            trigger_gb: Vec::new(),
            offset: Vec::new(),
            latency_near: Vec::new(),
            latency_far: Vec::new(),
            shift: Vec::new(),
            own_latency_column: vec![Vec::new(); problem.graph.edges.len()],
            own_latency: Vec::new(),
            absent: Vec::new(),
            detours: Vec::new(),
            entry_start: Vec::new(),
        };
        lanes.add_nodes(problem, estimates, scenarios, used);
        lanes.add_edges(problem, estimates, scenarios, used);
        lanes.add_waiting(problem, scenarios);
        lanes.add_trigger(problem, scenarios);
        lanes.detours = find_detours(problem, scenarios);
        lanes
    }

    fn add_nodes(&mut self, problem: &Problem, estimates: &Estimates, scenarios: &Scenarios, used: &[Vec<Region>]) {
        let power: Vec<Vec<f64>> = (0..used.len()).map(|node| execution_power(problem, scenarios, node)).collect();
        let jobs: Vec<(usize, Region)> = used
            .iter()
            .enumerate()
            .flat_map(|(node, regions)| regions.iter().map(move |&region| (node, region)))
            .collect();
        let columns: Vec<NodeColumns> = jobs
            .par_iter()
            .map(|&(node, region)| node_columns(problem, estimates, scenarios, &power[node], node, region))
            .collect();
        for (&(node, region), columns) in jobs.iter().zip(columns) {
            let place = node * self.regions + usize::from(region);
            self.node_column[place] = (self.duration.len() / self.count) as u32;
            self.duration.extend(columns.duration);
            self.cost.extend(columns.cost);
            self.means.node_cost[place] = columns.mean_cost;
            self.means.node_energy[place] = columns.mean_energy * problem.pue[usize::from(region)];
        }
        for node in 0..used.len() {
            self.power.extend(power[node].iter().map(|&value| value as f32));
            let data = gigabytes(&scenarios.data_bytes[node]);
            self.means.data_gb.push(mean(&data));
            self.data_gb.push(data.iter().any(|&gb| gb > 0.0).then(|| narrow(&data)));
            let moved = scenarios.sent_bytes[node].iter().chain(&scenarios.received_bytes[node]);
            let attributed: Vec<(End, Vec<f64>)> = moved.map(|(end, bytes)| (*end, gigabytes(bytes))).collect();
            self.means.attributed_gb.push(attributed.iter().map(|(end, gb)| (*end, mean(gb))).collect());
            self.attributed_gb.push(attributed.iter().map(|(end, gb)| (*end, narrow(gb))).collect());
            let ran = &scenarios.ran[node];
            let absent = || ran.iter().map(|&ran| if ran { 0.0 } else { f32::NEG_INFINITY }).collect();
            self.absent.push(ran.contains(&false).then(absent));
        }
    }

    fn add_edges(&mut self, problem: &Problem, estimates: &Estimates, scenarios: &Scenarios, used: &[Vec<Region>]) {
        let graph = &problem.graph;
        for (edge, ends) in graph.edges.iter().enumerate() {
            let gb = edge_gigabytes(problem, scenarios, edge);
            self.means.edge_gb.push(mean(&gb));
            self.edge_gb.extend(narrow(&gb));
            self.offset.extend(narrow(&scenarios.offset_fraction[edge]));
            let latency = &estimates.latencies[edge];
            let positions = &scenarios.latency_position[edge];
            let reference: Vec<f64> = positions.iter().map(|&v| latency.reference.quantile(v)).collect();
            let transfer: Vec<f64> = (0..self.count)
                .map(|scenario| {
                    let payload = scenarios.payload_bytes[edge][scenario];
                    let bytes = moved_bytes(problem, edge, payload);
                    if scenarios.called[edge][scenario] {
                        bytes / problem.bandwidth_bytes_per_s
                    } else {
                        0.0
                    }
                })
                .collect();
            self.latency_near.extend(narrow(&reference));
            self.latency_far.extend(reference.iter().zip(&transfer).map(|(base, extra)| (base + extra) as f32));
            for from in 0..self.regions as Region {
                for to in 0..self.regions as Region {
                    self.shift.push(distance_shift(problem, edge, from, to) as f32);
                }
            }
            for (&(from, to), sample) in latency.own.iter().filter(|((_, to), _)| used[ends.to].contains(to)) {
                let weight = estimates.own_weight(sample);
                let shift = distance_shift(problem, edge, from, to);
                let index = &mut self.own_latency_column[edge];
                index.resize(self.regions * self.regions, NO_COLUMN);
                index[usize::from(from) * self.regions + usize::from(to)] =
                    (self.own_latency.len() / self.count) as u32;
                self.own_latency.extend((0..self.count).map(|scenario| {
                    let extra = if from == to { 0.0 } else { transfer[scenario] };
                    let far = (reference[scenario] + extra + shift).max(0.0);
                    ((1.0 - weight) * far + weight * sample.quantile(positions[scenario])) as f32
                }));
            }
        }
    }

    fn add_waiting(&mut self, problem: &Problem, scenarios: &Scenarios) {
        self.means.link_gb = self.means.edge_gb.clone();
        self.means.link_gb.resize(problem.graph.links.len(), 0.0);
        let by_link = awaited_by_link(problem, scenarios);
        self.means.is_awaited = by_link.iter().map(|awaited| !awaited.is_empty()).collect();
        if self.means.is_awaited.contains(&true) {
            for awaited in &by_link {
                let means: Vec<MeanWait> = awaited.iter().map(MeanWait::new).collect();
                for from in 0..self.regions as Region {
                    for to in 0..self.regions as Region {
                        let added = added_round_trip(problem, from, to);
                        let waited = if from == to { 0.0 } else { means.iter().map(|mean| mean.at(added)).sum() };
                        self.means.waited_s.push(waited);
                    }
                }
            }
        }
        let narrowed = |awaited: &Awaited<f64>| Awaited {
            round_trips: narrow(&awaited.round_trips),
            fixed_s: narrow(&awaited.fixed_s),
        };
        self.awaited = by_link.iter().map(|awaited| awaited.iter().map(narrowed).collect()).collect();
    }

    fn add_trigger(&mut self, problem: &Problem, scenarios: &Scenarios) {
        let bytes: Vec<f64> =
            scenarios.trigger_bytes.iter().map(|bytes| bytes + problem.protocol.message_envelope_bytes).collect();
        let gb = gigabytes(&bytes);
        self.means.trigger_gb = mean(&gb);
        self.trigger_gb = narrow(&gb);
        let origin = problem.trigger_region;
        for region in 0..self.regions as Region {
            let start = |&bytes: &f64| {
                if region == origin {
                    return 0.0;
                }
                let latency = problem.round_trip(origin, region) + transfer_time(problem, origin, region, bytes);
                (problem.forward_duration_s + latency) as f32
            };
            self.entry_start.push(bytes.iter().map(start).collect());
        }
    }

    /// Largest of all seconds, USD and kWh per second; infinite if one is no number.
    #[must_use]
    pub fn largest(&self) -> f64 {
        let seconds = self.duration.iter().chain(&self.latency_far).chain(&self.own_latency);
        let values = seconds.chain(&self.cost).chain(&self.power).chain(self.entry_start.iter().flatten());
        values
            .fold(0.0, |largest, &value| if value.is_finite() { largest.max(f64::from(value)) } else { f64::INFINITY })
    }

    fn column<'a>(&self, columns: &'a [f32], index: usize) -> &'a [f32] {
        &columns[index * self.count..(index + 1) * self.count]
    }

    fn node_index(&self, node: usize, region: Region) -> usize {
        let index = self.node_column[node * self.regions + usize::from(region)];
        debug_assert_ne!(index, NO_COLUMN, "node {node} is not allowed in region {region}");
        index as usize
    }

    /// Seconds node `node` takes in `region`; zero where it does not run.
    #[must_use]
    pub fn duration(&self, node: usize, region: Region) -> &[f32] {
        self.column(&self.duration, self.node_index(node, region))
    }

    /// USD of node `node` in `region`, all it receives included.
    #[must_use]
    pub fn cost(&self, node: usize, region: Region) -> &[f32] {
        self.column(&self.cost, self.node_index(node, region))
    }

    /// kWh per second of the node's execution, without power usage effectiveness.
    #[must_use]
    pub fn power(&self, node: usize) -> &[f32] {
        self.column(&self.power, node)
    }

    /// GB the node moves to or from nobody knows where; `None` if it never does.
    #[must_use]
    pub fn data_gb(&self, node: usize) -> Option<&[f32]> {
        self.data_gb[node].as_deref()
    }

    /// GB the node moves to or from known regions.
    pub fn attributed_gb(&self, node: usize) -> impl Iterator<Item = (End, &[f32])> {
        self.attributed_gb[node].iter().map(|(end, gb)| (*end, gb.as_slice()))
    }

    /// GB that the edge of a link moves; `None` if it is none.
    #[must_use]
    pub fn edge_gb(&self, link: usize) -> Option<&[f32]> {
        (link < self.means.edge_gb.len()).then(|| self.column(&self.edge_gb, link))
    }

    /// What the near end of a link waits for; several entries add up.
    #[must_use]
    pub fn awaited(&self, link: usize) -> &[Awaited<f32>] {
        &self.awaited[link]
    }

    /// GB of the request that starts a run.
    #[must_use]
    pub fn trigger_gb(&self) -> &[f32] {
        &self.trigger_gb
    }

    /// Fraction of the caller's duration after which the edge leaves.
    #[must_use]
    pub fn offset(&self, edge: usize) -> &[f32] {
        self.column(&self.offset, edge)
    }

    /// Whether the edge has samples of its own between two regions, so that its latency is a column of its own.
    #[must_use]
    pub fn has_own_latency(&self, edge: usize, from: Region, to: Region) -> bool {
        let pair = usize::from(from) * self.regions + usize::from(to);
        self.own_latency_column[edge].get(pair).is_some_and(|&index| index != NO_COLUMN)
    }

    /// Latency of the edge between two regions.
    #[must_use]
    pub fn latency(&self, edge: usize, from: Region, to: Region) -> LatencyColumn<'_> {
        let pair = usize::from(from) * self.regions + usize::from(to);
        if let Some(&index) = self.own_latency_column[edge].get(pair) {
            if index != NO_COLUMN {
                return LatencyColumn { seconds: self.column(&self.own_latency, index as usize), shift: 0.0 };
            }
        }
        let columns = if from == to { &self.latency_near } else { &self.latency_far };
        LatencyColumn {
            seconds: self.column(columns, edge),
            shift: self.shift[edge * self.regions * self.regions + pair],
        }
    }

    /// Zero where the node runs and minus infinity where it does not; `None` if it always runs.
    #[must_use]
    pub fn absent(&self, node: usize) -> Option<&[f32]> {
        self.absent[node].as_deref()
    }

    /// Where declines over the edge leave from another node than its caller.
    #[must_use]
    pub fn detours(&self, edge: usize) -> &[Detour] {
        &self.detours[edge]
    }

    /// Seconds from the trigger to the start of the entry in `region`.
    #[must_use]
    pub fn entry_start(&self, region: Region) -> &[f32] {
        &self.entry_start[usize::from(region)]
    }
}

struct NodeColumns {
    duration: Vec<f32>,
    cost: Vec<f32>,
    mean_cost: f64,
    mean_energy: f64,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn gigabytes(bytes: &[f64]) -> Vec<f64> {
    bytes.iter().map(|bytes| bytes / BYTES_PER_GB).collect()
}

fn node_columns(
    problem: &Problem,
    estimates: &Estimates,
    scenarios: &Scenarios,
    power: &[f64],
    node: usize,
    region: Region,
) -> NodeColumns {
    let speed = problem.relative_speed[usize::from(region)];
    let mut columns = NodeColumns {
        duration: Vec::with_capacity(scenarios.count),
        cost: Vec::with_capacity(scenarios.count),
        mean_cost: 0.0,
        mean_energy: 0.0,
    };
    for scenario in 0..scenarios.count {
        let mut cost = receiving_cost(problem, scenarios, node, region, scenario);
        let mut duration = 0.0;
        if scenarios.ran[node][scenario] {
            duration = estimates.duration(node, region, speed, scenarios.duration_position[node][scenario]);
            cost += execution_cost(problem, scenarios, node, region, scenario, duration);
        }
        columns.mean_cost += cost;
        columns.mean_energy += duration * power[scenario];
        columns.duration.push(duration as f32);
        columns.cost.push(cost as f32);
    }
    columns.mean_cost /= scenarios.count as f64;
    columns.mean_energy /= scenarios.count as f64;
    columns
}

/// For every edge into a join: the scenarios in which its caller is a dead plain node, by the node where the branch
/// died. A dead join declines for itself, when its last report has arrived.
fn find_detours(problem: &Problem, scenarios: &Scenarios) -> Vec<Vec<Detour>> {
    let graph = &problem.graph;
    (0..graph.edges.len())
        .map(|edge| {
            let caller = graph.edges[edge].from;
            let mut by_origin = std::collections::BTreeMap::<usize, Vec<u32>>::new();
            if graph.is_report(edge) {
                for scenario in 0..scenarios.count {
                    let origin = graph.origin(caller, |node| scenarios.ran[node][scenario]);
                    if origin != caller {
                        by_origin.entry(origin).or_default().push(scenario as u32);
                    }
                }
            }
            by_origin.into_iter().map(|(origin, scenarios)| Detour { origin, scenarios }).collect()
        })
        .collect()
}
