//! Cost, carbon and time of placements, scenario by scenario.

use crate::additive::Additive;
use crate::graph::Graph;
use crate::kernels;
use crate::lanes::{Identity, Lanes, LatencyColumn};
use crate::link_terms::Rates;
use crate::order_statistics::{OrderStatistics, Ordered, Statistic};
use crate::problem::{Metric, Problem, Region};
use crate::signals::Signals;

/// Mean and tail of one metric of a placement.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Mean over the scenarios.
    pub mean: f64,
    /// Estimate of the tail percentile.
    pub tail: f64,
    /// Upper confidence bound of the tail percentile; absent when there are too few scenarios.
    pub tail_upper: Option<f64>,
    /// Lower confidence bound of the tail percentile; absent when there are too few scenarios.
    pub tail_lower: Option<f64>,
}

impl Summary {
    /// What stands for the tail percentile; absent when there are too few scenarios for it.
    #[must_use]
    pub fn tail_at(&self, statistic: Statistic) -> Option<f64> {
        match statistic {
            Statistic::LowerBound => self.tail_lower,
            Statistic::Estimate => Some(self.tail),
            Statistic::UpperBound => self.tail_upper,
        }
    }
}

/// All metrics of a placement, per run.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Metrics {
    /// gCO2eq.
    pub carbon: Summary,
    /// USD.
    pub cost: Summary,
    /// Seconds.
    pub runtime: Summary,
}

impl Metrics {
    /// The summary of one metric.
    #[must_use]
    pub fn of(&self, metric: Metric) -> &Summary {
        match metric {
            Metric::Carbon => &self.carbon,
            Metric::Cost => &self.cost,
            Metric::Runtime => &self.runtime,
        }
    }
}

/// Columns of a run's time under some choice of regions, exact or as lower bounds.
pub trait TimeColumns {
    /// Which columns these are chosen from: the same ones stay where they are in memory.
    fn identity(&self) -> (Identity, Option<Identity>);
    /// Seconds from trigger to start of the entry.
    fn entry_start(&self) -> &[f32];
    /// Seconds a node takes.
    fn duration(&self, node: usize) -> &[f32];
    /// Seconds an edge takes when it leaves from `origin`.
    fn latency(&self, edge: usize, origin: usize) -> LatencyColumn<'_>;
}

/// Columns of a complete placement.
pub struct Placed<'a> {
    /// All columns.
    pub lanes: &'a Lanes,
    /// The graph.
    pub graph: &'a Graph,
    /// Region of every node.
    pub placement: &'a [Region],
}

impl TimeColumns for Placed<'_> {
    fn identity(&self) -> (Identity, Option<Identity>) {
        (self.lanes.identity, None)
    }

    fn entry_start(&self) -> &[f32] {
        self.lanes.entry_start(self.placement[self.graph.entry])
    }

    fn duration(&self, node: usize) -> &[f32] {
        self.lanes.duration(node, self.placement[node])
    }

    fn latency(&self, edge: usize, origin: usize) -> LatencyColumn<'_> {
        self.lanes.latency(edge, self.placement[origin], self.placement[self.graph.edges[edge].to])
    }
}

/// Buffers for evaluation, reused from placement to placement. What the last evaluation of run times computed is kept:
/// the starts of nodes that nothing has changed for are not computed again, so moving one node costs the nodes after it.
#[derive(Debug, Default)]
pub struct Scratch {
    start: Vec<f32>,
    arrival: Vec<f32>,
    sample: Vec<f32>,
    ordered: Ordered,
    kept: Kept,
}

/// What the starts in a scratch were computed from: addresses of columns, in the order in which they were read.
#[derive(Debug, Default)]
struct Kept {
    columns: Option<(Identity, Option<Identity>)>,
    inputs: Vec<(usize, u32)>,
    cursor: usize,
    has_changed: Vec<bool>,
}

impl Kept {
    /// Begins an evaluation; forgets everything if it is over other columns.
    fn begin(&mut self, columns: (Identity, Option<Identity>), nodes: usize) {
        if self.columns != Some(columns) {
            self.inputs.clear();
            self.columns = Some(columns);
        }
        self.cursor = 0;
        self.has_changed.clear();
        self.has_changed.resize(nodes, true);
    }

    /// Notes an input; whether it is another one than the last time.
    fn differs(&mut self, column: &[f32], shift: f32) -> bool {
        let input = (column.as_ptr() as usize, shift.to_bits());
        let place = self.cursor;
        self.cursor += 1;
        match self.inputs.get_mut(place) {
            Some(known) if *known == input => false,
            Some(known) => {
                *known = input;
                true
            }
            None => {
                self.inputs.push(input);
                true
            }
        }
    }
}

impl Scratch {
    /// Forgets what the last evaluation computed, so that the next one computes everything.
    pub fn forget(&mut self) {
        self.kept.columns = None;
    }

    /// Run time of every scenario, in seconds.
    pub fn runtimes(&mut self, graph: &Graph, lanes: &Lanes, columns: &impl TimeColumns) -> &[f32] {
        let count = lanes.count;
        self.start.resize(graph.node_count() * count, 0.0);
        self.arrival.resize(count, 0.0);
        self.sample.clear();
        self.sample.resize(count, 0.0);
        self.kept.begin(columns.identity(), graph.node_count());
        for (place, &node) in graph.order.iter().enumerate() {
            let (earlier, rest) = self.start.split_at_mut(place * count);
            let start = &mut rest[..count];
            if has_changed(&mut self.kept, graph, lanes, columns, node) {
                compute_start(start, &mut self.arrival, earlier, graph, lanes, columns, node);
            } else {
                self.kept.has_changed[node] = false;
            }
            match lanes.absent(node) {
                Some(absent) => kernels::finish_present(&mut self.sample, start, columns.duration(node), absent),
                None => kernels::finish(&mut self.sample, start, columns.duration(node)),
            }
        }
        &self.sample
    }

    /// Cost of every scenario, in USD.
    pub fn costs(&mut self, problem: &Problem, lanes: &Lanes, placement: &[Region]) -> &[f32] {
        self.sample.clear();
        self.sample.resize(lanes.count, 0.0);
        for (node, &region) in placement.iter().enumerate() {
            kernels::add(&mut self.sample, lanes.cost(node, region));
        }
        for (link, ends) in problem.graph.links.iter().enumerate() {
            let (from, to) = (placement[ends.from], placement[ends.to]);
            Rates::of_cost(problem, lanes, link, from, to).add(&mut self.sample, lanes, link);
        }
        &self.sample
    }

    /// Carbon of every scenario, in gCO2eq.
    pub fn carbons(&mut self, problem: &Problem, lanes: &Lanes, signals: &Signals, placement: &[Region]) -> &[f32] {
        self.sample.clear();
        self.sample.resize(lanes.count, 0.0);
        for (node, &region) in placement.iter().enumerate() {
            add_node_carbon(&mut self.sample, problem, lanes, signals, node, region);
        }
        for (link, ends) in problem.graph.links.iter().enumerate() {
            let (from, to) = (placement[ends.from], placement[ends.to]);
            Rates::of_carbon(problem, lanes, signals, link, from, to).add(&mut self.sample, lanes, link);
        }
        &self.sample
    }

    /// The sample computed last, for the selection of several ranks.
    pub fn order(&mut self) -> &mut Ordered {
        self.ordered.fill(&self.sample);
        &mut self.ordered
    }

    /// The `rank`-th smallest value of the sample computed last.
    pub fn ranked(&mut self, rank: usize) -> f64 {
        f64::from(self.order().select(rank))
    }

    /// How many values of the sample computed last are at most a threshold. The `rank`-th smallest one is above it when
    /// these are fewer than `rank`: cheaper to tell than by a selection.
    #[must_use]
    pub fn count_within(&self, threshold: f64) -> usize {
        kernels::count_within(&self.sample, largest_at_most(threshold))
    }

    /// The sample computed last.
    #[must_use]
    pub fn sample(&self) -> &[f32] {
        &self.sample
    }

    /// Buffer for a sample computed elsewhere, of `count` zeros.
    pub fn fresh_sample(&mut self, count: usize) -> &mut [f32] {
        self.sample.clear();
        self.sample.resize(count, 0.0);
        &mut self.sample
    }
}

/// Whether anything that a node's start depends on is other than at the last evaluation.
fn has_changed(kept: &mut Kept, graph: &Graph, lanes: &Lanes, columns: &impl TimeColumns, node: usize) -> bool {
    let mut changed = node == graph.entry && kept.differs(columns.entry_start(), 0.0);
    // All inputs are looked at, changed or not: what is noted must be in step.
    let mut look_at = |edge: usize, origin: usize| {
        let latency = columns.latency(edge, origin);
        changed |= kept.differs(latency.seconds, latency.shift);
        changed |= kept.differs(columns.duration(origin), 0.0);
        changed |= kept.has_changed[origin];
    };
    for &edge in &graph.incoming[node] {
        look_at(edge, graph.edges[edge].from);
        for detour in lanes.detours(edge) {
            look_at(edge, detour.origin);
        }
    }
    changed
}

/// When a node starts: at its one call's arrival, a join at the latest report.
fn compute_start(
    start: &mut [f32],
    arrival: &mut [f32],
    earlier: &[f32],
    graph: &Graph,
    lanes: &Lanes,
    columns: &impl TimeColumns,
    node: usize,
) {
    let count = lanes.count;
    let start_of = |other: usize| {
        let place = graph.position[other];
        &earlier[place * count..(place + 1) * count]
    };
    if node == graph.entry {
        start.copy_from_slice(columns.entry_start());
    }
    for (position, &edge) in graph.incoming[node].iter().enumerate() {
        let caller = graph.edges[edge].from;
        let arrivals: &mut [f32] = if position == 0 { &mut *start } else { &mut *arrival };
        let latency = columns.latency(edge, caller);
        let (begun, took) = (start_of(caller), columns.duration(caller));
        kernels::arrive(arrivals, begun, lanes.offset(edge), took, latency.seconds, latency.shift);
        for detour in lanes.detours(edge) {
            let latency = columns.latency(edge, detour.origin);
            let (begun, took) = (start_of(detour.origin), columns.duration(detour.origin));
            for &scenario in &detour.scenarios {
                let lane = scenario as usize;
                let travel = (latency.seconds[lane] + latency.shift).max(0.0);
                arrivals[lane] = begun[lane] + took[lane] + travel;
            }
        }
        if position > 0 {
            kernels::raise(start, arrival);
        }
    }
}

/// The largest lane value that is not above a threshold, so that lanes need not be widened to be compared with it.
fn largest_at_most(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    if f64::from(nearest) > threshold {
        // The lane value before it: thresholds are above zero, where the bits are in the order of the values.
        f32::from_bits(nearest.to_bits() - 1)
    } else {
        nearest
    }
}

/// Adds the carbon of one node in one region.
pub fn add_node_carbon(
    sum: &mut [f32],
    problem: &Problem,
    lanes: &Lanes,
    signals: &Signals,
    node: usize,
    region: Region,
) {
    let factor = (problem.pue[usize::from(region)] * signals.intensity[usize::from(region)]) as f32;
    kernels::add_product(sum, lanes.duration(node, region), lanes.power(node), factor);
    if let Some(data) = lanes.data_gb(node) {
        add_scaled(sum, data, signals.unattributed_route(problem, region) as f32);
    }
    for (end, gb) in lanes.attributed_gb(node) {
        add_scaled(sum, gb, signals.route_to(region, end) as f32);
    }
    if node == problem.graph.entry && region != problem.trigger_region {
        let forward = (lanes.forward_energy * signals.intensity[usize::from(problem.trigger_region)]) as f32;
        kernels::add_constant(sum, forward);
        add_scaled(sum, lanes.trigger_gb(), signals.route(problem.trigger_region, region) as f32);
    }
}

/// Adds a column times a factor.
pub fn add_scaled(sum: &mut [f32], column: &[f32], factor: f32) {
    if factor != 0.0 {
        kernels::add_scaled(sum, column, factor);
    }
}

/// Mean of lanes, summed in `f64` in scenario order.
#[must_use]
pub fn mean(sample: &[f32]) -> f64 {
    sample.iter().map(|&value| f64::from(value)).sum::<f64>() / sample.len() as f64
}

/// One hour of a set of scenarios, ready to evaluate placements.
pub struct HourModel<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// Columns of the scenarios.
    pub lanes: &'a Lanes,
    /// Mean cost.
    pub cost: &'a Additive,
    /// Mean carbon of the hour.
    pub carbon: Additive,
    /// Grid signals of the hour.
    pub signals: Signals,
    /// Ranks of tail and bound.
    pub ranks: OrderStatistics,
}

impl<'a> HourModel<'a> {
    /// Prepares an hour; `cost` does not depend on it.
    #[must_use]
    pub fn new(problem: &'a Problem, lanes: &'a Lanes, cost: &'a Additive, hour: usize) -> Self {
        let signals = Signals::new(problem, hour);
        let carbon = Additive::carbon(problem, lanes, &signals);
        let ranks = problem.order_statistics(lanes.count);
        Self { problem, lanes, cost, carbon, signals, ranks }
    }

    /// The table of an additive metric; `None` for run time.
    #[must_use]
    pub fn additive(&self, metric: Metric) -> Option<&Additive> {
        match metric {
            Metric::Carbon => Some(&self.carbon),
            Metric::Cost => Some(self.cost),
            Metric::Runtime => None,
        }
    }

    /// Computes the sample of a metric into `scratch`.
    pub fn fill_sample(&self, scratch: &mut Scratch, metric: Metric, placement: &[Region]) {
        let graph = &self.problem.graph;
        match metric {
            Metric::Carbon => {
                scratch.carbons(self.problem, self.lanes, &self.signals, placement);
            }
            Metric::Cost => {
                scratch.costs(self.problem, self.lanes, placement);
            }
            Metric::Runtime => {
                scratch.runtimes(graph, self.lanes, &Placed { lanes: self.lanes, graph, placement });
            }
        }
    }

    /// Mean of a metric.
    pub fn mean(&self, scratch: &mut Scratch, metric: Metric, placement: &[Region]) -> f64 {
        if let Some(additive) = self.additive(metric) {
            additive.evaluate(&self.problem.graph, placement)
        } else {
            self.fill_sample(scratch, metric, placement);
            mean(scratch.sample())
        }
    }

    /// All metrics of a placement.
    pub fn metrics(&self, scratch: &mut Scratch, placement: &[Region]) -> Metrics {
        let mut summary = |metric| {
            self.fill_sample(scratch, metric, placement);
            let mean = match self.additive(metric) {
                Some(additive) => additive.evaluate(&self.problem.graph, placement),
                None => mean(scratch.sample()),
            };
            let ordered = scratch.order();
            let tail_lower = self.ranks.lower_bound.map(|rank| f64::from(ordered.select(rank)));
            let tail = f64::from(ordered.select(self.ranks.estimate));
            let tail_upper = self.ranks.upper_bound.map(|rank| f64::from(ordered.select(rank)));
            Summary { mean, tail, tail_upper, tail_lower }
        };
        Metrics { carbon: summary(Metric::Carbon), cost: summary(Metric::Cost), runtime: summary(Metric::Runtime) }
    }
}
