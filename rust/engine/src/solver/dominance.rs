//! Dominance between regions: a region goes when another is at least as good for the node whatever the others do.
//!
//! Replacing the dominated region changes no limit for the worse and no objective either, so some best placement
//! remains. It is the soft cousin of neighbourhood substitution (Freuder, AAAI 1991) and of dead-end elimination
//! (Desmet et al., Nature 356, 1992): time, and tails of cost and carbon, are compared scenario by scenario.

use crate::additive::Additive;
use crate::evaluation::add_node_carbon;
use crate::lanes::{Lanes, LatencyColumn};
use crate::link_terms::Rates;
use crate::problem::{Metric, Region};
use crate::solver::stage::{HourContext, Stage};

/// The regions of each node that no other region of the node dominates, for what a stage asks.
#[must_use]
pub fn undominated(context: &HourContext<'_>, stage: &Stage<'_>, domains: &[Vec<Region>]) -> Vec<Vec<Region>> {
    let mut left = domains.to_vec();
    let comparison = Comparison::new(context, stage);
    for node in 0..left.len() {
        if context.budget.stop().is_some() {
            break;
        }
        // From the last to the first, so that of two that dominate one another the one listed first stays.
        for place in (0..left[node].len()).rev() {
            let region = left[node][place];
            let is_dominated =
                left[node].iter().any(|&other| other != region && comparison.dominates(&left, node, other, region));
            if is_dominated {
                left[node].remove(place);
            }
        }
    }
    left
}

struct Comparison<'a> {
    context: &'a HourContext<'a>,
    means: Vec<&'a Additive>,
    compares_time: bool,
    compares_cost: bool,
    compares_carbon: bool,
    /// Edges over which declines may leave from a node that is not their caller, by that node.
    detoured: Vec<Vec<usize>>,
}

impl<'a> Comparison<'a> {
    fn new(context: &'a HourContext<'a>, stage: &Stage<'_>) -> Self {
        let asks = |metric| stage.objective == metric || stage.caps.iter().any(|cap| cap.metric == metric);
        let limits = |metric| stage.hard.iter().any(|limit| limit.metric == metric);
        let means = [Metric::Carbon, Metric::Cost].into_iter().filter(|&metric| asks(metric));
        let graph = &context.problem().graph;
        let mut detoured = vec![Vec::new(); graph.node_count()];
        for edge in 0..graph.edges.len() {
            for detour in context.model.lanes.detours(edge) {
                detoured[detour.origin].push(edge);
            }
        }
        Self {
            context,
            means: means.filter_map(|metric| context.model.additive(metric)).collect(),
            compares_time: asks(Metric::Runtime) || limits(Metric::Runtime),
            compares_cost: limits(Metric::Cost),
            compares_carbon: limits(Metric::Carbon),
            detoured,
        }
    }

    /// Whether `better` serves `node` at least as well as `worse`; the cheap comparisons come first.
    fn dominates(&self, domains: &[Vec<Region>], node: usize, better: Region, worse: Region) -> bool {
        self.means.iter().all(|means| self.mean_is_no_higher(means, domains, node, better, worse))
            && (!self.compares_cost || self.cost_is_no_higher(domains, node, better, worse))
            && (!self.compares_carbon || self.carbon_is_no_higher(domains, node, better, worse))
            && (!self.compares_time || self.time_is_no_longer(domains, node, better, worse))
    }

    /// The worst that the neighbours can do to the difference of the means is still not above zero.
    fn mean_is_no_higher(
        &self,
        means: &Additive,
        domains: &[Vec<Region>],
        node: usize,
        better: Region,
        worse: Region,
    ) -> bool {
        let graph = &self.context.problem().graph;
        let highest = |neighbour: usize, difference: &dyn Fn(Region) -> f64| {
            domains[neighbour].iter().map(|&other| difference(other)).fold(f64::NEG_INFINITY, f64::max)
        };
        let mut difference = means.node_term(node, better) - means.node_term(node, worse);
        for &link in &graph.arriving[node] {
            let change = |other| means.link_term(link, other, better) - means.link_term(link, other, worse);
            difference += highest(graph.links[link].from, &change);
        }
        for &link in &graph.leaving[node] {
            let change = |other| means.link_term(link, better, other) - means.link_term(link, worse, other);
            difference += highest(graph.links[link].to, &change);
        }
        difference <= 0.0
    }

    fn cost_is_no_higher(&self, domains: &[Vec<Region>], node: usize, better: Region, worse: Region) -> bool {
        let (problem, lanes) = (self.context.problem(), self.context.model.lanes);
        let rates = |link, from, to| Rates::of_cost(problem, lanes, link, from, to);
        self.rates_are_no_higher(domains, node, better, worse, rates)
            && is_nowhere_above(lanes.cost(node, better), lanes.cost(node, worse))
    }

    fn carbon_is_no_higher(&self, domains: &[Vec<Region>], node: usize, better: Region, worse: Region) -> bool {
        let model = &self.context.model;
        let rates = |link, from, to| Rates::of_carbon(model.problem, model.lanes, &model.signals, link, from, to);
        if !self.rates_are_no_higher(domains, node, better, worse, rates) {
            return false;
        }
        let column = |region| {
            let mut sum = vec![0.0; model.lanes.count];
            add_node_carbon(&mut sum, model.problem, model.lanes, &model.signals, node, region);
            sum
        };
        is_nowhere_above(&column(better), &column(worse))
    }

    fn rates_are_no_higher(
        &self,
        domains: &[Vec<Region>],
        node: usize,
        better: Region,
        worse: Region,
        rates: impl Fn(usize, Region, Region) -> Rates,
    ) -> bool {
        let graph = &self.context.problem().graph;
        let arrive = |&link: &usize| {
            let mut others = domains[graph.links[link].from].iter();
            others.all(|&other| rates(link, other, better).are_no_higher(rates(link, other, worse)))
        };
        let leave = |&link: &usize| {
            let mut others = domains[graph.links[link].to].iter();
            others.all(|&other| rates(link, better, other).are_no_higher(rates(link, worse, other)))
        };
        graph.arriving[node].iter().all(arrive) && graph.leaving[node].iter().all(leave)
    }

    fn time_is_no_longer(&self, domains: &[Vec<Region>], node: usize, better: Region, worse: Region) -> bool {
        let graph = &self.context.problem().graph;
        let lanes = self.context.model.lanes;
        if node == graph.entry && !is_nowhere_above(lanes.entry_start(better), lanes.entry_start(worse)) {
            return false;
        }
        let arriving = graph.incoming[node].iter().all(|&edge| {
            let detours = lanes.detours(edge).iter().map(|detour| detour.origin);
            let origins = detours.chain([graph.edges[edge].from]);
            let mut others = origins.flat_map(|origin| &domains[origin]);
            others.all(|&from| is_never_slower(lanes, edge, (from, better), (from, worse)))
        });
        let mut leaving = graph.outgoing[node].iter().chain(&self.detoured[node]);
        arriving
            && leaving.all(|&edge| {
                let mut others = domains[graph.edges[edge].to].iter();
                others.all(|&to| is_never_slower(lanes, edge, (better, to), (worse, to)))
            })
            && is_nowhere_above(lanes.duration(node, better), lanes.duration(node, worse))
    }
}

fn is_never_slower(lanes: &Lanes, edge: usize, better: (Region, Region), worse: (Region, Region)) -> bool {
    let column = |(from, to)| lanes.latency(edge, from, to);
    let (better, worse): (LatencyColumn<'_>, LatencyColumn<'_>) = (column(better), column(worse));
    if better.seconds.as_ptr() == worse.seconds.as_ptr() {
        return better.shift <= worse.shift;
    }
    let mut pairs = better.seconds.iter().zip(worse.seconds);
    pairs.all(|(first, second)| (first + better.shift).max(0.0) <= (second + worse.shift).max(0.0))
}

fn is_nowhere_above(first: &[f32], second: &[f32]) -> bool {
    first.iter().zip(second).all(|(first, second)| first <= second)
}
