//! Problem document, version 1: field by field as in `docs/problem-document.md`, before any check of meaning.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;

use crate::error::{EngineError, ErrorCode, Result};

/// Value of `schema` in every problem document.
pub const PROBLEM_SCHEMA: &str = "multi-x-serverless/problem";
/// The only version of the problem document this engine reads.
pub const PROBLEM_VERSION: u64 = 1;

/// A whole problem as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)] // every field is explained in docs/problem-document.md
pub struct ProblemDocument {
    pub schema: String,
    pub version: u64,
    pub workflow: String,
    #[serde(deserialize_with = "unique")]
    pub provenance: BTreeMap<String, String>,
    pub regions: Vec<String>,
    pub home: String,
    pub hours: Vec<u8>,
    pub nodes: Vec<NodeDocument>,
    pub edges: Vec<EdgeDocument>,
    pub trigger: TriggerDocument,
    #[serde(deserialize_with = "unique")]
    pub intensity_gco2e_per_kwh: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    pub intensity_interval: Option<IntervalDocument>,
    pub outside_intensity_gco2e_per_kwh: f64,
    pub power: PowerDocument,
    pub transmission: TransmissionDocument,
    #[serde(deserialize_with = "unique")]
    pub prices: BTreeMap<String, PricesDocument>,
    pub latency: LatencyDocument,
    pub protocol: ProtocolDocument,
    #[serde(default, deserialize_with = "unique")]
    pub relative_speed: BTreeMap<String, f64>,
    pub observations: ObservationsDocument,
    #[serde(default)]
    pub priors: Option<PriorsDocument>,
    #[serde(default)]
    pub constraints: ConstraintsDocument,
    #[serde(default)]
    pub settings: SettingsDocument,
}

/// One node of the workflow.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NodeDocument {
    pub name: String,
    pub function: String,
    pub memory_mb: f64,
    pub architecture: Architecture,
    pub sync: bool,
    pub allowed: Vec<String>,
}

/// Instruction set a function is built for; prices differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[allow(missing_docs)]
pub enum Architecture {
    X86,
    Arm,
}

// Names are read as strings: serde_json would also take an object with the name as its only key.

impl TryFrom<String> for Architecture {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        choose(&name, &[("x86_64", Self::X86), ("arm64", Self::Arm)])
    }
}

fn choose<T: Copy>(name: &str, choices: &[(&str, T)]) -> std::result::Result<T, String> {
    let found = choices.iter().find(|(choice, _)| *choice == name).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        format!("{name:?} is none of {}", names.join(", "))
    })
}

/// One call site.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EdgeDocument {
    pub from: String,
    pub to: String,
    pub round_trips: f64,
}

/// Where runs are triggered, and what forwarding one to another region takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TriggerDocument {
    pub region: String,
    pub forward_duration_s: f64,
}

/// Multiplicative interval around a forecast or factor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct IntervalDocument {
    pub low_factor: f64,
    pub high_factor: f64,
}

/// Multiplicative interval around the energy per byte; within a region its dear end may have a factor of its own.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TransmissionIntervalDocument {
    pub low_factor: f64,
    pub high_factor: f64,
    #[serde(default)]
    pub intra_high_factor: Option<f64>,
}

/// Power model of function execution.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PowerDocument {
    pub vcpu_min_kw: f64,
    pub vcpu_max_kw: f64,
    pub memory_kw_per_gb: f64,
    pub memory_mb_per_vcpu: f64,
    pub pue_default: f64,
    #[serde(default, deserialize_with = "unique")]
    pub pue: BTreeMap<String, f64>,
    pub cpu_utilization_default: f64,
}

/// Energy per byte moved.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TransmissionDocument {
    pub inter_region_kwh_per_gb: f64,
    pub intra_region_kwh_per_gb: f64,
    #[serde(default)]
    pub interval: Option<TransmissionIntervalDocument>,
    #[serde(default = "default_unattributed_home_share")]
    pub unattributed_home_share: f64,
}

/// Prices of one region.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PricesDocument {
    pub lambda_usd_per_gb_s: ArchitecturePrices,
    pub lambda_usd_per_request: f64,
    pub message_usd_per_64kib: f64,
    pub kv_usd_per_write_unit: f64,
    pub kv_usd_per_read_unit: f64,
    pub object_usd_per_put: f64,
    pub object_usd_per_get: f64,
    pub log_usd_per_gb: f64,
    #[serde(deserialize_with = "unique")]
    pub egress_usd_per_gb: BTreeMap<String, f64>,
    pub egress_internet_usd_per_gb: f64,
}

/// Price of function execution by instruction set.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ArchitecturePrices {
    pub x86_64: f64,
    pub arm64: f64,
}

/// Base latencies of the network.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LatencyDocument {
    pub round_trip_s: Vec<Vec<f64>>,
    pub bandwidth_bytes_per_s: f64,
}

/// What the run-time protocol adds to each message, report and join.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ProtocolDocument {
    pub message_envelope_bytes: f64,
    pub inline_payload_limit_bytes: f64,
    pub sync_report_write_units: f64,
    pub sync_closing_write_units: f64,
    pub sync_closing_read_units: f64,
    pub log_bytes_per_node: f64,
}

/// Observed runs, column by column.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ObservationsDocument {
    pub runs: usize,
    #[serde(default)]
    pub weights: Option<Vec<f64>>,
    pub trigger_bytes: Vec<f64>,
    #[serde(deserialize_with = "unique")]
    pub nodes: BTreeMap<String, NodeObservationsDocument>,
    pub edges: Vec<EdgeObservationsDocument>,
}

/// Columns of one node.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NodeObservationsDocument {
    pub ran: Vec<u8>,
    pub region: Vec<i32>,
    pub duration_s: Vec<Option<f64>>,
    pub cpu_utilization: Vec<Option<f64>>,
    pub data_bytes: Vec<Option<f64>>,
    #[serde(default, deserialize_with = "unique")]
    pub sent_bytes: BTreeMap<String, Vec<Option<f64>>>,
    #[serde(default, deserialize_with = "unique")]
    pub received_bytes: BTreeMap<String, Vec<Option<f64>>>,
}

/// Columns of one edge.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EdgeObservationsDocument {
    pub called: Vec<Option<u8>>,
    pub payload_bytes: Vec<Option<f64>>,
    pub offset_fraction: Vec<Option<f64>>,
    pub latency_s: Vec<Option<f64>>,
    #[serde(default)]
    pub awaited_round_trips: Option<Vec<Option<f64>>>,
    #[serde(default)]
    pub slack_s: Option<Vec<Option<f64>>>,
}

/// Declared estimates for a workflow without runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PriorsDocument {
    #[serde(deserialize_with = "unique")]
    pub nodes: BTreeMap<String, NodePriorDocument>,
    pub edges: Vec<EdgePriorDocument>,
    pub trigger_bytes: f64,
}

/// Estimates for one node.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NodePriorDocument {
    pub duration_s: LogNormalDocument,
    pub cpu_utilization: f64,
    pub data_bytes: f64,
}

/// A log-normal distribution.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LogNormalDocument {
    pub median: f64,
    pub sigma_log: f64,
}

/// Estimates for one edge.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EdgePriorDocument {
    pub call_probability: f64,
    pub payload_bytes: f64,
    pub offset_fraction: f64,
}

/// Limits and the order of objectives.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ConstraintsDocument {
    #[serde(default)]
    pub hard: LimitsDocument,
    #[serde(default)]
    pub soft: LimitsDocument,
    #[serde(default = "default_priority_order")]
    pub priority_order: Vec<Metric>,
    #[serde(default)]
    pub priority_tolerance: f64,
}

/// One limit per metric.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LimitsDocument {
    #[serde(default)]
    pub cost: Option<LimitDocument>,
    #[serde(default)]
    pub runtime: Option<LimitDocument>,
    #[serde(default)]
    pub carbon: Option<LimitDocument>,
}

/// A limit, absolute or as a fraction of home's value.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LimitDocument {
    #[serde(rename = "type")]
    pub kind: LimitKind,
    pub value: f64,
}

/// How to read the value of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LimitKind {
    /// In the unit of the metric.
    Absolute,
    /// Times the value of the home placement: 1.1 allows ten percent more.
    Relative,
}

impl TryFrom<String> for LimitKind {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        choose(&name, &[("absolute", Self::Absolute), ("relative", Self::Relative)])
    }
}

/// What a placement is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum Metric {
    /// Grams of CO2 equivalent per run.
    Carbon,
    /// US dollars per run.
    Cost,
    /// Seconds from the start of the entry node to the last finish.
    Runtime,
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        choose(&name, &Self::ALL.map(|metric| (metric.name(), metric)))
    }
}

impl Metric {
    /// All metrics, in the default order of priority.
    pub const ALL: [Self; 3] = [Self::Carbon, Self::Cost, Self::Runtime];

    /// Name in the documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Carbon => "carbon",
            Self::Cost => "cost",
            Self::Runtime => "runtime",
        }
    }
}

/// Settings of the scenarios and the search.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct SettingsDocument {
    pub seed: u64,
    pub scenarios: usize,
    pub validation_scenarios: usize,
    pub min_samples: usize,
    pub tail: f64,
    pub confidence: f64,
    pub deadline_s: f64,
    pub image_storage: Option<serde_json::Value>,
}

impl Default for SettingsDocument {
    fn default() -> Self {
        Self {
            seed: 0,
            scenarios: 1000,
            validation_scenarios: 4000,
            min_samples: 20,
            tail: 0.95,
            confidence: 0.95,
            deadline_s: 60.0,
            image_storage: None,
        }
    }
}

impl Default for ConstraintsDocument {
    fn default() -> Self {
        Self {
            hard: LimitsDocument::default(),
            soft: LimitsDocument::default(),
            priority_order: default_priority_order(),
            priority_tolerance: 0.0,
        }
    }
}

fn default_priority_order() -> Vec<Metric> {
    Metric::ALL.to_vec()
}

fn default_unattributed_home_share() -> f64 {
    0.5
}

/// The two fields that decide whether the rest can be read.
#[derive(Deserialize)]
#[serde(remote = "Self")]
struct Header {
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    version: Option<u64>,
}

impl ProblemDocument {
    /// Reads a document, schema and version first, so that a newer document is named as such.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let header: Header = deserialize(bytes)?;
        if header.schema.as_deref() != Some(PROBLEM_SCHEMA) {
            return Err(EngineError::new(
                ErrorCode::UnknownSchema,
                "schema",
                format!("expected {PROBLEM_SCHEMA:?}, found {}", describe(header.schema.as_deref())),
            ));
        }
        match header.version {
            Some(PROBLEM_VERSION) => deserialize(bytes),
            found => Err(EngineError::new(
                ErrorCode::UnsupportedVersion,
                "version",
                format!(
                    "this engine reads version {PROBLEM_VERSION}, found {}; upgrade the package that is older",
                    describe(found.map(|version| version.to_string()).as_deref())
                ),
            )),
        }
    }
}

fn describe(found: Option<&str>) -> String {
    found.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}

/// Reads each of these from a JSON object only; what serde derives would take a list of its fields in order, too.
macro_rules! read_from_objects {
    ($($document:ident),+) => {$(
        impl<'de> Deserialize<'de> for $document {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                struct Object;

                impl<'de> Visitor<'de> for Object {
                    type Value = $document;

                    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, access: A) -> std::result::Result<$document, A::Error> {
                        $document::deserialize(MapAccessDeserializer::new(access))
                    }
                }

                deserializer.deserialize_map(Object)
            }
        }
    )+};
}

read_from_objects!(
    ProblemDocument,
    NodeDocument,
    EdgeDocument,
    TriggerDocument,
    IntervalDocument,
    PowerDocument,
    TransmissionIntervalDocument,
    TransmissionDocument,
    PricesDocument,
    ArchitecturePrices,
    LatencyDocument,
    ProtocolDocument,
    ObservationsDocument,
    NodeObservationsDocument,
    EdgeObservationsDocument,
    PriorsDocument,
    NodePriorDocument,
    LogNormalDocument,
    EdgePriorDocument,
    ConstraintsDocument,
    LimitsDocument,
    LimitDocument,
    SettingsDocument,
    Header
);

/// A map in which every key is named once: of two entries, none is guessed to be the one that is meant.
fn unique<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<BTreeMap<String, T>, D::Error> {
    struct Unique<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key::<String>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("{key:?} is listed twice")));
                }
                map.insert(key, access.next_value()?);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(Unique(PhantomData))
}

fn deserialize<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = field_path(error.path());
        let inner = error.into_inner();
        let code = if inner.is_data() { ErrorCode::InvalidField } else { ErrorCode::MalformedJson };
        EngineError::new(code, path, inner.to_string())
    })?;
    deserializer.end().map_err(|error| EngineError::new(ErrorCode::MalformedJson, "", error.to_string()))?;
    Ok(value)
}

/// `nodes[2].memory_mb`; ends where the text is no longer JSON, and is empty for the document itself.
fn field_path(path: &serde_path_to_error::Path) -> String {
    path.iter().take_while(|segment| !matches!(segment, Segment::Unknown)).fold(String::new(), |text, segment| {
        let separator = if text.is_empty() || matches!(segment, Segment::Seq { .. }) { "" } else { "." };
        format!("{text}{separator}{segment}")
    })
}
