"""What collectors tried in vain, for whoever reads it: regions with the same warning share a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.collection.collector import CollectorReport, SignalOutcome

REGIONS_SHOWN = 4
"""So many regions are named; of more, how many they are."""


def warning_lines(reports: Sequence[CollectorReport]) -> tuple[str, ...]:
    """What failed although a value was found, one line for all regions in which the same did."""
    lines = []
    for report in reports:
        texts = dict.fromkeys((outcome.kind, text) for outcome in report.outcomes for text in outcome.warnings)
        for kind, text in texts:
            where = [outcome for outcome in report.outcomes if outcome.kind == kind and text in outcome.warnings]
            lines.append(f"{kind} of {name_regions(where, report)}: {text}")
    return tuple(lines)


def name_regions(outcomes: Sequence[SignalOutcome], report: CollectorReport) -> str:
    """The regions of some outcomes of a report, or how many they are."""
    regions = sorted({outcome.region for outcome in outcomes})
    all_regions = {outcome.region for outcome in report.outcomes}
    if len(regions) <= REGIONS_SHOWN:
        return ", ".join(regions)
    return f"all {len(regions)} regions" if len(regions) == len(all_regions) else f"{len(regions)} regions"
