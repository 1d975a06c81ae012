//! Broken documents: whatever is in one, reading ends soon, as a problem that can be solved or with an error that names
//! the field; never with a panic.

mod common;

use std::sync::LazyLock;

use common::{problem, Shape};
use mxs_engine::{Control, Engine, EngineError, ErrorCode, Options, Solver};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use serde_json::{json, Value};

/// One valid document with runs and one with declared estimates only; small, for they are solved thousands of times.
static DOCUMENTS: LazyLock<[Value; 2]> = LazyLock::new(|| {
    let shape = Shape { nodes: 4, extra_edges: 2, regions: 3, hours: 2, runs: 5, scenarios: 60, ..Shape::SMALL };
    let mut observed = problem(&shape, 1);
    observed["constraints"] = json!({
        "hard": {"runtime": {"type": "relative", "value": 1.3}}, "soft": {"cost": {"type": "absolute", "value": 1e-4}},
        "priority_order": ["carbon", "cost"], "priority_tolerance": 0.01,
    });
    observed["intensity_interval"] = json!({"low_factor": 0.9, "high_factor": 1.1});
    observed["transmission"]["interval"] = json!({"low_factor": 1.0, "high_factor": 5.0, "intra_high_factor": 0.0});
    let waits = vec![json!(1.5); shape.runs];
    for edge in observed["observations"]["edges"].as_array_mut().expect("edges") {
        edge["awaited_round_trips"] = json!(waits);
        edge["slack_s"] = json!(vec![json!(0.01); shape.runs]);
    }
    let mut declared = observed.clone();
    let edges = declared["edges"].as_array().expect("edges").len();
    let node = json!({
        "duration_s": {"median": 0.5, "sigma_log": 0.8}, "cpu_utilization": 0.5, "data_bytes": 1e4,
    });
    let names: Vec<String> = (0..shape.nodes).map(common::name).collect();
    declared["priors"] = json!({
        "nodes": names.iter().map(|name| (name.clone(), node.clone())).collect::<serde_json::Map<_, _>>(),
        "edges": vec![json!({"call_probability": 0.7, "payload_bytes": 1024, "offset_fraction": 1.0}); edges],
        "trigger_bytes": 1024,
    });
    declared["observations"] = json!({"runs": 0, "trigger_bytes": [], "nodes": {}, "edges": []});
    [observed, declared]
});

/// Fields that the documents name; a path starts with one of them, or with a field that there is not.
const FIRST_STEPS: [&str; 23] = [
    "schema",
    "version",
    "workflow",
    "provenance",
    "regions",
    "home",
    "hours",
    "nodes",
    "edges",
    "trigger",
    "intensity_gco2e_per_kwh",
    "intensity_interval",
    "outside_intensity_gco2e_per_kwh",
    "power",
    "transmission",
    "prices",
    "latency",
    "protocol",
    "relative_speed",
    "observations",
    "priors",
    "constraints",
    "settings",
];
const ADDED: &str = "added";

fn assert_explains_itself(error: &EngineError) {
    assert!(error.is_about_document(), "{error:?}");
    assert!(!error.message.is_empty());
    if error.code == ErrorCode::MalformedJson || (error.code == ErrorCode::InvalidField && error.path.is_empty()) {
        return; // about the text or the document as a whole
    }
    let first = error.path.split(['.', '[']).next().expect("split gives one part at least");
    assert!(FIRST_STEPS.contains(&first) || error.message.starts_with("unknown field"), "{error:?}");
}

/// Reads a document; one that is accepted has to be solvable, with numbers that are numbers.
fn read(bytes: &[u8]) -> Option<EngineError> {
    let engine = match Engine::from_json(bytes) {
        Ok(engine) => engine,
        Err(error) => {
            assert_explains_itself(&error);
            return Some(error);
        }
    };
    let options =
        Options { solver: Solver::FineGrained, threads: Some(1), deadline_s: Some(2.0), seed: None, frontier: None };
    let solution = engine.solve(options, &Control::default()).expect("what was accepted can be solved");
    let text = serde_json::to_value(&solution).expect("a document");
    for hour in text["hours"].as_array().expect("hours") {
        for metrics in [&hour["metrics"], &hour["home_metrics"], &hour["validation"]["metrics"]] {
            for metric in ["carbon", "cost", "runtime"] {
                assert!(metrics[metric]["mean"].is_f64() && metrics[metric]["tail"].is_f64(), "{metric}: {metrics}");
            }
        }
    }
    None
}

type Step = Result<String, usize>;

/// Paths of everything in a document; of lists of numbers, the first two entries.
fn paths(value: &Value, prefix: &[Step], found: &mut Vec<Vec<Step>>) {
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (Ok(key.clone()), child)).collect(),
        Value::Array(list) => list.iter().take(4).enumerate().map(|(index, child)| (Err(index), child)).collect(),
        _ => Vec::new(),
    };
    for (step, child) in children {
        let path = [prefix, &[step]].concat();
        paths(child, &path, found);
        found.push(path);
    }
}

fn at<'a>(document: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, step| match step {
        Ok(key) => value.get_mut(key),
        Err(index) => value.get_mut(index),
    })
}

#[derive(Clone, Debug)]
enum Mutation {
    Drop,
    Replace(Value),
    /// Take the value from elsewhere in the document.
    Copy(Index),
    /// Say the same entry of a list once more, or name a field that there is not.
    Repeat,
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| json!([inner]))
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let junk = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0.0), Just(-0.0), Just(-1.0), Just(0.5), Just(1e-300), Just(1e-12), Just(1e12), Just(1e300)]
            .prop_map(Value::from),
        any::<f64>().prop_map(|number| serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-2_i64..40).prop_map(Value::from),
        prop_oneof![Just("NaN"), Just("Infinity"), Just(""), Just("region-0"), Just("node-1"), Just("1")]
            .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({"a": [1, {"b": null}]})),
        prop_oneof![Just(3), Just(100)].prop_map(nested),
        (0_usize..50).prop_map(|length| json!(vec![1; length])),
    ];
    prop_oneof![
        2 => Just(Mutation::Drop),
        8 => junk.prop_map(Mutation::Replace),
        2 => any::<Index>().prop_map(Mutation::Copy),
        1 => Just(Mutation::Repeat),
    ]
}

fn mutate(document: &mut Value, place: Index, mutation: &Mutation) {
    let mut found = Vec::new();
    paths(document, &[], &mut found);
    if found.is_empty() {
        return;
    }
    let path = place.get(&found).clone();
    let (step, before) = path.split_last().expect("a path has a step");
    match mutation {
        Mutation::Replace(value) => *at(document, &path).expect("a path") = value.clone(),
        Mutation::Copy(from) => {
            let source = &found[from.index(found.len())];
            let value = at(document, source).expect("a path").clone();
            *at(document, &path).expect("a path") = value;
        }
        Mutation::Drop => match (at(document, before).expect("a path"), step) {
            (Value::Object(map), Ok(key)) => drop(map.remove(key)),
            (Value::Array(list), Err(index)) => drop(list.remove(*index)),
            (other, step) => unreachable!("{step:?} of {other}"),
        },
        Mutation::Repeat => match at(document, before).expect("a path") {
            Value::Array(list) => list.push(list[0].clone()),
            Value::Object(map) => drop(map.insert(ADDED.to_owned(), Value::Null)),
            other => unreachable!("{other} has no members"),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn broken_fields_are_refused_or_harmless(
        which in 0_usize..2, mutations in proptest::collection::vec((any::<Index>(), mutation()), 1..4)
    ) {
        let mut document = DOCUMENTS[which].clone();
        for (place, mutation) in &mutations {
            mutate(&mut document, *place, mutation);
        }
        read(document.to_string().as_bytes());
    }

    #[test]
    fn broken_texts_are_refused_or_harmless(
        which in 0_usize..2, cut in any::<Index>(), end in any::<Index>(), bytes in proptest::collection::vec(any::<u8>(), 0..6)
    ) {
        let text = DOCUMENTS[which].to_string().into_bytes();
        let (from, to) = (cut.index(text.len()), end.index(text.len()));
        let (from, to) = (from.min(to), from.max(to));
        // A stretch replaced by bytes, a stretch said twice, and an end cut off.
        read(&[&text[..from], &bytes, &text[to..]].concat());
        read(&[&text[..to], &text[from..]].concat());
        let error = read(&text[..from]).expect("a document without its end");
        prop_assert_eq!(error.code, ErrorCode::MalformedJson);
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_some());
    }

    #[test]
    fn any_json_is_refused(text in r#"[\[\]{}":,0-9a-z.eE+\-" ]{0,60}"#) {
        prop_assert!(read(text.as_bytes()).is_some());
    }
}

/// A document of which one piece of text is replaced.
fn replaced(from: &str, to: &str) -> String {
    let text = DOCUMENTS[0].to_string();
    assert_eq!(text.matches(from).count(), 1, "{from} should be there once");
    text.replace(from, to)
}

#[test]
fn the_documents_that_are_broken_here_are_sound() {
    for document in DOCUMENTS.iter() {
        assert_eq!(read(document.to_string().as_bytes()), None);
    }
}

#[test]
fn nothing_is_named_twice() {
    let once = r#""forward_duration_s":0.002"#;
    let error = read(replaced(once, &format!("{once},{once}")).as_bytes()).expect("a field named twice");
    assert_eq!((error.code, error.path.as_str()), (ErrorCode::InvalidField, "trigger"));
    let once = r#""relative_speed":{"#;
    let twice = format!(r#"{once}"region-0":1.0,"region-0":1.0,"#);
    let error = read(replaced(once, &twice).as_bytes()).expect("a key named twice");
    assert_eq!((error.code, error.path.as_str()), (ErrorCode::InvalidField, "relative_speed"));
    assert!(error.message.contains(r#""region-0" is listed twice"#), "{error}");
}

#[test]
fn documents_that_end_too_early_or_nest_too_deeply_are_no_json() {
    let text = DOCUMENTS[0].to_string();
    let home = text.find(r#""home""#).expect("a field");
    let error = read(&text.as_bytes()[..home + 3]).expect("half a key");
    assert_eq!((error.code, error.path.as_str()), (ErrorCode::MalformedJson, ""));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let error = read(replaced(r#""forward_duration_s":0.002"#, &format!(r#""x":{deep}"#)).as_bytes()).expect("depth");
    assert!(error.path.starts_with("trigger"), "{error:?}");
    let error = read(deep.as_bytes()).expect("depth alone");
    assert_eq!((error.code, error.path.as_str()), (ErrorCode::InvalidField, ""));
}

#[test]
fn objects_are_no_lists_of_their_members() {
    for (from, to, path) in [
        (r#""pue_default":1.11"#, r#""pue_default":[1.11]"#, "power.pue_default"),
        (r#"{"high_factor":1.1,"low_factor":0.9}"#, "[0.9,1.1]", "intensity_interval"),
        (r#"{"high_factor":5.0,"intra_high_factor":0.0,"low_factor":1.0}"#, "[1.0,5.0,0.0]", "transmission.interval"),
        (r#"{"type":"relative","value":1.3}"#, r#"["relative",1.3]"#, "constraints.hard.runtime"),
    ] {
        let error = read(replaced(from, to).as_bytes()).expect("a list where an object should be");
        assert_eq!((error.code, error.path.as_str()), (ErrorCode::InvalidField, path));
    }
}

#[test]
fn factors_of_energy_that_are_none_are_refused() {
    let written = r#""intra_high_factor":0.0"#;
    for (to, code, path) in [
        (r#""intra_high_factor":-0.1"#, ErrorCode::OutOfRange, "transmission.interval.intra_high_factor"),
        (r#""intra_high_factor":1e13"#, ErrorCode::OutOfRange, "transmission.interval.intra_high_factor"),
        (r#""intra_high_factor":"0""#, ErrorCode::InvalidField, "transmission.interval.intra_high_factor"),
        (r#""intra_low_factor":0.0"#, ErrorCode::InvalidField, "transmission.interval.intra_low_factor"),
    ] {
        let error = read(replaced(written, to).as_bytes()).expect("a factor that is none");
        assert_eq!((error.code, error.path.as_str()), (code, path));
    }
    for to in [r#""intra_high_factor":null"#, r#""intra_high_factor":0.5"#, r#""intra_high_factor":7.0"#] {
        assert!(read(replaced(written, to).as_bytes()).is_none(), "{to}");
    }
}

#[test]
fn numbers_beyond_every_unit_are_refused() {
    for (from, to, path) in [
        (r#""forward_duration_s":0.002"#, r#""forward_duration_s":1e13"#, "trigger.forward_duration_s"),
        (r#""bandwidth_bytes_per_s":100000000.0"#, r#""bandwidth_bytes_per_s":1e-13"#, "latency.bandwidth_bytes_per_s"),
        (r#""pue_default":1.11"#, r#""pue_default":1e300"#, "power.pue_default"),
    ] {
        let error = read(replaced(from, to).as_bytes()).expect("a number that is too large or too small");
        assert_eq!((error.code, error.path.as_str()), (ErrorCode::OutOfRange, path));
    }
}

#[test]
fn what_does_not_fit_into_memory_is_refused_before_it_is_tried() {
    let mut document = problem(&Shape { nodes: 60, regions: 33, runs: 1, hours: 1, ..Shape::SMALL }, 3);
    document["settings"]["scenarios"] = json!(200_000);
    let error = read(document.to_string().as_bytes()).expect("400 million values of each quantity");
    assert_eq!((error.code, error.path.as_str()), (ErrorCode::OutOfRange, "settings.scenarios"));
}

#[test]
fn what_callers_wait_for_fits_the_runs() {
    let edge = "observations.edges[0].awaited_round_trips";
    for (entry, path, code) in [
        (json!([1.0]), edge.to_owned(), ErrorCode::InconsistentObservations),
        (json!([-1.0, 0, 0, 0, 0]), format!("{edge}[0]"), ErrorCode::OutOfRange),
        (json!([1.0, 0, "two", 0, 0]), format!("{edge}[2]"), ErrorCode::InvalidField),
    ] {
        let mut document = DOCUMENTS[0].clone();
        document["observations"]["edges"][0]["awaited_round_trips"] = entry;
        let error = read(document.to_string().as_bytes()).expect("refused");
        assert_eq!((error.path, error.code), (path, code));
    }
}
