"""The Pareto frontier of an hour: carbon against cost, with time as the size of the points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from multi_x_serverless.model.plan import Metrics
from multi_x_serverless.report.page.markup import Markup, element, number
from multi_x_serverless.report.page.report_data import TradeOffs
from multi_x_serverless.report.page.scales import Scale, ticks
from multi_x_serverless.report.wording import dollars_per_million, grams, seconds

WIDTH, HEIGHT = 640.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 78.0, 30.0, 44.0, 66.0
_SMALLEST, _GREATEST = 5.0, 13.0  # radius of a point

_UNITS = ((1.0, "g"), (1e3, "mg"), (1e6, "ug"), (1e9, "ng"))


def draw_frontier(found: TradeOffs) -> Markup:
    """The chart."""
    factor, unit = _unit(max(metrics.carbon.mean for metrics in _all(found)))
    horizontal = _scale(found, lambda metrics: metrics.carbon.mean * factor, _LEFT, WIDTH - _RIGHT, 4)
    vertical = _scale(found, lambda metrics: metrics.cost.mean * 1e6, HEIGHT - _BOTTOM, _TOP, 4)

    def place(metrics: Metrics) -> tuple[float, float]:
        return horizontal(metrics.carbon.mean * factor), vertical(metrics.cost.mean * 1e6)

    tails = [point.metrics.runtime.tail for point in found.points]
    (plan_x, plan_y), (home_x, home_y) = place(found.plan), place(found.home)
    return element(
        "svg",
        element("title", "Pareto frontier", id="frontier-title"),
        element(
            "desc",
            f"{len(found.points)} placements by mean carbon and mean cost, with home and the plan marked. "
            "The table below has their figures.",
            id="frontier-description",
        ),
        *_axes(horizontal, vertical, unit),
        *(
            element(
                "circle",
                element("title", f"point {rank}: {_figures(point.metrics)}"),
                cx=place(point.metrics)[0],
                cy=place(point.metrics)[1],
                r=_radius(point.metrics.runtime.tail, tails),
                class_="point",
            )
            for rank, point in enumerate(found.points, start=1)
        ),
        _mark("home", f"M{number(home_x - 8)} {number(home_y - 8)}h16v16h-16z", found.home, (home_x, home_y)),
        _mark("plan", f"M{number(plan_x)} {number(plan_y - 11)}l11 11l-11 11l-11-11z", found.plan, (plan_x, plan_y)),
        class_="chart",
        role="img",
        aria_labelledby="frontier-title frontier-description",
        viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
    )


def _all(found: TradeOffs) -> list[Metrics]:
    return [*(point.metrics for point in found.points), found.plan, found.home]


def _unit(value: float) -> tuple[float, str]:
    return next(((factor, unit) for factor, unit in _UNITS if value * factor >= 1.0), _UNITS[-1])


def _scale(found: TradeOffs, quantity: Callable[[Metrics], float], start: float, end: float, about: int) -> Scale:
    values = [quantity(metrics) for metrics in _all(found)]
    marks = ticks(min(values), max(values), about)
    return Scale(marks[0], marks[-1], start, end)


def _axes(horizontal: Scale, vertical: Scale, unit: str) -> list[Markup]:
    bottom = HEIGHT - _BOTTOM
    parts = []
    for mark in ticks(vertical.low, vertical.high, 4):
        y = vertical(mark)
        parts.append(element("path", d=f"M{number(_LEFT)} {number(y)}H{number(WIDTH - _RIGHT)}", class_="grid"))
        parts.append(element("text", f"{mark:g}", x=_LEFT - 6, y=y + 5, class_="tick end"))
    for mark in ticks(horizontal.low, horizontal.high, 4):
        x = horizontal(mark)
        parts.append(element("path", d=f"M{number(x)} {number(_TOP)}V{number(bottom)}", class_="grid"))
        parts.append(element("text", f"{mark:g}", x=x, y=bottom + 20, class_="tick"))
    parts.append(
        element("text", f"{unit} CO2eq per run (mean)", x=(_LEFT + WIDTH - _RIGHT) / 2, y=bottom + 48, class_="axis")
    )
    parts.append(element("text", "USD per 1M runs (mean)", x=6, y=20, class_="axis start"))
    return parts


def _radius(tail: float, tails: Sequence[float]) -> float:
    low, high = min(tails), max(tails)
    return _SMALLEST if high <= low else _SMALLEST + (tail - low) / (high - low) * (_GREATEST - _SMALLEST)


def _mark(name: str, shape: str, metrics: Metrics, place: tuple[float, float]) -> Markup:
    """A shape with its name beside it, on the side where there is more room."""
    x, y = place
    is_left = x > WIDTH / 2
    label = x - 18 if is_left else x + 18
    return element(
        "g",
        element("title", f"{name}: {_figures(metrics)}"),
        element("path", d=shape),
        element("text", name, x=label, y=y + 5, class_=f"mark-name {'end' if is_left else 'start'}"),
        class_=f"mark {name}",
    )


def _figures(metrics: Metrics) -> str:
    return (
        f"{grams(metrics.carbon.mean)} CO2eq, {dollars_per_million(metrics.cost.mean)} USD per 1M runs, "
        f"{seconds(metrics.runtime.mean)}, p95 {seconds(metrics.runtime.tail)}"
    )
