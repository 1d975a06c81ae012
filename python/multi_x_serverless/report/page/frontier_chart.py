"""The Pareto frontier of an hour: carbon against cost, both as changes from home, with time as the area of the points.

One per cent is as long on both axes and both show home, so that a cost that hardly differs looks as it is: an axis that
began where the points begin would make a cliff of 2 %. Where the points are then hard to tell apart there is a second
chart, which says by how much it is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from multi_x_serverless.model.amounts import grams
from multi_x_serverless.model.plan import Metrics
from multi_x_serverless.report.page.markup import Markup, element, number
from multi_x_serverless.report.page.report_data import TradeOffs
from multi_x_serverless.report.page.scales import Scale, ticks
from multi_x_serverless.report.wording import compared_span, compared_with, dollars_per_million, more_or_less, seconds

WIDTH, HEIGHT = 640.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 142.0, 62.0, 44.0, 66.0
_GREATEST = 11.0  # radius of the point with the longest time
_MARGIN = 0.13  # of an axis beside the points, on each side
_LEAST_WIDE = 20.0  # per cent that the horizontal axis shows at least
_LEAST_STRETCHED = 0.1  # per cent, what is rounded away beside that is no difference to be stretched
_NOTHING = -100.0  # per cent: less is not possible
_FLAT = 0.25  # part of an axis in which points are hard to tell apart


@dataclass(frozen=True)
class _Axes:
    """Scales of changes from home, in per cent."""

    carbon: Scale
    cost: Scale


@dataclass(frozen=True)
class _Spans:
    """Least and greatest change from home, in per cent; home is within."""

    carbon: tuple[float, float]
    cost: tuple[float, float]


def can_be_drawn(found: TradeOffs) -> bool:
    """Whether there is something at home that changes can be changes of."""
    return found.home.carbon.mean > 0.0 and found.home.cost.mean > 0.0


def is_flat(found: TradeOffs) -> bool:
    """Whether points differ, but so little in carbon or in cost that they are hard to tell apart without stretching."""
    spans, axes = _spans(found), _even(_spans(found))
    pairs = ((spans.carbon, axes.carbon), (spans.cost, axes.cost))
    return any(
        0.0 < (high - low) / (scale.high - scale.low) < _FLAT and high - low >= _LEAST_STRETCHED
        for (low, high), scale in pairs
    )


def draw_frontier(found: TradeOffs, *, is_stretched: bool = False) -> Markup:
    """The chart.

    Args:
        found: Can be drawn.
        is_stretched: Whether each axis is as long as the range of its own points.
    """
    axes = _stretched(_spans(found)) if is_stretched else _even(_spans(found))
    longest = max(metrics.runtime.tail for metrics in _all(found))

    def place(metrics: Metrics) -> tuple[float, float]:
        return (
            axes.carbon(_change(metrics.carbon.mean, found.home.carbon.mean)),
            axes.cost(_change(metrics.cost.mean, found.home.cost.mean)),
        )

    name = "stretched-frontier" if is_stretched else "frontier"
    return element(
        "svg",
        element("title", "Pareto frontier, stretched" if is_stretched else "Pareto frontier", id=f"{name}-title"),
        element(
            "desc",
            f"{len(found.points)} placements by mean carbon and mean cost, in per cent less or more than home, with "
            "home and the plan marked. The table below has their figures.",
            id=f"{name}-description",
        ),
        *_grid(axes),
        *(
            element(
                "circle",
                element("title", f"point {rank}: {_figures(point.metrics, found.home)}"),
                cx=place(point.metrics)[0],
                cy=place(point.metrics)[1],
                r=_radius(point.metrics.runtime.tail, longest),
                class_="point",
            )
            for rank, point in enumerate(found.points, start=1)
        ),
        *_marks(found, place(found.home), place(found.plan)),
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
        viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
    )


def describe_range(found: TradeOffs) -> str:
    """How far the points are from home, and how to read the chart."""
    spans, tails = _spans(found), [metrics.runtime.tail for metrics in _all(found)]
    home, least, most = found.home.runtime.tail, min(tails), max(tails)
    time = f", p95 time {compared_span(least / home - 1.0, most / home - 1.0)}" if home > 0 else ""
    times = seconds(most) if seconds(least) == seconds(most) else f"{seconds(least)} to {seconds(most)}"
    return (
        f"All points against home: carbon {_words(spans.carbon)}, cost {_words(spans.cost)}{time}. Home is where the "
        "dashed lines cross, and one per cent is as long on both axes. The area of a point is as its p95 time, "
        f"{times}. All figures are simulated."
    )


def describe_stretching(found: TradeOffs) -> str:
    """By how much one axis of the stretched chart is longer than the other."""
    axes = _stretched(_spans(found))
    carbon, cost = (abs(scale.end - scale.start) / (scale.high - scale.low) for scale in (axes.carbon, axes.cost))
    (more, less), ratio = (("cost", "carbon"), cost / carbon) if cost > carbon else (("carbon", "cost"), carbon / cost)
    return (
        f"Each axis is stretched to the range of its points: 1 % of {more} is drawn as long as "
        f"{ratio:.{0 if ratio >= 10 else 1}f} % of {less}. Which of the two weighs more, these distances do not show."
    )


def _words(span: tuple[float, float]) -> str:
    return compared_span(span[0] / 100.0, span[1] / 100.0)


def _all(found: TradeOffs) -> list[Metrics]:
    return [*(point.metrics for point in found.points), found.plan, found.home]


def _change(value: float, home: float) -> float:
    """From home's value, in per cent of it."""
    return (value / home - 1.0) * 100.0


def _spans(found: TradeOffs) -> _Spans:
    def span(quantity: Callable[[Metrics], float]) -> tuple[float, float]:
        changes = [_change(quantity(metrics), quantity(found.home)) for metrics in _all(found)]
        return min(changes), max(changes)

    return _Spans(span(lambda metrics: metrics.carbon.mean), span(lambda metrics: metrics.cost.mean))


def _even(spans: _Spans) -> _Axes:
    """One per cent is as long on both axes."""
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    inner = 1.0 - 2 * _MARGIN
    per_pixel = max(
        (spans.carbon[1] - spans.carbon[0]) / (wide * inner),
        (spans.cost[1] - spans.cost[0]) / (high * inner),
        _LEAST_WIDE / wide,
    )
    return _axes(_around(spans.carbon, wide * per_pixel), _around(spans.cost, high * per_pixel))


def _stretched(spans: _Spans) -> _Axes:
    def length(span: tuple[float, float]) -> float:
        return max(span[1] - span[0], _LEAST_STRETCHED) / (1.0 - 2 * _MARGIN)

    return _axes(_around(spans.carbon, length(spans.carbon)), _around(spans.cost, length(spans.cost)))


def _around(span: tuple[float, float], length: float) -> tuple[float, float]:
    """A range of a length with the span in its middle; no more below nothing than the margin."""
    low = max((span[0] + span[1] - length) / 2, min(_NOTHING - _MARGIN * length, span[0]))
    return low, low + length


def _axes(carbon: tuple[float, float], cost: tuple[float, float]) -> _Axes:
    return _Axes(Scale(*carbon, _LEFT, WIDTH - _RIGHT), Scale(*cost, HEIGHT - _BOTTOM, _TOP))


def _grid(axes: _Axes) -> list[Markup]:
    """Lines and names of both axes; those of home are dashed and dark."""
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    lines, names = [], []
    for mark in _inner_ticks(axes.cost, 4):
        y = axes.cost(mark)
        lines.append(_line(f"M{number(_LEFT)} {number(y)}H{number(right)}", is_home=mark == 0.0))
        names.append(element("text", _tick(mark), x=_LEFT - 8, y=y + 5, class_="tick end"))
    for mark in _inner_ticks(axes.carbon, 3):
        x = axes.carbon(mark)
        lines.append(_line(f"M{number(x)} {number(_TOP)}V{number(bottom)}", is_home=mark == 0.0))
        names.append(element("text", _tick(mark), x=x, y=bottom + 22, class_="tick"))
    names.append(element("text", "mean carbon per run", x=(_LEFT + right) / 2, y=bottom + 52, class_="axis"))
    names.append(element("text", "mean cost per run", x=6, y=22, class_="axis start"))
    return [*lines, *names]


def _line(path: str, *, is_home: bool) -> Markup:
    return element("path", d=path, class_="grid home-line" if is_home else "grid")


def _inner_ticks(scale: Scale, about: int) -> list[float]:
    return [mark for mark in ticks(scale.low, scale.high, about) if max(scale.low, _NOTHING) <= mark <= scale.high]


def _tick(change: float) -> str:
    return "home" if change == 0.0 else more_or_less(change, lambda part: f"{part:g} %")


def _radius(tail: float, longest: float) -> float:
    """The area is in proportion to the time."""
    return _GREATEST * math.sqrt(tail / longest) if longest > 0.0 else _GREATEST


def _marks(found: TradeOffs, home: tuple[float, float], plan: tuple[float, float]) -> list[Markup]:
    """Shapes around home and the plan, whose names go apart: that of the upper one above it, of the other below."""
    (home_x, home_y), (plan_x, plan_y) = home, plan
    square = f"M{number(home_x - 8)} {number(home_y - 8)}h16v16h-16z"
    diamond = f"M{number(plan_x)} {number(plan_y - 11)}l11 11l-11 11l-11-11z"
    home_above = home_y < plan_y
    return [
        _mark("home", square, _figures(found.home, found.home), home, is_above=home_above),
        _mark("plan", diamond, _figures(found.plan, found.home), plan, is_above=not home_above),
    ]


def _mark(name: str, shape: str, figures: str, place: tuple[float, float], *, is_above: bool) -> Markup:
    x, y = place
    return element(
        "g",
        element("title", f"{name}: {figures}"),
        element("path", d=shape),
        element("text", name, x=x, y=y - 18 if is_above else y + 31, class_="mark-name"),
        class_=f"mark {name}",
    )


def _figures(metrics: Metrics, home: Metrics) -> str:
    carbon, cost = (
        compared_with(_change(value, base) / 100.0, "home")
        for value, base in ((metrics.carbon.mean, home.carbon.mean), (metrics.cost.mean, home.cost.mean))
    )
    return (
        f"{grams(metrics.carbon.mean)} CO2eq, {carbon}; {dollars_per_million(metrics.cost.mean)} USD per 1M runs, "
        f"{cost}; {seconds(metrics.runtime.mean)}, p95 {seconds(metrics.runtime.tail)}"
    )
