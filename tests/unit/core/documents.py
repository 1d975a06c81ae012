"""A small problem that a person can follow, for tests to change one thing in."""

from __future__ import annotations

import json
from typing import Any

ENTRY, RESIZE, LABEL, JOIN = "entry:entry_point:0", "resize:entry_0_0:1", "label:entry_0_1:2", "store:sync:3"

RUNS = 30


def fan_out_problem() -> dict[str, Any]:
    """One entry, two branches (the second is declined in every third run), one join; two regions."""
    called_second = [0 if run % 3 == 2 else 1 for run in range(RUNS)]
    regions = ["us-east-1", "ca-central-1"]
    return {
        "schema": "multi-x-serverless/problem",
        "version": 1,
        "workflow": "fan_out-0.1.0",
        "provenance": {"carbon": "made up for tests"},
        "regions": regions,
        "home": "us-east-1",
        "hours": [0, 12],
        "nodes": [
            _node(ENTRY, regions),
            _node(RESIZE, regions),
            _node(LABEL, regions),
            _node(JOIN, regions, sync=True),
        ],
        "edges": [
            {"from": ENTRY, "to": RESIZE, "round_trips": 1.0},
            {"from": ENTRY, "to": LABEL, "round_trips": 1.0},
            {"from": RESIZE, "to": JOIN, "round_trips": 3.0},
            {"from": LABEL, "to": JOIN, "round_trips": 3.0},
        ],
        "trigger": {"region": "us-east-1", "forward_duration_s": 0.002},
        "intensity_gco2e_per_kwh": {"us-east-1": [400.0] * 24, "ca-central-1": [30.0] * 12 + [900.0] * 12},
        "intensity_interval": None,
        "outside_intensity_gco2e_per_kwh": 410.0,
        "power": {
            "vcpu_min_kw": 0.00074,
            "vcpu_max_kw": 0.0035,
            "memory_kw_per_gb": 0.0003725,
            "memory_mb_per_vcpu": 1769.0,
            "pue_default": 1.11,
            "pue": {},
            "cpu_utilization_default": 0.5,
        },
        "transmission": {"inter_region_kwh_per_gb": 0.001, "intra_region_kwh_per_gb": 0.001, "interval": None},
        "prices": {
            "us-east-1": _prices(1.66667e-5, "ca-central-1"),
            "ca-central-1": _prices(1.8e-5, "us-east-1"),
        },
        "latency": {"round_trip_s": [[0.001, 0.03], [0.03, 0.001]], "bandwidth_bytes_per_s": 1e8},
        "protocol": {
            "message_envelope_bytes": 600,
            "inline_payload_limit_bytes": 240_000,
            "sync_report_write_units": 1.0,
            "sync_closing_write_units": 2.0,
            "sync_closing_read_units": 1.0,
            "log_bytes_per_node": 1500,
        },
        "relative_speed": {"ca-central-1": 1.05},
        "observations": {
            "runs": RUNS,
            "trigger_bytes": [2000] * RUNS,
            "nodes": {
                ENTRY: _columns([1] * RUNS, 0.1),
                RESIZE: _columns([1] * RUNS, 0.8),
                LABEL: _columns(list(called_second), 0.5),
                JOIN: _columns([1] * RUNS, 0.2),
            },
            "edges": [
                _calls([1] * RUNS, 20_000),
                _calls(list(called_second), 20_000),
                _calls([1] * RUNS, 4_000),
                _calls([1 if called else None for called in called_second], 4_000),
            ],
        },
        "priors": None,
        "constraints": {
            "hard": {},
            "soft": {},
            "priority_order": ["carbon", "cost", "runtime"],
            "priority_tolerance": 0.0,
        },
        "settings": {"seed": 1, "scenarios": 100, "validation_scenarios": 120, "deadline_s": 30.0},
    }


def one_node_problem(over_home: dict[int, float]) -> dict[str, Any]:
    """One node, 100 runs at home of 1.00, 1.01, ... s and as many away, 5 ms faster but for some, by rank from one."""
    runs = 100
    at_home = [1.0 + number / 100 for number in range(runs)]
    away = [seconds + over_home.get(rank, -0.005) for rank, seconds in enumerate(at_home, start=1)]
    problem = fan_out_problem()
    name = problem["nodes"][0]["name"]
    problem["nodes"] = problem["nodes"][:1]
    problem["edges"] = []
    problem["observations"] = {
        "runs": 2 * runs,
        "trigger_bytes": [1000.0] * (2 * runs),
        "nodes": {
            name: {
                "ran": [1] * (2 * runs),
                "region": [0] * runs + [1] * runs,
                "duration_s": at_home + away,
                "cpu_utilization": [0.5] * (2 * runs),
                "data_bytes": [0.0] * (2 * runs),
                "sent_bytes": {},
                "received_bytes": {},
            }
        },
        "edges": [],
    }
    problem["latency"]["round_trip_s"] = [[0.0, 0.0], [0.0, 0.0]]
    problem["trigger"]["forward_duration_s"] = 0.0
    problem["settings"] = {"scenarios": 1000, "validation_scenarios": 1000}
    problem["hours"] = [0]
    problem["constraints"] = {"hard": {"runtime": {"type": "relative", "value": 1.0}}, "priority_order": ["carbon"]}
    return problem


def _node(name: str, regions: list[str], *, sync: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "function": name.split(":", maxsplit=1)[0],
        "memory_mb": 1769,
        "architecture": "x86_64",
        "sync": sync,
        "allowed": list(regions),
    }


def _prices(execution: float, other: str) -> dict[str, Any]:
    return {
        "lambda_usd_per_gb_s": {"x86_64": execution, "arm64": 0.8 * execution},
        "lambda_usd_per_request": 2e-7,
        "message_usd_per_64kib": 5e-7,
        "kv_usd_per_write_unit": 6.25e-7,
        "kv_usd_per_read_unit": 1.25e-7,
        "object_usd_per_put": 5e-6,
        "object_usd_per_get": 4e-7,
        "log_usd_per_gb": 0.5,
        "egress_usd_per_gb": {other: 0.02},
        "egress_internet_usd_per_gb": 0.09,
    }


def _columns(ran: list[int], seconds: float) -> dict[str, Any]:
    return {
        "ran": ran,
        "region": [0 if flag else -1 for flag in ran],
        "duration_s": [seconds * (1 + run / 100) if flag else None for run, flag in enumerate(ran)],
        "cpu_utilization": [0.7 if flag else None for flag in ran],
        "data_bytes": [1000.0 if flag else None for flag in ran],
        "sent_bytes": {},
        "received_bytes": {},
    }


def _calls(called: list[int] | list[int | None], payload: int) -> dict[str, Any]:
    return {
        "called": called,
        "payload_bytes": [payload if flag == 1 else None for flag in called],
        "offset_fraction": [1.0 if flag == 1 else None for flag in called],
        "latency_s": [0.01 + run / 10_000 if flag == 1 else None for run, flag in enumerate(called)],
    }


def dump(problem: dict[str, Any]) -> bytes:
    """The document's bytes."""
    return json.dumps(problem).encode()
