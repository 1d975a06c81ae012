//! The workflow graph by index, checked once.

use std::collections::HashMap;

use crate::document::problem::{EdgeDocument, NodeDocument};
use crate::error::{EngineError, ErrorCode, Result};
use crate::problem::non_negative;

/// One call site between two nodes.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Index of the calling node.
    pub from: usize,
    /// Index of the called node.
    pub to: usize,
    /// Sequential round trips the run-time protocol makes over this edge.
    pub round_trips: f64,
    /// Key of the edge's random numbers: callers, target and occurrence, independent of the order of edges.
    pub key: u64,
}

/// Two nodes whose regions matter to each other: one calls the other, or reports to it for a branch that died.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Index of the node that calls or reports.
    pub from: usize,
    /// Index of the node that is called or reported to.
    pub to: usize,
}

/// A directed acyclic graph with one entry, from which every node is reached.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Names of the nodes, in document order.
    pub names: Vec<String>,
    /// Edges, in document order.
    pub edges: Vec<Edge>,
    /// Incoming edges of each node, by edge index.
    pub incoming: Vec<Vec<usize>>,
    /// Outgoing edges of each node, by edge index.
    pub outgoing: Vec<Vec<usize>>,
    /// One link per edge, with its index; then those of nodes that report for others.
    pub links: Vec<Link>,
    /// Links that lead to each node, by index.
    pub arriving: Vec<Vec<usize>>,
    /// Links that lead from each node, by index.
    pub leaving: Vec<Vec<usize>>,
    /// Whether a node joins its edges.
    pub joins: Vec<bool>,
    /// Nodes so that every edge leads to a later one; the entry is first.
    pub order: Vec<usize>,
    /// Position of each node in `order`.
    pub position: Vec<usize>,
    /// The node that starts a run.
    pub entry: usize,
}

impl Graph {
    /// Builds and checks the graph.
    pub fn new(nodes: &[NodeDocument], edges: &[EdgeDocument]) -> Result<Self> {
        let mut index_of = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            if index_of.insert(node.name.as_str(), index).is_some() {
                return Err(EngineError::new(
                    ErrorCode::DuplicateName,
                    format!("nodes[{index}].name"),
                    format!("node {:?} is listed twice", node.name),
                ));
            }
        }
        let edges = resolve_edges(edges, &index_of)?;
        let (mut incoming, mut outgoing) = (vec![Vec::new(); nodes.len()], vec![Vec::new(); nodes.len()]);
        for (index, edge) in edges.iter().enumerate() {
            incoming[edge.to].push(index);
            outgoing[edge.from].push(index);
        }
        let order = topological_order(&edges, &incoming, &outgoing)?;
        let mut entries = (0..nodes.len()).filter(|&node| incoming[node].is_empty());
        let entry = entries.next().ok_or_else(|| invalid("nodes", "there is no entry: list at least one node"))?;
        if let Some(second) = entries.next() {
            let message = format!(
                "nodes {:?} and {:?} both have no incoming edge: a workflow has exactly one entry",
                nodes[entry].name, nodes[second].name
            );
            return Err(invalid("nodes", message));
        }
        if nodes[entry].sync {
            return Err(invalid(format!("nodes[{entry}].sync"), "the entry cannot be a sync node: nothing calls it"));
        }
        let joins = (0..nodes.len()).map(|node| nodes[node].sync || incoming[node].len() > 1).collect();
        let mut position = vec![0; nodes.len()];
        for (place, &node) in order.iter().enumerate() {
            position[node] = place;
        }
        let names = nodes.iter().map(|node| node.name.clone()).collect();
        let links = edges.iter().map(|edge| Link { from: edge.from, to: edge.to }).collect();
        let (arriving, leaving) = (incoming.clone(), outgoing.clone());
        Ok(Self { names, edges, incoming, outgoing, links, arriving, leaving, joins, order, position, entry })
    }

    /// Number of nodes.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.names.len()
    }

    /// The link between two nodes; of several edges the first.
    #[must_use]
    pub fn link(&self, from: usize, to: usize) -> Option<usize> {
        self.leaving[from].iter().copied().find(|&link| self.links[link].to == to)
    }

    /// Links two nodes unless they are.
    pub fn connect(&mut self, from: usize, to: usize) {
        if self.link(from, to).is_none() {
            self.arriving[to].push(self.links.len());
            self.leaving[from].push(self.links.len());
            self.links.push(Link { from, to });
        }
    }

    /// The node from which the declines of a node leave: itself if it ran, else where its branch died, which may be a
    /// join that is dead itself.
    pub fn origin(&self, mut node: usize, ran: impl Fn(usize) -> bool) -> usize {
        while !ran(node) && !self.joins[node] {
            node = self.edges[self.incoming[node][0]].from;
        }
        node
    }

    /// Whether the edge leads to a sync node.
    #[must_use]
    pub fn is_report(&self, edge: usize) -> bool {
        self.joins[self.edges[edge].to]
    }
}

fn invalid(path: impl Into<String>, message: impl Into<String>) -> EngineError {
    EngineError::new(ErrorCode::InvalidGraph, path, message)
}

fn resolve_edges(edges: &[EdgeDocument], index_of: &HashMap<&str, usize>) -> Result<Vec<Edge>> {
    let mut occurrences: HashMap<(usize, usize), usize> = HashMap::new();
    let resolve = |index: usize, end: &str, name: &str| {
        index_of.get(name).copied().ok_or_else(|| {
            let path = format!("edges[{index}].{end}");
            EngineError::new(ErrorCode::UnknownName, path, format!("there is no node {name:?}"))
        })
    };
    edges
        .iter()
        .enumerate()
        .map(|(index, edge)| {
            let (from, to) = (resolve(index, "from", &edge.from)?, resolve(index, "to", &edge.to)?);
            let occurrence = occurrences.entry((from, to)).or_insert(0);
            let key = crate::random::key(&format!("{}\n{}\n{occurrence}", edge.from, edge.to));
            *occurrence += 1;
            let round_trips = non_negative(&format!("edges[{index}].round_trips"), edge.round_trips)?;
            Ok(Edge { from, to, round_trips, key })
        })
        .collect()
}

/// Kahn's algorithm; among nodes that are ready the one listed first goes first.
fn topological_order(edges: &[Edge], incoming: &[Vec<usize>], outgoing: &[Vec<usize>]) -> Result<Vec<usize>> {
    let mut missing: Vec<usize> = incoming.iter().map(Vec::len).collect();
    let mut ready: std::collections::BTreeSet<usize> = (0..missing.len()).filter(|&node| missing[node] == 0).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(node) = ready.pop_first() {
        order.push(node);
        for &edge in &outgoing[node] {
            let to = edges[edge].to;
            missing[to] -= 1;
            if missing[to] == 0 {
                ready.insert(to);
            }
        }
    }
    if order.len() == missing.len() {
        Ok(order)
    } else {
        Err(invalid("edges", "the edges form a cycle: a workflow must be acyclic"))
    }
}
