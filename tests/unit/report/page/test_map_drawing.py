from __future__ import annotations

import math
from itertools import combinations

import pytest

from multi_x_serverless import data
from multi_x_serverless.report.page.map_drawing import HEIGHT, WIDTH, crossings, draw_map, spread, view_of
from multi_x_serverless.report.page.region_keys import region_keys
from tests.unit.report.page.parsed import parse
from tests.unit.report.page.reports import GRAPH, HOME, REGIONS, large_report, moving, report_of

EVERYWHERE = [(region.longitude, region.latitude) for region in data.regions().values()]


@pytest.mark.parametrize(
    "places",
    [
        [(-77.0, 39.0)],
        [(-77.0, 39.0), (-73.6, 45.5)],
        [(151.2, -33.9), (174.8, -36.8)],
        [(10.0, 60.0), (18.0, -34.0)],
        EVERYWHERE,
        [],
    ],
)
def test_all_places_are_within_the_picture_and_shapes_are_kept(places: list[tuple[float, float]]) -> None:
    view = view_of(places)
    for place in places:
        x, y = view(*place)
        assert 10.0 <= x <= WIDTH - 10.0
        assert 10.0 <= y <= HEIGHT - 10.0
    assert 1.0 <= view.latitude_scale / view.longitude_scale <= 2.01 or len(places) > 2


def test_circles_are_pushed_apart_and_stay_near() -> None:
    places = {0: (100.0, 100.0), 1: (100.0, 100.0), 2: (104.0, 100.0), 3: (300.0, 200.0), 4: (0.0, 0.0)}
    centres = spread(places)
    assert all(math.dist(one, other) >= 28.0 for one, other in combinations(centres.values(), 2))
    assert centres[3] == places[3]
    assert all(math.dist(centres[index], places[index]) < 40.0 for index in (0, 1, 2))
    assert min(centres[4]) > 13.0


def test_the_circles_of_all_regions_can_be_told_apart() -> None:
    view = view_of(EVERYWHERE)
    centres = spread({index: view(*place) for index, place in enumerate(EVERYWHERE)})
    assert all(math.dist(one, other) > 13.0 for one, other in combinations(centres.values(), 2))


def test_calls_between_regions_are_counted_once_for_both_directions() -> None:
    order = {HOME: 0, "ca-central-1": 1, "us-west-1": 2, "us-west-2": 3}
    placement = [moving(node, 15) for node in range(len(GRAPH.nodes))]
    assert crossings(GRAPH, placement, order) == {(0, 1), (1, 2), (1, 3)}
    assert crossings(GRAPH, [HOME] * len(GRAPH.nodes), order) == frozenset()


def test_only_what_happens_at_the_hour_is_shown() -> None:
    report = report_of()
    keys = region_keys(HOME, ("ca-central-1", "us-west-1", "us-west-2"))
    parsed = parse(draw_map(report, keys, ((0, 1), (1, 2), (1, 3)), hour=7))
    arcs = [attributes["class"] for attributes in parsed.named("path") if "data-arc" in attributes]
    assert arcs == ["arc", "arc is-off", "arc is-off"]
    markers = [attributes["class"] for attributes in parsed.named("g") if "data-region" in attributes]
    assert markers == [
        "marker region-0",
        "marker region-1",
        "marker region-2 is-empty",
        "marker region-3 is-empty",
    ]
    others = [attributes for attributes in parsed.named("circle") if attributes.get("class") == "other"]
    assert len(others) == len(REGIONS) - len(keys)


def test_many_regions_have_letters_only() -> None:
    report = large_report()
    keys = region_keys(HOME, [region.code for region in report.regions])
    drawn = draw_map(report, keys, (), hour=0)
    assert 'class="code"' not in drawn
    assert drawn.count('class="letter"') == len(keys)
