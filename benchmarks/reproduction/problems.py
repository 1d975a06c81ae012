"""Problem documents of the published workloads, solved hour by hour over stretches of the 2023 traces.

Two rules for bytes that leave the cloud:

- `published`: a byte between a region and the outside has the outside's intensity, wherever it comes from. This is how
  the published figures are met. It adds the same to every placement, and is added here to what the engine says.
- `product`: it has the mean of both ends, as `docs/problem-document.md` says and as the engine does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.reproduction.applications import Application, Pattern, Workload
from multi_x_serverless import _core, data
from multi_x_serverless.model import shared_constants
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, Transmission

OutsideRule: TypeAlias = Literal["published", "product"]
Series: TypeAlias = "NDArray[np.float64]"

HOME = "us-east-1"
FOUR_REGIONS = (HOME, "ca-central-1", "us-west-1", "us-west-2")
GB = 2.0**30
HOURS_IN_DAY = 24

VCPU_MINIMUM_KW = 0.00075
"""As published; the product has 0.00074. It scales time and bytes alike, since their ratio is an input."""

PAYLOAD_BYTES = 1024.0
"""Of a message: the names of the objects that a node reads. Assumed; all data lies in the home region."""

CALIBRATION_DAYS = range(287, 293)
"""15 to 20 October 2023, counted from 1 January as 0: the window in which the ratios were measured."""

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


@dataclass(frozen=True)
class Study:
    """A workload under a setting, ready to be solved.

    Attributes:
        problem: With intensities of zero; `on_day` sets those of a day. The engine itself: reading its answers into
            the product's types would take three times as long as solving.
        constant_gco2eq: Carbon per run that no placement changes and the engine does not count.
    """

    problem: _core.Problem
    constant_gco2eq: float
    setting: Setting
    document: bytes = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """Carbon per run in gCO2eq, hour by hour.

    Attributes:
        home: Everything at home, shape (hours,).
        single: Everything in one region, shape (regions, hours).
        best: The proven optimum, shape (hours,).
        placements: The optimum's, per hour.
    """

    home: Series
    single: Series
    best: Series
    placements: tuple[Mapping[str, str], ...]

    @property
    def best_over_home(self) -> float:
        """Carbon of the optimum as a fraction of home's."""
        return float(self.best.sum() / self.home.sum())

    @property
    def hourly_single_over_home(self) -> float:
        """Carbon of the best single region of each hour as a fraction of home's."""
        return float(self.single.min(axis=0).sum() / self.home.sum())

    @property
    def static_over_home(self) -> float:
        """Carbon of the best single region for the whole stretch, known afterwards, as a fraction of home's."""
        return float(self.single.sum(axis=1).min() / self.home.sum())


def trace_of(regions: Sequence[str], days: range) -> Series:
    """Intensities of whole days of 2023 (1 January is 0), shape (regions, 24 * days), gCO2eq/kWh."""
    return np.array(
        [
            data.hourly_trace(data.regions()[region].grid_zone).intensity_gco2eq_per_kwh[
                days.start * HOURS_IN_DAY : days.stop * HOURS_IN_DAY
            ]
            for region in regions
        ],
        dtype=np.float64,
    )


def energy_kwh(workload: Workload) -> float:
    """Mean energy of executing a run at home, in kWh, PUE included."""
    application = workload.application
    vcpus = application.memory_mb / shared_constants.MEMORY_MB_PER_VCPU
    watts = constants.CPU_UTILIZATION_DEFAULT * (constants.VCPU_MAXIMUM_KW - VCPU_MINIMUM_KW)
    power_kw = vcpus * (VCPU_MINIMUM_KW + watts) + application.memory_mb / 1024 * constants.MEMORY_KW_PER_GB
    hours = sum(
        step.time_share * application.run_probability(index) for index, step in enumerate(application.steps)
    ) * (workload.run_time_s / 3600)
    return hours * power_kw * constants.PUE_DEFAULT


def calibrated_bytes(workload: Workload, setting: Setting) -> Bytes:
    """Bytes with which the ratio of execution to transmission is the published one, at home with the best preset.

    What calls nobody has no messages: all of its bytes are data.

    Raises:
        ValueError: The messages alone are more than the ratio leaves room for.
    """
    home = float(trace_of((HOME,), CALIBRATION_DAYS).mean())
    outside = constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH
    away = outside if setting.rule == "published" else 0.5 * (home + outside)
    of_data = setting.untracked_home_share * home + (1.0 - setting.untracked_home_share) * away
    gram = energy_kwh(workload) * home / workload.ratio
    wanted = gram / BEST.intra_region_kwh_per_gb - _small_messages_gb(workload.application) * home
    message_share = setting.message_share if workload.application.calls else 0.0
    total = wanted / (message_share * home + (1.0 - message_share) * of_data)
    if total <= 0:
        raise ValueError(f"{workload.name}: its messages alone emit more than its ratio allows.")
    return Bytes(data=(1.0 - message_share) * total, payloads=message_share * total)


def _small_messages_gb(application: Application) -> float:
    """What messages of `PAYLOAD_BYTES` move in an average run, envelopes included; a join closes with one message."""
    patterns = list(application.patterns())
    envelope = shared_constants.MESSAGE_ENVELOPE_BYTES
    total = 0.0
    for pattern in patterns:
        for index, call in enumerate(application.calls):
            if pattern.called[index]:
                total += PAYLOAD_BYTES + (0.0 if application.joins(call.target) else envelope)
        total += envelope * sum(pattern.ran[step] and application.joins(step) for step in range(len(application.steps)))
    return total / len(patterns) / GB


def build_study(workload: Workload, setting: Setting) -> Study:
    """The problem document of a workload under a setting, read by the engine."""
    moved = calibrated_bytes(workload, setting)
    document = orjson.dumps(_document(workload, setting, moved))
    outside_gb = (1.0 - setting.untracked_home_share) * moved.data if setting.rule == "published" else 0.0
    return Study(
        problem=_core.Problem.from_json(document),
        constant_gco2eq=outside_gb
        * setting.transmission.inter_region_kwh_per_gb
        * constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH,
        setting=setting,
        document=document,
    )


def solve_hours(study: Study, intensities: Series) -> Outcome:
    """Solve every hour of whole days.

    Args:
        study: What is planned.
        intensities: Shape (regions, hours), in the order of the setting's regions.

    Raises:
        RuntimeError: An hour was not solved to proven optimality.
    """
    home: list[float] = []
    best: list[float] = []
    single: list[list[float]] = []
    placements: list[Mapping[str, str]] = []
    for day in _days(intensities):
        solution = orjson.loads(on_day(study, day).solve("fine-grained", threads=1))
        for hour in solution["hours"]:
            if hour["status"] != "optimal":
                raise RuntimeError(f"hour {hour['hour']} of {study.problem.workflow} is {hour['status']}.")
            by_region = {entry["region"]: entry["metrics"]["carbon"]["mean"] for entry in hour["candidates"]}
            home.append(hour["home_metrics"]["carbon"]["mean"])
            best.append(hour["metrics"]["carbon"]["mean"])
            single.append([by_region[region] for region in study.setting.regions])
            placements.append(hour["placement"])
    return Outcome(
        home=np.array(home) + study.constant_gco2eq,
        single=np.array(single).T + study.constant_gco2eq,
        best=np.array(best) + study.constant_gco2eq,
        placements=tuple(placements),
    )


def carbon_of(study: Study, placements: Sequence[Mapping[str, str]], intensities: Series) -> Series:
    """Carbon per run of given placements, one per hour of whole days, in gCO2eq."""
    found: list[float] = []
    for number, day in enumerate(_days(intensities)):
        problem = on_day(study, day)
        first = number * HOURS_IN_DAY
        found.extend(problem.evaluate(placements[first + hour], hour).carbon.mean for hour in range(HOURS_IN_DAY))
    return np.array(found) + study.constant_gco2eq


def _days(intensities: Series) -> list[Series]:
    return np.split(intensities, intensities.shape[1] // HOURS_IN_DAY, axis=1)


def on_day(study: Study, day: Series) -> _core.Problem:
    """The problem under the intensities of one day, shape (regions, 24)."""
    by_region = dict(zip(study.setting.regions, day.tolist(), strict=True))
    return study.problem.with_intensity(by_region, hours=range(HOURS_IN_DAY))


def _document(workload: Workload, setting: Setting, moved: Bytes) -> dict[str, Any]:
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
