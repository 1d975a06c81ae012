//! What is known about runs of the workflow: observed runs, or declared estimates while there are none.

use std::collections::BTreeMap;

use crate::document::problem::{
    EdgeObservationsDocument, NodeObservationsDocument, NodePriorDocument, ObservationsDocument, PriorsDocument,
};
use crate::error::{EngineError, ErrorCode, Result};
use crate::graph::Graph;
use crate::problem::{fraction, non_negative, positive, Region, RegionNames};

/// Where scenarios come from.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// At least one observed run.
    Observed(Observations),
    /// No run yet.
    Declared(Priors),
}

/// Observed runs, column by column; all columns have one value per run.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // named and explained as in the document
pub struct Observations {
    pub runs: usize,
    /// How many runs each one stands for; `None` when all stand for equally many.
    pub weights: Option<Vec<f64>>,
    pub trigger_bytes: Vec<f64>,
    pub nodes: Vec<NodeObservations>,
    pub edges: Vec<EdgeObservations>,
}

impl Observations {
    /// How many runs one stands for.
    #[must_use]
    pub fn weight(&self, run: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[run])
    }
}

/// Where bytes that a node moves come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A listed region.
    Region(Region),
    /// The world outside the listed regions.
    Outside,
}

/// Name in `sent_bytes` and `received_bytes` of the world outside the listed regions.
pub const OUTSIDE: &str = "outside";

/// Widest declared estimate: one standard deviation is a factor of 150.
const LARGEST_SIGMA_LOG: f64 = 5.0;

/// Largest number of runs that one may stand for.
const LARGEST_WEIGHT: f64 = 1e12;

/// Index in `region` of a region that the problem does not list.
const UNLISTED_REGION: i32 = -1;

/// Columns of one node. Where a node did not run, numbers are zero or absent and mean nothing.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NodeObservations {
    pub ran: Vec<bool>,
    /// Where it ran; `None` for a region the problem does not list.
    pub region: Vec<Option<Region>>,
    pub duration_s: Vec<Option<f64>>,
    pub cpu_utilization: Vec<Option<f64>>,
    pub data_bytes: Vec<f64>,
    pub sent_bytes: Vec<(End, Vec<f64>)>,
    pub received_bytes: Vec<(End, Vec<f64>)>,
}

/// Columns of one edge. Where an edge was not called, numbers are zero or absent and mean nothing.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct EdgeObservations {
    pub called: Vec<bool>,
    pub payload_bytes: Vec<f64>,
    pub offset_fraction: Vec<f64>,
    pub latency_s: Vec<Option<f64>>,
    /// Also of declined edges: a decline is reported to a join, that of a dead node by the one at which its branch died.
    pub awaited_round_trips: Vec<f64>,
    pub slack_s: Vec<f64>,
}

/// Declared estimates, by node and edge index.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Priors {
    pub nodes: Vec<NodePriorDocument>,
    pub edges: Vec<crate::document::problem::EdgePriorDocument>,
    pub trigger_bytes: f64,
}

impl Evidence {
    /// Checks the observations, or the priors when there is no observation.
    pub fn new(
        observations: ObservationsDocument,
        priors: Option<PriorsDocument>,
        graph: &Graph,
        regions: &RegionNames,
    ) -> Result<Self> {
        let priors = priors.map(|priors| check_priors(priors, graph)).transpose()?;
        if observations.runs > 0 {
            return check_observations(observations, graph, regions).map(Self::Observed);
        }
        let columns_are_empty = observations.trigger_bytes.is_empty()
            && observations.nodes.values().all(|node| node.ran.is_empty() && node.duration_s.is_empty())
            && observations.edges.iter().all(|edge| edge.called.is_empty());
        if !columns_are_empty {
            return Err(inconsistent("observations.runs", "is 0, but there are columns with values"));
        }
        priors.map(Self::Declared).ok_or_else(|| {
            let message = "there are no observed runs, so declared estimates are needed here";
            EngineError::new(ErrorCode::MissingEstimates, "priors", message)
        })
    }

    /// Number of observed runs.
    #[must_use]
    pub fn runs(&self) -> usize {
        match self {
            Self::Observed(observations) => observations.runs,
            Self::Declared(_) => 0,
        }
    }
}

fn inconsistent(path: impl Into<String>, message: impl Into<String>) -> EngineError {
    EngineError::new(ErrorCode::InconsistentObservations, path, message)
}

fn check_length(path: &str, found: usize, runs: usize) -> Result<()> {
    if found == runs {
        Ok(())
    } else {
        Err(inconsistent(path, format!("needs one value per run, {runs} in all, found {found}")))
    }
}

/// Entries of a map by node name, in node order; every node once and no other name.
fn by_node<T>(path: &str, mut entries: BTreeMap<String, T>, graph: &Graph) -> Result<Vec<T>> {
    let ordered = graph
        .names
        .iter()
        .map(|name| {
            entries.remove(name).ok_or_else(|| {
                EngineError::new(ErrorCode::InvalidField, format!("{path}.{name}"), "is missing: every node needs one")
            })
        })
        .collect::<Result<Vec<_>>>()?;
    match entries.keys().next() {
        None => Ok(ordered),
        Some(name) => {
            let message = format!("there is no node {name:?}");
            Err(EngineError::new(ErrorCode::UnknownName, format!("{path}.{name}"), message))
        }
    }
}

fn check_observations(document: ObservationsDocument, graph: &Graph, regions: &RegionNames) -> Result<Observations> {
    let runs = document.runs;
    check_length("observations.trigger_bytes", document.trigger_bytes.len(), runs)?;
    for (run, &bytes) in document.trigger_bytes.iter().enumerate() {
        non_negative(&format!("observations.trigger_bytes[{run}]"), bytes)?;
    }
    let weights = check_weights(document.weights, runs)?;
    let nodes = by_node("observations.nodes", document.nodes, graph)?
        .into_iter()
        .zip(&graph.names)
        .map(|(node, name)| check_node(&format!("observations.nodes.{name}"), node, runs, weights.as_deref(), regions))
        .collect::<Result<Vec<_>>>()?;
    if document.edges.len() != graph.edges.len() {
        let message = format!("needs one entry per edge, {} in all, found {}", graph.edges.len(), document.edges.len());
        return Err(inconsistent("observations.edges", message));
    }
    let edges = document
        .edges
        .into_iter()
        .enumerate()
        .map(|(index, edge)| {
            let caller_ran = &nodes[graph.edges[index].from].ran;
            check_edge(&format!("observations.edges[{index}]"), &edge, runs, caller_ran)
        })
        .collect::<Result<Vec<_>>>()?;
    let observations = Observations { runs, weights, trigger_bytes: document.trigger_bytes, nodes, edges };
    check_flow(&observations, graph)?;
    for (node, name) in observations.nodes.iter().zip(&graph.names) {
        let timed = |run: usize| node.region[run].is_some() && node.duration_s[run].is_some();
        if node.ran.contains(&true) && !(0..runs).any(timed) {
            let path = format!("observations.nodes.{name}.duration_s");
            let message = "the node ran, but no run in a listed region says how long it took";
            return Err(EngineError::new(ErrorCode::MissingEstimates, path, message));
        }
    }
    Ok(observations)
}

fn check_weights(weights: Option<Vec<f64>>, runs: usize) -> Result<Option<Vec<f64>>> {
    let Some(weights) = weights else { return Ok(None) };
    check_length("observations.weights", weights.len(), runs)?;
    for (run, &weight) in weights.iter().enumerate() {
        let path = format!("observations.weights[{run}]");
        positive(&path, weight)?;
        if weight > LARGEST_WEIGHT {
            let message = format!("must be at most {LARGEST_WEIGHT}, found {weight}");
            return Err(EngineError::new(ErrorCode::OutOfRange, path, message));
        }
    }
    let all_are_equal = weights.iter().all(|&weight| weight.to_bits() == weights[0].to_bits());
    Ok((!all_are_equal).then_some(weights))
}

fn flag(path: &str, value: u8) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(EngineError::new(ErrorCode::OutOfRange, path, format!("must be 0 or 1, found {other}"))),
    }
}

fn check_node(
    path: &str,
    document: NodeObservationsDocument,
    runs: usize,
    weights: Option<&[f64]>,
    regions: &RegionNames,
) -> Result<NodeObservations> {
    check_length(&format!("{path}.ran"), document.ran.len(), runs)?;
    check_length(&format!("{path}.region"), document.region.len(), runs)?;
    check_length(&format!("{path}.duration_s"), document.duration_s.len(), runs)?;
    check_length(&format!("{path}.cpu_utilization"), document.cpu_utilization.len(), runs)?;
    check_length(&format!("{path}.data_bytes"), document.data_bytes.len(), runs)?;
    let mut node = NodeObservations {
        ran: Vec::with_capacity(runs),
        region: Vec::with_capacity(runs),
        duration_s: Vec::with_capacity(runs),
        cpu_utilization: Vec::with_capacity(runs),
        data_bytes: Vec::new(),
        sent_bytes: Vec::new(),
        received_bytes: Vec::new(),
    };
    let mut data_bytes = Vec::with_capacity(runs);
    for run in 0..runs {
        let ran = flag(&format!("{path}.ran[{run}]"), document.ran[run])?;
        node.ran.push(ran);
        if !ran {
            node.region.push(None);
            node.duration_s.push(None);
            node.cpu_utilization.push(None);
            data_bytes.push(Some(0.0));
            continue;
        }
        let region_path = format!("{path}.region[{run}]");
        node.region.push(check_region(&region_path, document.region[run], regions)?);
        let duration = document.duration_s[run];
        duration.map_or(Ok(0.0), |value| non_negative(&format!("{path}.duration_s[{run}]"), value))?;
        node.duration_s.push(duration);
        let utilization = document.cpu_utilization[run];
        utilization.map_or(Ok(0.0), |value| fraction(&format!("{path}.cpu_utilization[{run}]"), value))?;
        node.cpu_utilization.push(utilization);
        let data = document.data_bytes[run];
        data.map_or(Ok(0.0), |value| non_negative(&format!("{path}.data_bytes[{run}]"), value))?;
        data_bytes.push(data);
    }
    node.data_bytes = fill_in_mean(&data_bytes, &node.ran, weights);
    node.sent_bytes = check_bytes(&format!("{path}.sent_bytes"), document.sent_bytes, &node.ran, regions)?;
    node.received_bytes = check_bytes(&format!("{path}.received_bytes"), document.received_bytes, &node.ran, regions)?;
    Ok(node)
}

/// Bytes by end, of the runs in which the node ran.
fn check_bytes(
    path: &str,
    columns: BTreeMap<String, Vec<Option<f64>>>,
    ran: &[bool],
    regions: &RegionNames,
) -> Result<Vec<(End, Vec<f64>)>> {
    let mut checked = Vec::with_capacity(columns.len());
    for (name, column) in columns {
        let column_path = format!("{path}.{name}");
        let end = if name == OUTSIDE { End::Outside } else { End::Region(regions.find(&column_path, &name)?) };
        check_length(&column_path, column.len(), ran.len())?;
        let values = column.into_iter().zip(ran).enumerate().map(|(run, (value, &ran))| {
            if ran {
                known(&format!("{column_path}[{run}]"), value, "the node ran")
            } else {
                Ok(0.0)
            }
        });
        checked.push((end, values.collect::<Result<Vec<_>>>()?));
    }
    checked.sort_by_key(|(end, _)| *end);
    Ok(checked)
}

fn check_region(path: &str, index: i32, regions: &RegionNames) -> Result<Option<Region>> {
    if index == UNLISTED_REGION {
        return Ok(None);
    }
    let listed = usize::try_from(index).ok().filter(|&index| index < regions.names.len());
    listed.map(|index| Some(index as Region)).ok_or_else(|| {
        let message = format!("must be the index of a region, or -1 for one that is not listed, found {index}");
        EngineError::new(ErrorCode::OutOfRange, path, message)
    })
}

/// Bytes that were not measured in a run count as the mean of the runs in which they were.
fn fill_in_mean(column: &[Option<f64>], ran: &[bool], weights: Option<&[f64]>) -> Vec<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (run, value) in column.iter().enumerate() {
        if let (true, Some(value)) = (ran[run], value) {
            let weight = weights.map_or(1.0, |weights| weights[run]);
            sum += weight * value;
            total += weight;
        }
    }
    let mean = if total > 0.0 { sum / total } else { 0.0 };
    column.iter().map(|value| value.unwrap_or(mean)).collect()
}

/// A number that must be known in this run.
fn known(path: &str, value: Option<f64>, circumstance: &str) -> Result<f64> {
    let value = value.ok_or_else(|| inconsistent(path, format!("{circumstance}, so a number is needed")))?;
    non_negative(path, value)
}

fn check_edge(
    path: &str,
    document: &EdgeObservationsDocument,
    runs: usize,
    caller_ran: &[bool],
) -> Result<EdgeObservations> {
    check_length(&format!("{path}.called"), document.called.len(), runs)?;
    check_length(&format!("{path}.payload_bytes"), document.payload_bytes.len(), runs)?;
    check_length(&format!("{path}.offset_fraction"), document.offset_fraction.len(), runs)?;
    check_length(&format!("{path}.latency_s"), document.latency_s.len(), runs)?;
    let mut edge = EdgeObservations {
        called: Vec::with_capacity(runs),
        payload_bytes: Vec::with_capacity(runs),
        offset_fraction: Vec::with_capacity(runs),
        latency_s: Vec::with_capacity(runs),
        awaited_round_trips: check_optional(path, "awaited_round_trips", document.awaited_round_trips.as_ref(), runs)?,
        slack_s: check_optional(path, "slack_s", document.slack_s.as_ref(), runs)?,
    };
    for (run, &caller_ran) in caller_ran.iter().enumerate() {
        let called_path = format!("{path}.called[{run}]");
        let called = match (document.called[run], caller_ran) {
            (Some(value), true) => flag(&called_path, value)?,
            (None, false) => false,
            (None, true) => {
                return Err(inconsistent(called_path, "the calling node ran, so 1 (called) or 0 (declined) is needed"))
            }
            (Some(_), false) => return Err(inconsistent(called_path, "the calling node did not run: must be null")),
        };
        edge.called.push(called);
        if !called {
            edge.payload_bytes.push(0.0);
            edge.offset_fraction.push(1.0);
            edge.latency_s.push(None);
            continue;
        }
        let payload_path = format!("{path}.payload_bytes[{run}]");
        edge.payload_bytes.push(known(&payload_path, document.payload_bytes[run], "the edge was called")?);
        let offset_path = format!("{path}.offset_fraction[{run}]");
        let offset = known(&offset_path, document.offset_fraction[run], "the edge was called")?;
        edge.offset_fraction.push(fraction(&offset_path, offset)?);
        let latency = document.latency_s[run];
        latency.map_or(Ok(0.0), |value| non_negative(&format!("{path}.latency_s[{run}]"), value))?;
        edge.latency_s.push(latency);
    }
    Ok(edge)
}

/// A column of numbers that documents may leave out, and so may entries: zeros then.
fn check_optional(path: &str, name: &str, column: Option<&Vec<Option<f64>>>, runs: usize) -> Result<Vec<f64>> {
    let Some(column) = column else { return Ok(vec![0.0; runs]) };
    let path = format!("{path}.{name}");
    check_length(&path, column.len(), runs)?;
    let numbers = column.iter().enumerate().map(|(run, value)| match value {
        Some(number) => non_negative(&format!("{path}[{run}]"), *number),
        None => Ok(0.0),
    });
    numbers.collect()
}

/// Links nodes with the joins that they waited for when they reported branches that had died at them.
pub(crate) fn link_reporters(graph: &mut Graph, evidence: &Evidence) {
    let Evidence::Observed(observations) = evidence else { return };
    for edge in 0..graph.edges.len() {
        let (from, to) = (graph.edges[edge].from, graph.edges[edge].to);
        for (run, &trips) in observations.edges[edge].awaited_round_trips.iter().enumerate() {
            let ran = |node: usize| observations.nodes[node].ran[run];
            if trips > 0.0 && !ran(from) {
                let origin = graph.origin(from, ran);
                if ran(origin) {
                    graph.connect(origin, to);
                }
            }
        }
    }
}

/// A node ran exactly when it is the entry or one of its edges was called.
fn check_flow(observations: &Observations, graph: &Graph) -> Result<()> {
    for node in 0..graph.node_count() {
        for run in 0..observations.runs {
            let called = graph.incoming[node].iter().any(|&edge| observations.edges[edge].called[run]);
            let expected = node == graph.entry || called;
            if observations.nodes[node].ran[run] != expected {
                let path = format!("observations.nodes.{}.ran[{run}]", graph.names[node]);
                let message = if expected {
                    "must be 1: the node is the entry or one of its edges was called"
                } else {
                    "must be 0: none of the node's edges was called"
                };
                return Err(inconsistent(path, message));
            }
        }
    }
    Ok(())
}

fn check_priors(document: PriorsDocument, graph: &Graph) -> Result<Priors> {
    let nodes = by_node("priors.nodes", document.nodes, graph)?;
    for (node, name) in nodes.iter().zip(&graph.names) {
        let path = format!("priors.nodes.{name}");
        positive(&format!("{path}.duration_s.median"), node.duration_s.median)?;
        let sigma_path = format!("{path}.duration_s.sigma_log");
        let sigma_log = non_negative(&sigma_path, node.duration_s.sigma_log)?;
        if sigma_log > LARGEST_SIGMA_LOG {
            let message = format!("must be at most {LARGEST_SIGMA_LOG}, found {sigma_log}");
            return Err(EngineError::new(ErrorCode::OutOfRange, sigma_path, message));
        }
        fraction(&format!("{path}.cpu_utilization"), node.cpu_utilization)?;
        non_negative(&format!("{path}.data_bytes"), node.data_bytes)?;
    }
    if document.edges.len() != graph.edges.len() {
        let message = format!("needs one entry per edge, {} in all, found {}", graph.edges.len(), document.edges.len());
        return Err(EngineError::new(ErrorCode::InvalidField, "priors.edges", message));
    }
    for (index, edge) in document.edges.iter().enumerate() {
        let path = format!("priors.edges[{index}]");
        fraction(&format!("{path}.call_probability"), edge.call_probability)?;
        non_negative(&format!("{path}.payload_bytes"), edge.payload_bytes)?;
        fraction(&format!("{path}.offset_fraction"), edge.offset_fraction)?;
    }
    let trigger_bytes = non_negative("priors.trigger_bytes", document.trigger_bytes)?;
    Ok(Priors { nodes, edges: document.edges, trigger_bytes })
}
