//! One hour from its model to its document.

use std::collections::BTreeMap;

use crate::document::solution::{
    CandidateDocument, Compared, ComparisonDocument, ConstraintDocument, ConstraintKind, FrontierDocument,
    FrontierPointDocument, HourDocument, InfeasibilityDocument, ObjectiveDocument, PriorityDocument, Status,
    UnmetLimitDocument, ValidationDocument,
};
use crate::elimination::Elimination;
use crate::evaluation::{HourModel, Metrics, Scratch};
use crate::limits::{Limits, RankedLimit};
use crate::problem::{Metric, Placement, Problem};
use crate::solver::control::{Budget, Stop};
use crate::solver::descent::{self, BRIEF_KICKS, THOROUGH_KICKS};
use crate::solver::lexicographic::{solve_in_order, Ordered, Question};
use crate::solver::pareto::{self, Frontier};
use crate::solver::relaxation::{Relaxation, TimelessRelaxation};
use crate::solver::search;
use crate::solver::single_region::{self, SingleRegion};
use crate::solver::stage::{HourContext, Stage};
use crate::solver::tail;
use crate::solver::tidy::gather_unreached;
use crate::solver::{Options, Solver};

/// Part of what is left of an hour's budget that explaining infeasibility may take.
const INFEASIBILITY_SHARE: f64 = 0.5;

/// Which limits the best placement without limits would break.
#[derive(Clone, Debug)]
pub struct Binding {
    hard: Vec<bool>,
    soft: Vec<bool>,
}

/// An hour's answer, to be completed by its validation.
pub struct SolvedHour {
    /// The UTC hour.
    pub hour: usize,
    /// Region of every node.
    pub placement: Placement,
    /// Limits that matter.
    pub binding: Binding,
    /// Limits in the units of their metrics.
    pub limits: Limits,
    status: Status,
    metrics: Metrics,
    home_metrics: Metrics,
    ordered: Ordered,
    primary: Metric,
    primary_bound: f64,
    constraints: Vec<ConstraintDocument>,
    /// Everything in one region, by region.
    pub candidates: Vec<SingleRegion>,
    /// The best of them at this hour.
    pub best_single_region: Option<usize>,
    min_marginals: Option<(Metric, Vec<Vec<f64>>)>,
    infeasibility: Option<InfeasibilityDocument>,
    frontier: Option<FrontierDocument>,
}

/// An hour ready for any strategy, and the metrics of home.
pub fn prepare<'a>(
    timeless: &TimelessRelaxation,
    model: HourModel<'a>,
    scratch: &mut Scratch,
    budget: Budget<'a>,
) -> (HourContext<'a>, Metrics) {
    let home_metrics = model.metrics(scratch, &model.problem.home_placement());
    let limits = Limits::new(model.problem, &home_metrics, model.ranks);
    let relaxation = Relaxation::new(timeless, &model);
    (HourContext { model, limits, relaxation, budget }, home_metrics)
}

/// A frontier with names and all metrics. What no run reached is tidied as in a plan, which is one of the points then.
pub fn frontier_document(model: &HourModel<'_>, found: Frontier, tolerance: f64) -> FrontierDocument {
    let mut scratch = Scratch::default();
    let mut points: Vec<FrontierPointDocument> = Vec::new();
    for point in found.points {
        let placement = gather_unreached(model, &mut scratch, point.placement);
        let named = model.problem.placement_to_names(&placement);
        if let Some(same) = points.iter_mut().find(|other| other.placement == named) {
            same.supported |= point.is_supported;
            continue;
        }
        let metrics = model.metrics(&mut scratch, &placement);
        points.push(FrontierPointDocument { metrics, placement: named, supported: point.is_supported });
    }
    // Tidying makes no metric worse, and may make one better.
    points.sort_by(|first, second| first.metrics.carbon.mean.total_cmp(&second.metrics.carbon.mean));
    FrontierDocument {
        tolerance,
        complete: found.is_complete,
        epsilon: found.epsilon.is_finite().then_some(found.epsilon),
        points,
        explored: found.explored,
        evaluations: found.evaluations,
    }
}

/// Solves one hour.
pub fn solve(
    timeless: &TimelessRelaxation,
    model: HourModel<'_>,
    hour: usize,
    options: &Options,
    seed: u64,
    budget: Budget<'_>,
) -> SolvedHour {
    let (problem, solver) = (model.problem, options.solver);
    let mut scratch = Scratch::default();
    let (context, home_metrics) = prepare(timeless, model, &mut scratch, budget);
    let candidates = single_region::candidates(&context, &mut scratch);
    let question = Question {
        priority_order: &problem.priority_order,
        tolerance: problem.priority_tolerance,
        hard: &context.limits.hard,
        soft: &context.limits.soft,
    };
    let coarse =
        solve_in_order(&question, |stage, _| single_region::choose(&context, stage, &candidates, &mut scratch));
    let best_single_region =
        coarse.placement.as_ref().and_then(|best| single_region::named(problem, &candidates, best));
    let singles: Vec<Placement> = coarse.placement.iter().cloned().collect();
    let with_singles = |hints: &[Placement]| {
        if hints.is_empty() {
            singles.clone()
        } else {
            hints.to_vec()
        }
    };
    let ordered = match solver {
        Solver::CoarseGrained => coarse,
        Solver::FineGrained => {
            solve_in_order(&question, |stage, hints| search::search(&context, stage, &with_singles(hints), seed))
        }
        Solver::Heuristic => solve_in_order(&question, |stage, hints| {
            let starts = descent::starts(&context, stage, &with_singles(hints));
            descent::descend(&context, stage, &starts, THOROUGH_KICKS, seed)
        }),
    };
    let stopped = budget.stop() == Some(Stop::Deadline);
    let status = match (&ordered.placement, ordered.is_proven) {
        (Some(_), true) => Status::Optimal,
        (_, false) if stopped => Status::TimedOut,
        (Some(_), false) => Status::Feasible,
        (None, _) => Status::Infeasible,
    };
    let infeasibility = (status == Status::Infeasible)
        .then(|| explain_infeasibility(&context, &candidates, ordered.is_proven && solver == Solver::FineGrained));
    let found = ordered.placement.clone().unwrap_or_else(|| problem.home_placement());
    let placement = gather_unreached(&context.model, &mut scratch, found);
    let metrics = context.model.metrics(&mut scratch, &placement);
    let binding = find_binding(&context, &mut scratch, seed);
    let constraints = constraint_documents(&context.limits, &metrics, &binding);
    let primary = problem.priority_order[0];
    let primary_bound = match ordered.settled.first() {
        Some(settled) => settled.lower_bound,
        None => context.relaxed_minimum(&mut scratch, primary),
    };
    let explained = problem.priority_order.iter().copied().find(|&metric| metric != Metric::Runtime);
    let min_marginals = explained.and_then(|metric| {
        let marginals = context.relaxation.elimination(metric).and_then(Elimination::min_marginals)?;
        Some((metric, marginals))
    });
    let frontier = options.frontier.map(|tolerance| {
        let found = pareto::frontier(&context, tolerance, std::slice::from_ref(&placement), seed);
        frontier_document(&context.model, found, tolerance)
    });
    SolvedHour {
        hour,
        placement,
        binding,
        frontier,
        limits: context.limits,
        status,
        metrics,
        home_metrics,
        ordered,
        primary,
        primary_bound,
        constraints,
        candidates,
        best_single_region,
        min_marginals,
        infeasibility,
    }
}

/// Marks the limits that the best placement for the first objective would break if there were none.
fn find_binding(context: &HourContext<'_>, scratch: &mut Scratch, seed: u64) -> Binding {
    if context.limits.hard.is_empty() && context.limits.soft.is_empty() {
        return Binding { hard: Vec::new(), soft: Vec::new() };
    }
    let objective = context.problem().priority_order[0];
    let unlimited = if let Some(elimination) = context.relaxation.elimination(objective) {
        elimination.best_placement()
    } else {
        let stage = Stage { objective, caps: Vec::new(), hard: &[] };
        let starts = descent::starts(context, &stage, &[]);
        let found = descent::descend(context, &stage, &starts, BRIEF_KICKS, seed);
        found.best.map_or_else(|| context.problem().home_placement(), |best| best.placement)
    };
    let metrics = context.model.metrics(scratch, &unlimited);
    let hard = context.limits.hard.iter().map(|limit| limit.is_broken_by(metrics.of(limit.metric)));
    let soft = context.limits.soft.iter().map(|limit| metrics.of(limit.metric).mean > limit.threshold());
    Binding { hard: hard.collect(), soft: soft.collect() }
}

/// The limits with the values of a placement.
pub fn constraint_documents(limits: &Limits, metrics: &Metrics, binding: &Binding) -> Vec<ConstraintDocument> {
    let hard = limits.hard.iter().zip(&binding.hard).map(|(limit, &binding)| {
        let summary = metrics.of(limit.metric);
        let comparison = |ranked: &RankedLimit| ComparisonDocument {
            statistic: ranked.statistic.into(),
            value: summary.tail_at(ranked.statistic).unwrap_or(f64::INFINITY),
            limit: ranked.limit,
        };
        let compared: Vec<ComparisonDocument> = limit.ranked.iter().map(comparison).collect();
        let (tightest, at) = limit.tightest_of(summary);
        ConstraintDocument {
            kind: ConstraintKind::Hard,
            metric: limit.metric,
            limit: compared.last().map_or(f64::NAN, |last| last.limit),
            estimate: summary.tail,
            upper_bound: compared.last().map_or(f64::NAN, |last| last.value),
            slack: at.limit - tightest,
            binding,
            violated: limit.is_broken_by(summary),
            compared,
        }
    });
    let soft = limits.soft.iter().zip(&binding.soft).map(|(limit, &binding)| {
        let mean = metrics.of(limit.metric).mean;
        ConstraintDocument {
            kind: ConstraintKind::Soft,
            metric: limit.metric,
            limit: limit.limit,
            estimate: mean,
            upper_bound: mean,
            slack: limit.limit - mean,
            binding,
            violated: mean > limit.threshold(),
            compared: vec![ComparisonDocument { statistic: Compared::Mean, value: mean, limit: limit.limit }],
        }
    });
    hard.chain(soft).collect()
}

/// Looks at each hard limit alone: how close can its tail get?
fn explain_infeasibility(
    context: &HourContext<'_>,
    candidates: &[SingleRegion],
    is_proven: bool,
) -> InfeasibilityDocument {
    let starts: Vec<Placement> = candidates.iter().map(|candidate| candidate.placement.clone()).collect();
    let limits = context
        .limits
        .hard
        .iter()
        .map(|limit| {
            let budget = context.budget.part(INFEASIBILITY_SHARE);
            let closest = tail::approach(context, limit, &starts, budget);
            UnmetLimitDocument {
                metric: limit.metric,
                statistic: closest.ranked.statistic.into(),
                limit: closest.ranked.limit,
                best_achievable: closest.best,
                lower_bound: closest.lower_bound,
                excess: closest.best - closest.ranked.limit,
                attainable_alone: closest.best <= closest.ranked.threshold(),
            }
        })
        .collect();
    InfeasibilityDocument { proven: is_proven, limits }
}

impl SolvedHour {
    /// The document of the hour.
    pub fn into_document(self, problem: &Problem, validation: ValidationDocument) -> HourDocument {
        let region_name = |region: crate::problem::Region| problem.regions[usize::from(region)].clone();
        let value = self.metrics.of(self.primary).mean;
        let lower_bound = self.primary_bound.min(value);
        let gap = if value > 0.0 { (value - lower_bound) / value } else { 0.0 };
        let named_marginals = |marginals: &Vec<Vec<f64>>| -> BTreeMap<String, BTreeMap<String, f64>> {
            let by_region = |node: usize| {
                let domain = problem.nodes[node].domain.iter();
                domain.zip(&marginals[node]).map(|(&region, &value)| (region_name(region), value)).collect()
            };
            problem.graph.names.iter().enumerate().map(|(node, name)| (name.clone(), by_region(node))).collect()
        };
        let soft_violations = self
            .constraints
            .iter()
            .filter(|constraint| constraint.kind == ConstraintKind::Soft && constraint.violated)
            .count();
        HourDocument {
            hour: self.hour,
            status: self.status,
            placement: problem.placement_to_names(&self.placement),
            metrics: self.metrics,
            home_metrics: self.home_metrics,
            objective: ObjectiveDocument { name: self.primary, value, lower_bound, gap },
            priority: self
                .ordered
                .settled
                .iter()
                .map(|settled| PriorityDocument {
                    name: settled.metric,
                    value: self.metrics.of(settled.metric).mean,
                    lower_bound: settled.lower_bound,
                    proven: settled.is_proven,
                })
                .collect(),
            soft_violations,
            constraints: self.constraints,
            validation,
            best_single_region: self.best_single_region.map(|index| region_name(self.candidates[index].region)),
            candidates: self
                .candidates
                .into_iter()
                .map(|candidate| CandidateDocument {
                    region: region_name(candidate.region),
                    placement_is_pure: candidate.is_pure,
                    feasible: candidate.is_feasible,
                    metrics: candidate.metrics,
                })
                .collect(),
            min_marginals_metric: self.min_marginals.as_ref().map(|(metric, _)| *metric),
            min_marginals: self
                .min_marginals
                .as_ref()
                .map(|(_, marginals)| named_marginals(marginals))
                .unwrap_or_default(),
            explored: self.ordered.explored,
            evaluations: self.ordered.evaluations,
            infeasibility: self.infeasibility,
            frontier: self.frontier,
        }
    }
}
