//! What one scenario costs, draws and moves, part by part: the formulas of the model.

use crate::problem::{Problem, Region};
use crate::scenarios::Scenarios;

/// Bytes in a GB of the model.
pub const BYTES_PER_GB: f64 = 1_073_741_824.0;
const MB_PER_GB: f64 = 1024.0;
/// Seconds in an hour.
pub(crate) const SECONDS_PER_HOUR: f64 = 3600.0;
const BYTES_PER_MESSAGE_UNIT: f64 = 65_536.0;
const BYTES_PER_WRITE_UNIT: f64 = 1024.0;
const BYTES_PER_READ_UNIT: f64 = 4096.0;
/// Milliseconds by which a duration may exceed a full one before the next is billed: less than any clock resolves,
/// more than the rounding of a product.
const BILLING_SLACK_MS: f64 = 1e-6;

/// Units of 64 KiB in which messages are billed.
fn message_units(bytes: f64) -> f64 {
    (bytes / BYTES_PER_MESSAGE_UNIT).ceil().max(1.0)
}

/// Seconds as billed: full milliseconds, rounded up.
fn billed_seconds(duration: f64) -> f64 {
    (duration * 1000.0 - BILLING_SLACK_MS).ceil().max(0.0) / 1000.0
}

/// kW drawn by a node at the given utilisation, without power usage effectiveness.
fn kilowatts(problem: &Problem, node: usize, utilization: f64) -> f64 {
    let power = &problem.power;
    let memory_mb = problem.nodes[node].memory_mb;
    let vcpu = memory_mb / power.memory_mb_per_vcpu;
    let per_vcpu = power.vcpu_min_kw + utilization * (power.vcpu_max_kw - power.vcpu_min_kw);
    vcpu * per_vcpu + memory_mb / MB_PER_GB * power.memory_kw_per_gb
}

/// kW drawn by a node that waits, without power usage effectiveness.
pub(crate) fn idle_kilowatts(problem: &Problem, node: usize) -> f64 {
    kilowatts(problem, node, 0.0)
}

/// kWh per second of a node's execution in every scenario, without power usage effectiveness.
pub(crate) fn execution_power(problem: &Problem, scenarios: &Scenarios, node: usize) -> Vec<f64> {
    scenarios.cpu_utilization[node]
        .iter()
        .map(|&utilization| kilowatts(problem, node, utilization) / SECONDS_PER_HOUR)
        .collect()
}

/// kWh of handing a trigger on to another region, power usage effectiveness included.
pub(crate) fn forward_energy(problem: &Problem) -> f64 {
    let power = kilowatts(problem, problem.graph.entry, problem.power.cpu_utilization_default);
    problem.forward_duration_s * power / SECONDS_PER_HOUR * problem.pue[usize::from(problem.trigger_region)]
}

/// Bytes each called edge of a join or message moves, in GB; the closing message of a join is shared by its callers.
pub(crate) fn edge_gigabytes(problem: &Problem, scenarios: &Scenarios, edge: usize) -> Vec<f64> {
    let graph = &problem.graph;
    let envelope = problem.protocol.message_envelope_bytes;
    let to = graph.edges[edge].to;
    (0..scenarios.count)
        .map(|scenario| {
            if !scenarios.called[edge][scenario] {
                return 0.0;
            }
            let payload = scenarios.payload_bytes[edge][scenario];
            let callers = graph.incoming[to].iter().filter(|&&other| scenarios.called[other][scenario]).count();
            (payload + envelope / callers as f64) / BYTES_PER_GB
        })
        .collect()
}

/// USD per second of a node's execution in a region.
pub(crate) fn execution_usd_per_second(problem: &Problem, node: usize, region: Region) -> f64 {
    let properties = &problem.nodes[node];
    properties.memory_mb / MB_PER_GB * problem.prices[usize::from(region)].execution(properties.architecture)
}

/// USD of executing a node once: time, request, logs, and the bytes it exchanges with known ends.
pub(crate) fn execution_cost(
    problem: &Problem,
    scenarios: &Scenarios,
    node: usize,
    region: Region,
    scenario: usize,
    duration: f64,
) -> f64 {
    let prices = &problem.prices[usize::from(region)];
    let properties = &problem.nodes[node];
    let gb_seconds = billed_seconds(duration) * properties.memory_mb / MB_PER_GB;
    let log_gb = problem.protocol.log_bytes_per_node / BYTES_PER_GB;
    let gb = |bytes: &[f64]| bytes[scenario] / BYTES_PER_GB;
    let sent = scenarios.sent_bytes[node].iter().map(|(end, bytes)| gb(bytes) * prices.egress_to(*end));
    let received =
        scenarios.received_bytes[node].iter().map(|(end, bytes)| gb(bytes) * problem.egress_from(*end, region));
    gb_seconds * prices.execution(properties.architecture)
        + prices.list.lambda_usd_per_request
        + log_gb * prices.list.log_usd_per_gb
        + sent.chain(received).sum::<f64>()
}

/// USD of what arrives at a node: messages, reports and payloads of a join, the trigger at the entry.
pub(crate) fn receiving_cost(
    problem: &Problem,
    scenarios: &Scenarios,
    node: usize,
    region: Region,
    scenario: usize,
) -> f64 {
    let graph = &problem.graph;
    let protocol = &problem.protocol;
    let list = &problem.prices[usize::from(region)].list;
    let envelope = protocol.message_envelope_bytes;
    if node == graph.entry {
        let payload = scenarios.trigger_bytes[scenario];
        let trigger_prices = &problem.prices[usize::from(problem.trigger_region)];
        let mut cost = message_cost(problem, problem.trigger_region, payload);
        if region != problem.trigger_region {
            let properties = &problem.nodes[node];
            let gb_seconds = billed_seconds(problem.forward_duration_s) * properties.memory_mb / MB_PER_GB;
            cost += message_cost(problem, region, payload)
                + trigger_prices.list.lambda_usd_per_request
                + gb_seconds * trigger_prices.execution(properties.architecture)
                + (payload + envelope) / BYTES_PER_GB * trigger_prices.egress[usize::from(region)];
        }
        return cost;
    }
    let called = graph.incoming[node].iter().filter(|&&edge| scenarios.called[edge][scenario]);
    let payloads = called.map(|&edge| scenarios.payload_bytes[edge][scenario]);
    if !graph.joins[node] {
        return payloads.map(|payload| message_cost(problem, region, payload)).sum();
    }
    let (mut write_units, mut read_units, mut cost) = (0.0, 0.0, 0.0);
    write_units += protocol.sync_report_write_units * graph.incoming[node].len() as f64;
    for payload in payloads {
        if payload > protocol.inline_payload_limit_bytes {
            cost += list.object_usd_per_put + list.object_usd_per_get;
        } else {
            write_units += (payload / BYTES_PER_WRITE_UNIT).ceil();
            read_units += (payload / BYTES_PER_READ_UNIT).ceil();
        }
    }
    if scenarios.ran[node][scenario] {
        write_units += protocol.sync_closing_write_units;
        read_units += protocol.sync_closing_read_units;
        cost += message_units(envelope) * list.message_usd_per_64kib;
    }
    cost + write_units * list.kv_usd_per_write_unit + read_units * list.kv_usd_per_read_unit
}

/// USD of one message received in a region; a large payload goes through the region's object store.
fn message_cost(problem: &Problem, region: Region, payload: f64) -> f64 {
    let list = &problem.prices[usize::from(region)].list;
    let envelope = problem.protocol.message_envelope_bytes;
    if payload > problem.protocol.inline_payload_limit_bytes {
        message_units(envelope) * list.message_usd_per_64kib + list.object_usd_per_put + list.object_usd_per_get
    } else {
        message_units(payload + envelope) * list.message_usd_per_64kib
    }
}
