"""What the figures show: quantities of measured cases, by solver, along each axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias, get_args

from benchmarks.solver_benchmarks.cases import AxisName, Shape, lies_on
from benchmarks.solver_benchmarks.results import Entry
from multi_x_serverless.errors import InvalidDocumentError

EXACT = "fine-grained"

PROVEN_GAP = 1e-9
"""A smaller gap is none: bounds and values are sums of rounded numbers."""

Quantity: TypeAlias = Callable[[Entry], float | None]
"""A number of a case; `None` if it is not known."""


@dataclass(frozen=True)
class Spread:
    """A quantity over the random graphs of one shape.

    Attributes:
        graphs: How many graphs it is known of.
        is_whole: Whether all of them were solved before the deadline.
    """

    least: float
    middle: float
    most: float
    graphs: int
    is_whole: bool


@dataclass(frozen=True)
class Line:
    """One solver along one axis: where it was measured, in the order of the axis."""

    solver: str
    spreads: Mapping[float | None, Spread]


def axes_in(entries: Iterable[Entry]) -> tuple[AxisName, ...]:
    """The axes on which there are at least two places."""
    found = tuple(entries)
    axes: tuple[AxisName, ...] = get_args(AxisName)
    return tuple(axis for axis in axes if len(places_on(axis, found)) > 1)


def places_on(axis: AxisName, entries: Iterable[Entry]) -> tuple[float | None, ...]:
    """The values that an axis takes, from easy to hard: ascending, limits from none to the tightest."""
    values = {_value(axis, entry.case.shape) for entry in entries if lies_on(axis, entry.case.shape)}
    known = sorted(value for value in values if value is not None)
    if axis == "tail_limit":
        known.reverse()
    return (None, *known) if None in values else tuple(known)


def _value(axis: AxisName, shape: Shape) -> float | None:
    value: float | None = getattr(shape, axis)
    return value


def line_of(axis: AxisName, solver: str, quantity: Quantity, entries: Sequence[Entry]) -> Line:
    """A quantity of one solver along an axis; places at which it is not known are left out."""
    of_solver = [entry for entry in entries if entry.case.solver == solver and lies_on(axis, entry.case.shape)]
    spreads = {
        place: spread_of(quantity, [entry for entry in of_solver if _value(axis, entry.case.shape) == place])
        for place in places_on(axis, entries)
    }
    return Line(solver, {place: spread for place, spread in spreads.items() if spread is not None})


def spread_of(quantity: Quantity, entries: Iterable[Entry]) -> Spread | None:
    """The spread over the entries of which the quantity is known; `None` if there is none."""
    known = [(value, entry) for entry in entries if (value := quantity(entry)) is not None]
    if not known:
        return None
    values = [value for value, _ in known]
    return Spread(
        least=min(values),
        middle=median(values),
        most=max(values),
        graphs=len(values),
        is_whole=all(entry.measurement.status != "timed_out" for _, entry in known),
    )


def processor_seconds(entry: Entry) -> float:
    """Median over the repetitions."""
    return median(entry.measurement.solve_processor_s)


def evaluations(entry: Entry) -> float:
    """Placements evaluated over all scenarios; none counts as one, because the axis is logarithmic."""
    return max(1.0, float(entry.measurement.evaluations))


def peak_mb(entry: Entry) -> float:
    """Largest resident memory of the measuring process."""
    return entry.measurement.peak_mb


def own_gap_percent(entry: Entry) -> float:
    """The gap that the solver itself can prove, in per cent of its value."""
    return 100.0 * entry.measurement.gap


def is_proven(entry: Entry) -> bool:
    """Whether no placement has a lower objective."""
    return entry.measurement.gap <= PROVEN_GAP


def optima(entries: Iterable[Entry]) -> dict[tuple[Shape, int], Entry]:
    """The exact solver's entry of each problem whose optimum it proved."""
    return {
        (entry.case.shape, entry.case.seed): entry
        for entry in entries
        if entry.case.solver == EXACT and is_proven(entry)
    }


def excess_percent(entries: Iterable[Entry]) -> Quantity:
    """By how much per cent an entry's objective is above the proven optimum of its problem; `None` if that is unknown.

    Raises:
        InvalidDocumentError: By the quantity, if two solvers were given different problems.
    """
    known = optima(entries)

    def quantity(entry: Entry) -> float | None:
        best = known.get((entry.case.shape, entry.case.seed))
        if best is None:
            return None
        if best.measurement.problem_hash != entry.measurement.problem_hash:
            raise InvalidDocumentError(
                "solver-benchmarks", "entries", f"{entry.case} and {best.case} were measured on different problems"
            )
        return 100.0 * (entry.measurement.objective_gco2eq / best.measurement.objective_gco2eq - 1.0)

    return quantity
