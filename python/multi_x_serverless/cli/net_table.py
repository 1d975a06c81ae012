"""What plans saved, what that took, and what is left, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from multi_x_serverless.cli.output import (
    Column,
    counted,
    dollars,
    grams,
    seconds,
    size,
    write_table,
    write_wrapped,
)
from multi_x_serverless.cli.session import Settings

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.comparison import Interval
    from multi_x_serverless.adaptation.net_savings import Amount, MeasuredAmount, NetSaving, OverheadItem, OverheadKind
    from multi_x_serverless.model.ledger import Assumed

KIND_NAMES: Mapping[OverheadKind, str] = {
    "solve": "solves",
    "check": "weighing plans",
    "migration": "migrations",
    "deployment": "new code away from home",
    "sync": "data_sync",
    "collect": "data_collect",
    "framework": "jobs in the cloud",
    "cold_starts": "cold starts by plans",
}

ASSUMED_NAMES: Mapping[Assumed, str] = {
    "billed_s": "times",
    "copied_bytes": "bytes",
    "intensity": "carbon intensities",
    "memory": "memory of earlier functions",
    "prices": "prices",
    "probes": "number of probes",
}


def show_net(settings: Settings, net: NetSaving) -> None:
    """Gross, overhead and net: expected beside observed."""
    if not net.overhead and not net.expected.runs:
        write_wrapped(f"In the last {net.days} days no plan has routed a run away, and planning has spent nothing.")
        return
    write_table(
        settings,
        f"Saved against home by all plans of the last {net.days} days, and what that took",
        [
            Column("", is_whole=True),
            Column("expected", is_number=True),
            Column("observed", is_number=True),
            Column("95 % confidence", is_number=True),
        ],
        [*_rows("CO2eq", net), *_rows("USD", net)],
        note=_note(net),
    )


def _rows(unit: str, net: NetSaving) -> list[list[str]]:
    rows = [
        [f"{unit} gross", _shown(unit, net.expected.gross), *_measured(unit, net.observed_gross)],
        [f"{unit} overhead", _shown(unit, net.overhead_total), _shown(unit, net.overhead_total), ""],
        [f"{unit} net", _shown(unit, net.expected_net), *_measured(unit, net.observed_net)],
    ]
    if net.observed_gross is None:
        rows[1][2] = "-"
    return rows


def _show(unit: str, value: float) -> str:
    return grams(value) if unit == "CO2eq" else dollars(value)


def _shown(unit: str, amount: Amount) -> str:
    return _show(unit, amount.carbon_gco2eq if unit == "CO2eq" else amount.cost_usd)


def _measured(unit: str, amount: MeasuredAmount | None) -> list[str]:
    """The value and its interval."""
    if amount is None:
        return ["-", "-"]
    interval: Interval = amount.carbon_gco2eq if unit == "CO2eq" else amount.cost_usd
    return [_show(unit, interval.value), f"{_show(unit, interval.low)} to {_show(unit, interval.high)}"]


def _note(net: NetSaving) -> str:
    notes = [
        f"Expected: simulated, of the {counted(net.expected.runs, 'run')} that plans routed.",
        "Overhead: modelled from what was measured where it happened.",
    ]
    if net.observed_gross is None:
        notes.insert(1, f"Observed: nothing, for {net.obstacle}")
    else:
        observed = (
            f"Observed: modelled from {counted(net.compared.runs, 'run')} that can be compared with the home share, "
            "without the starts of their containers"
        )
        if net.compared.runs != net.expected.runs:
            gross = net.compared.gross
            observed += f"; of these {grams(gross.carbon_gco2eq)} and {dollars(gross.cost_usd)} USD were expected"
        notes.insert(1, f"{observed}.")
    return "\n".join(notes)


def show_overhead(settings: Settings, net: NetSaving) -> None:
    """What planning spent, by kind."""
    if not net.overhead:
        return
    write_table(
        settings,
        f"Overhead of the last {net.days} days by kind",
        [
            Column("spent on"),
            Column("times", is_number=True),
            Column("measured"),
            Column("CO2eq", is_number=True),
            Column("USD", is_number=True),
        ],
        [
            [
                KIND_NAMES[item.kind],
                f"{item.count:.0f}",
                _described(item),
                grams(item.carbon_gco2eq),
                dollars(item.cost_usd),
            ]
            for item in net.overhead
        ],
        note=f"Copies are counted with the '{net.transmission}' published energy per byte.",
    )


def _described(item: OverheadItem) -> str:
    """What was measured, and what was not."""
    parts = []
    if item.cpu_s:
        parts.append(f"{seconds(item.cpu_s)} of processor time")
    if item.copied_bytes:
        parts.append(f"{size(item.copied_bytes)} copied")
    if item.probes:
        parts.append(counted(item.probes, "probe"))
    if item.billed_s:
        parts.append(f"{seconds(item.billed_s)} billed")
    if item.failed:
        parts.append(f"{item.failed} failed")
    if item.is_upper_bound:
        parts.append("an upper bound: of a sample of the runs")
    if item.assumed:
        parts.append(f"assumed: {', '.join(ASSUMED_NAMES[name] for name in item.assumed)}")
    return ", ".join(parts)
