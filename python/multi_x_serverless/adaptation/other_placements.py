"""A plan of the engine with other placements than the engine's: what they are expected to do, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from multi_x_serverless.model.plan import Certificate, Placement, Plan
from multi_x_serverless.solving.engine import LoadedProblem


def with_placements(plan: Plan, placements: Mapping[int, Placement], problem: bytes) -> Plan:
    """The plan with other placements.

    What an hour's new placement is expected to do is evaluated over fresh scenarios, as the engine's validation is, and
    its certificate says how far it is above the bound of that hour.

    Args:
        plan: The engine's.
        placements: UTC hour -> placement, for each of its hours.
        problem: The document that the plan was made of.
    """
    changed = [entry.hour for entry in plan.hours if dict(entry.placement) != dict(placements[entry.hour])]
    if not changed:
        return plan
    planning, fresh = LoadedProblem(problem), LoadedProblem(_with_fresh_scenarios(problem))
    hours = []
    for entry in plan.hours:
        if entry.hour not in changed:
            hours.append(entry)
            continue
        placement, before = placements[entry.hour], entry.certificate
        value = planning.evaluate(placement, entry.hour).of(before.objective).mean
        gap = max(0.0, value - before.lower_bound) / value if value > 0.0 else 0.0
        certificate = Certificate("feasible", before.objective, value, before.lower_bound, gap)
        metrics = fresh.evaluate(placement, entry.hour)
        hours.append(replace(entry, placement=placement, certificate=certificate, metrics=metrics))
    return replace(plan, hours=tuple(hours))


def _with_fresh_scenarios(problem: bytes) -> bytes:
    """The same document with the scenarios of another seed, as many as the engine validates with."""
    document = orjson.loads(problem)
    settings = document["settings"]
    settings["seed"] = int(settings["seed"]) + 1
    settings["scenarios"] = settings["validation_scenarios"]
    return orjson.dumps(document)
