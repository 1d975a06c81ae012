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
use mxs_engine::kernels;
use mxs_engine::lanes::Lanes;
use mxs_engine::order_statistics::Ordered;
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
    let structure = Arc::new(Structure::new(&problem.graph, problem.domains(), |edge| lanes.means.couples(edge)));
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
    let structure = Arc::new(Structure::new(&problem.graph, problem.domains(), |edge| lanes.means.couples(edge)));
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

/// Adding columns of 1,000 lanes to one: what reading lanes costs when they lie in L1 (4 columns), in L2 (100) and
/// beyond (2,000). Divided by the columns, the least that any loop over a column can take.
#[divan::bench(args = [4, 100, 2000])]
fn read_columns(bencher: Bencher<'_, '_>, columns: usize) {
    let lanes = vec![0.5_f32; columns * 1000];
    let mut sum = vec![0.0_f32; 1000];
    bencher.bench_local(|| {
        for column in black_box(&lanes).chunks_exact(1000) {
            kernels::add(&mut sum, column);
        }
        sum[0]
    });
}

/// One report or message: four columns read, one written.
#[divan::bench]
fn arrive_over_an_edge(bencher: Bencher<'_, '_>) {
    let column = || vec![0.5_f32; 1000];
    let (mut arrivals, begun, offset, took, seconds) = (column(), column(), column(), column(), column());
    bencher.bench_local(|| kernels::arrive(&mut arrivals, black_box(&begun), &offset, &took, &seconds, 0.01));
}

/// The 95th percentile of 1,000 lanes.
#[divan::bench]
fn select_percentile(bencher: Bencher<'_, '_>) {
    let lanes: Vec<f32> = (0..1000_u32).map(|lane| (lane.wrapping_mul(2_654_435_761) >> 8) as f32).collect();
    let mut ordered = Ordered::default();
    bencher.bench_local(|| {
        ordered.fill(black_box(&lanes));
        ordered.select(950)
    });
}
