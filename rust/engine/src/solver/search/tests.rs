//! The search without its heuristic, which finds most optima by itself and would hide a bound that is too high.

use std::time::{Duration, Instant};

use super::*;
use crate::evaluation::{HourModel, Scratch};
use crate::limits::{Limits, RankedLimit, TailLimit};
use crate::order_statistics::Statistic;
use crate::solver::control::Control;
use crate::solver::relaxation::TimelessRelaxation;
use crate::solver::Engine;
use common::{problem, Dice, Shape};

#[path = "../../../tests/common/mod.rs"]
mod common;

const SHAPE: Shape = Shape { nodes: 6, extra_edges: 3, regions: 3, hours: 1, scenarios: 100, ..Shape::SMALL };

fn with_context<T>(seed: u64, test: impl FnOnce(&HourContext<'_>) -> T) -> T {
    let engine = Engine::from_json(problem(&SHAPE, seed).to_string().as_bytes()).expect("a valid document");
    let control = Control::default();
    let model = engine.hour_model(0);
    let timeless = TimelessRelaxation::new(&model, engine.problem().domains());
    let relaxation = Relaxation::new(&timeless, &model);
    let budget = control.start_hour(Instant::now() + Duration::from_secs(60), 1, 1);
    let limits = Limits { hard: Vec::new(), soft: Vec::new() };
    test(&HourContext { model, limits, relaxation, budget })
}

fn all_placements(domains: &[Vec<Region>]) -> Vec<Placement> {
    domains.iter().fold(vec![Vec::new()], |placements, domain| {
        let extend = |placement: &Placement| {
            domain.iter().map(|&region| [placement.as_slice(), &[region]].concat()).collect::<Vec<_>>()
        };
        placements.iter().flat_map(extend).collect()
    })
}

/// The tail of a placement at every rank that a relative limit compares, as a fraction of home's, and the largest.
fn fractions(model: &HourModel<'_>, scratch: &mut Scratch, metric: Metric, placement: &[Region]) -> f64 {
    let mut at_ranks = |placement: &[Region]| {
        model.fill_sample(scratch, metric, placement);
        Statistic::ALL.map(|statistic| scratch.ranked(model.ranks.rank(statistic).expect("enough scenarios")))
    };
    let home = at_ranks(&model.problem.home_placement());
    at_ranks(placement).iter().zip(home).map(|(value, home)| value / home).fold(0.0, f64::max)
}

fn relative(model: &HourModel<'_>, scratch: &mut Scratch, metric: Metric, value: f64) -> TailLimit {
    model.fill_sample(scratch, metric, &model.problem.home_placement());
    let ranked = Statistic::ALL.map(|statistic| {
        let rank = model.ranks.rank(statistic).expect("enough scenarios");
        RankedLimit { statistic, rank, limit: value * scratch.ranked(rank) }
    });
    TailLimit { metric, ranked: ranked.to_vec() }
}

/// Puts the limit exactly on the lowest tail among the best placements: whoever prunes a little too much misses it.
#[test]
fn an_optimum_that_touches_its_limit_is_found() {
    for seed in 0..40 {
        let objective = Metric::ALL[seed as usize % 3];
        let limited = Metric::ALL[(seed as usize / 3 + 1) % 3];
        with_context(seed, |context| {
            let mut scratch = Scratch::default();
            let mut ranked: Vec<(f64, Placement)> = all_placements(&context.relaxation.structure.domains)
                .into_iter()
                .map(|placement| (context.model.mean(&mut scratch, objective, &placement), placement))
                .collect();
            ranked.sort_by(|first, second| first.0.total_cmp(&second.0));
            let best = ranked[..30.min(ranked.len())]
                .iter()
                .map(|(value, placement)| (fractions(&context.model, &mut scratch, limited, placement), *value))
                .min_by(|first, second| first.partial_cmp(second).expect("numbers"))
                .expect("a placement");
            let hard = [relative(&context.model, &mut scratch, limited, best.0)];
            let stage = Stage { objective, caps: Vec::new(), hard: &hard };
            let outcome = Search::new(context, &stage).reduce_and_run();
            assert!(outcome.is_proven);
            let found = outcome.best.expect("feasible").value;
            assert!(is_no_better(best.1 * (1.0 + 1e-7), found), "seed {seed}: found {found}, best {}", best.1);
            assert!(is_no_better(found * (1.0 + 1e-7), best.1), "seed {seed}: found {found} is too good");
        });
    }
}

#[test]
fn scenarios_of_a_completion_are_never_below_those_of_its_parts() {
    for seed in 0..30 {
        with_context(seed, |context| {
            let domains = &context.relaxation.structure.domains;
            let bounds = context.relaxation.lower_bounds(&context.model, true);
            let mut dice = Dice::new(seed);
            let (mut bound, mut exact) = (Scratch::default(), Scratch::default());
            for _ in 0..10 {
                let placement: Placement = domains.iter().map(|domain| domain[dice.below(domain.len())]).collect();
                let partial: Vec<Option<Region>> =
                    placement.iter().map(|&region| dice.chance(0.5).then_some(region)).collect();
                for metric in Metric::ALL {
                    bounds.fill_sample(&mut bound, metric, &partial);
                    context.model.fill_sample(&mut exact, metric, &placement);
                    for (low, high) in bound.sample().iter().zip(exact.sample()) {
                        assert!(*low <= high * (1.0 + 1e-6), "seed {seed}, {}: {low} > {high}", metric.name());
                    }
                }
            }
        });
    }
}

#[test]
fn partial_minima_are_those_of_their_completions() {
    for seed in 0..20 {
        with_context(seed, |context| {
            let structure = &context.relaxation.structure;
            let placements = all_placements(&structure.domains);
            let elimination = &context.relaxation.carbon;
            let mean = |placement: &Placement| context.model.carbon.evaluate(&context.problem().graph, placement);
            let mut assigned = vec![0; structure.domains.len()];
            let (mut known, mut row, mut increments) = (elimination.minimum, Vec::new(), Vec::new());
            let mut dice = Dice::new(seed);
            for (depth, &variable) in structure.search_order.iter().enumerate() {
                elimination.increments(&assigned, variable, &mut row, &mut increments);
                let choice = dice.below(increments.len());
                assigned[variable] = choice as Region;
                known += increments[choice];
                let set = &structure.search_order[..=depth];
                let chosen = structure.placement(&assigned);
                let expected = placements
                    .iter()
                    .filter(|placement| set.iter().all(|&node| placement[node] == chosen[node]))
                    .map(mean)
                    .fold(f64::INFINITY, f64::min);
                assert!((known - expected).abs() <= 1e-12 * expected, "seed {seed}, depth {depth}");
            }
        });
    }
}
