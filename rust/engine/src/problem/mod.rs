//! The problem after every check: names are indices, numbers lie in their ranges, runs agree with the graph.

mod checks;

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::document::problem::{
    Architecture, IntervalDocument, PowerDocument, PricesDocument, ProblemDocument, ProtocolDocument,
    TransmissionIntervalDocument,
};
pub use crate::document::problem::{LimitKind, Metric};
use crate::error::{EngineError, ErrorCode, Result};
use crate::evidence::{link_reporters, End, Evidence};
use crate::graph::Graph;
use crate::order_statistics::OrderStatistics;
use checks::{
    check_constraints, check_domain, check_hours, check_intensity, check_interval, check_latency, check_power,
    check_prices, check_protocol, check_settings, check_size, check_transmission,
};
pub use checks::{fraction, non_negative, positive, RegionNames};

/// Index of a region in the problem's list.
pub type Region = u16;

/// A region for every node, in document order of the nodes.
pub type Placement = Vec<Region>;

/// Hours of a day, and length of every intensity column.
pub const HOURS_PER_DAY: usize = 24;

/// One node with what its placement depends on.
#[derive(Clone, Debug)]
pub struct Node {
    /// Memory of the function in MB as AWS counts them (MiB).
    pub memory_mb: f64,
    /// Instruction set.
    pub architecture: Architecture,
    /// Regions it may run in; home is first, the others follow in document order.
    pub domain: Vec<Region>,
    /// Key of the node's random numbers.
    pub key: u64,
}

/// Prices of one region, egress by region index.
#[derive(Clone, Debug)]
pub struct Prices {
    /// The prices as written.
    pub list: PricesDocument,
    /// USD per GB that leaves for each region; zero for the region itself.
    pub egress: Vec<f64>,
}

impl Prices {
    /// USD per GB that leaves the region.
    #[must_use]
    pub fn egress_to(&self, end: End) -> f64 {
        match end {
            End::Region(region) => self.egress[usize::from(region)],
            End::Outside => self.list.egress_internet_usd_per_gb,
        }
    }

    /// USD per GB-second of function execution.
    #[must_use]
    pub fn execution(&self, architecture: Architecture) -> f64 {
        match architecture {
            Architecture::X86 => self.list.lambda_usd_per_gb_s.x86_64,
            Architecture::Arm => self.list.lambda_usd_per_gb_s.arm64,
        }
    }
}

/// One limit of the document.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is limited.
    pub metric: Metric,
    /// Absolute, or a fraction of home's value.
    pub kind: LimitKind,
    /// The number as written.
    pub value: f64,
}

/// Settings of scenarios and search.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // named and explained as in the document
pub struct Settings {
    pub seed: u64,
    pub scenarios: usize,
    pub validation_scenarios: usize,
    pub min_samples: usize,
    pub tail: f64,
    pub confidence: f64,
    pub deadline_s: f64,
}

/// Transmission factors and the share of unattributed bytes that go home.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Transmission {
    pub inter_region_kwh_per_gb: f64,
    pub intra_region_kwh_per_gb: f64,
    pub interval: Option<TransmissionIntervalDocument>,
    pub unattributed_home_share: f64,
}

/// A checked problem.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // named and explained as in the document
pub struct Problem {
    pub workflow: String,
    pub provenance: BTreeMap<String, String>,
    pub hash: String,
    pub regions: Vec<String>,
    pub home: Region,
    pub hours: Vec<usize>,
    pub graph: Graph,
    pub nodes: Vec<Node>,
    pub trigger_region: Region,
    pub forward_duration_s: f64,
    /// By region, then by UTC hour.
    pub intensity: Vec<Vec<f64>>,
    pub intensity_interval: Option<IntervalDocument>,
    pub outside_intensity: f64,
    pub power: PowerDocument,
    /// Power usage effectiveness by region.
    pub pue: Vec<f64>,
    pub transmission: Transmission,
    pub prices: Vec<Prices>,
    /// Seconds, row by row: from, to.
    pub round_trip_s: Vec<f64>,
    pub bandwidth_bytes_per_s: f64,
    pub protocol: ProtocolDocument,
    /// Duration in the region over duration at home, for regions without samples.
    pub relative_speed: Vec<f64>,
    pub evidence: Arc<Evidence>,
    pub hard_limits: Vec<Limit>,
    pub soft_limits: Vec<Limit>,
    pub priority_order: Vec<Metric>,
    pub priority_tolerance: f64,
    pub settings: Settings,
}

impl Problem {
    /// USD per GB that leaves some end for a region; what comes from the outside is free.
    #[must_use]
    pub fn egress_from(&self, end: End, region: Region) -> f64 {
        match end {
            End::Region(other) => self.prices[usize::from(other)].egress[usize::from(region)],
            End::Outside => 0.0,
        }
    }

    /// Reads and checks a problem document.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let document = ProblemDocument::from_json(bytes)?;
        Self::from_document(document, hexadecimal(&Sha256::digest(bytes)))
    }

    /// The same problem under other intensities (gCO2eq per kWh by region name, then by UTC hour; every region), and
    /// perhaps for other hours.
    ///
    /// Its hash is one of the document's, of the intensities and of the hours: problems that differ have different ones.
    pub fn with_intensity(&self, intensity: &BTreeMap<String, Vec<f64>>, hours: Option<&[u8]>) -> Result<Self> {
        let intensity = check_intensity(&RegionNames::new(self.regions.clone())?, intensity)?;
        let hours = hours.map_or_else(|| Ok(self.hours.clone()), check_hours)?;
        let mut digest = Sha256::new_with_prefix(self.hash.as_bytes());
        for value in intensity.iter().flatten() {
            digest.update(value.to_le_bytes());
        }
        for &hour in &hours {
            digest.update((hour as u64).to_le_bytes());
        }
        Ok(Self { intensity, hours, hash: hexadecimal(&digest.finalize()), ..self.clone() })
    }

    fn from_document(document: ProblemDocument, hash: String) -> Result<Self> {
        let regions = RegionNames::new(document.regions)?;
        let home = regions.find("home", &document.home)?;
        let hours = check_hours(&document.hours)?;
        let mut graph = Graph::new(&document.nodes, &document.edges)?;
        let nodes = document
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                let path = format!("nodes[{index}]");
                positive(&format!("{path}.memory_mb"), node.memory_mb)?;
                let domain = check_domain(&regions, home, &format!("{path}.allowed"), &node.allowed)?;
                let key = crate::random::key(&node.name);
                Ok(Node { memory_mb: node.memory_mb, architecture: node.architecture, domain, key })
            })
            .collect::<Result<Vec<_>>>()?;
        let trigger_region = regions.find("trigger.region", &document.trigger.region)?;
        non_negative("trigger.forward_duration_s", document.trigger.forward_duration_s)?;
        let intensity = check_intensity(&regions, &document.intensity_gco2e_per_kwh)?;
        check_interval("intensity_interval", document.intensity_interval)?;
        non_negative("outside_intensity_gco2e_per_kwh", document.outside_intensity_gco2e_per_kwh)?;
        let pue = check_power(&regions, &document.power)?;
        let transmission = check_transmission(&document.transmission)?;
        let prices = check_prices(&regions, document.prices)?;
        let round_trip_s = check_latency(&regions, &document.latency.round_trip_s)?;
        positive("latency.bandwidth_bytes_per_s", document.latency.bandwidth_bytes_per_s)?;
        check_protocol(&document.protocol)?;
        let mut relative_speed = vec![1.0; regions.names.len()];
        for (name, &speed) in &document.relative_speed {
            let path = format!("relative_speed.{name}");
            relative_speed[usize::from(regions.find(&path, name)?)] = positive(&path, speed)?;
        }
        let settings = check_settings(&document.settings)?;
        check_size(&settings, &nodes)?;
        let evidence = Arc::new(Evidence::new(document.observations, document.priors, &graph, &regions)?);
        link_reporters(&mut graph, &evidence);
        let (hard_limits, soft_limits, priority_order) = check_constraints(&document.constraints, &settings)?;
        Ok(Self {
            workflow: document.workflow,
            provenance: document.provenance,
            hash,
            regions: regions.names,
            home,
            hours,
            graph,
            nodes,
            trigger_region,
            forward_duration_s: document.trigger.forward_duration_s,
            intensity,
            intensity_interval: document.intensity_interval,
            outside_intensity: document.outside_intensity_gco2e_per_kwh,
            power: document.power,
            pue,
            transmission,
            prices,
            round_trip_s,
            bandwidth_bytes_per_s: document.latency.bandwidth_bytes_per_s,
            protocol: document.protocol,
            relative_speed,
            evidence,
            hard_limits,
            soft_limits,
            priority_order,
            priority_tolerance: non_negative(
                "constraints.priority_tolerance",
                document.constraints.priority_tolerance,
            )?,
            settings,
        })
    }

    /// Number of regions.
    #[must_use]
    pub fn region_count(&self) -> usize {
        self.regions.len()
    }

    /// Regions each node may run in, home first.
    #[must_use]
    pub fn domains(&self) -> Vec<Vec<Region>> {
        self.nodes.iter().map(|node| node.domain.clone()).collect()
    }

    /// Every node at home.
    #[must_use]
    pub fn home_placement(&self) -> Placement {
        vec![self.home; self.nodes.len()]
    }

    /// Base round trip between two regions, in seconds.
    #[must_use]
    pub fn round_trip(&self, from: Region, to: Region) -> f64 {
        self.round_trip_s[usize::from(from) * self.region_count() + usize::from(to)]
    }

    /// Index of a planned hour.
    pub fn check_hour(&self, hour: usize) -> Result<usize> {
        if hour < HOURS_PER_DAY {
            Ok(hour)
        } else {
            Err(EngineError::new(ErrorCode::InvalidArgument, "hour", format!("{hour} is not an hour from 0 to 23")))
        }
    }

    /// Indices for a placement given by names: every node once, each in a region it may run in.
    pub fn placement_from_names<'a>(&self, names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Placement> {
        let invalid = |message| EngineError::new(ErrorCode::InvalidArgument, "placement", message);
        let mut placement = vec![None; self.nodes.len()];
        for (node_name, region_name) in names {
            let node = self
                .graph
                .names
                .iter()
                .position(|name| name == node_name)
                .ok_or_else(|| invalid(format!("there is no node {node_name:?}")))?;
            let allowed = self.nodes[node].domain.iter().copied();
            let region = allowed
                .into_iter()
                .find(|&region| self.regions[usize::from(region)] == region_name)
                .ok_or_else(|| invalid(format!("node {node_name:?} may not run in region {region_name:?}")))?;
            placement[node] = Some(region);
        }
        placement
            .into_iter()
            .enumerate()
            .map(|(node, region)| {
                region.ok_or_else(|| invalid(format!("node {:?} has no region", self.graph.names[node])))
            })
            .collect()
    }

    /// A placement by names.
    #[must_use]
    pub fn placement_to_names(&self, placement: &[Region]) -> BTreeMap<String, String> {
        let region_name = |region: Region| self.regions[usize::from(region)].clone();
        self.graph.names.iter().cloned().zip(placement.iter().map(|&region| region_name(region))).collect()
    }

    /// Ranks of the tail estimate and its bound over `count` scenarios.
    #[must_use]
    pub fn order_statistics(&self, count: usize) -> OrderStatistics {
        OrderStatistics::new(count, self.settings.tail, self.settings.confidence)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
