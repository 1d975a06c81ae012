//! Checks of meaning, field by field; every refusal names the path of the field.

use std::collections::BTreeMap;

use crate::document::problem::{
    ConstraintsDocument, IntervalDocument, LimitsDocument, PowerDocument, PricesDocument, ProtocolDocument,
    SettingsDocument, TransmissionDocument, TransmissionIntervalDocument,
};
use crate::error::{EngineError, ErrorCode, Result};
use crate::order_statistics::OrderStatistics;
use crate::problem::{Limit, Metric, Node, Prices, Region, Settings, Transmission, HOURS_PER_DAY};

/// Region names and their indices while a document is checked.
pub struct RegionNames {
    /// In document order.
    pub names: Vec<String>,
}

impl RegionNames {
    pub(super) fn new(names: Vec<String>) -> Result<Self> {
        if names.is_empty() {
            return Err(EngineError::new(ErrorCode::OutOfRange, "regions", "list at least one region"));
        }
        if names.len() > usize::from(Region::MAX) {
            return Err(EngineError::new(ErrorCode::OutOfRange, "regions", "too many regions"));
        }
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                let path = format!("regions[{index}]");
                return Err(EngineError::new(ErrorCode::DuplicateName, path, format!("{name:?} is listed twice")));
            }
        }
        Ok(Self { names })
    }

    /// Index of a region, or an error at `path`.
    pub fn find(&self, path: &str, name: &str) -> Result<Region> {
        self.names.iter().position(|candidate| candidate == name).map(|index| index as Region).ok_or_else(|| {
            EngineError::new(ErrorCode::UnknownName, path, format!("region {name:?} is not listed in regions"))
        })
    }
}

/// Largest number in any unit of the document: far above any that means something, low enough that products of a few
/// do not overflow the single precision of the lanes.
const LARGEST: f64 = 1e12;

/// Smallest number where zero is none: quotients by it stay below the same bound.
const SMALLEST: f64 = 1e-12;

/// Passes a number from zero to 1e12.
pub fn non_negative(path: &str, value: f64) -> Result<f64> {
    in_range(path, value, (0.0..=LARGEST).contains(&value), "zero or more, and at most 1e12")
}

/// Passes a number from 1e-12 to 1e12.
pub fn positive(path: &str, value: f64) -> Result<f64> {
    in_range(path, value, (SMALLEST..=LARGEST).contains(&value), "above zero (from 1e-12), and at most 1e12")
}

/// Passes a number from zero to one.
pub fn fraction(path: &str, value: f64) -> Result<f64> {
    in_range(path, value, (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

fn in_range(path: &str, value: f64, holds: bool, requirement: &str) -> Result<f64> {
    if holds {
        Ok(value)
    } else {
        Err(EngineError::new(ErrorCode::OutOfRange, path, format!("must be {requirement}, found {value}")))
    }
}

pub(super) fn check_hours(hours: &[u8]) -> Result<Vec<usize>> {
    if hours.is_empty() {
        return Err(EngineError::new(ErrorCode::OutOfRange, "hours", "list at least one hour to plan"));
    }
    for (index, &hour) in hours.iter().enumerate() {
        let path = format!("hours[{index}]");
        if usize::from(hour) >= HOURS_PER_DAY {
            return Err(EngineError::new(ErrorCode::OutOfRange, path, format!("{hour} is not an hour from 0 to 23")));
        }
        if hours[..index].contains(&hour) {
            return Err(EngineError::new(ErrorCode::DuplicateName, path, format!("hour {hour} is listed twice")));
        }
    }
    Ok(hours.iter().map(|&hour| usize::from(hour)).collect())
}

pub(super) fn check_domain(regions: &RegionNames, home: Region, path: &str, allowed: &[String]) -> Result<Vec<Region>> {
    let mut others = Vec::new();
    let mut includes_home = false;
    for (index, name) in allowed.iter().enumerate() {
        let entry_path = format!("{path}[{index}]");
        let region = regions.find(&entry_path, name)?;
        if allowed[..index].contains(name) {
            return Err(EngineError::new(ErrorCode::DuplicateName, entry_path, format!("{name:?} is listed twice")));
        }
        if region == home {
            includes_home = true;
        } else {
            others.push(region);
        }
    }
    if !includes_home {
        let message = "the home region must be allowed for every node: it is the baseline and the fallback";
        return Err(EngineError::new(ErrorCode::OutOfRange, path, message));
    }
    others.sort_unstable();
    Ok(std::iter::once(home).chain(others).collect())
}

pub(super) fn check_intensity(regions: &RegionNames, columns: &BTreeMap<String, Vec<f64>>) -> Result<Vec<Vec<f64>>> {
    for name in columns.keys() {
        regions.find(&format!("intensity_gco2e_per_kwh.{name}"), name)?;
    }
    let column = |name: &String| {
        let path = format!("intensity_gco2e_per_kwh.{name}");
        let values = columns.get(name).ok_or_else(|| missing_region(&path))?;
        if values.len() != HOURS_PER_DAY {
            let message = format!("needs one value per UTC hour, 24 in all, found {}", values.len());
            return Err(EngineError::new(ErrorCode::OutOfRange, path, message));
        }
        for (hour, &value) in values.iter().enumerate() {
            non_negative(&format!("{path}[{hour}]"), value)?;
        }
        Ok(values.clone())
    };
    regions.names.iter().map(column).collect()
}

fn missing_region(path: &str) -> EngineError {
    EngineError::new(ErrorCode::InvalidField, path, "is missing: every region of the problem needs one")
}

pub(super) fn check_interval(path: &str, interval: Option<IntervalDocument>) -> Result<()> {
    if let Some(IntervalDocument { low_factor, high_factor }) = interval {
        non_negative(&format!("{path}.low_factor"), low_factor)?;
        non_negative(&format!("{path}.high_factor"), high_factor)?;
        if !(low_factor <= 1.0 && high_factor >= 1.0) {
            let message = "low_factor must be at most 1 and high_factor at least 1";
            return Err(EngineError::new(ErrorCode::OutOfRange, path, message));
        }
    }
    Ok(())
}

pub(super) fn check_power(regions: &RegionNames, power: &PowerDocument) -> Result<Vec<f64>> {
    non_negative("power.vcpu_min_kw", power.vcpu_min_kw)?;
    non_negative("power.vcpu_max_kw", power.vcpu_max_kw)?;
    if power.vcpu_max_kw < power.vcpu_min_kw {
        let message = "must be at least vcpu_min_kw";
        return Err(EngineError::new(ErrorCode::OutOfRange, "power.vcpu_max_kw", message));
    }
    non_negative("power.memory_kw_per_gb", power.memory_kw_per_gb)?;
    positive("power.memory_mb_per_vcpu", power.memory_mb_per_vcpu)?;
    fraction("power.cpu_utilization_default", power.cpu_utilization_default)?;
    let check_pue = |path: &str, value: f64| in_range(path, value, (1.0..=LARGEST).contains(&value), "from 1 to 1e12");
    let mut pue = vec![check_pue("power.pue_default", power.pue_default)?; regions.names.len()];
    for (name, &value) in &power.pue {
        let path = format!("power.pue.{name}");
        pue[usize::from(regions.find(&path, name)?)] = check_pue(&path, value)?;
    }
    Ok(pue)
}

pub(super) fn check_transmission(transmission: &TransmissionDocument) -> Result<Transmission> {
    if let Some(interval) = transmission.interval {
        let TransmissionIntervalDocument { low_factor, high_factor, intra_high_factor } = interval;
        check_interval("transmission.interval", Some(IntervalDocument { low_factor, high_factor }))?;
        if let Some(factor) = intra_high_factor {
            non_negative("transmission.interval.intra_high_factor", factor)?;
        }
    }
    Ok(Transmission {
        inter_region_kwh_per_gb: non_negative(
            "transmission.inter_region_kwh_per_gb",
            transmission.inter_region_kwh_per_gb,
        )?,
        intra_region_kwh_per_gb: non_negative(
            "transmission.intra_region_kwh_per_gb",
            transmission.intra_region_kwh_per_gb,
        )?,
        interval: transmission.interval,
        unattributed_home_share: fraction(
            "transmission.unattributed_home_share",
            transmission.unattributed_home_share,
        )?,
    })
}

pub(super) fn check_prices(regions: &RegionNames, mut lists: BTreeMap<String, PricesDocument>) -> Result<Vec<Prices>> {
    for name in lists.keys() {
        regions.find(&format!("prices.{name}"), name)?;
    }
    let prices_of = |(index, name): (usize, &String)| {
        let path = format!("prices.{name}");
        let list = lists.remove(name).ok_or_else(|| missing_region(&path))?;
        for (field, value) in [
            ("lambda_usd_per_gb_s.x86_64", list.lambda_usd_per_gb_s.x86_64),
            ("lambda_usd_per_gb_s.arm64", list.lambda_usd_per_gb_s.arm64),
            ("lambda_usd_per_request", list.lambda_usd_per_request),
            ("message_usd_per_64kib", list.message_usd_per_64kib),
            ("kv_usd_per_write_unit", list.kv_usd_per_write_unit),
            ("kv_usd_per_read_unit", list.kv_usd_per_read_unit),
            ("object_usd_per_put", list.object_usd_per_put),
            ("object_usd_per_get", list.object_usd_per_get),
            ("log_usd_per_gb", list.log_usd_per_gb),
            ("egress_internet_usd_per_gb", list.egress_internet_usd_per_gb),
        ] {
            non_negative(&format!("{path}.{field}"), value)?;
        }
        for other in list.egress_usd_per_gb.keys() {
            regions.find(&format!("{path}.egress_usd_per_gb.{other}"), other)?;
        }
        let egress_to = |(other_index, other): (usize, &String)| {
            if other_index == index {
                return Ok(0.0);
            }
            let egress_path = format!("{path}.egress_usd_per_gb.{other}");
            let price = *list.egress_usd_per_gb.get(other).ok_or_else(|| missing_region(&egress_path))?;
            non_negative(&egress_path, price)
        };
        let egress = regions.names.iter().enumerate().map(egress_to).collect::<Result<Vec<_>>>()?;
        Ok(Prices { list, egress })
    };
    regions.names.iter().enumerate().map(prices_of).collect()
}

pub(super) fn check_latency(regions: &RegionNames, matrix: &[Vec<f64>]) -> Result<Vec<f64>> {
    let count = regions.names.len();
    let shape = |path: String, found: usize| {
        if found == count {
            return Ok(());
        }
        let message = format!("needs {count} entries, one per region in the order of regions, found {found}");
        Err(EngineError::new(ErrorCode::OutOfRange, path, message))
    };
    shape("latency.round_trip_s".to_owned(), matrix.len())?;
    for (from, row) in matrix.iter().enumerate() {
        shape(format!("latency.round_trip_s[{from}]"), row.len())?;
        for (to, &value) in row.iter().enumerate() {
            non_negative(&format!("latency.round_trip_s[{from}][{to}]"), value)?;
        }
    }
    Ok(matrix.concat())
}

pub(super) fn check_protocol(protocol: &ProtocolDocument) -> Result<()> {
    for (field, value) in [
        ("message_envelope_bytes", protocol.message_envelope_bytes),
        ("inline_payload_limit_bytes", protocol.inline_payload_limit_bytes),
        ("sync_report_write_units", protocol.sync_report_write_units),
        ("sync_closing_write_units", protocol.sync_closing_write_units),
        ("sync_closing_read_units", protocol.sync_closing_read_units),
        ("log_bytes_per_node", protocol.log_bytes_per_node),
    ] {
        non_negative(&format!("protocol.{field}"), value)?;
    }
    Ok(())
}

/// Upper bound on scenario counts: far above any use.
const MOST_SCENARIOS: usize = 200_000;

/// Upper bound on scenarios times pairs of a node and a region it may run in: the columns of each quantity then take at
/// most a gigabyte.
const MOST_LANE_VALUES: usize = 1 << 28;

/// Refuses what would not fit into memory.
pub(super) fn check_size(settings: &Settings, nodes: &[Node]) -> Result<()> {
    let pairs: usize = nodes.iter().map(|node| node.domain.len()).sum();
    if settings.scenarios.saturating_mul(pairs) <= MOST_LANE_VALUES {
        return Ok(());
    }
    let message = format!(
        "{} scenarios of {pairs} pairs of a node and a region it may run in do not fit into memory; at most {} do",
        settings.scenarios,
        MOST_LANE_VALUES / pairs
    );
    Err(EngineError::new(ErrorCode::OutOfRange, "settings.scenarios", message))
}

pub(super) fn check_settings(settings: &SettingsDocument) -> Result<Settings> {
    if settings.image_storage.is_some() {
        let message = "must be null: storage of images couples the nodes of a function and is not planned for";
        return Err(EngineError::new(ErrorCode::UnsupportedSetting, "settings.image_storage", message));
    }
    for (field, value) in [("scenarios", settings.scenarios), ("validation_scenarios", settings.validation_scenarios)] {
        if !(1..=MOST_SCENARIOS).contains(&value) {
            let message = format!("must be from 1 to {MOST_SCENARIOS}, found {value}");
            return Err(EngineError::new(ErrorCode::OutOfRange, format!("settings.{field}"), message));
        }
    }
    if settings.min_samples == 0 {
        return Err(EngineError::new(ErrorCode::OutOfRange, "settings.min_samples", "must be 1 or more"));
    }
    for (field, value) in [("tail", settings.tail), ("confidence", settings.confidence)] {
        in_range(&format!("settings.{field}"), value, value > 0.0 && value < 1.0, "between 0 and 1, both excluded")?;
    }
    positive("settings.deadline_s", settings.deadline_s)?;
    Ok(Settings {
        seed: settings.seed,
        scenarios: settings.scenarios,
        validation_scenarios: settings.validation_scenarios,
        min_samples: settings.min_samples,
        tail: settings.tail,
        confidence: settings.confidence,
        deadline_s: settings.deadline_s,
    })
}

pub(super) fn check_limits(path: &str, limits: &LimitsDocument) -> Result<Vec<Limit>> {
    let named = [(Metric::Carbon, limits.carbon), (Metric::Cost, limits.cost), (Metric::Runtime, limits.runtime)];
    let present = named.into_iter().filter_map(|(metric, limit)| limit.map(|limit| (metric, limit)));
    present
        .map(|(metric, limit)| {
            let value = non_negative(&format!("{path}.{}.value", metric.name()), limit.value)?;
            Ok(Limit { metric, kind: limit.kind, value })
        })
        .collect()
}

pub(super) fn check_constraints(
    constraints: &ConstraintsDocument,
    settings: &Settings,
) -> Result<(Vec<Limit>, Vec<Limit>, Vec<Metric>)> {
    let hard = check_limits("constraints.hard", &constraints.hard)?;
    let soft = check_limits("constraints.soft", &constraints.soft)?;
    let smallest = OrderStatistics::smallest_count(settings.tail, settings.confidence);
    for (field, count) in [("scenarios", settings.scenarios), ("validation_scenarios", settings.validation_scenarios)] {
        if !hard.is_empty() && count < smallest {
            let message = format!(
                "a hard limit on the {} percentile at confidence {} needs at least {smallest} scenarios, found {count}",
                settings.tail, settings.confidence
            );
            return Err(EngineError::new(ErrorCode::OutOfRange, format!("settings.{field}"), message));
        }
    }
    let order = &constraints.priority_order;
    if order.is_empty() {
        let message = "name at least one of carbon, cost, runtime";
        return Err(EngineError::new(ErrorCode::OutOfRange, "constraints.priority_order", message));
    }
    for (index, metric) in order.iter().enumerate() {
        if order[..index].contains(metric) {
            let path = format!("constraints.priority_order[{index}]");
            let message = format!("{:?} is listed twice", metric.name());
            return Err(EngineError::new(ErrorCode::DuplicateName, path, message));
        }
    }
    Ok((hard, soft, order.clone()))
}
