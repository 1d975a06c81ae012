//! What a node's duration and an edge's latency are in each region, estimated from the evidence.

use std::collections::BTreeMap;

use crate::distribution::{inverse_normal, Sample, Share};
use crate::evidence::{Evidence, Observations};
use crate::problem::{Problem, Region};

/// Duration of one node by region.
#[derive(Clone, Debug)]
pub enum Duration {
    /// From samples: a region's own ones weigh as much as there are of them, up to `min_samples`.
    Sampled {
        /// Durations observed in each region.
        own: Vec<Sample>,
        /// Home's durations, or, when there are too few, those of all regions scaled to home's speed.
        reference: Sample,
    },
    /// Declared.
    LogNormal {
        /// Median at home, in seconds.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma_log: f64,
    },
    /// The node never ran, so its duration is never asked for.
    Unknown,
}

/// Latency of one edge by pair of regions.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Latencies observed between each pair of regions.
    pub own: BTreeMap<(Region, Region), Sample>,
    /// Latencies within home, or, when there are too few, those of all pairs less what distance and size add.
    pub reference: Sample,
}

/// Distributions of all nodes and edges, and where each observed run lies in them.
#[derive(Clone, Debug)]
pub struct Estimates {
    /// By node.
    pub durations: Vec<Duration>,
    /// By edge.
    pub latencies: Vec<Latency>,
    /// By node, then by observed run.
    pub duration_shares: Vec<Vec<Share>>,
    /// By edge, then by observed run.
    pub latency_shares: Vec<Vec<Share>>,
    min_samples: usize,
}

impl Estimates {
    /// Estimates everything the evidence of `problem` has to say.
    #[must_use]
    pub fn new(problem: &Problem) -> Self {
        let min_samples = problem.settings.min_samples;
        let mut estimates = Self {
            durations: Vec::new(),
            latencies: Vec::new(),
            duration_shares: vec![Vec::new(); problem.nodes.len()],
            latency_shares: vec![Vec::new(); problem.graph.edges.len()],
            min_samples,
        };
        match problem.evidence.as_ref() {
            Evidence::Declared(priors) => {
                estimates.durations = priors
                    .nodes
                    .iter()
                    .map(|node| Duration::LogNormal {
                        median: node.duration_s.median,
                        sigma_log: node.duration_s.sigma_log,
                    })
                    .collect();
                estimates.latencies = (0..problem.graph.edges.len())
                    .map(|edge| Latency { own: BTreeMap::new(), reference: base_reference(problem, edge) })
                    .collect();
            }
            Evidence::Observed(observations) => {
                for node in 0..problem.nodes.len() {
                    let (duration, shares) = estimate_duration(problem, observations, node);
                    estimates.durations.push(duration);
                    estimates.duration_shares[node] = shares;
                }
                for edge in 0..problem.graph.edges.len() {
                    let (latency, shares) = estimate_latency(problem, observations, edge);
                    estimates.latencies.push(latency);
                    estimates.latency_shares[edge] = shares;
                }
            }
        }
        estimates
    }

    /// Seconds node `node` takes in `region` at position `u` of its distribution; `speed` is the region's duration
    /// over home's.
    #[must_use]
    pub fn duration(&self, node: usize, region: Region, speed: f64, u: f64) -> f64 {
        match &self.durations[node] {
            Duration::Unknown => 0.0,
            Duration::LogNormal { median, sigma_log } => speed * median * (sigma_log * inverse_normal(u)).exp(),
            Duration::Sampled { own, reference } => {
                let own = &own[usize::from(region)];
                let weight = self.own_weight(own);
                let mut seconds = 0.0;
                if weight < 1.0 {
                    seconds += (1.0 - weight) * speed * reference.quantile(u);
                }
                if weight > 0.0 {
                    seconds += weight * own.quantile(u);
                }
                seconds
            }
        }
    }

    /// How much a sample of its own counts against the reference: in proportion to its size, fully from
    /// `min_samples` on.
    #[must_use]
    pub fn own_weight(&self, own: &Sample) -> f64 {
        (own.len() as f64 / self.min_samples as f64).min(1.0)
    }
}

fn estimate_duration(problem: &Problem, observations: &Observations, node: usize) -> (Duration, Vec<Share>) {
    let columns = &observations.nodes[node];
    let observed = |run: usize| Some((columns.region[run]?, columns.duration_s[run]?));
    let mut by_region = vec![Vec::new(); problem.region_count()];
    let mut scaled_to_home = Vec::new();
    for run in 0..observations.runs {
        if let Some((region, duration)) = observed(run) {
            let weight = observations.weight(run);
            by_region[usize::from(region)].push((duration, weight));
            scaled_to_home.push((duration / problem.relative_speed[usize::from(region)], weight));
        }
    }
    if scaled_to_home.is_empty() {
        return (Duration::Unknown, vec![Share::UNKNOWN; observations.runs]);
    }
    let own: Vec<Sample> = by_region.into_iter().map(Sample::weighted).collect();
    let home = &own[usize::from(problem.home)];
    let reference =
        if home.len() >= problem.settings.min_samples { home.clone() } else { Sample::weighted(scaled_to_home) };
    let share = |run| match observed(run) {
        Some((region, duration)) => own[usize::from(region)].share_of(duration),
        None => Share::UNKNOWN,
    };
    let shares = (0..observations.runs).map(share).collect();
    (Duration::Sampled { own, reference }, shares)
}

fn estimate_latency(problem: &Problem, observations: &Observations, edge: usize) -> (Latency, Vec<Share>) {
    let ends = &problem.graph.edges[edge];
    let columns = &observations.edges[edge];
    let observed = |run: usize| {
        let from = observations.nodes[ends.from].region[run]?;
        let to = observations.nodes[ends.to].region[run]?;
        Some(((from, to), columns.latency_s[run]?))
    };
    let mut by_pair: BTreeMap<(Region, Region), Vec<(f64, f64)>> = BTreeMap::new();
    let mut reduced_to_home = Vec::new();
    for run in 0..observations.runs {
        if let Some(((from, to), latency)) = observed(run) {
            let weight = observations.weight(run);
            by_pair.entry((from, to)).or_default().push((latency, weight));
            let bytes = moved_bytes(problem, edge, columns.payload_bytes[run]);
            let distance = distance_shift(problem, edge, from, to) + transfer_time(problem, from, to, bytes);
            reduced_to_home.push(((latency - distance).max(0.0), weight));
        }
    }
    let own: BTreeMap<_, _> = by_pair.into_iter().map(|(pair, values)| (pair, Sample::weighted(values))).collect();
    let home = own.get(&(problem.home, problem.home));
    let reference = match home {
        Some(home) if home.len() >= problem.settings.min_samples => home.clone(),
        _ if reduced_to_home.is_empty() => base_reference(problem, edge),
        _ => Sample::weighted(reduced_to_home),
    };
    let share = |run| observed(run).map_or(Share::UNKNOWN, |(pair, latency)| own[&pair].share_of(latency));
    let shares = (0..observations.runs).map(share).collect();
    (Latency { own, reference }, shares)
}

/// Without any latency observed: the base round trip within home, as often as the protocol makes it.
fn base_reference(problem: &Problem, edge: usize) -> Sample {
    Sample::new(vec![problem.graph.edges[edge].round_trips * problem.round_trip(problem.home, problem.home)])
}

/// Seconds that the distance between two regions adds to an edge's latency within home.
#[must_use]
pub fn distance_shift(problem: &Problem, edge: usize, from: Region, to: Region) -> f64 {
    let home = problem.round_trip(problem.home, problem.home);
    problem.graph.edges[edge].round_trips * (problem.round_trip(from, to) - home)
}

/// Seconds that bytes take between two different regions; within one they are part of the base latency.
#[must_use]
pub fn transfer_time(problem: &Problem, from: Region, to: Region, bytes: f64) -> f64 {
    if from == to {
        0.0
    } else {
        bytes / problem.bandwidth_bytes_per_s
    }
}

/// Bytes that a called edge sends ahead of the node it calls: the message, or the payload item of a join.
#[must_use]
pub fn moved_bytes(problem: &Problem, edge: usize, payload: f64) -> f64 {
    if problem.graph.is_report(edge) {
        payload
    } else {
        payload + problem.protocol.message_envelope_bytes
    }
}
