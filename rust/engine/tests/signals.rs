//! What a moved GB emits with an interval around its energy: the dear end, between regions and within one.

mod common;

use common::{problem, Shape};
use mxs_engine::problem::Problem;
use mxs_engine::signals::Signals;
use serde_json::{json, Value};

/// gCO2eq per GB within a region, from it to another one and to the outside, with an interval around the energy.
fn routes(interval: Value) -> [f64; 3] {
    let mut document = problem(&Shape::SMALL, 1);
    document["transmission"]["interval"] = interval;
    let problem = Problem::from_json(document.to_string().as_bytes()).expect("a valid document");
    let signals = Signals::new(&problem, 0);
    [signals.route(0, 0), signals.route(0, 1), signals.outside_route(0)]
}

fn times(factors: [f64; 3]) -> [f64; 3] {
    let expected = routes(Value::Null);
    [expected[0] * factors[0], expected[1] * factors[1], expected[2] * factors[2]]
}

#[test]
fn bytes_within_a_region_are_as_dear_as_those_between_unless_they_have_a_factor_of_their_own() {
    let near = |found: [f64; 3], wanted: [f64; 3]| {
        for (value, target) in found.into_iter().zip(wanted) {
            assert!((value - target).abs() <= 1e-12 * target, "{found:?} {wanted:?}");
        }
    };
    near(routes(json!({"low_factor": 0.5, "high_factor": 4.0})), times([4.0, 4.0, 4.0]));
    near(routes(json!({"low_factor": 0.5, "high_factor": 4.0, "intra_high_factor": null})), times([4.0, 4.0, 4.0]));
    for factor in [0.0, 0.25, 9.0] {
        let own = json!({"low_factor": 0.5, "high_factor": 4.0, "intra_high_factor": factor});
        near(routes(own), times([factor, 4.0, 4.0]));
    }
}
