//! Speed of evaluation, elimination and whole solves. Run with `cargo bench -p mxs-engine`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{problem, Shape};
use divan::{black_box, Bencher};
use mxs_engine::additive::Additive;
use mxs_engine::elimination::{Elimination, Structure};
use mxs_engine::estimates::Estimates;
use mxs_engine::evaluation::{HourModel, Scratch};
use mxs_engine::lanes::Lanes;
use mxs_engine::problem::{Metric, Problem};
use mxs_engine::scenarios::{Scenarios, FIRST_PLANNING_SCENARIO};
use mxs_engine::{Control, Engine, Options, Solver};
use serde_json::json;

fn main() {
    divan::main();
}

struct Prepared {
    problem: Problem,
    lanes: Lanes,
}

fn prepare(shape: &Shape) -> Prepared {
    let document = problem(shape, 7).to_string();
    let problem = Problem::from_json(document.as_bytes()).expect("valid");
    let estimates = Estimates::new(&problem);
    let scenarios = Scenarios::draw(&problem, &estimates, 0, FIRST_PLANNING_SCENARIO, shape.scenarios);
    let lanes = Lanes::new(&problem, &estimates, &scenarios, &problem.domains());
    Prepared { problem, lanes }
}

/// One metric of one placement with its 95th percentile: 12 nodes, 16 edges, 1,000 scenarios.
#[divan::bench(args = [Metric::Runtime, Metric::Cost, Metric::Carbon])]
fn evaluate(bencher: Bencher<'_, '_>, metric: Metric) {
    let Prepared { problem, lanes } = prepare(&Shape::YARDSTICK);
    let cost = Additive::cost(&problem, &lanes);
    let model = HourModel::new(&problem, &lanes, &cost, 0);
    let structure = Arc::new(Structure::new(&problem.graph, problem.domains(), &lanes.means.edge_gb));
    let placement = Elimination::new(&structure, &problem.graph, &model.carbon).best_placement();
    let mut scratch = Scratch::default();
    bencher.bench_local(|| {
        scratch.forget();
        model.fill_sample(&mut scratch, metric, black_box(&placement));
        scratch.ranked(model.ranks.estimate)
    });
}

/// Run times with their percentile after one node has moved, each node in turn there and back.
#[divan::bench]
fn move_one_node(bencher: Bencher<'_, '_>) {
    let Prepared { problem, lanes } = prepare(&Shape::YARDSTICK);
    let cost = Additive::cost(&problem, &lanes);
    let model = HourModel::new(&problem, &lanes, &cost, 0);
    let mut placement = problem.home_placement();
    let movable: Vec<usize> = (0..placement.len()).filter(|&node| problem.nodes[node].domain.len() > 1).collect();
    let mut scratch = Scratch::default();
    let mut turn = 0;
    bencher.bench_local(|| {
        let node = movable[turn / 2 % movable.len()];
        let away = problem.nodes[node].domain.iter().copied().find(|&region| region != problem.home);
        placement[node] = if turn % 2 == 0 { away.unwrap_or(problem.home) } else { problem.home };
        turn += 1;
        model.fill_sample(&mut scratch, Metric::Runtime, black_box(&placement));
        scratch.ranked(model.ranks.estimate)
    });
}

/// The mean of carbon after one node has moved.
#[divan::bench]
fn mean_of_a_move(bencher: Bencher<'_, '_>) {
    let Prepared { problem, lanes } = prepare(&Shape::YARDSTICK);
    let cost = Additive::cost(&problem, &lanes);
    let model = HourModel::new(&problem, &lanes, &cost, 0);
    let placement = problem.home_placement();
    bencher.bench_local(|| model.carbon.change(&problem.graph, black_box(&placement), 4, 1));
}

/// Exact minimum of mean carbon, and the table of min-marginals.
#[divan::bench(args = ["12 nodes x 10 regions", "24 nodes x 33 regions"])]
fn eliminate(bencher: Bencher<'_, '_>, size: &str) {
    let shape = if size.starts_with("12") { Shape::YARDSTICK } else { Shape::LARGE };
    let Prepared { problem, lanes } = prepare(&Shape { pin_every: 0, ..shape });
    let cost = Additive::cost(&problem, &lanes);
    let structure = Arc::new(Structure::new(&problem.graph, problem.domains(), &lanes.means.edge_gb));
    bencher.bench_local(|| Elimination::new(&structure, &problem.graph, black_box(&cost)).minimum);
}

/// 24 hours of a workflow, from the document's bytes to the solution.
#[divan::bench(args = ["no limits", "runtime within 1.05", "runtime within 1.02"], sample_count = 5, sample_size = 1)]
fn solve_24_hours(bencher: Bencher<'_, '_>, limits: &str) {
    let mut document = problem(&Shape::YARDSTICK, 7);
    if let Some((_, value)) = limits.split_once("within ") {
        let value: f64 = value.parse().expect("a number");
        document["constraints"] = json!({"hard": {"runtime": {"type": "relative", "value": value}}});
    }
    document["settings"]["validation_scenarios"] = json!(4000);
    let bytes = document.to_string().into_bytes();
    bencher.bench_local(|| {
        let engine = Engine::from_json(black_box(&bytes)).expect("valid");
        let options =
            Options { solver: Solver::FineGrained, threads: None, deadline_s: None, seed: None, frontier: None };
        engine.solve(options, &Control::default()).expect("a solution")
    });
}
