//! Variable elimination over an additive objective: exact minima, conditional minima, min-marginals.
//!
//! A bucket holds the terms in which one node meets nodes that are eliminated later; minimising it over the node's
//! regions leaves a message to one of them. Read backwards, the messages say for every partial placement what the
//! best completion costs: the bound of the search. On series-parallel workflows the work is O(nodes * regions^3).

mod structure;

pub use structure::Structure;
use structure::{Group, Source};

use std::sync::Arc;

use crate::additive::Additive;
use crate::graph::Graph;
use crate::problem::{Placement, Region};

/// Most numbers that the tables of the min-marginals may hold together.
const LARGEST_BELIEFS: usize = 1 << 23;

/// An elimination of one objective.
#[derive(Clone, Debug)]
pub struct Elimination {
    structure: Arc<Structure>,
    tables: Vec<Vec<f64>>,
    /// The minimum over all placements; a lower bound if the structure is not exact.
    pub minimum: f64,
}

impl Elimination {
    /// Minimises the objective over all placements.
    #[must_use]
    pub fn new(structure: &Arc<Structure>, graph: &Graph, objective: &Additive) -> Self {
        let mut tables: Vec<Vec<f64>> =
            structure.factors.iter().map(|factor| fill(structure, graph, objective, factor)).collect();
        let mut minimum = 0.0;
        for group in &structure.groups {
            let mut message = Vec::new();
            for_each_row(structure, &tables, group, |row| message.push(least(row)));
            if group.others.is_empty() {
                minimum += message[0];
            }
            tables[group.message] = message;
        }
        Self { structure: Arc::clone(structure), tables, minimum }
    }

    /// What each region of `variable` adds to the best completion of a partial placement, which gives the index
    /// within its domain of every node before `variable` in search order. Never negative; zero for a best region
    /// when the structure is exact.
    pub fn increments(&self, assigned: &[Region], variable: usize, row: &mut Vec<f64>, increments: &mut Vec<f64>) {
        let size = self.structure.domains[variable].len();
        increments.clear();
        increments.resize(size, 0.0);
        for &group in &self.structure.groups_of[variable] {
            let group = &self.structure.groups[group];
            row.clear();
            row.resize(size, 0.0);
            for (factor, strides) in &group.members {
                let offset: usize = group
                    .others
                    .iter()
                    .zip(strides)
                    .map(|(&other, stride)| usize::from(assigned[other]) * stride)
                    .sum();
                for (sum, value) in row.iter_mut().zip(&self.tables[*factor][offset..offset + size]) {
                    *sum += value;
                }
            }
            let smallest = least(row);
            for (increment, value) in increments.iter_mut().zip(row.iter()) {
                *increment += value - smallest;
            }
        }
    }

    /// Completes a partial placement of the first `depth` nodes in search order with the best regions for the rest.
    /// `assigned` holds indices within domains and is filled up.
    pub fn complete(&self, assigned: &mut [Region], depth: usize) {
        let (mut row, mut increments) = (Vec::new(), Vec::new());
        for &variable in &self.structure.search_order[depth..] {
            self.increments(assigned, variable, &mut row, &mut increments);
            let mut best = 0;
            for (index, &increment) in increments.iter().enumerate() {
                if increment < increments[best] {
                    best = index;
                }
            }
            assigned[variable] = best as Region;
        }
    }

    /// The best placement (a good one if the structure is not exact).
    #[must_use]
    pub fn best_placement(&self) -> Placement {
        let mut assigned = vec![0; self.structure.domains.len()];
        self.complete(&mut assigned, 0);
        self.structure.placement(&assigned)
    }

    /// For every node and region of its domain, the minimum over all placements with the node there. `None` when
    /// the structure is not exact or the tables would be too large.
    ///
    /// A second pass, outwards: what a bucket sees of the rest is its parent's total less its own message.
    #[must_use]
    pub fn min_marginals(&self) -> Option<Vec<Vec<f64>>> {
        let structure = self.structure.as_ref();
        let size = |group: &Group| -> usize {
            let cells: usize = group.others.iter().map(|&other| structure.domains[other].len()).product();
            cells * structure.domains[group.variable].len()
        };
        if !structure.is_exact || structure.groups.iter().map(size).sum::<usize>() > LARGEST_BELIEFS {
            return None;
        }
        let mut beliefs: Vec<Vec<f64>> = vec![Vec::new(); structure.domains.len()];
        let mut marginals = beliefs.clone();
        for group in structure.groups.iter().rev() {
            let domain = structure.domains[group.variable].len();
            let mut rest = self.seen_from_outside(group, &beliefs).into_iter();
            let mut belief = Vec::with_capacity(size(group));
            let mut marginal = vec![f64::INFINITY; domain];
            for_each_row(structure, &self.tables, group, |row| {
                let Some(rest) = rest.next() else { return };
                for (least, value) in marginal.iter_mut().zip(row) {
                    *least = least.min(value + rest);
                    belief.push(value + rest);
                }
            });
            beliefs[group.variable] = belief;
            marginals[group.variable] = marginal;
        }
        Some(marginals)
    }

    /// Everything outside a bucket and what it sent, minimised, for each assignment of the variables it shares.
    fn seen_from_outside(&self, group: &Group, beliefs: &[Vec<f64>]) -> Vec<f64> {
        let structure = self.structure.as_ref();
        let message = &self.tables[group.message];
        let Some(&parent) = group.others.last() else {
            return vec![self.minimum - message[0]];
        };
        let parent_group = &structure.groups[structure.groups_of[parent][0]];
        let mut scope = parent_group.others.clone();
        scope.push(parent);
        let sizes: Vec<usize> = scope.iter().map(|&variable| structure.domains[variable].len()).collect();
        let strides: Vec<usize> = scope.iter().map(|&variable| structure.stride(group.message, variable)).collect();
        let mut least = vec![f64::INFINITY; message.len()];
        let mut counter = vec![0; scope.len()];
        let mut cell = 0;
        for &value in &beliefs[parent] {
            if value < least[cell] {
                least[cell] = value;
            }
            for position in (0..scope.len()).rev() {
                counter[position] += 1;
                cell += strides[position];
                if counter[position] < sizes[position] {
                    break;
                }
                counter[position] = 0;
                cell -= strides[position] * sizes[position];
            }
        }
        least.iter().zip(message).map(|(total, sent)| total - sent).collect()
    }
}

impl Structure {
    /// Regions for indices within domains.
    #[must_use]
    pub fn placement(&self, assigned: &[Region]) -> Placement {
        self.domains.iter().zip(assigned).map(|(domain, &index)| domain[usize::from(index)]).collect()
    }
}

fn least(row: &[f64]) -> f64 {
    row.iter().fold(f64::INFINITY, |least, &value| if value < least { value } else { least })
}

/// Numbers of an original factor; nothing yet for a message.
fn fill(structure: &Structure, graph: &Graph, objective: &Additive, factor: &structure::Factor) -> Vec<f64> {
    match &factor.source {
        Source::Message(_) => Vec::new(),
        &Source::Node(node) => {
            let to_fixed = |region: Region| {
                let arriving = graph.arriving[node].iter().map(|&link| (link, graph.links[link].from, true));
                let leaving = graph.leaving[node].iter().map(|&link| (link, graph.links[link].to, false));
                let fixed = |&(_, other, arrives): &(usize, usize, bool)| {
                    // A link between two fixed nodes is counted once, at its target.
                    structure.domains[other].len() == 1 && (structure.domains[node].len() > 1 || arrives)
                };
                let term = |(link, other, arrives): (usize, usize, bool)| {
                    let there = structure.domains[other][0];
                    let (from, to) = if arrives { (there, region) } else { (region, there) };
                    objective.link_term(link, from, to)
                };
                arriving.chain(leaving).filter(fixed).map(term).sum::<f64>()
            };
            let domain = &structure.domains[node];
            domain.iter().map(|&region| objective.node_term(node, region) + to_fixed(region)).collect()
        }
        Source::Pair(links) => {
            let (early, late) = (factor.scope[0], factor.scope[1]);
            let mut table = Vec::with_capacity(structure.domains[early].len() * structure.domains[late].len());
            for &first in &structure.domains[early] {
                for &second in &structure.domains[late] {
                    let term = |&link: &usize| {
                        let forwards = graph.links[link].from == early;
                        let (from, to) = if forwards { (first, second) } else { (second, first) };
                        objective.link_term(link, from, to)
                    };
                    table.push(links.iter().map(term).sum());
                }
            }
            table
        }
    }
}

/// Calls `visit` with the sum of a group's factors along its variable, for every assignment of the other variables,
/// the last of them varying fastest.
fn for_each_row(structure: &Structure, tables: &[Vec<f64>], group: &Group, mut visit: impl FnMut(&[f64])) {
    let size = structure.domains[group.variable].len();
    let sizes: Vec<usize> = group.others.iter().map(|&other| structure.domains[other].len()).collect();
    let mut offsets = vec![0_usize; group.members.len()];
    let mut counter = vec![0_usize; sizes.len()];
    let mut row = vec![0.0; size];
    loop {
        let (first, others) = group.members.split_first().expect("a bucket holds at least the node's own term");
        row.copy_from_slice(&tables[first.0][offsets[0]..offsets[0] + size]);
        for ((factor, _), &offset) in others.iter().zip(&offsets[1..]) {
            for (sum, value) in row.iter_mut().zip(&tables[*factor][offset..offset + size]) {
                *sum += value;
            }
        }
        visit(&row);
        let mut position = sizes.len();
        loop {
            if position == 0 {
                return;
            }
            position -= 1;
            counter[position] += 1;
            for (offset, (_, strides)) in offsets.iter_mut().zip(&group.members) {
                *offset += strides[position];
            }
            if counter[position] < sizes[position] {
                break;
            }
            counter[position] = 0;
            for (offset, (_, strides)) in offsets.iter_mut().zip(&group.members) {
                *offset -= strides[position] * sizes[position];
            }
        }
    }
}
