//! Random problem documents for tests and benches.
#![allow(dead_code, missing_docs)] // every test binary uses its own part

use mxs_engine::random::{bits, Stream};
use serde_json::{json, Map, Value};

/// A seeded source of choices.
pub struct Dice {
    seed: u64,
    rolled: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { seed, rolled: 0 }
    }

    pub fn below(&mut self, count: usize) -> usize {
        self.rolled += 1;
        (bits(self.seed, Stream::Descent, self.rolled, 1) % count as u64) as usize
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        self.rolled += 1;
        let unit = (bits(self.seed, Stream::Descent, self.rolled, 2) >> 11) as f64 / 9_007_199_254_740_992.0;
        low + unit * (high - low)
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

/// What a random problem looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub nodes: usize,
    /// Edges beyond those that make the graph a tree; each makes a join.
    pub extra_edges: usize,
    pub regions: usize,
    pub hours: usize,
    pub runs: usize,
    pub scenarios: usize,
    /// Every how manieth node is pinned to home; zero for none.
    pub pin_every: usize,
    /// Chance that an edge is conditional.
    pub conditional: f64,
}

impl Shape {
    pub const SMALL: Self = Self {
        nodes: 4,
        extra_edges: 2,
        regions: 3,
        hours: 2,
        runs: 40,
        scenarios: 100,
        pin_every: 0,
        conditional: 0.5,
    };

    /// The yardstick: 12 nodes, 16 edges, 10 regions, 1,000 scenarios.
    pub const YARDSTICK: Self = Self {
        nodes: 12,
        extra_edges: 5,
        regions: 10,
        hours: 24,
        runs: 300,
        scenarios: 1000,
        pin_every: 3,
        conditional: 0.2,
    };

    /// All regions of the provider.
    pub const LARGE: Self = Self {
        nodes: 24,
        extra_edges: 8,
        regions: 33,
        hours: 24,
        runs: 300,
        scenarios: 1000,
        pin_every: 3,
        conditional: 0.2,
    };
}

/// A random problem without limits.
pub fn problem(shape: &Shape, seed: u64) -> Value {
    let mut dice = Dice::new(seed);
    let regions: Vec<String> = (0..shape.regions).map(|index| format!("region-{index}")).collect();
    let home = regions[dice.below(shape.regions)].clone();
    let edges = graph(shape, &mut dice);
    let degree = |node: usize| edges.iter().filter(|(_, to)| *to == node).count();
    let joins: Vec<bool> = (0..shape.nodes).map(|node| degree(node) > 1).collect();
    let nodes: Vec<Value> = (0..shape.nodes)
        .map(|node| {
            let memory_mb = [128, 1024, 1769][dice.below(3)];
            let pinned = shape.pin_every > 0 && node % shape.pin_every == 1;
            json!({
                "name": name(node), "function": format!("f{node}"), "memory_mb": memory_mb,
                "architecture": if dice.chance(0.5) { "arm64" } else { "x86_64" },
                "sync": joins[node], "allowed": if pinned { vec![home.clone()] } else { regions.clone() },
            })
        })
        .collect();
    let per_region = |dice: &mut Dice, make: &mut dyn FnMut(&mut Dice) -> Value| -> Value {
        Value::Object(regions.iter().map(|region| (region.clone(), make(dice))).collect::<Map<_, _>>())
    };
    let intensity = per_region(&mut dice, &mut |dice| (0..24).map(|_| dice.between(10.0, 800.0)).collect());
    let tariffs = price_lists(&regions, &mut dice);
    let slowness = per_region(&mut dice, &mut |dice| json!(dice.between(0.8, 1.25)));
    let matrix: Vec<Vec<f64>> = (0..shape.regions)
        .map(|from| (0..shape.regions).map(|to| if from == to { 0.002 } else { dice.between(0.02, 0.2) }).collect())
        .collect();
    let observations = observations(shape, &edges, &joins, &regions, &home, &mut dice);
    json!({
        "schema": "multi-x-serverless/problem", "version": 1, "workflow": "random-0.0.1",
        "provenance": {"all": "random"}, "regions": regions, "home": home,
        "hours": (0..shape.hours).collect::<Vec<_>>(), "nodes": nodes,
        "edges": edges.iter().map(|&(from, to)| json!({
            "from": name(from), "to": name(to), "round_trips": if joins[to] { 3.0 } else { 1.0 },
        })).collect::<Vec<_>>(),
        "trigger": {"region": home, "forward_duration_s": 0.002},
        "intensity_gco2e_per_kwh": intensity, "outside_intensity_gco2e_per_kwh": 410.0,
        "power": {
            "vcpu_min_kw": 0.00074, "vcpu_max_kw": 0.0035, "memory_kw_per_gb": 0.000_372_5,
            "memory_mb_per_vcpu": 1769.0, "pue_default": 1.11, "cpu_utilization_default": 0.5,
        },
        "transmission": {"inter_region_kwh_per_gb": 0.01, "intra_region_kwh_per_gb": 0.001},
        "prices": tariffs,
        "latency": {"round_trip_s": matrix, "bandwidth_bytes_per_s": 1e8},
        "protocol": {
            "message_envelope_bytes": 600, "inline_payload_limit_bytes": 240_000, "sync_report_write_units": 1.0,
            "sync_closing_write_units": 2.0, "sync_closing_read_units": 1.0, "log_bytes_per_node": 1500,
        },
        "relative_speed": slowness, "observations": observations,
        "constraints": {},
        "settings": {"seed": seed, "scenarios": shape.scenarios, "validation_scenarios": 60},
    })
}

pub fn name(node: usize) -> String {
    format!("node-{node}")
}

/// A random tree with extra edges, as (from, to).
fn graph(shape: &Shape, dice: &mut Dice) -> Vec<(usize, usize)> {
    let mut edges: Vec<(usize, usize)> =
        (1..shape.nodes).map(|node| (dice.below(node.min(3)) + node.saturating_sub(3), node)).collect();
    for _ in 0..shape.extra_edges {
        let to = 1 + dice.below(shape.nodes - 1);
        edges.push((dice.below(to), to));
    }
    dice.shuffle(&mut edges);
    edges
}

fn price_lists(regions: &[String], dice: &mut Dice) -> Value {
    let list = |region: &String, dice: &mut Dice| {
        let egress: Map<String, Value> = regions
            .iter()
            .filter(|other| *other != region)
            .map(|other| (other.clone(), json!(dice.between(0.01, 0.15))))
            .collect();
        json!({
            "lambda_usd_per_gb_s": {"x86_64": dice.between(1e-5, 3e-5), "arm64": dice.between(8e-6, 2e-5)},
            "lambda_usd_per_request": dice.between(1e-7, 4e-7), "message_usd_per_64kib": dice.between(3e-7, 8e-7),
            "kv_usd_per_write_unit": dice.between(3e-7, 2e-6), "kv_usd_per_read_unit": dice.between(5e-8, 4e-7),
            "object_usd_per_put": 5e-6, "object_usd_per_get": 4e-7, "log_usd_per_gb": dice.between(0.3, 0.9),
            "egress_usd_per_gb": egress, "egress_internet_usd_per_gb": 0.09,
        })
    };
    Value::Object(regions.iter().map(|region| (region.clone(), list(region, dice))).collect::<Map<_, _>>())
}

fn observations(
    shape: &Shape,
    edges: &[(usize, usize)],
    joins: &[bool],
    regions: &[String],
    home: &str,
    dice: &mut Dice,
) -> Value {
    let home = regions.iter().position(|region| region == home).expect("listed");
    let probability: Vec<f64> = edges.iter().map(|_| if dice.chance(shape.conditional) { 0.6 } else { 1.0 }).collect();
    let payload: Vec<f64> = edges.iter().map(|_| [900.0, 40_000.0, 500_000.0, 3e6][dice.below(4)]).collect();
    let median: Vec<f64> = joins.iter().map(|_| dice.between(0.05, 2.0)).collect();
    let mut node_columns = vec![(Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()); shape.nodes];
    let mut edge_columns = vec![(Vec::new(), Vec::new(), Vec::new(), Vec::new()); edges.len()];
    for run in 0..shape.runs {
        let pace = dice.between(0.6, 1.8);
        for node in 0..shape.nodes {
            let mut arriving = (0..edges.len()).filter(|&edge| edges[edge].1 == node);
            let ran = node == 0 || arriving.any(|edge| edge_columns[edge].0[run] == json!(1));
            let region = if dice.chance(0.15) { dice.below(regions.len()) } else { home };
            let columns = &mut node_columns[node];
            let when_ran = |value: f64| if ran { json!(value) } else { Value::Null };
            columns.0.push(json!(i32::from(ran)));
            columns.1.push(json!(if ran { i64::try_from(region).expect("small") } else { -1 }));
            columns.2.push(when_ran(median[node] * pace * dice.between(0.8, 1.3)));
            columns.3.push(when_ran(dice.between(0.1, 1.0)));
            columns.4.push(when_ran(dice.between(0.0, 2e6)));
            for edge in (0..edges.len()).filter(|&edge| edges[edge].0 == node) {
                let called = ran && dice.chance(probability[edge]);
                let columns = &mut edge_columns[edge];
                let when_called = |value: f64| if called { json!(value) } else { Value::Null };
                columns.0.push(if ran { json!(i32::from(called)) } else { Value::Null });
                columns.1.push(when_called(payload[edge] * dice.between(0.5, 1.5)));
                columns.2.push(when_called(if dice.chance(0.5) { 1.0 } else { dice.between(0.0, 1.0) }));
                columns.3.push(when_called(dice.between(0.001, 0.2)));
            }
        }
    }
    let nodes: Map<String, Value> = node_columns
        .into_iter()
        .enumerate()
        .map(|(node, (ran, region, duration, utilization, data))| {
            let columns = json!({
                "ran": ran, "region": region, "duration_s": duration, "cpu_utilization": utilization,
                "data_bytes": data,
            });
            (name(node), columns)
        })
        .collect();
    let edges: Vec<Value> = edge_columns
        .into_iter()
        .map(|(called, payload, offset, latency)| {
            json!({"called": called, "payload_bytes": payload, "offset_fraction": offset, "latency_s": latency})
        })
        .collect();
    json!({"runs": shape.runs, "trigger_bytes": vec![2000; shape.runs], "nodes": nodes, "edges": edges})
}
