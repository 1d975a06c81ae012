"""A problem document made ready for a replay: fewer regions, another energy per byte, another seed.

The document has been read by the engine before, so that its form is known to be right. What is changed is changed in
the JSON itself, so that all else stays as it was; what is read is read by its types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.plan import Objective
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.observations import OUTSIDE
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION
from multi_x_serverless.solving.robust import TRANSMISSION_SUBJECT
from multi_x_serverless.solving.simulation import DEFAULT_TAIL, METRICS


@dataclass(frozen=True)
class Changes:
    """What to change; `None` leaves it as the document says.

    Attributes:
        regions: The only ones that are left, and home.
        transmission: Energy per byte, without an interval around it.
        seed: Of scenarios and heuristic.
        deadline_s: Seconds of a solve.
    """

    regions: tuple[str, ...] | None = None
    transmission: TransmissionPreset | None = None
    seed: int | None = None
    deadline_s: float | None = None


def changed(document: bytes, changes: Changes) -> bytes:
    """The document with the changes.

    Raises:
        UsageError: A region is none of the document's, or one is left out that the workflow cannot be without.
    """
    problem: dict[str, Any] = orjson.loads(document)
    if changes.regions is not None:
        _keep_regions(problem, changes.regions)
    if changes.transmission is not None:
        preset = TRANSMISSION_PRESETS[changes.transmission]
        problem["transmission"]["inter_region_kwh_per_gb"] = preset.inter_region_kwh_per_gb
        problem["transmission"]["intra_region_kwh_per_gb"] = preset.intra_region_kwh_per_gb
        problem["transmission"]["interval"] = None
        provenance = problem.setdefault("provenance", {})
        provenance["transmission"] = f"preset '{changes.transmission}'"
        provenance.pop(TRANSMISSION_SUBJECT, None)
    settings = problem.setdefault("settings", {})
    if changes.seed is not None:
        settings["seed"] = changes.seed
    if changes.deadline_s is not None:
        settings["deadline_s"] = changes.deadline_s
    return orjson.dumps(problem)


def _keep_regions(problem: dict[str, Any], wanted: tuple[str, ...]) -> None:
    known: list[str] = problem["regions"]
    unknown = [region for region in wanted if region not in known]
    if unknown:
        raise UsageError(f"the problem has no region {', '.join(unknown)}; there are {', '.join(known)}.")
    kept = [region for region in known if region == problem["home"] or region in wanted]
    if problem["trigger"]["region"] not in kept:
        raise UsageError(
            f"runs are triggered in {problem['trigger']['region']}, which is left out: add it to --regions."
        )
    _require_durations(problem, kept)
    places = {known.index(region): place for place, region in enumerate(kept)}
    matrix = problem["latency"]["round_trip_s"]
    problem["latency"]["round_trip_s"] = [[matrix[source][target] for target in places] for source in places]
    problem["regions"] = kept
    for table in (problem["intensity_gco2e_per_kwh"], problem["prices"]):
        _keep_keys(table, kept)
    for prices in problem["prices"].values():
        _keep_keys(prices["egress_usd_per_gb"], kept)
    for table in (problem.get("relative_speed"), problem["power"].get("pue")):
        if table is not None:
            _keep_keys(table, kept)
    for node in problem["nodes"]:
        node["allowed"] = [region for region in node["allowed"] if region in kept]
    for columns in problem["observations"].get("nodes", {}).values():
        columns["region"] = [places.get(place, -1) for place in columns["region"]]
        for name in ("sent_bytes", "received_bytes"):
            if name in columns:
                columns[name] = _with_others_outside(columns[name], kept)


def _require_durations(problem: dict[str, Any], kept: list[str]) -> None:
    """Refuse where it would not be known any more how long a node takes."""
    known: list[str] = problem["regions"]
    for name, columns in problem["observations"].get("nodes", {}).items():
        seen = {
            known[place]
            for place, seconds in zip(columns["region"], columns["duration_s"], strict=True)
            if place >= 0 and seconds is not None
        }
        if seen and seen.isdisjoint(kept):
            raise UsageError(
                f"node {name} ran only in {', '.join(sorted(seen))}, so nothing is known of its duration in the "
                f"regions left: add {min(seen)} to --regions."
            )


def _keep_keys(table: dict[str, Any], kept: list[str]) -> None:
    for region in [region for region in table if region not in kept]:
        del table[region]


def _with_others_outside(columns: dict[str, list[float]], kept: list[str]) -> dict[str, list[float]]:
    """Bytes of regions that are left out went outside."""
    result: dict[str, list[float]] = {}
    for end, sizes in columns.items():
        place = end if end in kept else OUTSIDE
        before = result.get(place, [0.0] * len(sizes))
        result[place] = [known + more for known, more in zip(before, sizes, strict=True)]
    return result


@dataclass(frozen=True)
class Priorities:
    """What a problem wants first.

    Attributes:
        order: Objectives, most important first.
        tolerance: Fraction within which two plans count as equal.
        tail: The percentile of tails, as a fraction.
    """

    order: tuple[Objective, ...]
    tolerance: float
    tail: float


def read_priorities(document: bytes) -> Priorities:
    """The priorities of a problem document, with the defaults that it leaves out."""
    fields = documents.read(document, PROBLEM_SCHEMA, PROBLEM_VERSION)
    constraints, settings = _section(fields, "constraints"), _section(fields, "settings")
    return Priorities(
        order=constraints.sequence("priority_order", _as_objective)
        if "priority_order" in constraints.values
        else METRICS,
        tolerance=constraints.optional_number("priority_tolerance") or 0.0,
        tail=settings.number("tail") if "tail" in settings.values else DEFAULT_TAIL,
    )


def _section(fields: Fields, name: str) -> Fields:
    return fields.optional_section(name) or Fields(fields.document, name, {})


def _as_objective(value: Any) -> Objective:
    for objective in METRICS:
        if value == objective:
            return objective
    raise ValueError(f"is {value!r}, expected one of {', '.join(METRICS)}")
