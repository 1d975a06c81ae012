//! What bounds an hour from below, for a given choice of regions per node: eliminations for the means, smallest
//! columns for the tails and the run time. A search that has ruled out regions makes itself a tighter one.

use std::sync::{Arc, OnceLock};

use crate::bounds::{CarbonMinima, LowerBounds, Minima, PartialPlacement};
use crate::elimination::{Elimination, Structure};
use crate::evaluation::{mean, HourModel, Scratch};
use crate::problem::{Metric, Region};

/// Bounds of one hour.
#[derive(Debug)]
pub struct Relaxation {
    /// Buckets of the eliminations, and the regions of each node.
    pub structure: Arc<Structure>,
    /// Elimination of mean cost.
    pub cost: Arc<Elimination>,
    /// Elimination of mean carbon.
    pub carbon: Elimination,
    minima: Arc<OnceLock<Minima>>,
    carbon_minima: OnceLock<CarbonMinima>,
}

/// The parts that do not depend on the hour.
#[derive(Clone, Debug)]
pub struct TimelessRelaxation {
    structure: Arc<Structure>,
    cost: Arc<Elimination>,
    minima: Arc<OnceLock<Minima>>,
}

impl TimelessRelaxation {
    /// Prepares what all hours share.
    #[must_use]
    pub fn new(model: &HourModel<'_>, domains: Vec<Vec<Region>>) -> Self {
        let graph = &model.problem.graph;
        let structure = Arc::new(Structure::new(graph, domains, |edge| model.lanes.means.couples(edge)));
        let cost = Arc::new(Elimination::new(&structure, graph, model.cost));
        Self { structure, cost, minima: Arc::new(OnceLock::new()) }
    }
}

impl Relaxation {
    /// Adds the parts that depend on the hour.
    #[must_use]
    pub fn new(timeless: &TimelessRelaxation, model: &HourModel<'_>) -> Self {
        Self {
            structure: Arc::clone(&timeless.structure),
            cost: Arc::clone(&timeless.cost),
            carbon: Elimination::new(&timeless.structure, &model.problem.graph, &model.carbon),
            minima: Arc::clone(&timeless.minima),
            carbon_minima: OnceLock::new(),
        }
    }

    /// A tighter relaxation over fewer regions.
    #[must_use]
    pub fn restricted(model: &HourModel<'_>, domains: Vec<Vec<Region>>) -> Self {
        Self::new(&TimelessRelaxation::new(model, domains), model)
    }

    /// Elimination of an additive metric; `None` for run time.
    #[must_use]
    pub fn elimination(&self, metric: Metric) -> Option<&Elimination> {
        match metric {
            Metric::Carbon => Some(&self.carbon),
            Metric::Cost => Some(&self.cost),
            Metric::Runtime => None,
        }
    }

    /// Lower bounds per scenario; `with_carbon` prepares those of carbon too.
    #[must_use]
    pub fn lower_bounds<'a>(&'a self, model: &'a HourModel<'_>, with_carbon: bool) -> LowerBounds<'a> {
        let (problem, lanes, domains) = (model.problem, model.lanes, self.structure.domains.as_slice());
        LowerBounds {
            problem,
            lanes,
            domains,
            signals: &model.signals,
            minima: self.minima.get_or_init(|| Minima::new(problem, lanes, domains)),
            carbon: with_carbon
                .then(|| self.carbon_minima.get_or_init(|| CarbonMinima::new(problem, lanes, &model.signals, domains))),
        }
    }

    /// A lower bound of the mean of `metric` over all placements, limits ignored.
    pub fn minimum(&self, model: &HourModel<'_>, scratch: &mut Scratch, metric: Metric) -> f64 {
        if let Some(elimination) = self.elimination(metric) {
            return elimination.minimum;
        }
        self.lower_bounds(model, false).fill_sample(scratch, metric, &self.settled());
        mean(scratch.sample())
    }

    /// The nodes that have one region left, in it.
    #[must_use]
    pub fn settled(&self) -> Box<PartialPlacement> {
        let only = |domain: &Vec<Region>| if domain.len() == 1 { Some(domain[0]) } else { None };
        self.structure.domains.iter().map(only).collect()
    }
}
