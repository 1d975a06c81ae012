//! Solution document, version 1: field by field as in `docs/problem-document.md`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluation::Metrics;
use crate::order_statistics::Statistic;
use crate::problem::Metric;

/// Value of `schema` in every solution document.
pub const SOLUTION_SCHEMA: &str = "multi-x-serverless/solution";
/// Value of `schema` in every document that holds a frontier alone.
pub const FRONTIER_SCHEMA: &str = "multi-x-serverless/frontier";
/// Version of the solution document this engine writes.
pub const SOLUTION_VERSION: u64 = 1;

/// The answer to a problem.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // every field is explained in docs/problem-document.md
pub struct SolutionDocument {
    pub schema: &'static str,
    pub version: u64,
    pub workflow: String,
    pub problem_hash: String,
    pub engine_version: &'static str,
    pub solver: &'static str,
    pub seed: u64,
    pub runs: usize,
    pub scenarios: usize,
    pub validation_scenarios: usize,
    pub tail: f64,
    pub confidence: f64,
    pub prior: bool,
    pub robust: bool,
    pub provenance: BTreeMap<String, String>,
    pub elapsed_s: f64,
    pub best_static_region: Option<String>,
    pub hours: Vec<HourDocument>,
}

/// How far an hour's plan is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing better exists, for any objective in the order of priority.
    Optimal,
    /// All hard limits hold; better placements are not ruled out, see the gap.
    Feasible,
    /// No placement was found that keeps the hard limits; `infeasibility` says whether none exists.
    Infeasible,
    /// The deadline ended the search; the placement is the best found so far.
    TimedOut,
}

/// Answer for one hour.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct HourDocument {
    pub hour: usize,
    pub status: Status,
    pub placement: BTreeMap<String, String>,
    pub metrics: Metrics,
    pub home_metrics: Metrics,
    pub objective: ObjectiveDocument,
    pub priority: Vec<PriorityDocument>,
    pub soft_violations: usize,
    pub constraints: Vec<ConstraintDocument>,
    pub validation: ValidationDocument,
    pub candidates: Vec<CandidateDocument>,
    pub best_single_region: Option<String>,
    pub min_marginals_metric: Option<Metric>,
    pub min_marginals: BTreeMap<String, BTreeMap<String, f64>>,
    pub explored: u64,
    pub evaluations: u64,
    pub infeasibility: Option<InfeasibilityDocument>,
    pub frontier: Option<FrontierDocument>,
}

/// The objective of highest priority with its certificate.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ObjectiveDocument {
    pub name: Metric,
    pub value: f64,
    pub lower_bound: f64,
    pub gap: f64,
}

/// One objective in the order of priority.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct PriorityDocument {
    pub name: Metric,
    pub value: f64,
    pub lower_bound: f64,
    pub proven: bool,
}

/// Whether a constraint must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    /// On the tail; must hold.
    Hard,
    /// On the mean; broken as rarely as possible.
    Soft,
}

/// One constraint as the placement meets it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ConstraintDocument {
    pub kind: ConstraintKind,
    pub metric: Metric,
    pub limit: f64,
    pub estimate: f64,
    pub upper_bound: f64,
    pub slack: f64,
    pub binding: bool,
    pub violated: bool,
    pub compared: Vec<ComparisonDocument>,
}

/// What is held against a limit: the mean for soft ones, a statistic of the tail for hard ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Compared {
    Mean,
    LowerBound,
    Estimate,
    UpperBound,
}

impl From<Statistic> for Compared {
    fn from(statistic: Statistic) -> Self {
        match statistic {
            Statistic::LowerBound => Self::LowerBound,
            Statistic::Estimate => Self::Estimate,
            Statistic::UpperBound => Self::UpperBound,
        }
    }
}

/// One comparison of a constraint; it holds when all of them do.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ComparisonDocument {
    pub statistic: Compared,
    pub value: f64,
    pub limit: f64,
}

/// The placement and its baselines over scenarios they were not chosen by.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ValidationDocument {
    pub scenarios: usize,
    pub metrics: Metrics,
    pub home_metrics: Metrics,
    pub best_single_metrics: Option<Metrics>,
    pub best_static_metrics: Option<Metrics>,
    pub constraints: Vec<ConstraintDocument>,
}

/// Everything in one region, as far as nodes may run there.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct CandidateDocument {
    pub region: String,
    pub placement_is_pure: bool,
    pub feasible: bool,
    pub metrics: Metrics,
}

/// Why no placement keeps the hard limits.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct InfeasibilityDocument {
    pub proven: bool,
    pub limits: Vec<UnmetLimitDocument>,
}

/// One hard limit, looked at alone.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct UnmetLimitDocument {
    pub metric: Metric,
    pub statistic: Compared,
    pub limit: f64,
    pub best_achievable: f64,
    pub lower_bound: f64,
    pub excess: f64,
    pub attainable_alone: bool,
}

/// Placements of which none beats another in one metric without losing in a second, and how much they leave out.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct FrontierDocument {
    pub tolerance: f64,
    pub complete: bool,
    pub epsilon: Option<f64>,
    pub points: Vec<FrontierPointDocument>,
    pub explored: u64,
    pub evaluations: u64,
}

/// One point of a frontier.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct FrontierPointDocument {
    pub placement: BTreeMap<String, String>,
    pub metrics: Metrics,
    pub supported: bool,
}

/// A frontier asked for alone.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct FrontierAnswer {
    pub schema: &'static str,
    pub version: u64,
    pub workflow: String,
    pub problem_hash: String,
    pub engine_version: &'static str,
    pub seed: u64,
    pub scenarios: usize,
    pub hour: usize,
    pub frontier: FrontierDocument,
    pub elapsed_s: f64,
}
