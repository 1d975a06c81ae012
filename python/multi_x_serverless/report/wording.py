"""How figures and texts are put into words, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from multi_x_serverless.model.amounts import grams, prefixed
from multi_x_serverless.model.robust import LEAST_FAVOURABLE
from multi_x_serverless.model.units import DAY_S, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from multi_x_serverless.model.robust import CarbonBesideHome, RobustCase

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """A text without what would steer a terminal, or cannot be written to one; others may have written it."""
    return text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")


def percentile(tail: float) -> str:
    """The name of a percentile: ``p95`` of 0.95."""
    return f"p{tail * 100:g}"


def counted(count: int, what: str) -> str:
    """A number of things: the word for one of them, ``run`` or ``repeated delivery``, takes its plural by itself."""
    if count == 1:
        return f"1 {what}"
    if what[-1] == "y" and what[-2] not in "aeiou":
        return f"{count} {what[:-1]}ies"
    return f"{count} {what}s"


BRIEF_CHARACTERS = 240
"""Longest text of a table's cell that is not cut."""


def brief(text: str) -> str:
    """A text cut at the end of a word, so that a list of many regions does not fill the screen."""
    if len(text) <= BRIEF_CHARACTERS:
        return text
    return text[: BRIEF_CHARACTERS - 4].rsplit(" ", maxsplit=1)[0].rstrip(",;") + " ..."


def hour_ranges(hours: Sequence[int]) -> str:
    """Ascending hours as ``0-5, 9, 12-23``."""
    ranges: list[list[int]] = []
    for hour in hours:
        if ranges and ranges[-1][1] == hour - 1:
            ranges[-1][1] = hour
        else:
            ranges.append([hour, hour])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


ROUNDED_AWAY = 5e-4
"""A change, as a fraction, that is none to a decimal of a per cent."""


def percent(part: float, *, signed: bool = False) -> str:
    """A fraction as per cent with one decimal; what is rounded away has no sign."""
    if abs(part) < ROUNDED_AWAY:
        return "0.0 %"
    return f"{part * 100:+.1f} %" if signed else f"{part * 100:.1f} %"


def relative(change: float | None) -> str:
    """A change as a signed percentage, in seven characters at most unless it is absurd; ``-`` if not known."""
    if change is None:
        return "-"
    return percent(change, signed=True) if abs(change) < 1.0 else f"{change * 100:+.0f} %"


SAME = "the same"
"""A change that is rounded away."""


def compared(change: float | None) -> str:
    """A change in words: ``12.0 % less``, ``3.0 % more``, ``the same``; ``-`` if not known."""
    if change is None:
        return "-"
    return _directed(change) or SAME


def compared_with(change: float | None, what: str) -> str:
    """A change from something: ``12.0 % less than home``, ``the same as home``; ``- vs home`` if not known."""
    if change is None:
        return f"- vs {what}"
    directed = _directed(change)
    return f"{directed} than {what}" if directed else f"{SAME} as {what}"


def compared_span(low: float, high: float) -> str:
    """A span of changes in words: ``2.0 % to 5.0 % less``, ``1.0 % less to 3.0 % more``."""
    return _span(low, high, _magnitude)


def is_shown_as_nothing(value: float, show: Callable[[float], str]) -> bool:
    """Whether an amount is nothing, or rounded away."""
    return show(abs(value)) == show(0.0)


def more_or_less(value: float, show: Callable[[float], str]) -> str:
    """An amount that is more or less than another: ``12 ug less`` for -12e-6; what is shown as nothing is neither."""
    return show(0.0) if is_shown_as_nothing(value, show) else f"{show(abs(value))} {_direction(value)}"


def more_or_less_span(low: float, high: float, show: Callable[[float], str]) -> str:
    """A span of such amounts: ``2 ug to 5 ug less``, ``1 ug less to 3 ug more``."""
    return _span(low, high, show)


def _span(low: float, high: float, show: Callable[[float], str]) -> str:
    near, far = sorted((low, high), key=abs)
    if is_shown_as_nothing(far, show):
        return SAME
    if low < 0.0 < high and not is_shown_as_nothing(near, show):
        return f"{show(-low)} less to {show(high)} more"
    return f"{show(abs(near))} to {show(abs(far))} {_direction(far)}"


def _directed(change: float) -> str:
    """Empty for what is rounded away."""
    return "" if abs(change) < ROUNDED_AWAY else f"{_magnitude(change)} {_direction(change)}"


def _magnitude(change: float) -> str:
    return relative(abs(change)).removeprefix("+")


def _direction(change: float) -> str:
    return "less" if change < 0.0 else "more"


def dollars_per_million(value: float) -> str:
    """USD per run as USD per million runs."""
    return f"{value * 1e6:.2f}"


def seconds(value: float) -> str:
    """A duration in ms or s, rounded before it is seen which reads best."""
    if round(abs(value) * 1e3) < 1000:
        return f"{value * 1e3:.0f} ms"
    return f"{value:.2f} s" if round(abs(value), 2) < 1000 else f"{value:.0f} s"


def size(value: float) -> str:
    """A number of bytes in the prefix that reads best."""
    if round(value) < 1000:
        return f"{value:.0f} B"
    return prefixed(value, "B", ((1e-12, "TB"), (1e-9, "GB"), (1e-6, "MB"), (1e-3, "kB")))


def age(value_s: float) -> str:
    """A time that has passed, in seconds, in the unit that reads best."""
    for factor, unit in ((DAY_S, "day"), (SECONDS_PER_HOUR, "hour"), (60.0, "minute")):
        if value_s >= factor:
            count = int(value_s // factor)
            return counted(count, unit)
    return "less than a minute"


def quantity(metric: str, value: float) -> str:
    """A value of carbon (gCO2eq), cost (USD per run, shown per million runs) or runtime (s)."""
    if metric == "carbon":
        return grams(value)
    return seconds(value) if metric == "runtime" else f"{dollars_per_million(value)} USD per 1M"


def drawn_from(runs: int) -> str:
    """What scenarios are made of: no number of them makes up for few runs."""
    if runs == 0:
        return "drawn from declared estimates"
    return f"drawn from {counted(runs, 'observed run')}"


def proof(hours: Collection[tuple[str, float]], *, of: str, when: str = "") -> str:
    """How good the placement of some hours is known to be.

    Args:
        hours: Status and gap of each (see `model.plan.Certificate`): which part of the value may be above the least.
        of: What that value is of.
        when: Since when the status may not hold any more; empty if it holds.
    """
    # Home where no placement keeps the limits was not sought for, so its distance to the bound says nothing.
    sought = [(status, gap) for status, gap in hours if status != "infeasible"]
    if not sought:
        return "nothing was found that keeps the hard limits, so everything is home"
    statuses = " or ".join(sorted({status.replace("_", " ") for status, _ in hours})) + when
    gap = max(gap for _, gap in sought)
    if not when and gap < ROUNDED_AWAY and {status for status, _ in sought} == {"optimal"}:
        return statuses
    if not when and gap <= PROVEN_GAP:
        return f"{statuses}, and nothing less is possible"
    most = f"{ROUNDED_AWAY * 100:g} %" if PROVEN_GAP < gap < ROUNDED_AWAY else percent(gap)
    return f"{statuses}, at most {most} of {of} above the least possible"


def describe_completeness(epsilon: float | None, *, is_complete: bool, has_points: bool) -> str:
    """How much of a Pareto frontier its points are.

    Args:
        epsilon: The fraction for which it is proven that every placement is matched by a point.
        is_complete: Whether the search came to its end.
    """
    if not has_points:
        return "No placement keeps the hard limits." if is_complete else "Nothing was found in time."
    if epsilon == 0.0:
        return (
            "Complete: nothing else that keeps the hard limits is better in one of the three without being worse in "
            "another."
        )
    if epsilon is None:
        return "Time was up: nothing is known about what is missing."
    matched = (
        f"Every placement that keeps the hard limits is matched, within {percent(epsilon)} in each of the three, by "
        "one of these."
    )
    return matched if is_complete else f"Time was up. {matched}"


def describe_case(case: RobustCase) -> str:
    """What is taken in the case least favourable to moving."""
    parts = []
    if case.carbon_factors is not None:
        parts += [
            f"home's grid at {case.carbon_factors.low:.3g} times its forecast",
            f"every other grid at {case.carbon_factors.high:.3g} times its own",
        ]
    if case.transmission_kwh_per_gb is not None:
        parts.append(
            f"bytes between regions at {case.transmission_kwh_per_gb.high:.3g} kWh/GB and within one at "
            f"{case.within_region_kwh_per_gb:.3g}"
        )
    return ", ".join(parts)


def describe_least_favourable(case: RobustCase | None, found: CarbonBesideHome) -> str:
    """What a robust plan emits in the case that it is made for."""
    home = found.home_carbon_gco2eq
    change = compared_with(found.carbon_gco2eq / home - 1.0 if home > 0.0 else None, "home in the same case")
    what = "" if case is None else f" ({describe_case(case)})"
    return (
        f"Planned robustly: {LEAST_FAVOURABLE}{what} this plan emits {grams(found.carbon_gco2eq)} CO2eq per run, "
        f"{change}."
    )


PROVEN_GAP = 1e-6
"""A gap, as a fraction, that is rounding, of run times in single precision: the value is the bound itself."""


def gap_to_bound(gap: float, *, is_proven: bool) -> str:
    """A gap to a lower bound: what is rounded away is not shown as none.

    Args:
        is_proven: Whether a status says already that nothing less is possible.
    """
    if gap <= PROVEN_GAP:
        return percent(0.0) if is_proven else f"{percent(0.0)}: nothing less is possible"
    return percent(gap) if gap >= ROUNDED_AWAY else f"< {ROUNDED_AWAY * 100:g} %"
