"""What a plan saves, what that took, and what is left, as tables and sentences.

*Expected* figures are simulated; *observed* ones are measured (times) or modelled from runs (carbon and cost). The
words are the same wherever these tables are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from multi_x_serverless.model.amounts import dollars, grams
from multi_x_serverless.report.tables import Column, Table
from multi_x_serverless.report.wording import (
    compared_span,
    compared_with,
    counted,
    describe_least_favourable,
    dollars_per_million,
    drawn_from,
    more_or_less,
    more_or_less_span,
    relative,
    seconds,
    size,
)

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.comparison import Interval, Saving
    from multi_x_serverless.adaptation.net_savings import Amount, MeasuredAmount, NetSaving, OverheadItem, OverheadKind
    from multi_x_serverless.adaptation.savings import Average, SavingsReport, Times
    from multi_x_serverless.adaptation.timing import Like
    from multi_x_serverless.model.ledger import Assumed

EXPECTED_DATA = "Data that the expected figures rest on"
OBSERVED_DATA = "Data that the observed figures rest on"

Change: TypeAlias = "Callable[[float | None], str]"
"""How a change is shown: in words (`compared`) where there is room, else by a sign (`relative`)."""

WAITING = (
    "A function waits until its calls to other regions are accepted. Plans of this version expect that, as "
    "far as the runs logged it, with connections that are open; those of earlier versions do not. To open one takes "
    "two or three round trips more, which is in the observed figures only."
)
"""How far the model and what happened differ by design, wherever both are shown; true of whatever plan is shown."""

HANDING_ON = (
    "Expected time contains handing the trigger on to the entry, which the plan has away from home; measured time "
    "begins when the entry starts, and is without it. Compare neither with the other."
)
"""The difference in what is timed, wherever the plan has the entry away from home at some hour."""

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
    "hour": "carbon intensities of some hours",
    "intensity": "carbon intensities",
    "memory": "memory of earlier functions",
    "prices": "prices",
    "probes": "number of probes",
}

_SHOWN: Mapping[str, Callable[[float], str]] = {"CO2eq": grams, "USD": dollars}


def expected_parts(report: SavingsReport, change: Change = relative) -> Sequence[Table | str]:
    """What the plan is expected to save."""
    expected, plan = report.expected_change, report.plan
    if expected is None:
        return (f"Plan {plan.version} sends everything home: nothing is expected to be saved.",)
    rows = [("home", *_cells(expected.home, expected.home, change))]
    if expected.best_static is not None:
        name = f"best single region for all hours ({expected.best_static_region})"
        rows.append((name, *_cells(expected.best_static, expected.home, change)))
    rows.append(("best single region of each hour", *_cells(expected.best_single, expected.home, change)))
    rows.append(("this plan", *_cells(expected.plan, expected.home, change)))
    scenarios = "" if plan.observed_runs is None else f", in fresh scenarios {drawn_from(plan.observed_runs)}"
    notes = _explain_signs(change, "home", "home")
    if expected.best_static is None:
        notes.append(
            "Of a single region for all hours nothing is expected: none keeps the hard limits all day, or the plan is "
            "of an older version."
        )
    if expected.least_favourable is not None:
        notes.append(describe_least_favourable(plan.robust, expected.least_favourable))
    return (
        Table(
            f"Expected of plan {plan.version}: mean per run over the day{scenarios}",
            _columns("home"),
            tuple(rows),
            note="\n".join(notes),
        ),
    )


def observed_parts(report: SavingsReport, change: Change = relative) -> Sequence[Table | str]:
    """What runs by the plan had, beside those at home, and what follows from that."""
    observed, plan_version = report.observed, report.plan.version
    parts: list[Table | str] = []
    rows = []
    if observed.control is not None:
        name = f"home share ({counted(observed.control.runs, 'run')})"
        rows.append((name, *_cells(observed.control.mean, observed.control.mean, change)))
    if observed.plan is not None and observed.control is not None:
        name = f"plan {plan_version} ({counted(observed.plan.runs, 'run')})"
        cells = _cells(observed.plan.mean, observed.control.mean, change)
        rows.append((name, *cells) if observed.runtime is not None else (name, *cells[:-1], "-"))
    elif observed.plan_runs and not observed.everything_home:
        rows.append((f"plan {plan_version} ({counted(observed.plan_runs, 'run')}, too few to compare)", *["-"] * 6))
    if observed.other_home is not None:
        name = f"other home ({counted(observed.other_home.runs, 'run')})"
        rows.append((name, *_cells(observed.other_home.mean, None, change)))
    if rows:
        title = f"Observed runs of plan {plan_version}, per run: time measured, carbon and cost modelled from the runs"
        parts.append(Table(title, _columns("control"), tuple(rows), note=_note_of_observed(report, change)))
    if observed.obstacle:
        parts.append(f"No saving is stated from observed runs: {observed.obstacle}")
    for name, saving, method in (
        ("carbon", observed.carbon, "modelled from observed runs"),
        ("cost", observed.cost, "modelled from observed runs"),
        ("time", observed.runtime, "measured"),
    ):
        if saving is not None:
            which = _which_runs(observed.times) if saving is observed.runtime else ""
            parts.append(f"{name}, {method}: {_interval(saving)}{which}")
    if observed.times is not None and observed.times.like is None:
        parts.append(
            "time, measured: not compared, for of either kind too few runs are without a first execution in a new "
            "container, which takes a multiple of the others and is more frequent in the smaller home share."
        )
    return parts


def net_parts(net: NetSaving) -> Sequence[Table | str]:
    """Gross, overhead and net: expected beside observed."""
    if not net.overhead and not net.expected.runs:
        return (f"In the last {net.days} days no plan has routed a run away, and planning has spent nothing.",)
    return (
        Table(
            f"All plans of the last {net.days} days against home, and what planning took",
            (
                Column("", is_whole=True),
                Column("expected", is_number=True),
                Column("observed", is_number=True),
                Column("95 % confidence"),
            ),
            (*_rows("CO2eq", net), *_rows("USD", net)),
            note=_note_of_net(net),
        ),
    )


def overhead_parts(net: NetSaving) -> Sequence[Table]:
    """What planning spent, by kind."""
    if not net.overhead:
        return ()
    return (
        Table(
            f"Overhead of the last {net.days} days by kind",
            (
                Column("spent on"),
                Column("times", is_number=True),
                Column("measured"),
                Column("CO2eq", is_number=True),
                Column("USD", is_number=True),
            ),
            tuple(
                (
                    KIND_NAMES[item.kind],
                    f"{item.count:.0f}",
                    _described(item),
                    grams(item.carbon_gco2eq),
                    dollars(item.cost_usd),
                )
                for item in net.overhead
            ),
            note=f"Copies are counted with the '{net.transmission}' published energy per byte.",
        ),
    )


def _columns(baseline: str) -> tuple[Column, ...]:
    against = Column(f"vs {baseline}", is_number=True)
    quantities = [Column(name, is_number=True) for name in ("CO2eq", "USD per 1M", "time")]
    return (Column(""), *(column for quantity in quantities for column in (quantity, against)))


def _explain_signs(change: Change, heading: str, baseline: str) -> list[str]:
    """A line on what signs mean, if changes are shown by them."""
    return [f"vs {heading}: - is less than {baseline}, + is more."] if change is relative else []


def _cells(average: Average, baseline: Average | None, change: Change) -> tuple[str, ...]:
    """Each quantity and how it stands to the baseline's, if there is one."""
    carbon, cost, time = ("-", "-", "-") if baseline is None else changes(average, baseline, change)
    return (
        grams(average.carbon_gco2eq),
        carbon,
        dollars_per_million(average.cost_usd),
        cost,
        seconds(average.runtime_s),
        time,
    )


def changes(average: Average, baseline: Average, change: Change) -> tuple[str, str, str]:
    """How carbon, cost and time stand to a baseline's."""
    pairs = (
        (average.carbon_gco2eq, baseline.carbon_gco2eq),
        (average.cost_usd, baseline.cost_usd),
        (average.runtime_s, baseline.runtime_s),
    )
    carbon, cost, time = (change(value / base - 1.0 if base > 0 else None) for value, base in pairs)
    return carbon, cost, time


def _which_runs(times: Times | None) -> str:
    """Which runs a time is of, and how many; empty of reports that do not say."""
    if times is None or times.like is None:
        return ""
    return f", of {times.like} runs: {times.plan} by the plan, {times.control} of the home share"


_LIKES: Mapping[Like, str] = {
    "warm": "time: of warm runs only, in which no execution was the first one in a new container.",
    "cold": "time: of cold runs only, in which every execution was the first one in a new container.",
}


def _note_of_observed(report: SavingsReport, change: Change) -> str:
    observed = report.observed
    notes = (
        _explain_signs(change, "control", "the home share")
        if observed.plan is not None and observed.control is not None
        else []
    )
    if observed.other_home is not None:
        notes.append("other home: other runs at home, at the intensity of their hours; no control for the plan's runs.")
    if observed.times is not None and observed.times.like is not None:
        other = observed.other_home is not None and not observed.times.other_home
        notes.append(_LIKES[observed.times.like] + (" Of other home: of all, for none is so." if other else ""))
    if observed.strata:
        notes.append(
            f"Compared within {counted(observed.strata, 'group')} of hours, weighted as the "
            "plan's runs are spread over the day."
        )
    if observed.failed_plan_runs or observed.failed_control_runs:
        notes.append(
            f"Failed and left out: {counted(observed.failed_plan_runs, 'run')} that the plan routed, "
            f"{observed.failed_control_runs} of the home share."
        )
    if observed.plan is not None:
        notes.append(WAITING)
        if report.entry_is_away:
            notes.append(HANDING_ON)
    return "\n".join(notes)


def _interval(saving: Saving) -> str:
    return (
        f"{compared_with(-saving.fraction, 'the home share')} "
        f"(95 % confidence: {compared_span(-saving.high, -saving.low)}{unless_seen(saving.low, saving.high)})"
    )


def unless_seen(low: float, high: float) -> str:
    """What is to be said after an interval that contains nothing at all; empty of another."""
    return "; no difference can be seen" if low <= 0.0 <= high else ""


def _rows(unit: str, net: NetSaving) -> tuple[tuple[str, ...], ...]:
    overhead = more_or_less(_quantity(unit, net.overhead_total), _SHOWN[unit])
    return (
        (f"{unit} gross", _saved(unit, net.expected.gross), *_measured(unit, net.observed_gross)),
        (f"{unit} overhead", overhead, "-" if net.observed_gross is None else overhead, ""),
        (f"{unit} net", _saved(unit, net.expected_net), *_measured(unit, net.observed_net)),
    )


def _quantity(unit: str, amount: Amount) -> float:
    return amount.carbon_gco2eq if unit == "CO2eq" else amount.cost_usd


def _saved(unit: str, amount: Amount) -> str:
    """What is saved is less than at home."""
    return more_or_less(-_quantity(unit, amount), _SHOWN[unit])


def _measured(unit: str, amount: MeasuredAmount | None) -> tuple[str, str]:
    """The value and its interval."""
    if amount is None:
        return ("-", "-")
    saved: Interval = amount.carbon_gco2eq if unit == "CO2eq" else amount.cost_usd
    show = _SHOWN[unit]
    return (more_or_less(-saved.value, show), more_or_less_span(-saved.high, -saved.low, show))


def _note_of_net(net: NetSaving) -> str:
    notes = [
        f"Expected: simulated, of the {counted(net.expected.runs, 'run')} that plans routed."
        if net.expected.runs
        else "Expected: nothing, for plans routed no run away from home.",
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
            observed += f"; of these {_saved('CO2eq', gross)} and {_saved('USD', gross)} were expected"
        notes.insert(1, f"{observed}.")
        unseen = [
            f"{unit} {name}"
            for unit, quantity in (("CO2eq", "carbon_gco2eq"), ("USD", "cost_usd"))
            for name, amount in (("gross", net.observed_gross), ("net", net.observed_net))
            if amount is not None and unless_seen(getattr(amount, quantity).low, getattr(amount, quantity).high)
        ]
        if unseen:
            notes.insert(
                2, f"No difference can be seen in {' and '.join(unseen)}: the interval goes from less to more."
            )
    return "\n".join(notes)


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
