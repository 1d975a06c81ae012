"""Problem documents with intervals: the case that they ask for, and the same documents without."""

from __future__ import annotations

from typing import Any

import orjson

from multi_x_serverless.model import documents
from multi_x_serverless.model.robust import Interval, RobustCase
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION
from multi_x_serverless.solving.robust import CARBON_SUBJECT, TRANSMISSION_SUBJECT


def read_robust_case(problem: bytes) -> RobustCase | None:
    """The case that a problem document asks for; `None` if it has no interval."""
    fields = documents.read(problem, PROBLEM_SCHEMA, PROBLEM_VERSION)
    carbon, transmission = fields.optional_section("intensity_interval"), fields.section("transmission")
    energy = transmission.optional_section("interval")
    if carbon is None and energy is None:
        return None
    provenance = fields.mapping("provenance", documents.as_text)
    between = transmission.number("inter_region_kwh_per_gb")
    within = transmission.number("intra_region_kwh_per_gb")
    if energy is not None:
        of_its_own = energy.optional_number("intra_high_factor")
        within *= energy.number("high_factor") if of_its_own is None else of_its_own
    return RobustCase(
        None
        if carbon is None
        else Interval(carbon.number("low_factor"), carbon.number("high_factor"), provenance.get(CARBON_SUBJECT, "")),
        None
        if energy is None
        else Interval(
            energy.number("low_factor") * between,
            energy.number("high_factor") * between,
            provenance.get(TRANSMISSION_SUBJECT, ""),
        ),
        within,
    )


def without_intervals(problem: bytes) -> bytes:
    """The document without its intervals: what is expected, and not the case least favourable to moving."""
    document: dict[str, Any] = orjson.loads(problem)
    document["intensity_interval"] = None
    document["transmission"]["interval"] = None
    for subject in (CARBON_SUBJECT, TRANSMISSION_SUBJECT):
        document["provenance"].pop(subject, None)
    return orjson.dumps(document)
