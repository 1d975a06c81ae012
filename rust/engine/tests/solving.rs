//! Properties of the solvers over random problems, judged by brute force over the engine's own evaluation (the
//! evaluation itself is judged by an independent checker in Python).

mod common;

use std::collections::BTreeMap;

use common::{problem, Shape};
use mxs_engine::document::solution::{ConstraintKind, FrontierDocument, HourDocument, Status};
use mxs_engine::document::SolutionDocument;
use mxs_engine::evaluation::{Metrics, Scratch};
use mxs_engine::problem::{Metric, Placement};
use mxs_engine::{Control, Engine, FrontierRequest, Options, Solver};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{json, Value};

const ROUNDING: f64 = 2e-6;

fn engine(document: &Value) -> Engine {
    Engine::from_json(document.to_string().as_bytes()).expect("a valid document")
}

fn options(solver: Solver) -> Options {
    Options { solver, threads: Some(1), deadline_s: None, seed: None, frontier: None }
}

fn solve(engine: &Engine, solver: Solver) -> SolutionDocument {
    engine.solve(options(solver), &Control::default()).expect("a solution")
}

fn all_placements(engine: &Engine) -> Vec<Placement> {
    engine.problem().nodes.iter().fold(vec![Vec::new()], |placements, node| {
        let extend = |placement: &Placement| {
            node.domain.iter().map(|&region| [placement.as_slice(), &[region]].concat()).collect::<Vec<_>>()
        };
        placements.iter().flat_map(extend).collect()
    })
}

fn metric(name: &str) -> Metric {
    Metric::ALL.into_iter().find(|metric| metric.name() == name).expect("a metric")
}

/// Whether a placement is within a fraction of home's tail, at its estimate and at both ends of its confidence interval.
fn keeps(metrics: &Metrics, home: &Metrics, metric: Metric, factor: f64) -> bool {
    let (found, home) = (metrics.of(metric), home.of(metric));
    let within = |found: f64, home: f64| found <= factor * home * (1.0 + ROUNDING / 2.0);
    let ends = [(found.tail_lower, home.tail_lower), (found.tail_upper, home.tail_upper)];
    within(found.tail, home.tail)
        && ends.iter().all(|(found, home)| within(found.expect("enough scenarios"), home.expect("enough scenarios")))
}

/// Best values in order of priority among the placements that keep the limits and break the fewest wishes.
fn brute_force(engine: &Engine, document: &Value, hour: usize) -> Option<Vec<f64>> {
    let home = engine.evaluate(&engine.problem().home_placement(), hour).expect("home");
    let constraints = &document["constraints"];
    let limits = |kind: &str| -> Vec<(Metric, f64)> {
        let limits = constraints[kind].as_object().into_iter().flatten();
        limits.map(|(name, limit)| (metric(name), limit["value"].as_f64().expect("a number"))).collect()
    };
    let (hard, soft) = (limits("hard"), limits("soft"));
    let mut left: Vec<Metrics> = all_placements(engine)
        .iter()
        .map(|placement| engine.evaluate(placement, hour).expect("valid"))
        .filter(|metrics| hard.iter().all(|&(metric, factor)| keeps(metrics, &home, metric, factor)))
        .collect();
    let broken = |metrics: &Metrics| {
        let breaks = |&&(metric, factor): &&(Metric, f64)| {
            metrics.of(metric).mean > factor * home.of(metric).mean * (1.0 + ROUNDING / 2.0)
        };
        soft.iter().filter(breaks).count()
    };
    let fewest = left.iter().map(broken).min()?;
    left.retain(|metrics| broken(metrics) == fewest);
    let tolerance = constraints["priority_tolerance"].as_f64().unwrap_or(0.0);
    let order = constraints["priority_order"].as_array().expect("an order");
    let mut values = Vec::new();
    for name in order {
        let metric = metric(name.as_str().expect("a name"));
        let best = left.iter().map(|metrics| metrics.of(metric).mean).fold(f64::INFINITY, f64::min);
        left.retain(|metrics| metrics.of(metric).mean <= best * (1.0 + tolerance) * (1.0 + ROUNDING / 2.0));
        values.push(best);
    }
    Some(values)
}

fn keeps_hard_limits(hour: &HourDocument) -> bool {
    hour.constraints.iter().all(|constraint| constraint.kind == ConstraintKind::Soft || !constraint.violated)
}

fn limit(value: f64) -> Value {
    json!({"type": "relative", "value": value})
}

prop_compose! {
    fn constraints()(
        hard in proptest::collection::btree_map(0_usize..3, 0.85_f64..1.2, 0..3),
        soft in proptest::collection::btree_map(0_usize..3, 0.6_f64..1.1, 0..3),
        order in Just(["carbon", "cost", "runtime"]).prop_shuffle(),
        kept in 1_usize..4,
        tolerance in prop_oneof![Just(0.0), Just(0.03)],
    ) -> Value {
        let named = |limits: BTreeMap<usize, f64>| -> Value {
            let name = |index: usize| Metric::ALL[index].name().to_owned();
            Value::Object(limits.into_iter().map(|(index, value)| (name(index), limit(value))).collect())
        };
        json!({
            "hard": named(hard), "soft": named(soft), "priority_order": order[..kept].to_vec(),
            "priority_tolerance": tolerance,
        })
    }
}

fn small_shape() -> impl Strategy<Value = Shape> {
    (2_usize..5, 0_usize..4, 1_usize..4, 0_usize..4).prop_map(|(nodes, extra_edges, regions, pin_every)| Shape {
        nodes,
        extra_edges,
        regions,
        pin_every,
        hours: 1,
        ..Shape::SMALL
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_exact_solver_agrees_with_brute_force(
        shape in small_shape(), seed in any::<u64>(), constraints in constraints()
    ) {
        let mut document = problem(&shape, seed);
        document["constraints"] = constraints;
        let engine = engine(&document);
        let solution = solve(&engine, Solver::FineGrained);
        let hour = &solution.hours[0];
        let Some(expected) = brute_force(&engine, &document, hour.hour) else {
            prop_assert_eq!(hour.status, Status::Infeasible);
            prop_assert!(hour.infeasibility.as_ref().is_some_and(|reason| reason.proven));
            return Ok(());
        };
        prop_assert_eq!(hour.status, Status::Optimal);
        prop_assert_eq!(hour.priority.len(), expected.len());
        let tolerance = document["constraints"]["priority_tolerance"].as_f64().expect("a number");
        for (position, (found, best)) in hour.priority.iter().zip(&expected).enumerate() {
            let slack = if position + 1 == expected.len() { 0.0 } else { tolerance };
            prop_assert!(found.value <= best * (1.0 + slack) * (1.0 + ROUNDING), "{:?} {:?}", hour.priority, expected);
            prop_assert!(found.lower_bound <= best * (1.0 + ROUNDING), "{:?} {:?}", hour.priority, expected);
        }
        prop_assert!(keeps_hard_limits(hour));
    }

    #[test]
    fn the_heuristic_keeps_limits_and_never_beats_the_bound(
        shape in small_shape(), seed in any::<u64>(), constraints in constraints()
    ) {
        let mut document = problem(&shape, seed);
        document["constraints"] = constraints;
        let engine = engine(&document);
        let exact = solve(&engine, Solver::FineGrained);
        for solver in [Solver::Heuristic, Solver::CoarseGrained] {
            let hour = solve(&engine, solver).hours.remove(0);
            prop_assert!(hour.objective.lower_bound <= hour.objective.value * (1.0 + ROUNDING));
            if hour.status != Status::Infeasible {
                prop_assert!(keeps_hard_limits(&hour));
                prop_assert!(exact.hours[0].status == Status::Optimal);
                if hour.soft_violations == exact.hours[0].soft_violations {
                    prop_assert!(exact.hours[0].priority[0].lower_bound <= hour.objective.value * (1.0 + ROUNDING));
                }
            }
        }
    }

    #[test]
    fn more_regions_are_never_worse(seed in any::<u64>(), extra_edges in 0_usize..4, order in 0_usize..3) {
        let shape = Shape { nodes: 5, extra_edges, regions: 4, hours: 1, ..Shape::SMALL };
        let mut document = problem(&shape, seed);
        document["constraints"] = json!({"priority_order": [Metric::ALL[order].name()]});
        let all = solve(&engine(&document), Solver::FineGrained).hours.remove(0).objective.value;
        let home = document["home"].clone();
        let fewer: Vec<Value> = document["regions"].as_array().expect("regions").iter().take(2)
            .chain([&home]).cloned().collect();
        for node in document["nodes"].as_array_mut().expect("nodes") {
            let mut allowed = fewer.clone();
            allowed.dedup();
            if allowed.len() == 3 && allowed[0] == allowed[2] {
                allowed.pop();
            }
            node["allowed"] = Value::Array(allowed);
        }
        let some = solve(&engine(&document), Solver::FineGrained).hours.remove(0).objective.value;
        prop_assert!(all <= some * (1.0 + ROUNDING), "{all} {some}");
    }

    #[test]
    fn the_order_of_regions_nodes_and_edges_changes_nothing(seed in any::<u64>(), constraints in constraints()) {
        let mut document = problem(&Shape { hours: 1, ..Shape::SMALL }, seed);
        document["constraints"] = constraints;
        let shuffled = shuffle(&document, seed);
        let (first, second) = (engine(&document), engine(&shuffled));
        let first_hour = solve(&first, Solver::FineGrained).hours.remove(0);
        let second_hour = solve(&second, Solver::FineGrained).hours.remove(0);
        prop_assert_eq!(first_hour.status, second_hour.status);
        for metric in Metric::ALL {
            let (a, b) = (first_hour.home_metrics.of(metric), second_hour.home_metrics.of(metric));
            prop_assert!((a.mean - b.mean).abs() <= ROUNDING * a.mean);
            prop_assert!((a.tail - b.tail).abs() <= ROUNDING * a.tail);
        }
        for (a, b) in first_hour.priority.iter().zip(&second_hour.priority) {
            // With a tolerance, other placements may count as equal; their bounds agree all the same.
            prop_assert!((a.lower_bound - b.lower_bound).abs() <= 0.031 * a.lower_bound, "{a:?} {b:?}");
        }
        let (a, b) = (&first_hour.priority.first(), &second_hour.priority.first());
        if let (Some(a), Some(b)) = (a, b) {
            prop_assert!((a.lower_bound - b.lower_bound).abs() <= ROUNDING * a.lower_bound, "{a:?} {b:?}");
        }
    }
}

/// The same problem with its regions, nodes and edges listed in another order.
fn shuffle(document: &Value, seed: u64) -> Value {
    let mut shuffled = document.clone();
    let mut dice = common::Dice::new(seed ^ 1);
    let regions = document["regions"].as_array().expect("regions").clone();
    let mut order: Vec<usize> = (0..regions.len()).collect();
    dice.shuffle(&mut order);
    shuffled["regions"] = order.iter().map(|&index| regions[index].clone()).collect();
    let matrix = &document["latency"]["round_trip_s"];
    shuffled["latency"]["round_trip_s"] =
        order.iter().map(|&from| order.iter().map(|&to| matrix[from][to].clone()).collect::<Value>()).collect();
    for columns in shuffled["observations"]["nodes"].as_object_mut().expect("nodes").values_mut() {
        for index in columns["region"].as_array_mut().expect("a column") {
            let old = index.as_i64().expect("an index");
            if let Ok(old) = usize::try_from(old) {
                *index = json!(order.iter().position(|&other| other == old).expect("a permutation"));
            }
        }
    }
    dice.shuffle(shuffled["nodes"].as_array_mut().expect("nodes"));
    // Parallel edges keep their order: they are told apart by it.
    let edges = document["edges"].as_array().expect("edges");
    let mut edge_order: Vec<usize> = (0..edges.len()).collect();
    dice.shuffle(&mut edge_order);
    let ends = |edge: usize| (edges[edge]["from"].to_string(), edges[edge]["to"].to_string());
    let mut next: BTreeMap<(String, String), usize> = BTreeMap::new();
    let edge_order: Vec<usize> = edge_order
        .into_iter()
        .map(|edge| {
            let skipped = next.entry(ends(edge)).or_insert(0);
            *skipped += 1;
            (0..edges.len()).filter(|&other| ends(other) == ends(edge)).nth(*skipped - 1).expect("as many")
        })
        .collect();
    shuffled["edges"] = edge_order.iter().map(|&edge| edges[edge].clone()).collect();
    shuffled["observations"]["edges"] =
        edge_order.iter().map(|&edge| document["observations"]["edges"][edge].clone()).collect();
    shuffled
}

#[test]
fn threads_change_nothing() {
    for seed in 0..4 {
        let shape = Shape { nodes: 7, extra_edges: 3, regions: 4, hours: 6, ..Shape::SMALL };
        let mut document = problem(&shape, seed);
        document["constraints"] = json!({"hard": {"runtime": limit(1.02)}});
        let engine = engine(&document);
        for solver in Solver::ALL {
            let answer = |threads| {
                let options = Options { threads: Some(threads), ..options(solver) };
                let mut solution = engine.solve(options, &Control::default()).expect("a solution");
                solution.elapsed_s = 0.0;
                serde_json::to_string(&solution).expect("JSON")
            };
            assert_eq!(answer(1), answer(3), "seed {seed}, {}", solver.name());
        }
    }
}

/// A leaf that no observed run reached, in a document in which every other node may run anywhere.
fn without_runs_of_a_leaf(seed: u64) -> (Value, String) {
    let mut document = problem(&Shape { hours: 1, ..Shape::SMALL }, seed);
    let edges = document["edges"].as_array().expect("edges").clone();
    let is_leaf = |name: &String| edges.iter().all(|edge| edge["from"] != **name);
    let leaf = (0..4).map(|node| format!("node-{node}")).find(is_leaf).expect("a graph without cycles");
    let runs = document["observations"]["runs"].as_u64().expect("a number");
    let all = |value: Value| (0..runs).map(|_| value.clone()).collect::<Vec<_>>();
    let node = &mut document["observations"]["nodes"][&leaf];
    node["ran"] = json!(all(json!(0)));
    node["region"] = json!(all(json!(-1)));
    for column in ["duration_s", "cpu_utilization", "data_bytes"] {
        node[column] = json!(all(Value::Null));
    }
    for (index, _) in edges.iter().enumerate().filter(|(_, edge)| edge["to"] == leaf) {
        let columns = &mut document["observations"]["edges"][index];
        let called: Vec<Value> = columns["called"].as_array().expect("a column").clone();
        columns["called"] = called.into_iter().map(|value| if value.is_null() { value } else { json!(0) }).collect();
        for column in ["payload_bytes", "offset_fraction", "latency_s"] {
            columns[column] = json!(all(Value::Null));
        }
    }
    (document, leaf)
}

#[test]
fn what_no_run_reached_opens_no_region() {
    let mut stray = 0;
    for seed in 0..40 {
        let (document, leaf) = without_runs_of_a_leaf(seed);
        let engine = engine(&document);
        let is_join = document["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .any(|node| node["name"] == leaf && node["sync"] == json!(true));
        // The calls that a join is spared cost writes where the join is.
        if is_join {
            continue;
        }
        let solved =
            [Solver::FineGrained, Solver::Heuristic].map(|solver| solve(&engine, solver).hours.remove(0).placement);
        let points = frontier(&engine, 0.01, None).points.into_iter().map(|point| point.placement);
        for placement in points.chain(solved) {
            let place = &placement[&leaf];
            let is_used = placement.iter().any(|(node, region)| *node != leaf && region == place);
            assert!(is_used, "seed {seed}: nothing but {leaf} is in {place}");
            stray += 1;
        }
    }
    assert!(stray > 20, "too few graphs have such a leaf: {stray}");
}

#[test]
fn an_interrupted_solve_says_so() {
    let engine = engine(&problem(&Shape::SMALL, 1));
    let control = Control::default();
    control.interrupt();
    let error = engine.solve(options(Solver::FineGrained), &control).expect_err("interrupted");
    assert_eq!(error.code.as_str(), "interrupted");
}

#[test]
fn without_time_the_answer_still_keeps_the_limits_and_admits_its_gap() {
    let shape = Shape { nodes: 10, extra_edges: 4, regions: 6, pin_every: 3, hours: 2, ..Shape::SMALL };
    let mut document = problem(&shape, 5);
    document["constraints"] = json!({"hard": {"runtime": limit(1.01)}, "priority_order": ["carbon"]});
    let options = Options { deadline_s: Some(0.0), ..options(Solver::FineGrained) };
    let solution = engine(&document).solve(options, &Control::default()).expect("a solution");
    for hour in &solution.hours {
        assert!(matches!(hour.status, Status::TimedOut | Status::Optimal));
        assert!(hour.constraints.iter().all(|constraint| !constraint.violated));
        assert!(hour.objective.lower_bound <= hour.objective.value);
    }
}

#[test]
fn wide_graphs_are_solved_with_split_buckets() {
    // Everybody reports to everybody: no elimination order is narrow.
    let nodes = 9;
    let shape = Shape { nodes, extra_edges: 0, regions: 12, hours: 1, scenarios: 60, ..Shape::SMALL };
    let mut document = problem(&shape, 2);
    let mut edges = Vec::new();
    let mut columns = Vec::new();
    let runs = document["observations"]["runs"].as_u64().expect("a number") as usize;
    for to in 1..nodes {
        for from in 0..to {
            edges.push(json!({"from": common::name(from), "to": common::name(to), "round_trips": 1.0}));
            columns.push(json!({
                "called": vec![1; runs], "payload_bytes": vec![1e6 * (from + 1) as f64; runs],
                "offset_fraction": vec![1.0; runs], "latency_s": vec![0.01; runs],
            }));
        }
        let node = &mut document["observations"]["nodes"][common::name(to)];
        node["ran"] = json!(vec![1; runs]);
        node["region"] = json!(vec![0; runs]);
        node["duration_s"] = json!(vec![0.3; runs]);
        node["data_bytes"] = json!(vec![0.0; runs]);
    }
    document["edges"] = Value::Array(edges);
    document["observations"]["edges"] = Value::Array(columns);
    for node in document["nodes"].as_array_mut().expect("nodes") {
        node["sync"] = json!(node["name"] != json!(common::name(0)));
    }
    document["constraints"] = json!({"priority_order": ["cost"]});
    let engine = engine(&document);
    let hour = solve(&engine, Solver::FineGrained).hours.remove(0);
    assert_eq!(hour.status, Status::Optimal);
    assert!(hour.min_marginals.is_empty(), "the elimination of a wide graph is not exact");
    let heuristic = solve(&engine, Solver::Heuristic).hours.remove(0);
    assert!(hour.objective.value <= heuristic.objective.value * (1.0 + ROUNDING));
}

fn values(metrics: &Metrics) -> [f64; 3] {
    [metrics.carbon.mean, metrics.cost.mean, metrics.runtime.tail]
}

/// Whether `first` is nowhere above `second` times a factor, up to rounding.
fn is_within(first: &[f64; 3], second: &[f64; 3], factor: f64) -> bool {
    first.iter().zip(second).all(|(first, second)| *first <= second * factor * (1.0 + ROUNDING))
}

/// Metrics of every placement that keeps the hard limits.
fn allowed(engine: &Engine, document: &Value) -> Vec<[f64; 3]> {
    let home = engine.evaluate(&engine.problem().home_placement(), engine.problem().hours[0]).expect("home");
    let limits: Vec<(Metric, f64)> = document["constraints"]["hard"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, limit)| (metric(name), limit["value"].as_f64().expect("a number")))
        .collect();
    all_placements(engine)
        .iter()
        .map(|placement| engine.evaluate(placement, engine.problem().hours[0]).expect("valid"))
        .filter(|metrics| limits.iter().all(|&(metric, factor)| keeps(metrics, &home, metric, factor)))
        .map(|metrics| values(&metrics))
        .collect()
}

fn frontier(engine: &Engine, tolerance: f64, deadline_s: Option<f64>) -> FrontierDocument {
    let request = FrontierRequest { hour: engine.problem().hours[0], tolerance, deadline_s, seed: None };
    engine.frontier(&request, &Control::default()).expect("a frontier").frontier
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 80,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(21),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_frontier_is_what_nothing_dominates(
        seed in any::<u64>(), shape in small_shape(), constraints in constraints(),
        tolerance in prop_oneof![Just(0.0), 0.001_f64..0.2],
    ) {
        let mut document = problem(&shape, seed);
        document["constraints"] = constraints;
        let engine = engine(&document);
        let allowed = allowed(&engine, &document);
        let found = frontier(&engine, tolerance, None);
        prop_assert!(found.complete);
        prop_assert_eq!(found.epsilon, Some(tolerance));
        let points: Vec<[f64; 3]> = found.points.iter().map(|point| values(&point.metrics)).collect();
        prop_assert_eq!(points.is_empty(), allowed.is_empty());
        for placement in &allowed {
            prop_assert!(
                points.iter().any(|point| is_within(point, placement, 1.0 + tolerance)),
                "nothing stands for {placement:?} in {points:?}"
            );
        }
        for point in &points {
            prop_assert!(allowed.iter().any(|placement| is_within(placement, point, 1.0) && is_within(point, placement, 1.0)));
            if tolerance == 0.0 {
                let dominates = |other: &[f64; 3]| {
                    is_within(other, point, 1.0 - 3.0 * ROUNDING)
                        || (is_within(other, point, 1.0)
                            && other.iter().zip(point).any(|(other, value)| *other < value * (1.0 - 1e-4)))
                };
                prop_assert!(!allowed.iter().any(dominates), "{point:?} is dominated");
            }
        }
        for point in found.points.iter().filter(|point| point.supported) {
            let [carbon, cost, _] = values(&point.metrics);
            let all: Vec<[f64; 3]> = all_placements(&engine)
                .iter()
                .map(|placement| values(&engine.evaluate(placement, engine.problem().hours[0]).expect("valid")))
                .collect();
            // Some slope has nothing below it: between the steepest to its left and the flattest to its right.
            let weight = |other: &&[f64; 3]| other[0] > carbon * (1.0 + ROUNDING) && other[1] < cost * (1.0 - ROUNDING);
            let right = all.iter().filter(weight).map(|other| (other[0] - carbon) / (cost - other[1]));
            let highest = right.fold(f64::INFINITY, f64::min);
            let left = all.iter().filter(|other| other[0] < carbon * (1.0 - ROUNDING) && other[1] > cost);
            let lowest = left.map(|other| (carbon - other[0]) / (other[1] - cost)).fold(0.0, f64::max);
            prop_assert!(lowest <= highest * (1.0 + 1e-3), "{lowest} {highest}");
        }
    }

    #[test]
    fn an_unfinished_frontier_misses_nothing_by_more_than_it_says(seed in any::<u64>()) {
        let shape = Shape { nodes: 5, extra_edges: 3, regions: 3, pin_every: 0, hours: 1, ..Shape::SMALL };
        let document = problem(&shape, seed);
        let engine = engine(&document);
        let found = frontier(&engine, 0.0, Some(0.0));
        let points: Vec<[f64; 3]> = found.points.iter().map(|point| values(&point.metrics)).collect();
        let Some(epsilon) = found.epsilon else { return Ok(()) };
        for placement in allowed(&engine, &document) {
            prop_assert!(points.iter().any(|point| is_within(point, &placement, 1.0 + epsilon)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(22),
        ..ProptestConfig::default()
    })]

    /// Samples after any sequence of placements are, bit by bit, those of a first evaluation.
    #[test]
    fn what_is_kept_between_evaluations_changes_nothing(
        seed in any::<u64>(), extra_edges in 0_usize..6, moves in proptest::collection::vec((any::<usize>(), any::<usize>()), 1..20)
    ) {
        let shape = Shape { nodes: 7, extra_edges, regions: 4, pin_every: 0, hours: 1, ..Shape::SMALL };
        let document = problem(&shape, seed);
        let engines = [engine(&document), engine(&document)];
        let mut scratch = Scratch::default();
        let mut placement = engines[0].problem().home_placement();
        let hour = engines[0].problem().hours[0];
        for (step, (node, region)) in moves.into_iter().enumerate() {
            let node = node % placement.len();
            let domain = &engines[0].problem().nodes[node].domain;
            placement[node] = domain[region % domain.len()];
            // Now and then the other engine's columns, with the same numbers elsewhere in memory.
            let engine = &engines[usize::from(step % 5 == 4)];
            let kept = engine.sample_into(&mut scratch, &placement, hour, Metric::Runtime).expect("valid").to_vec();
            let fresh = engine.sample(&placement, hour, Metric::Runtime).expect("valid");
            prop_assert_eq!(kept, fresh);
        }
    }
}
