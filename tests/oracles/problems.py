"""Random problem documents, small enough for brute force, varied enough to reach every rule of the model."""

from __future__ import annotations

import random
from typing import Any

HOURS_PER_DAY = 24


def random_problem(
    seed: int,
    *,
    min_nodes: int = 2,
    max_nodes: int = 5,
    max_regions: int = 3,
    scenarios: int = 80,
    runs: int | None = None,
    hours: int = 1,
    limits: bool = True,
) -> dict[str, Any]:
    """A random document: joins, parallel edges, declined branches, pins, sparse samples, forwarded triggers."""
    source = random.Random(seed)
    regions = [f"region-{letter}" for letter in "abcdefgh"[: source.randint(2, max_regions)]]
    source.shuffle(regions)
    home = source.choice(regions)
    nodes, edges = _random_graph(source, regions, home, source.randint(min_nodes, max_nodes))
    runs = source.choice([0, 7, 30, 90]) if runs is None else runs
    problem: dict[str, Any] = {
        "schema": "multi-x-serverless/problem",
        "version": 1,
        "workflow": "random-0.0.1",
        "provenance": {"all": f"random, seed {seed}"},
        "regions": regions,
        "home": home,
        "hours": sorted(source.sample(range(HOURS_PER_DAY), hours)),
        "nodes": nodes,
        "edges": edges,
        "trigger": {"region": source.choice([home, source.choice(regions)]), "forward_duration_s": 0.0021},
        "intensity_gco2e_per_kwh": {
            region: [source.uniform(5, 800) for _ in range(HOURS_PER_DAY)] for region in regions
        },
        "intensity_interval": source.choice([None, None, {"low_factor": 0.8, "high_factor": 1.3}]),
        "outside_intensity_gco2e_per_kwh": 410.0,
        "power": {
            "vcpu_min_kw": 0.00074,
            "vcpu_max_kw": 0.0035,
            "memory_kw_per_gb": 0.0003725,
            "memory_mb_per_vcpu": 1769.0,
            "pue_default": 1.11,
            "pue": {regions[0]: 1.3} if source.random() < 0.5 else {},
            "cpu_utilization_default": 0.5,
        },
        "transmission": {
            "inter_region_kwh_per_gb": source.choice([0.001, 0.005, 0.02]),
            "intra_region_kwh_per_gb": source.choice([0.001, 0.0]),
            # What goes by the seed itself leaves the other choices of a seed as they are.
            "interval": source.choice(
                [
                    None,
                    None,
                    {"low_factor": 0.5, "high_factor": 2.0}
                    | ({} if seed % 2 else {"intra_high_factor": seed % 8 / 4.0}),
                ]
            ),
        },
        "prices": {region: _random_prices(source, region, regions) for region in regions},
        "latency": {
            "round_trip_s": [
                [0.001 * source.uniform(1, 3) if a == b else source.uniform(0.01, 0.2) for b in regions]
                for a in regions
            ],
            "bandwidth_bytes_per_s": source.choice([1e8, 2e6]),
        },
        "protocol": {
            "message_envelope_bytes": 600,
            "inline_payload_limit_bytes": 240_000,
            "sync_report_write_units": 1.0,
            "sync_closing_write_units": 2.0,
            "sync_closing_read_units": 1.0,
            "log_bytes_per_node": 1500,
        },
        "relative_speed": {region: source.uniform(0.7, 1.4) for region in regions if source.random() < 0.7},
        "observations": _random_observations(source, regions, home, nodes, edges, runs),
        "priors": _random_priors(source, nodes, edges) if runs == 0 else None,
        "constraints": _random_constraints(source) if limits else {},
        "settings": {
            "seed": source.randrange(2**32),
            "scenarios": scenarios,
            "validation_scenarios": 64,
            "min_samples": source.choice([5, 20]),
            "tail": source.choice([0.9, 0.95]),
            "confidence": 0.95,
            "deadline_s": 30.0,
        },
    }
    return problem


def repin(problem: dict[str, Any], every: int) -> None:
    """Pin every so manieth node to home and set the others free; zero pins none."""
    for number, node in enumerate(problem["nodes"]):
        node["allowed"] = [problem["home"]] if every and number % every == 0 else list(problem["regions"])


def _random_graph(
    source: random.Random, regions: list[str], home: str, count: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    names = [
        f"function_{index}:entry_point:0" if index == 0 else f"function_{index}:x:{index}" for index in range(count)
    ]
    edges: list[dict[str, Any]] = []
    for index in range(1, count):
        callers = source.choices(names[:index], k=source.choice([1, 1, 1, 2, 3]))
        edges.extend({"from": caller, "to": names[index], "round_trips": 1.0} for caller in callers)
    nodes: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        degree = sum(edge["to"] == name for edge in edges)
        others = [region for region in regions if region != home and source.random() < 0.8]
        allowed = [home] if source.random() < 0.2 else [*others, home]
        source.shuffle(allowed)
        nodes.append(
            {
                "name": name,
                "function": f"function_{index}",
                "memory_mb": source.choice([128, 1024, 1769, 3008]),
                "architecture": source.choice(["x86_64", "arm64"]),
                "sync": degree > 1 or (degree == 1 and source.random() < 0.15),
                "allowed": allowed,
            }
        )
    sync = {node["name"] for node in nodes if node["sync"]}
    for edge in edges:
        if edge["to"] in sync:
            edge["round_trips"] = 2.5
    order = list(range(count))
    source.shuffle(order)
    source.shuffle(edges)
    return [nodes[index] for index in order], edges


def _random_prices(source: random.Random, region: str, regions: list[str]) -> dict[str, Any]:
    return {
        "lambda_usd_per_gb_s": {"x86_64": source.uniform(1e-5, 3e-5), "arm64": source.uniform(8e-6, 2e-5)},
        "lambda_usd_per_request": source.uniform(1e-7, 4e-7),
        "message_usd_per_64kib": source.uniform(3e-7, 8e-7),
        "kv_usd_per_write_unit": source.uniform(3e-7, 2e-6),
        "kv_usd_per_read_unit": source.uniform(5e-8, 4e-7),
        "object_usd_per_put": source.uniform(3e-6, 9e-6),
        "object_usd_per_get": source.uniform(2e-7, 9e-7),
        "log_usd_per_gb": source.uniform(0.3, 0.9),
        "egress_usd_per_gb": {other: source.uniform(0.01, 0.15) for other in regions if other != region},
        "egress_internet_usd_per_gb": source.uniform(0.05, 0.15),
    }


def _random_observations(
    source: random.Random,
    regions: list[str],
    home: str,
    nodes: list[dict[str, Any]],
    edges: list[dict[str, Any]],
    runs: int,
) -> dict[str, Any]:
    names = [node["name"] for node in nodes]
    columns: dict[str, Any] = {
        name: {
            "ran": [],
            "region": [],
            "duration_s": [],
            "cpu_utilization": [],
            "data_bytes": [],
            "sent_bytes": {end: [] for end in [*regions, "outside"] if source.random() < 0.2},
            "received_bytes": {end: [] for end in [*regions, "outside"] if source.random() < 0.2},
        }
        for name in names
    }
    edge_columns: list[dict[str, Any]] = [
        {"called": [], "payload_bytes": [], "offset_fraction": [], "latency_s": []} for _ in edges
    ]
    median = {name: source.uniform(0.05, 2.0) for name in names}
    probability = [source.choice([1.0, 1.0, 0.7, 0.3]) for _ in edges]
    mean_payload = [source.choice([0, 900, 30_000, 400_000, 3e6]) for _ in edges]
    away = source.choice([0.0, 0.3, 0.9])
    for run in range(runs):
        ran: dict[str, bool] = {}
        pace = source.lognormvariate(0.0, 0.4)
        for name in _execution_order(names, edges):
            arriving = [index for index, edge in enumerate(edges) if edge["to"] == name]
            ran[name] = not arriving or any(edge_columns[index]["called"][run] == 1 for index in arriving)
            column = columns[name]
            column["ran"].append(int(ran[name]))
            region = regions.index(source.choice(regions)) if source.random() < away else regions.index(home)
            # Never the first time: somebody has to say how long the node takes.
            has_run_before = 1 in column["ran"][:-1]
            unlisted = has_run_before and source.random() < 0.03
            column["region"].append((-1 if unlisted else region) if ran[name] else -1)
            seconds = round(median[name] * pace * source.lognormvariate(0.0, 0.3), source.choice([2, 6]))
            column["duration_s"].append(
                seconds if ran[name] and (not has_run_before or source.random() < 0.97) else None
            )
            measured = ran[name] and source.random() < 0.9
            column["cpu_utilization"].append(source.uniform(0.05, 1.0) if measured else None)
            column["data_bytes"].append(source.uniform(0, 5e6) if measured else None)
            for values in [*column["sent_bytes"].values(), *column["received_bytes"].values()]:
                values.append(source.uniform(0, 4e7) if ran[name] else 0.0)
            for index, edge in enumerate(edges):
                if edge["from"] != name:
                    continue
                called = ran[name] and source.random() < probability[index]
                entries = edge_columns[index]
                entries["called"].append(int(called) if ran[name] else None)
                entries["payload_bytes"].append(
                    round(mean_payload[index] * source.uniform(0.5, 1.5)) if called else None
                )
                entries["offset_fraction"].append(source.choice([1.0, source.random()]) if called else None)
                entries["latency_s"].append(source.uniform(0.001, 0.3) if called and source.random() < 0.9 else None)
    if source.random() < 0.5:
        _make_nodes_wait(source, edge_columns, runs)
    weights = {"weights": [source.choice([1.0, 2.5, 40.0]) for _ in range(runs)]} if source.random() < 0.4 else {}
    return {
        "runs": runs,
        **weights,
        "trigger_bytes": [source.choice([10, 5_000, 300_000]) for _ in range(runs)],
        "nodes": columns,
        "edges": edge_columns,
    }


def _make_nodes_wait(source: random.Random, edge_columns: list[dict[str, Any]], runs: int) -> None:
    """Calls, declines, and edges of dead nodes are waited for, or not."""
    for entries in edge_columns:
        if source.random() < 0.8:
            entries["awaited_round_trips"] = [source.choice([0.0, 1.0, 2.0, None]) for _ in range(runs)]
            if source.random() < 0.7:
                entries["slack_s"] = [source.choice([0.0, None, source.uniform(0.0, 0.3)]) for _ in range(runs)]


def _execution_order(names: list[str], edges: list[dict[str, Any]]) -> list[str]:
    order: list[str] = []
    while len(order) < len(names):
        order.extend(
            name
            for name in names
            if name not in order and all(edge["from"] in order for edge in edges if edge["to"] == name)
        )
    return order


def _random_priors(source: random.Random, nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "nodes": {
            node["name"]: {
                "duration_s": {"median": source.uniform(0.05, 2.0), "sigma_log": source.choice([0.0, 0.8])},
                "cpu_utilization": source.uniform(0.1, 1.0),
                "data_bytes": source.choice([0, 1e6]),
            }
            for node in nodes
        },
        "edges": [
            {
                "call_probability": source.choice([1.0, 0.6]),
                "payload_bytes": source.choice([0, 1024, 500_000]),
                "offset_fraction": source.choice([1.0, 0.25]),
            }
            for _ in edges
        ],
        "trigger_bytes": 1024,
    }


def _random_constraints(source: random.Random) -> dict[str, Any]:
    metrics = ["carbon", "cost", "runtime"]

    def limits(chance: float, low: float, high: float) -> dict[str, Any]:
        return {
            metric: {"type": "relative", "value": round(source.uniform(low, high), 3)}
            for metric in metrics
            if source.random() < chance
        }

    return {
        "hard": limits(source.choice([0.0, 0.5]), *source.choice([(1.0, 1.05), (1.0, 1.5), (0.6, 1.0)])),
        "soft": limits(source.choice([0.0, 0.4]), 0.7, 1.1),
        "priority_order": source.sample(metrics, source.choice([1, 2, 3, 3])),
        "priority_tolerance": source.choice([0.0, 0.0, 0.05]),
    }
