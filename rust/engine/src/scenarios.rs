//! Scenarios: what happens in a run wherever its nodes are placed.

use crate::distribution::Share;
use crate::estimates::Estimates;
use crate::evidence::{End, Evidence, Observations, Priors};
use crate::problem::Problem;
use crate::random::{uniform, Stream};

/// Counter of the first scenario to plan with.
pub const FIRST_PLANNING_SCENARIO: u64 = 0;
/// Counter of the first scenario to validate with: never one that was planned with.
pub const FIRST_VALIDATION_SCENARIO: u64 = 1 << 32;

/// Facts of `count` scenarios, by node or edge and then by scenario.
#[derive(Clone, Debug)]
pub struct Scenarios {
    /// Number of scenarios.
    pub count: usize,
    /// Whether a node runs.
    pub ran: Vec<Vec<bool>>,
    /// Whether an edge is called; every other edge is declined.
    pub called: Vec<Vec<bool>>,
    /// Position of the node's duration within its distribution, in [0, 1).
    pub duration_position: Vec<Vec<f64>>,
    /// Position of the edge's latency within its distribution, in [0, 1).
    pub latency_position: Vec<Vec<f64>>,
    /// CPU utilisation of the node, 0 to 1.
    pub cpu_utilization: Vec<Vec<f64>>,
    /// Bytes the node's code moves to or from nobody knows where.
    pub data_bytes: Vec<Vec<f64>>,
    /// Bytes the node's code sends to known ends.
    pub sent_bytes: Vec<Vec<(End, Vec<f64>)>>,
    /// Bytes the node's code receives from known ends.
    pub received_bytes: Vec<Vec<(End, Vec<f64>)>>,
    /// Bytes of the payload; zero when declined.
    pub payload_bytes: Vec<Vec<f64>>,
    /// Fraction of the caller's duration after which the edge leaves; one when declined.
    pub offset_fraction: Vec<Vec<f64>>,
    /// Round trips to the called node's region that the caller waits for when its work is done.
    pub awaited_round_trips: Vec<Vec<f64>>,
    /// Seconds for which the caller would be busy, or wait for others, after the call was accepted near it.
    pub slack_s: Vec<Vec<f64>>,
    /// Bytes of the request that starts the run.
    pub trigger_bytes: Vec<f64>,
}

impl Scenarios {
    /// Draws `count` scenarios; `first` is the counter of the first one.
    #[must_use]
    pub fn draw(problem: &Problem, estimates: &Estimates, seed: u64, first: u64, count: usize) -> Self {
        match problem.evidence.as_ref() {
            Evidence::Observed(observations) => repeat_runs(problem, estimates, observations, seed, first, count),
            Evidence::Declared(priors) => imagine_runs(problem, priors, seed, first, count),
        }
    }
}

/// Every observed run as often as its weight demands, and a random choice for what is left over.
fn choose_runs(observations: &Observations, seed: u64, first: u64, count: usize) -> Vec<usize> {
    match &observations.weights {
        None => choose_evenly(observations.runs, seed, first, count),
        Some(weights) => choose_by_weight(weights, seed, first, count),
    }
}

/// Every run equally often, and a random choice for what is left over.
fn choose_evenly(runs: usize, seed: u64, first: u64, count: usize) -> Vec<usize> {
    let evenly = count / runs * runs;
    let choose = |scenario: usize| {
        if scenario < evenly {
            scenario % runs
        } else {
            (uniform(seed, Stream::Run, first + scenario as u64, 0) * runs as f64) as usize
        }
    };
    (0..count).map(choose).collect()
}

/// Every run as often as its share of the weights has whole scenarios, and for what is left over a random choice in
/// proportion to the fractions that remain.
fn choose_by_weight(weights: &[f64], seed: u64, first: u64, count: usize) -> Vec<usize> {
    let total: f64 = weights.iter().sum();
    let mut chosen = Vec::with_capacity(count);
    let mut remainders = Vec::with_capacity(weights.len());
    let mut remaining = 0.0;
    for (run, weight) in weights.iter().enumerate() {
        let scenarios = count as f64 * weight / total;
        // Rounding could make the whole parts one too many.
        let whole = (scenarios as usize).min(count - chosen.len());
        chosen.extend(std::iter::repeat_n(run, whole));
        remaining += scenarios - scenarios.floor();
        remainders.push(remaining);
    }
    for scenario in chosen.len()..count {
        let position = uniform(seed, Stream::Run, first + scenario as u64, 0) * remaining;
        chosen.push(remainders.partition_point(|&sum| sum <= position).min(weights.len() - 1));
    }
    chosen
}

fn positions(shares: &[Share], runs: &[usize], seed: u64, stream: Stream, first: u64, key: u64) -> Vec<f64> {
    let position =
        |(scenario, &run): (usize, &usize)| shares[run].position(uniform(seed, stream, first + scenario as u64, key));
    runs.iter().enumerate().map(position).collect()
}

fn repeat_runs(
    problem: &Problem,
    estimates: &Estimates,
    observations: &Observations,
    seed: u64,
    first: u64,
    count: usize,
) -> Scenarios {
    let runs = choose_runs(observations, seed, first, count);
    let pick = |column: &[f64]| runs.iter().map(|&run| column[run]).collect::<Vec<f64>>();
    let flags = |column: &[bool]| runs.iter().map(|&run| column[run]).collect::<Vec<bool>>();
    let by_end = |columns: &[(End, Vec<f64>)]| columns.iter().map(|(end, bytes)| (*end, pick(bytes))).collect();
    let nodes = &observations.nodes;
    let edges = &observations.edges;
    let default_utilization = problem.power.cpu_utilization_default;
    Scenarios {
        count,
        ran: nodes.iter().map(|node| flags(&node.ran)).collect(),
        called: edges.iter().map(|edge| flags(&edge.called)).collect(),
        duration_position: problem
            .nodes
            .iter()
            .zip(&estimates.duration_shares)
            .map(|(node, shares)| positions(shares, &runs, seed, Stream::Duration, first, node.key))
            .collect(),
        latency_position: problem
            .graph
            .edges
            .iter()
            .zip(&estimates.latency_shares)
            .map(|(edge, shares)| positions(shares, &runs, seed, Stream::Latency, first, edge.key))
            .collect(),
        cpu_utilization: nodes
            .iter()
            .map(|node| runs.iter().map(|&run| node.cpu_utilization[run].unwrap_or(default_utilization)).collect())
            .collect(),
        data_bytes: nodes.iter().map(|node| pick(&node.data_bytes)).collect(),
        sent_bytes: nodes.iter().map(|node| by_end(&node.sent_bytes)).collect(),
        received_bytes: nodes.iter().map(|node| by_end(&node.received_bytes)).collect(),
        payload_bytes: edges.iter().map(|edge| pick(&edge.payload_bytes)).collect(),
        offset_fraction: edges.iter().map(|edge| pick(&edge.offset_fraction)).collect(),
        awaited_round_trips: edges.iter().map(|edge| pick(&edge.awaited_round_trips)).collect(),
        slack_s: edges.iter().map(|edge| pick(&edge.slack_s)).collect(),
        trigger_bytes: pick(&observations.trigger_bytes),
    }
}

/// Independent calls with the declared probabilities; everything else as declared.
fn imagine_runs(problem: &Problem, priors: &Priors, seed: u64, first: u64, count: usize) -> Scenarios {
    let graph = &problem.graph;
    let spread = |stream: Stream, key: u64| -> Vec<f64> {
        (0..count as u64).map(|scenario| uniform(seed, stream, first + scenario, key)).collect()
    };
    let mut ran = vec![vec![false; count]; graph.node_count()];
    let mut called = vec![vec![false; count]; graph.edges.len()];
    for &node in &graph.order {
        if node == graph.entry {
            ran[node].fill(true);
        }
        for &edge in &graph.incoming[node] {
            for scenario in 0..count {
                if called[edge][scenario] {
                    ran[node][scenario] = true;
                }
            }
        }
        for &edge in &graph.outgoing[node] {
            let draws = spread(Stream::Call, graph.edges[edge].key);
            for scenario in 0..count {
                called[edge][scenario] = ran[node][scenario] && draws[scenario] < priors.edges[edge].call_probability;
            }
        }
    }
    let when = |flags: &[bool], yes: f64, no: f64| -> Vec<f64> {
        flags.iter().map(|&flag| if flag { yes } else { no }).collect()
    };
    Scenarios {
        count,
        duration_position: problem.nodes.iter().map(|node| spread(Stream::Duration, node.key)).collect(),
        latency_position: graph.edges.iter().map(|edge| spread(Stream::Latency, edge.key)).collect(),
        cpu_utilization: priors.nodes.iter().map(|node| vec![node.cpu_utilization; count]).collect(),
        data_bytes: priors.nodes.iter().zip(&ran).map(|(node, ran)| when(ran, node.data_bytes, 0.0)).collect(),
        sent_bytes: vec![Vec::new(); graph.node_count()],
        received_bytes: vec![Vec::new(); graph.node_count()],
        payload_bytes: priors
            .edges
            .iter()
            .zip(&called)
            .map(|(edge, flag)| when(flag, edge.payload_bytes, 0.0))
            .collect(),
        offset_fraction: priors
            .edges
            .iter()
            .zip(&called)
            .map(|(edge, flag)| when(flag, edge.offset_fraction, 1.0))
            .collect(),
        awaited_round_trips: vec![vec![0.0; count]; graph.edges.len()],
        slack_s: vec![vec![0.0; count]; graph.edges.len()],
        trigger_bytes: vec![priors.trigger_bytes; count],
        ran,
        called,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_repeated_equally_often() {
        let chosen = choose_evenly(7, 3, FIRST_PLANNING_SCENARIO, 7 * 5 + 3);
        for run in 0..7 {
            let times = chosen.iter().filter(|&&other| other == run).count();
            assert!((5..=8).contains(&times), "run {run}: {times}");
        }
    }

    #[test]
    fn runs_are_repeated_as_often_as_their_weights_say() {
        let weights = [1.0, 10.0, 0.5, 3.25];
        let total: f64 = weights.iter().sum();
        let mut times = [0_usize; 4];
        for seed in 0..50 {
            for run in choose_by_weight(&weights, seed, FIRST_PLANNING_SCENARIO, 101) {
                times[run] += 1;
            }
        }
        assert_eq!(times.iter().sum::<usize>(), 50 * 101);
        for (run, weight) in weights.iter().enumerate() {
            let expected = 50.0 * 101.0 * weight / total;
            // What is random is at most three draws of a set of 101: its standard deviation over 50 sets is below 9.
            assert!((times[run] as f64 - expected).abs() < 36.0, "run {run}: {} of {expected}", times[run]);
        }
    }

    #[test]
    fn the_rarest_of_many_runs_can_be_drawn() {
        let mut weights = vec![50.0; 100];
        weights[99] = 1.0;
        let chosen: Vec<usize> =
            (0..200).flat_map(|seed| choose_by_weight(&weights, seed, FIRST_VALIDATION_SCENARIO, 100)).collect();
        let times = chosen.iter().filter(|&&run| run == 99).count();
        assert!((1..=20).contains(&times), "{times} of 200 x 100 draws, 4 expected");
    }

    #[test]
    fn the_last_of_many_runs_can_be_drawn() {
        let chosen = choose_evenly(50, 1, FIRST_VALIDATION_SCENARIO, 49);
        let more: Vec<usize> =
            (0..40).flat_map(|seed| choose_evenly(50, seed, FIRST_VALIDATION_SCENARIO, 49)).collect();
        assert_eq!(chosen.len(), 49);
        assert!(more.contains(&49) && more.contains(&0));
    }
}
