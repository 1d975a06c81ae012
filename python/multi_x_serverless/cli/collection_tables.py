"""What `data_collect` refreshed, from where, how old it is, what failed; regions with the same answer share a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.collection_warnings import name_regions
from multi_x_serverless.cli.output import Column, age, write_table
from multi_x_serverless.model.signal_parts import SOURCE_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.collection.collector import CollectorReport, SignalOutcome

SECONDS_THAT_ARE_NOW = 60.0


def show_reports(settings: Settings, reports: Sequence[CollectorReport]) -> None:
    """What the collectors refreshed and what stays as it was, as a table."""
    rows = []
    for report in reports:
        for group in _grouped(report.outcomes, _row):
            kind, source, vintage, as_of = _row(group[0])
            rows.append([kind, str(len(group)), as_of, _dated(source, vintage) if source else "-"])
    if rows:
        columns = [
            Column("data"),
            Column("regions", is_number=True),
            Column("as of"),
            Column("source: time that it describes"),
        ]
        write_table(settings, "Collected", columns, rows)


def _dated(source: str, vintage: str) -> str:
    """A source with the time that it describes; of several sources each with its own."""
    sources, vintages = source.split(SOURCE_SEPARATOR), vintage.split(SOURCE_SEPARATOR)
    if len(sources) != len(vintages):
        return f"{source}: {vintage}"
    return SOURCE_SEPARATOR.join(f"{name}: {time}" for name, time in zip(sources, vintages, strict=True))


def failure_lines(reports: Sequence[CollectorReport]) -> list[str]:
    """What was not refreshed, one line for all regions in which it was for the same reason."""
    lines = []
    for report in reports:
        for group in _grouped(report.failures, lambda outcome: (outcome.kind, outcome.error, _as_of(outcome))):
            first = group[0]
            kept = "there is no value" if first.age_s is None else f"the value of {_as_of(first)} stays"
            where = name_regions(group, report)
            lines.append(f"{first.kind} of {where} was not refreshed, {kept}: {first.error}")
    return lines


def _grouped(outcomes: Sequence[SignalOutcome], by: Callable[[SignalOutcome], Hashable]) -> list[list[SignalOutcome]]:
    """Outcomes that are the same by some measure, in the order of the first of each."""
    groups: dict[Hashable, list[SignalOutcome]] = {}
    for outcome in outcomes:
        groups.setdefault(by(outcome), []).append(outcome)
    return list(groups.values())


def _row(outcome: SignalOutcome) -> tuple[str, str, str, str]:
    return outcome.kind, outcome.source, outcome.vintage, _as_of(outcome)


def _as_of(outcome: SignalOutcome) -> str:
    if outcome.age_s is None:
        return "never"
    return "now" if outcome.age_s < SECONDS_THAT_ARE_NOW else f"{age(outcome.age_s)} ago"
