//! Solves all hours of a problem, in parallel and reproducibly, and writes the answer with its certificate.

pub mod control;
pub mod descent;
pub mod dominance;
mod hour;
pub mod lexicographic;
pub mod pareto;
pub mod reduction;
pub mod relaxation;
pub mod search;
pub mod single_region;
pub mod stage;
pub mod static_region;
pub mod tail;
pub mod tidy;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::additive::Additive;
use crate::document::solution::{
    FrontierAnswer, HourDocument, SolutionDocument, ValidationDocument, FRONTIER_SCHEMA, SOLUTION_SCHEMA,
    SOLUTION_VERSION,
};
use crate::error::{EngineError, ErrorCode, Result};
use crate::estimates::Estimates;
use crate::evaluation::{HourModel, Metrics, Scratch};
use crate::evidence::Evidence;
use crate::lanes::Lanes;
use crate::limits::Limits;
use crate::problem::{Metric, Placement, Problem, Region};
use crate::scenarios::{Scenarios, FIRST_PLANNING_SCENARIO, FIRST_VALIDATION_SCENARIO};
use control::Control;
use relaxation::TimelessRelaxation;

/// Largest value of a part of a scenario: sums of very many are still far from the end of single precision.
const LARGEST_VALUE: f64 = 1e30;

/// Most threads that may be asked for.
const MOST_THREADS: usize = 512;

/// How to solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// Exact search over regions per node.
    FineGrained,
    /// The best single region.
    CoarseGrained,
    /// Descent with kicks.
    Heuristic,
}

impl Solver {
    /// All solvers.
    pub const ALL: [Self; 3] = [Self::FineGrained, Self::CoarseGrained, Self::Heuristic];

    /// Name in documents and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FineGrained => "fine-grained",
            Self::CoarseGrained => "coarse-grained",
            Self::Heuristic => "heuristic",
        }
    }

    /// The solver of a name.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|solver| solver.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            let message = format!("there is no solver {name:?}; choose one of {names}");
            EngineError::new(ErrorCode::InvalidArgument, "solver", message)
        })
    }
}

/// Arguments of a solve; `None` means as the problem or the machine says.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which solver.
    pub solver: Solver,
    /// Threads to use; all cores by default. The answer does not depend on it.
    pub threads: Option<usize>,
    /// Seconds after which the best placements so far are returned.
    pub deadline_s: Option<f64>,
    /// Seed of scenarios and heuristic.
    pub seed: Option<u64>,
    /// Adds to each hour its Pareto frontier within this tolerance.
    pub frontier: Option<f64>,
}

/// Which Pareto frontier; `None` means as the problem says.
#[derive(Clone, Copy, Debug)]
pub struct FrontierRequest {
    /// UTC hour.
    pub hour: usize,
    /// Fraction by which a placement that is left out may be better in a metric; zero asks for every point.
    pub tolerance: f64,
    /// Seconds after which the points found so far are returned.
    pub deadline_s: Option<f64>,
    /// Seed of scenarios and heuristic.
    pub seed: Option<u64>,
}

/// A problem with the scenarios it is planned over.
#[derive(Clone, Debug)]
pub struct Engine {
    problem: Problem,
    estimates: Arc<Estimates>,
    planning: Arc<ScenarioModel>,
}

/// Columns and cost of one set of scenarios.
#[derive(Clone, Debug)]
struct ScenarioModel {
    seed: u64,
    lanes: Lanes,
    cost: Additive,
}

impl ScenarioModel {
    fn new(
        problem: &Problem,
        estimates: &Estimates,
        seed: u64,
        first: u64,
        count: usize,
        used: &[Vec<Region>],
    ) -> Self {
        let scenarios = Scenarios::draw(problem, estimates, seed, first, count);
        let lanes = Lanes::new(problem, estimates, &scenarios, used);
        let cost = Additive::cost(problem, &lanes);
        Self { seed, lanes, cost }
    }

    fn for_planning(problem: &Problem, estimates: &Estimates, seed: u64) -> Self {
        let count = problem.settings.scenarios;
        Self::new(problem, estimates, seed, FIRST_PLANNING_SCENARIO, count, &problem.domains())
    }
}

impl Engine {
    /// Reads a problem and prepares its scenarios.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let problem = Problem::from_json(bytes)?;
        let estimates = Estimates::new(&problem);
        let planning = ScenarioModel::for_planning(&problem, &estimates, problem.settings.seed);
        let engine = Self { problem, estimates: Arc::new(estimates), planning: Arc::new(planning) };
        engine.check_magnitude()?;
        Ok(engine)
    }

    /// The same problem and scenarios under other intensities: only what depends on them is made anew.
    pub fn with_intensity(&self, intensity: &BTreeMap<String, Vec<f64>>, hours: Option<&[u8]>) -> Result<Self> {
        let problem = self.problem.with_intensity(intensity, hours)?;
        let engine = Self { problem, estimates: Arc::clone(&self.estimates), planning: Arc::clone(&self.planning) };
        engine.check_magnitude()?;
        Ok(engine)
    }

    /// Refuses numbers that are each in range but whose products would leave single precision.
    fn check_magnitude(&self) -> Result<()> {
        let means = &self.planning.lanes.means;
        let mut largest = self.planning.lanes.largest();
        for &hour in &self.problem.hours {
            let model = self.hour_model(hour);
            let nodes = model.carbon.node.iter().chain(&means.node_cost).filter(|value| !value.is_nan());
            let rates = model.carbon.rate.iter().chain(&self.planning.cost.rate);
            let most_gb = means.edge_gb.iter().copied().fold(means.trigger_gb, f64::max);
            let waiting = model.carbon.waiting.iter().chain(&self.planning.cost.waiting).copied();
            largest = nodes.copied().chain(rates.map(|rate| rate * most_gb)).chain(waiting).fold(largest, f64::max);
        }
        if largest * self.problem.settings.scenarios as f64 <= LARGEST_VALUE {
            return Ok(());
        }
        let message = "its numbers are so large together that a run would take, cost or emit more than can be computed";
        Err(EngineError::new(ErrorCode::OutOfRange, "", message))
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    pub(crate) fn hour_model(&self, hour: usize) -> HourModel<'_> {
        HourModel::new(&self.problem, &self.planning.lanes, &self.planning.cost, hour)
    }

    /// Metrics of a placement in an hour, over the planning scenarios.
    pub fn evaluate(&self, placement: &[Region], hour: usize) -> Result<Metrics> {
        let hour = self.problem.check_hour(hour)?;
        Ok(self.hour_model(hour).metrics(&mut Scratch::default(), placement))
    }

    /// Values of a metric for every planning scenario.
    pub fn sample(&self, placement: &[Region], hour: usize, metric: Metric) -> Result<Vec<f32>> {
        let mut scratch = Scratch::default();
        self.sample_into(&mut scratch, placement, hour, metric).map(<[f32]>::to_vec)
    }

    /// The same in buffers of the caller's, who evaluates several placements.
    pub fn sample_into<'s>(
        &self,
        scratch: &'s mut Scratch,
        placement: &[Region],
        hour: usize,
        metric: Metric,
    ) -> Result<&'s [f32]> {
        let hour = self.problem.check_hour(hour)?;
        self.hour_model(hour).fill_sample(scratch, metric, placement);
        Ok(scratch.sample())
    }

    /// Solves all hours.
    pub fn solve(&self, options: Options, control: &Control) -> Result<SolutionDocument> {
        let started = Instant::now();
        let deadline = self.deadline(options.deadline_s, started)?;
        options.frontier.map_or(Ok(()), check_tolerance)?;
        if options.threads.is_some_and(|threads| !(1..=MOST_THREADS).contains(&threads)) {
            return Err(invalid_argument("threads", &format!("must be from 1 to {MOST_THREADS}")));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .build()
            .map_err(|error| invalid_argument("threads", &format!("no threads could be started: {error}")))?;
        pool.install(|| self.solve_hours(options, control, deadline, started))
    }

    fn solve_hours(
        &self,
        options: Options,
        control: &Control,
        deadline: Instant,
        started: Instant,
    ) -> Result<SolutionDocument> {
        let problem = &self.problem;
        let seed = options.seed.unwrap_or(problem.settings.seed);
        let planning = self.planning_for(seed);
        let any_hour = HourModel::new(problem, &planning.lanes, &planning.cost, problem.hours[0]);
        let timeless = TimelessRelaxation::new(&any_hour, problem.domains());
        let threads = rayon::current_num_threads();
        let solved: Option<Vec<hour::SolvedHour>> = problem
            .hours
            .par_iter()
            .map(|&hour| {
                if control.is_interrupted() {
                    return None;
                }
                let budget = control.start_hour(deadline, problem.hours.len(), threads);
                let model = HourModel::new(problem, &planning.lanes, &planning.cost, hour);
                let solved = hour::solve(&timeless, model, hour, &options, seed, budget);
                control.finish_hour();
                Some(solved)
            })
            .collect();
        let Some(solved) = solved.filter(|_| !control.is_interrupted()) else {
            return Err(interrupted());
        };
        let candidates: Vec<_> = solved.iter().map(|hour| (&hour.limits, hour.candidates.as_slice())).collect();
        let static_region = static_region::choose(problem, &candidates);
        let hours = self.validate(solved, static_region, seed);
        Ok(SolutionDocument {
            schema: SOLUTION_SCHEMA,
            version: SOLUTION_VERSION,
            workflow: problem.workflow.clone(),
            problem_hash: problem.hash.clone(),
            engine_version: env!("CARGO_PKG_VERSION"),
            solver: options.solver.name(),
            seed,
            runs: problem.evidence.runs(),
            scenarios: problem.settings.scenarios,
            validation_scenarios: problem.settings.validation_scenarios,
            tail: problem.settings.tail,
            confidence: problem.settings.confidence,
            prior: matches!(*problem.evidence, Evidence::Declared(_)),
            robust: problem.intensity_interval.is_some() || problem.transmission.interval.is_some(),
            provenance: problem.provenance.clone(),
            elapsed_s: started.elapsed().as_secs_f64(),
            best_static_region: static_region.map(|region| problem.regions[region].clone()),
            hours,
        })
    }

    /// The Pareto frontier of one hour over mean carbon, mean cost and tail run time, on this thread.
    ///
    /// # Errors
    /// When an argument is out of range or the caller interrupts.
    pub fn frontier(&self, request: &FrontierRequest, control: &Control) -> Result<FrontierAnswer> {
        let started = Instant::now();
        let problem = &self.problem;
        let hour = problem.check_hour(request.hour)?;
        let deadline = self.deadline(request.deadline_s, started)?;
        check_tolerance(request.tolerance)?;
        let seed = request.seed.unwrap_or(problem.settings.seed);
        let planning = self.planning_for(seed);
        let model = HourModel::new(problem, &planning.lanes, &planning.cost, hour);
        let timeless = TimelessRelaxation::new(&model, problem.domains());
        let budget = control.start_hour(deadline, 1, 1);
        let (context, _) = hour::prepare(&timeless, model, &mut Scratch::default(), budget);
        let found = pareto::frontier(&context, request.tolerance, &[], seed);
        if control.is_interrupted() {
            return Err(interrupted());
        }
        Ok(FrontierAnswer {
            schema: FRONTIER_SCHEMA,
            version: SOLUTION_VERSION,
            workflow: problem.workflow.clone(),
            problem_hash: problem.hash.clone(),
            engine_version: env!("CARGO_PKG_VERSION"),
            seed,
            scenarios: problem.settings.scenarios,
            hour,
            frontier: hour::frontier_document(&context.model, found, request.tolerance),
            elapsed_s: started.elapsed().as_secs_f64(),
        })
    }

    fn deadline(&self, deadline_s: Option<f64>, started: Instant) -> Result<Instant> {
        Duration::try_from_secs_f64(deadline_s.unwrap_or(self.problem.settings.deadline_s))
            .ok()
            .and_then(|length| started.checked_add(length))
            .ok_or_else(|| invalid_argument("deadline_s", "must be a number of seconds, zero or more"))
    }

    /// The scenarios to plan with under a seed.
    fn planning_for(&self, seed: u64) -> Cow<'_, ScenarioModel> {
        if seed == self.planning.seed {
            Cow::Borrowed(&self.planning)
        } else {
            Cow::Owned(ScenarioModel::for_planning(&self.problem, &self.estimates, seed))
        }
    }

    /// Evaluates the chosen placements and their baselines over fresh scenarios; columns are made for the regions in
    /// use only.
    fn validate(&self, solved: Vec<hour::SolvedHour>, static_region: Option<usize>, seed: u64) -> Vec<HourDocument> {
        let problem = &self.problem;
        let placements = solved.iter().flat_map(|hour| {
            let baselines = [hour.best_single_region, static_region].into_iter().flatten();
            baselines.map(|region| &hour.candidates[region].placement).chain([&hour.placement])
        });
        let used = regions_in_use(problem, placements);
        let count = problem.settings.validation_scenarios;
        let model = ScenarioModel::new(problem, &self.estimates, seed, FIRST_VALIDATION_SCENARIO, count, &used);
        solved
            .into_par_iter()
            .map(|solved| {
                let mut scratch = Scratch::default();
                let hour_model = HourModel::new(problem, &model.lanes, &model.cost, solved.hour);
                let metrics = hour_model.metrics(&mut scratch, &solved.placement);
                let home_metrics = hour_model.metrics(&mut scratch, &problem.home_placement());
                let mut baseline = |region: Option<usize>| {
                    region.map(|region| hour_model.metrics(&mut scratch, &solved.candidates[region].placement))
                };
                let best_single_metrics = baseline(solved.best_single_region);
                let best_static_metrics = baseline(static_region);
                let limits = Limits::new(problem, &home_metrics, hour_model.ranks);
                let constraints = hour::constraint_documents(&limits, &metrics, &solved.binding);
                let validation = ValidationDocument {
                    scenarios: count,
                    metrics,
                    home_metrics,
                    best_single_metrics,
                    best_static_metrics,
                    constraints,
                };
                solved.into_document(problem, validation)
            })
            .collect()
    }
}

fn interrupted() -> EngineError {
    EngineError::new(ErrorCode::Interrupted, "", "the solve was interrupted")
}

fn check_tolerance(tolerance: f64) -> Result<()> {
    if tolerance.is_finite() && tolerance >= 0.0 {
        Ok(())
    } else {
        Err(invalid_argument("tolerance", "must be a fraction, zero or more"))
    }
}

fn invalid_argument(name: &str, message: &str) -> EngineError {
    EngineError::new(ErrorCode::InvalidArgument, name, message)
}

fn regions_in_use<'a>(problem: &Problem, placements: impl Iterator<Item = &'a Placement>) -> Vec<Vec<Region>> {
    let mut used: Vec<Vec<Region>> = vec![vec![problem.home]; problem.nodes.len()];
    for placement in placements {
        for (regions, &region) in used.iter_mut().zip(placement) {
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
    }
    used
}
