//! Grid signals of one hour: what a kWh and a moved GB emit.

use crate::evidence::End;
use crate::problem::{Problem, Region};

/// Intensities and transmission routes of one hour.
#[derive(Clone, Debug)]
pub struct Signals {
    regions: usize,
    /// gCO2eq per kWh by region.
    pub intensity: Vec<f64>,
    route: Vec<f64>,
    outside_route: Vec<f64>,
}

impl Signals {
    /// Signals of a UTC hour.
    ///
    /// With an interval of the forecast (or of the transmission factors) this is the case least favourable to
    /// moving: home's grid at the low end, every other grid and the network at the high end. A placement that beats
    /// home under these signals beats it wherever the truth lies in the interval of the grids, as long as it draws
    /// less from home's grid than everything at home does, and no less from any other.
    #[must_use]
    pub fn new(problem: &Problem, hour: usize) -> Self {
        let regions = problem.region_count();
        let (home_factor, other_factor) =
            problem.intensity_interval.map_or((1.0, 1.0), |interval| (interval.low_factor, interval.high_factor));
        let (between_factor, within_factor) = problem.transmission.interval.map_or((1.0, 1.0), |interval| {
            (interval.high_factor, interval.intra_high_factor.unwrap_or(interval.high_factor))
        });
        let intensity: Vec<f64> = (0..regions)
            .map(|region| {
                let factor = if region == usize::from(problem.home) { home_factor } else { other_factor };
                problem.intensity[region][hour] * factor
            })
            .collect();
        let between = problem.transmission.inter_region_kwh_per_gb * between_factor;
        let within = problem.transmission.intra_region_kwh_per_gb * within_factor;
        let mut route = Vec::with_capacity(regions * regions);
        for from in 0..regions {
            for to in 0..regions {
                let factor = if from == to { within } else { between };
                route.push(factor * f64::midpoint(intensity[from], intensity[to]));
            }
        }
        let outside = problem.outside_intensity;
        let outside_route = intensity.iter().map(|&end| between * f64::midpoint(end, outside)).collect();
        Self { regions, intensity, route, outside_route }
    }

    /// gCO2eq per GB moved between two regions (or within one).
    #[must_use]
    pub fn route(&self, from: Region, to: Region) -> f64 {
        self.route[usize::from(from) * self.regions + usize::from(to)]
    }

    /// All routes, row by row.
    #[must_use]
    pub fn routes(&self) -> &[f64] {
        &self.route
    }

    /// gCO2eq per GB moved between a region and the internet.
    #[must_use]
    pub fn outside_route(&self, region: Region) -> f64 {
        self.outside_route[usize::from(region)]
    }

    /// gCO2eq per GB moved between a region and some end.
    #[must_use]
    pub fn route_to(&self, region: Region, end: End) -> f64 {
        match end {
            End::Region(other) => self.route(region, other),
            End::Outside => self.outside_route(region),
        }
    }

    /// gCO2eq per GB that a node moves to or from nobody knows where.
    #[must_use]
    pub fn unattributed_route(&self, problem: &Problem, region: Region) -> f64 {
        let home_share = problem.transmission.unattributed_home_share;
        home_share * self.route(region, problem.home) + (1.0 - home_share) * self.outside_route(region)
    }
}
