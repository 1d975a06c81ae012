"""The chart of the frontier is honest: home is on it, and a per cent is as long on both axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from multi_x_serverless.model.plan import Metrics
from multi_x_serverless.report.page.frontier_chart import (
    HEIGHT,
    WIDTH,
    can_be_drawn,
    describe_range,
    describe_stretching,
    draw_frontier,
    is_flat,
)
from multi_x_serverless.report.page.render import render_page
from multi_x_serverless.report.page.report_data import TradeOffPoint, TradeOffs
from tests.unit.report.page.parsed import Parsed, parse
from tests.unit.report.page.reports import metrics, report_of

CARBON, COST, TIME = 5e-4, 2e-6, 1.2


def frontier(*changes: tuple[float, float, float]) -> TradeOffs:
    """Points by their changes of carbon, cost and time from home, as fractions; the plan is the first."""
    found = [metrics(CARBON * (1 + carbon), COST * (1 + cost), TIME * (1 + time)) for carbon, cost, time in changes]
    return TradeOffs(
        hour=15,
        points=tuple(
            TradeOffPoint(point, {"us-east-1": 7}, is_the_plans=rank == 0) for rank, point in enumerate(found)
        ),
        plan=found[0],
        home=metrics(CARBON, COST, TIME),
        epsilon=0.01,
        is_complete=True,
    )


MODEST = frontier((-0.68, 0.018, 0.2), (-0.5, 0.01, 0.1), (-0.4, 0.005, 0.0))
NEAR = frontier((-0.004, 0.003, 0.0), (-0.003, 0.002, 0.0), (-0.001, 0.0, 0.0))
SAME = frontier((0.0, 0.0, 0.0))
DEAR = frontier((-0.9, 8.0, 0.0), (-0.5, 4.0, 0.0), (-0.1, 1.0, 0.0))
WORSE = frontier((0.2, 0.3, 0.5))
ALL = [MODEST, NEAR, SAME, DEAR, WORSE]


def circles(chart: Parsed) -> list[tuple[float, float, float]]:
    """Place and radius of each point."""
    return [(float(c["cx"] or ""), float(c["cy"] or ""), float(c["r"] or "")) for c in chart.named("circle")]


def home_of(chart: Parsed) -> tuple[float, float]:
    """Where the lines of home cross."""
    paths = [line["d"] or "" for line in chart.named("path") if line.get("class") == "grid home-line"]
    across, down = sorted(paths, key=lambda path: "V" in path)
    x, y = re.match(r"M([\d.]+) ", down), re.match(r"M[\d.]+ ([\d.]+)H", across)
    assert x is not None
    assert y is not None
    return float(x[1]), float(y[1])


def slopes(found: TradeOffs, *, is_stretched: bool) -> tuple[float, float]:
    """Pixels per per cent of carbon and of cost, from the point that is farthest from home in both."""
    chart = parse(draw_frontier(found, is_stretched=is_stretched))
    home_x, home_y = home_of(chart)
    x, y, _ = circles(chart)[0]
    point, home = found.points[0].metrics, found.home
    carbon = 100 * (point.carbon.mean / home.carbon.mean - 1)
    cost = 100 * (point.cost.mean / home.cost.mean - 1)
    return (x - home_x) / carbon, (home_y - y) / cost


@pytest.mark.parametrize("found", [MODEST, NEAR, DEAR, WORSE])
def test_a_per_cent_is_as_long_on_both_axes_and_home_is_where_its_lines_cross(found: TradeOffs) -> None:
    carbon, cost = slopes(found, is_stretched=False)
    assert carbon == pytest.approx(cost, rel=0.02)  # coordinates have two decimals
    assert carbon > 0


def test_a_cost_that_hardly_differs_looks_as_it_is() -> None:
    chart = parse(draw_frontier(MODEST))
    heights = [y for _, y, _ in circles(chart)]
    assert max(heights) - min(heights) < 0.05 * HEIGHT
    near = circles(parse(draw_frontier(NEAR)))
    assert max(x for x, _, _ in near) - min(x for x, _, _ in near) < 0.03 * WIDTH


@pytest.mark.parametrize("is_stretched", [False, True])
@pytest.mark.parametrize("found", ALL)
def test_everything_is_within_the_picture(found: TradeOffs, is_stretched: bool) -> None:
    chart = parse(draw_frontier(found, is_stretched=is_stretched))
    for x, y, radius in circles(chart):
        assert radius <= x <= WIDTH - radius
        assert radius <= y <= HEIGHT - radius
    for text in chart.named("text"):
        assert 0 < float(text["x"] or "") < WIDTH
        assert 0 < float(text["y"] or "") < HEIGHT
    names = [text for tag, text in chart.texts if tag == "text"]
    assert names.count("home") == 3, "on both axes and at its mark"
    assert not [name for name in names if re.match(r"[-+\N{MINUS SIGN}]", name)]
    assert "200 % less" not in names, "nothing is less than nothing"


def test_where_points_are_hard_to_tell_apart_they_are_stretched_and_the_text_says_how_much() -> None:
    assert [is_flat(found) for found in ALL] == [True, True, False, True, False]
    carbon, cost = slopes(MODEST, is_stretched=True)
    stated = re.search(r"1 % of cost is drawn as long as (\d+) % of carbon", describe_stretching(MODEST))
    assert stated is not None
    assert float(stated[1]) == pytest.approx(cost / carbon, rel=0.03)
    assert "1 % of carbon is drawn as long as 13 % of cost" in describe_stretching(DEAR)


def test_points_that_nearly_coincide_are_apart_when_stretched() -> None:
    places = [(x, y) for x, y, _ in circles(parse(draw_frontier(NEAR, is_stretched=True)))]
    for (x, y), (other_x, other_y) in pairwise(places):
        assert abs(x - other_x) > 0.1 * WIDTH
        assert abs(y - other_y) > 0.1 * HEIGHT


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (MODEST, "carbon 0.0 % to 68.0 % less, cost 0.0 % to 1.8 % more, p95 time 0.0 % to 20.0 % more."),
        (SAME, "carbon the same, cost the same, p95 time the same."),
        (DEAR, "carbon 0.0 % to 90.0 % less, cost 0.0 % to 800 % more, p95 time the same."),
    ],
)
def test_the_text_says_how_far_the_points_are_from_home(found: TradeOffs, words: str) -> None:
    assert describe_range(found).startswith(f"All points against home: {words}")


def test_the_area_of_a_point_is_in_proportion_to_its_time() -> None:
    found = frontier((-0.5, 0.1, 1.0), (-0.4, 0.05, 0.0))
    (_, _, slow), (_, _, fast) = circles(parse(draw_frontier(found)))
    assert (slow / fast) ** 2 == pytest.approx(2.0, rel=0.01)
    assert "p95 time, 1.44 s to 2.88 s." in describe_range(found)
    assert "p95 time, 1.44 s." in describe_range(SAME)


@pytest.mark.parametrize("found", ALL)
def test_the_names_of_home_and_the_plan_do_not_hide_each_other(found: TradeOffs) -> None:
    chart = parse(draw_frontier(found))
    heights = [float(text["y"] or "") for text in chart.named("text") if text.get("class") == "mark-name"]
    assert abs(heights[0] - heights[1]) > 40


def zero(values: Metrics, fields: Sequence[str]) -> Metrics:
    """Metrics without some."""
    return replace(values, **{name: replace(getattr(values, name), mean=0.0) for name in fields})


@pytest.mark.parametrize("field", ["carbon", "cost"])
def test_against_a_home_without_carbon_or_cost_there_is_no_chart_but_the_table(field: str) -> None:
    found = replace(MODEST, home=zero(MODEST.home, [field]))
    assert not can_be_drawn(found)
    page = parse(render_page(replace(report_of(), trade_offs=found)))
    assert "no carbon or no cost that others could be compared with" in page.text
    assert "Pareto frontier of carbon, cost and p95 time" in page.text
    assert not [circle for circle in page.named("circle") if circle.get("class") == "point"]


def test_the_stretched_chart_is_only_there_where_it_tells_more() -> None:
    for found, summaries in ((MODEST, 1), (WORSE, 0)):
        text = parse(render_page(replace(report_of(), trade_offs=found))).text
        assert text.count("Stretched, to tell the points apart") == summaries
        assert describe_range(found) in text
