"""The problem document of a published workload (`docs/problem-document.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np

from benchmarks.reproduction.applications import Application, Pattern, Workload
from multi_x_serverless import data
from multi_x_serverless.model import shared_constants
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, Transmission

OutsideRule: TypeAlias = Literal["published", "product"]
"""Which intensity a byte has that leaves the cloud; see `problems`."""

HOME = "us-east-1"
FOUR_REGIONS = (HOME, "ca-central-1", "us-west-1", "us-west-2")
GB = 2.0**30
HOURS_IN_DAY = 24

VCPU_MINIMUM_KW = 0.00075
"""As published; the product has 0.00074. It scales time and bytes alike, since their ratio is an input."""

PAYLOAD_BYTES = 1024.0
"""Of a message: the names of the objects that a node reads. Assumed; all data lies in the home region."""

BEST = TRANSMISSION_PRESETS["best"]


@dataclass(frozen=True)
class Setting:
    """What a workload is planned under.

    Attributes:
        regions: Home first.
        untracked_home_share: Fraction of the bytes outside messages that go home; the rest leaves the cloud.
        message_share: Fraction of all bytes that travels in messages instead of through storage at home.
        speed_away: Run time away from home over that at home.
        paces: Observed runs per pattern of calls. 1: durations are constant, which is exact for means of carbon. More:
            quantiles of a log-normal distribution, for percentiles of run time.
        pinned: Positions of steps that stay home.
        runtime_limit: Hard limit on the 95th percentile of run time over home's; None is no limit.
    """

    regions: tuple[str, ...] = FOUR_REGIONS
    transmission: Transmission = BEST
    rule: OutsideRule = "published"
    untracked_home_share: float = 0.5
    message_share: float = 0.0
    speed_away: float = 1.0
    paces: int = 1
    pinned: tuple[int, ...] = ()
    runtime_limit: float | None = None
    order: tuple[str, ...] = ("carbon",)

    @property
    def home(self) -> str:
        """Where the workload and its data are."""
        return self.regions[0]


@dataclass(frozen=True)
class Bytes:
    """What an average run of a workload moves, in GB.

    Attributes:
        data: Outside messages.
        payloads: In payloads of messages, without `PAYLOAD_BYTES`.
    """

    data: float
    payloads: float


def problem_document(workload: Workload, setting: Setting, moved: Bytes) -> dict[str, Any]:
    """The problem document of a workload that moves so many bytes; intensities are zero."""
    application, regions = workload.application, setting.regions
    patterns = list(application.patterns())
    paces = _paces(setting.paces)
    names = [step.name for step in application.steps]
    runs = [(pattern, pace) for pattern in patterns for pace in paces]
    return {
        "schema": "multi-x-serverless/problem",
        "version": 1,
        "workflow": workload.name.replace(" ", "-").lower(),
        "provenance": {"workload": "Caribou (SOSP'24), section 9; shares of nodes assumed"},
        "regions": list(regions),
        "home": setting.home,
        "hours": list(range(HOURS_IN_DAY)),
        "nodes": [
            {
                "name": step.name,
                "function": step.name,
                "memory_mb": application.memory_mb,
                "architecture": "x86_64",
                "sync": application.joins(index),
                "allowed": [setting.home] if index in setting.pinned else list(regions),
            }
            for index, step in enumerate(application.steps)
        ],
        "edges": [
            {
                "from": names[call.source],
                "to": names[call.target],
                "round_trips": constants.ROUND_TRIPS_SYNC_EDGE
                if application.joins(call.target)
                else constants.ROUND_TRIPS_PLAIN_EDGE,
            }
            for call in application.calls
        ],
        "trigger": {"region": setting.home, "forward_duration_s": 0.0},
        "intensity_gco2e_per_kwh": {region: [0.0] * HOURS_IN_DAY for region in regions},
        "intensity_interval": None,
        "outside_intensity_gco2e_per_kwh": constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH,
        "power": {
            "vcpu_min_kw": VCPU_MINIMUM_KW,
            "vcpu_max_kw": constants.VCPU_MAXIMUM_KW,
            "memory_kw_per_gb": constants.MEMORY_KW_PER_GB,
            "memory_mb_per_vcpu": shared_constants.MEMORY_MB_PER_VCPU,
            "pue_default": constants.PUE_DEFAULT,
            "pue": {},
            "cpu_utilization_default": constants.CPU_UTILIZATION_DEFAULT,
        },
        "transmission": {
            "inter_region_kwh_per_gb": setting.transmission.inter_region_kwh_per_gb,
            "intra_region_kwh_per_gb": setting.transmission.intra_region_kwh_per_gb,
            "interval": None,
            # By the published rule what leaves the cloud is the same everywhere, and not for the engine.
            "unattributed_home_share": 1.0 if setting.rule == "published" else setting.untracked_home_share,
        },
        "prices": {region: _prices(region, regions) for region in regions},
        "latency": {
            "round_trip_s": [[data.round_trip_seconds(a, b).value for b in regions] for a in regions],
            "bandwidth_bytes_per_s": shared_constants.BANDWIDTH_BYTES_PER_S,
        },
        "protocol": {
            "message_envelope_bytes": shared_constants.MESSAGE_ENVELOPE_BYTES,
            "inline_payload_limit_bytes": shared_constants.INLINE_PAYLOAD_LIMIT_BYTES,
            "sync_report_write_units": constants.SYNC_REPORT_WRITE_UNITS,
            "sync_closing_write_units": constants.SYNC_CLOSING_WRITE_UNITS,
            "sync_closing_read_units": constants.SYNC_CLOSING_READ_UNITS,
            "log_bytes_per_node": constants.LOG_BYTES_PER_NODE,
        },
        "relative_speed": {region: setting.speed_away for region in regions if region != setting.home},
        "observations": {
            "runs": len(runs),
            "trigger_bytes": [0.0] * len(runs),
            "nodes": {
                step.name: _node_columns(workload, setting, moved, index, runs)
                for index, step in enumerate(application.steps)
            },
            "edges": [_edge_columns(application, moved, index, runs) for index in range(len(application.calls))],
        },
        "priors": None,
        "constraints": {
            "hard": {}
            if setting.runtime_limit is None
            else {"runtime": {"type": "relative", "value": setting.runtime_limit}},
            "soft": {},
            "priority_order": list(setting.order),
            "priority_tolerance": 0.0,
        },
        "settings": {
            "seed": 0,
            # Each run as often as any other: then means are exact.
            "scenarios": len(runs),
            "validation_scenarios": 1,
            "min_samples": 1,
            "tail": 0.95,
            "confidence": 0.95,
            "deadline_s": 60.0,
        },
    }


def _paces(count: int, spread: float = 0.2) -> list[float]:
    """Quantiles in the middle of equal parts of a log-normal distribution, scaled to a mean of 1."""
    values = np.exp([spread * NormalDist().inv_cdf((number + 0.5) / count) for number in range(count)])
    return [float(value) for value in values / values.mean()]


def _node_columns(
    workload: Workload, setting: Setting, moved: Bytes, step: int, runs: list[tuple[Pattern, float]]
) -> dict[str, Any]:
    application = workload.application
    shape = application.steps[step]
    share = setting.untracked_home_share if setting.rule == "published" else 1.0
    size = share * moved.data * GB * shape.data_share / application.run_probability(step)
    seconds = shape.time_share * workload.run_time_s
    return {
        "ran": [int(pattern.ran[step]) for pattern, _ in runs],
        "region": [0 if pattern.ran[step] else -1 for pattern, _ in runs],
        "duration_s": [seconds * pace if pattern.ran[step] else None for pattern, pace in runs],
        "cpu_utilization": [None] * len(runs),
        "data_bytes": [size if pattern.ran[step] else None for pattern, _ in runs],
    }


def _edge_columns(
    application: Application, moved: Bytes, edge: int, runs: list[tuple[Pattern, float]]
) -> dict[str, Any]:
    calls = np.mean([sum(called is True for called in pattern.called) for pattern in application.patterns()])
    # The same size for every call that is made.
    size = PAYLOAD_BYTES + moved.payloads * GB / float(calls)
    called = [pattern.called[edge] for pattern, _ in runs]
    return {
        "called": [None if made is None else int(made) for made in called],
        "payload_bytes": [size if made else None for made in called],
        "offset_fraction": [1.0 if made else None for made in called],
        "latency_s": [None] * len(runs),
    }


def _prices(region: str, regions: tuple[str, ...]) -> dict[str, Any]:
    prices = data.prices(region)
    million = 1e6
    return {
        "lambda_usd_per_gb_s": {
            "x86_64": prices.lambda_x86_64_usd_per_gb_second,
            "arm64": prices.lambda_arm64_usd_per_gb_second,
        },
        "lambda_usd_per_request": prices.lambda_usd_per_million_requests / million,
        "message_usd_per_64kib": prices.sns_usd_per_million_publishes / million,
        "kv_usd_per_write_unit": prices.dynamodb_usd_per_million_write_units / million,
        "kv_usd_per_read_unit": prices.dynamodb_usd_per_million_read_units / million,
        "object_usd_per_put": prices.s3_usd_per_million_put_requests / million,
        "object_usd_per_get": prices.s3_usd_per_million_get_requests / million,
        "log_usd_per_gb": prices.cloudwatch_logs_usd_per_gb_ingested,
        "egress_usd_per_gb": {other: prices.egress_usd_per_gb_to(other) for other in regions if other != region},
        "egress_internet_usd_per_gb": prices.egress_to_internet_usd_per_gb,
    }
