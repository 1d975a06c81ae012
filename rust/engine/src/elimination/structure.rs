//! Which variables meet in which bucket: the part of an elimination that no number changes.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::problem::Region;

/// Largest product of domain sizes over which one bucket is minimised at once. A larger bucket is split
/// (mini-buckets; Dechter and Rish, Journal of the ACM 50, 2003), which turns exact minima into lower bounds.
const LARGEST_CLUSTER: usize = 1 << 22;

/// One table that is added up in a bucket.
#[derive(Clone, Debug)]
pub struct Factor {
    /// Variables in search order; the last one varies fastest.
    pub scope: Vec<usize>,
    /// Where its numbers come from.
    pub source: Source,
}

/// Origin of a factor's numbers.
#[derive(Clone, Debug)]
pub enum Source {
    /// Node terms of a variable, with the links to nodes that cannot move.
    Node(usize),
    /// Links between two variables.
    Pair(Vec<usize>),
    /// Minimum of the group with this index.
    Message(usize),
}

/// Factors that are minimised together over one variable.
#[derive(Clone, Debug)]
pub struct Group {
    /// The variable that is minimised out.
    pub variable: usize,
    /// The other variables, in search order.
    pub others: Vec<usize>,
    /// Factors, each with its stride along every variable of `others`.
    pub members: Vec<(usize, Vec<usize>)>,
    /// The factor that holds the minimum.
    pub message: usize,
}

/// Order and buckets of an elimination over the nodes of a workflow.
#[derive(Clone, Debug)]
pub struct Structure {
    /// Regions each node may run in.
    pub domains: Vec<Vec<Region>>,
    /// Nodes in the order in which a search assigns them: the reverse of elimination.
    pub search_order: Vec<usize>,
    /// All factors, original ones and messages.
    pub factors: Vec<Factor>,
    /// All groups, in order of elimination.
    pub groups: Vec<Group>,
    /// Groups by variable.
    pub groups_of: Vec<Vec<usize>>,
    /// Whether no bucket had to be split, so that minima are exact.
    pub is_exact: bool,
}

impl Structure {
    /// Orders the nodes by min-fill and lays out the buckets. Links that couple nothing, as those of edges
    /// that never move a byte, are left out.
    #[must_use]
    pub fn new(graph: &Graph, domains: Vec<Vec<Region>>, couples: impl Fn(usize) -> bool) -> Self {
        let count = domains.len();
        let mut pairs = std::collections::BTreeMap::<(usize, usize), Vec<usize>>::new();
        for (link, ends) in graph.links.iter().enumerate() {
            if couples(link) && domains[ends.from].len() > 1 && domains[ends.to].len() > 1 {
                pairs.entry((ends.from.min(ends.to), ends.from.max(ends.to))).or_default().push(link);
            }
        }
        let elimination_order = min_fill(count, pairs.keys().copied(), &domains);
        let search_order: Vec<usize> = elimination_order.iter().rev().copied().collect();
        let mut place = vec![0; count];
        for (position, &variable) in search_order.iter().enumerate() {
            place[variable] = position;
        }
        let mut structure = Self {
            search_order,
            factors: Vec::new(),
            groups: Vec::new(),
            groups_of: vec![Vec::new(); count],
            is_exact: true,
            domains,
        };
        let mut buckets: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (variable, bucket) in buckets.iter_mut().enumerate() {
            bucket.push(structure.add_factor(vec![variable], Source::Node(variable)));
        }
        for ((first, second), links) in pairs {
            let (early, late) = if place[first] < place[second] { (first, second) } else { (second, first) };
            let factor = structure.add_factor(vec![early, late], Source::Pair(links));
            buckets[late].push(factor);
        }
        for variable in elimination_order {
            for members in structure.partition(variable, &buckets[variable], &place) {
                if let Some((receiver, message)) = structure.add_group(variable, &members, &place) {
                    buckets[receiver].push(message);
                }
            }
        }
        structure
    }

    fn add_factor(&mut self, scope: Vec<usize>, source: Source) -> usize {
        self.factors.push(Factor { scope, source });
        self.factors.len() - 1
    }

    fn size(&self, scope: &BTreeSet<usize>) -> usize {
        scope.iter().fold(1_usize, |size, &variable| size.saturating_mul(self.domains[variable].len()))
    }

    /// Splits a bucket so that no part exceeds the largest cluster; first fit, largest factors first.
    fn partition(&mut self, variable: usize, bucket: &[usize], place: &[usize]) -> Vec<Vec<usize>> {
        let mut members = bucket.to_vec();
        members.sort_by_key(|&factor| {
            let scope = &self.factors[factor].scope;
            (std::cmp::Reverse(scope.len()), scope.iter().map(|&other| place[other]).collect::<Vec<_>>(), factor)
        });
        let mut parts: Vec<(BTreeSet<usize>, Vec<usize>)> = Vec::new();
        for factor in members {
            let scope: BTreeSet<usize> = self.factors[factor].scope.iter().copied().collect();
            let fitting = parts
                .iter_mut()
                .find(|(existing, _)| self.size(&existing.union(&scope).copied().collect()) <= LARGEST_CLUSTER);
            match fitting {
                Some((existing, part)) => {
                    existing.extend(scope);
                    part.push(factor);
                }
                None => parts.push((scope, vec![factor])),
            }
        }
        if parts.len() > 1 {
            self.is_exact = false;
        }
        debug_assert!(parts.iter().all(|(scope, _)| scope.contains(&variable)));
        parts.into_iter().map(|(_, part)| part).collect()
    }

    /// Adds a group and its message; returns the bucket the message belongs to, if it still depends on a variable.
    fn add_group(&mut self, variable: usize, members: &[usize], place: &[usize]) -> Option<(usize, usize)> {
        let mut others: Vec<usize> =
            members.iter().flat_map(|&factor| self.factors[factor].scope.iter().copied()).collect();
        others.retain(|&other| other != variable);
        others.sort_unstable_by_key(|&other| place[other]);
        others.dedup();
        let group = self.groups.len();
        let message = self.add_factor(others.clone(), Source::Message(group));
        let members =
            members.iter().map(|&factor| (factor, others.iter().map(|&other| self.stride(factor, other)).collect()));
        let members = members.collect();
        let receiver = others.last().copied();
        self.groups.push(Group { variable, others, members, message });
        self.groups_of[variable].push(group);
        receiver.map(|receiver| (receiver, message))
    }

    /// Distance in a factor's table between neighbouring values of a variable; zero if it does not depend on it.
    #[must_use]
    pub fn stride(&self, factor: usize, variable: usize) -> usize {
        let scope = &self.factors[factor].scope;
        match scope.iter().position(|&other| other == variable) {
            None => 0,
            Some(position) => scope[position + 1..].iter().map(|&later| self.domains[later].len()).product(),
        }
    }
}

/// Greedy elimination order: always the node that joins the fewest pairs of neighbours anew, then the one with the
/// fewest neighbours, then the one listed first. Nodes that cannot move come last, so that a search sets them first.
fn min_fill(count: usize, pairs: impl Iterator<Item = (usize, usize)>, domains: &[Vec<Region>]) -> Vec<usize> {
    let mut neighbours: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); count];
    for (first, second) in pairs {
        neighbours[first].insert(second);
        neighbours[second].insert(first);
    }
    let mut remaining: BTreeSet<usize> = (0..count).filter(|&node| domains[node].len() > 1).collect();
    let mut order = Vec::with_capacity(count);
    while !remaining.is_empty() {
        let fill = |&node: &usize| {
            let around: Vec<usize> = neighbours[node].iter().copied().collect();
            let missing = around
                .iter()
                .enumerate()
                .flat_map(|(position, &first)| around[position + 1..].iter().map(move |&second| (first, second)))
                .filter(|(first, second)| !neighbours[*first].contains(second))
                .count();
            (missing, around.len(), node)
        };
        let node = remaining.iter().copied().min_by_key(fill).expect("not empty");
        remaining.remove(&node);
        order.push(node);
        let around: Vec<usize> = std::mem::take(&mut neighbours[node]).into_iter().collect();
        for &other in &around {
            neighbours[other].remove(&node);
            neighbours[other].extend(around.iter().copied().filter(|&third| third != other));
        }
    }
    order.extend((0..count).filter(|&node| domains[node].len() == 1));
    order
}
