"""What the page's slider changes: the state of each hour, in words and as data for the script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import orjson

from multi_x_serverless.model.amounts import grams
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.report.page.map_drawing import Pair, crossings
from multi_x_serverless.report.page.markup import unbroken
from multi_x_serverless.report.page.region_keys import RegionKey
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.report.wording import compared_with, counted

MOST_NAMED = 5
"""Regions that a sentence names; the table has all."""


def keyed_regions(report: ReportData) -> tuple[str, ...]:
    """Regions that have a letter and a colour: home, those of the plan, and the best single region for all hours."""
    static = report.plan.best_static_region
    known = {region.code for region in report.regions}
    others = sorted(report.plan.regions | ({static} & known if static is not None else set()))
    return tuple(dict.fromkeys((report.home, *others)))


def crossed_pairs(report: ReportData, keys: Sequence[RegionKey]) -> tuple[Pair, ...]:
    """Pairs of regions between which calls go at some hour."""
    order = {key.region: index for index, key in enumerate(keys)}
    return tuple(
        sorted(
            {pair for hour in range(HOURS_PER_DAY) for pair in crossings(report.graph, report.placement(hour), order)}
        )
    )


def clock(hour: int) -> str:
    """An hour as it is said."""
    return f"{hour:02}:00 UTC"


def hour_sentence(report: ReportData, hour: int) -> str:
    """Where the nodes run at an hour, and what is expected of it."""
    counts = Counter(report.placement(hour))
    entry = report.plan.at(hour)
    if len(counts) == 1:
        region = next(iter(counts))
        where = f"everything in {_named(report, region)}"
    else:
        ordered = sorted(counts, key=lambda region: (-counts[region], region))
        shown, rest = ordered[:MOST_NAMED], ordered[MOST_NAMED:]
        where = ", ".join(f"{counted(counts[region], 'node')} in {_named(report, region)}" for region in shown)
        if rest:
            nodes = counted(sum(counts[region] for region in rest), "node")
            where += f", {nodes} in {counted(len(rest), 'other region')}"
    sentence = f"{clock(hour)}: {where}."
    if entry.certificate.status == "infeasible":
        sentence += " No placement was found that meets the hard limits at this hour: everything stays home."
    if entry.metrics is not None and entry.home_metrics is not None:
        carbon, home = entry.metrics.carbon.mean, entry.home_metrics.carbon.mean
        change = compared_with(carbon / home - 1.0 if home > 0 else None, "home")
        sentence += f" Expected per run, simulated: {grams(carbon)} CO2eq, {change}."
    return sentence


def _named(report: ReportData, region: str) -> str:
    return f"{region} (home)" if region == report.home else region


def hour_document(report: ReportData, keys: Sequence[RegionKey], pairs: Sequence[Pair]) -> str:
    """What the script reads, as JSON that cannot end the element that holds it.

    Members: ``regions`` (code, letter and class of each), and for each hour in ``hours`` the place in ``regions`` of
    each node, the pairs that calls go between, and the sentence.
    """
    order = {key.region: index for index, key in enumerate(keys)}
    document = {
        "regions": [{"code": key.region, "letter": key.letter, "style": key.style_class} for key in keys],
        "hours": [
            {
                "clock": clock(hour),
                "sentence": unbroken(hour_sentence(report, hour)),
                "nodes": [order[region] for region in report.placement(hour)],
                "pairs": [
                    index
                    for index, pair in enumerate(pairs)
                    if pair in crossings(report.graph, report.placement(hour), order)
                ],
            }
            for hour in range(HOURS_PER_DAY)
        ],
    }
    # "<" only occurs in strings, where it can as well be written so: no "</script" or "<!--" is left.
    return orjson.dumps(document).decode().replace("<", "\\u003c")
