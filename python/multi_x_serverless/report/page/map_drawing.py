"""The map: land, the regions that the workflow may use, and the calls between those that it uses at an hour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from multi_x_serverless import data
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.report.page.markup import Markup, element, number
from multi_x_serverless.report.page.region_keys import RegionKey
from multi_x_serverless.report.page.report_data import ReportData, ReportRegion

WIDTH, HEIGHT = 720.0, 360.0

_RADIUS = 13.0  # of the circle of a region
_APART = 2 * _RADIUS + 3.0  # least distance of two circles
_MARGIN = 34.0  # of circles from the picture's edge
_ROUNDS = 80  # of pushing circles apart

_SMALLEST_SPAN = 40.0  # degrees of longitude that are shown at least
_BORDER = 0.14  # of the span on each side
_NORTH, _SOUTH = 84.0, -58.0

MOST_LABELS = 12  # more would hide each other; the legend has the names
_LETTER_WIDTH, _TEXT_HEIGHT = 7.6, 16.0  # of labels, about

Point = tuple[float, float]
Pair = tuple[int, int]


@dataclass(frozen=True)
class View:
    """A cylindrical projection, true to scale at the middle of what is shown.

    Attributes:
        west: Degrees at the left edge.
        north: Degrees at the upper edge.
        longitude_scale: Pixels per degree.
        latitude_scale: Pixels per degree.
    """

    west: float
    north: float
    longitude_scale: float
    latitude_scale: float

    def __call__(self, longitude: float, latitude: float) -> Point:
        """The pixel of a place."""
        return (longitude - self.west) * self.longitude_scale, (self.north - latitude) * self.latitude_scale


def view_of(places: Sequence[Point]) -> View:
    """The part of the world that shows some places (longitude, latitude), in the shape of the picture."""
    longitudes, latitudes = [place[0] for place in places] or [0.0], [place[1] for place in places] or [20.0]
    west, east, south, north = min(longitudes), max(longitudes), min(latitudes), max(latitudes)
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    stretch = 1.0 / math.cos(math.radians(min(abs(middle_y), 60.0)))
    # The wider of what both directions need decides on the scale of both.
    wide = max(east - west, _SMALLEST_SPAN) * (1 + 2 * _BORDER)
    high = (north - south) * (1 + 2 * _BORDER) * stretch * WIDTH / HEIGHT
    degrees = min(max(wide, high), 360.0)
    longitude_scale = WIDTH / degrees
    latitude_scale = longitude_scale * stretch
    shown = HEIGHT / latitude_scale
    if shown > _NORTH - _SOUTH:
        latitude_scale, shown = HEIGHT / (_NORTH - _SOUTH), _NORTH - _SOUTH
    upper = min(max(middle_y + shown / 2, _SOUTH + shown), _NORTH)
    left = min(max(middle_x - degrees / 2, -180.0), 180.0 - degrees)
    return View(left, upper, longitude_scale, latitude_scale)


def crossings(graph: Graph, placement: Sequence[str], order: Mapping[str, int]) -> frozenset[Pair]:
    """Pairs of regions between which calls go; numbers of regions, the smaller first."""
    pairs = (
        (order[placement[edge.source]], order[placement[edge.target]])
        for edge in graph.edges
        if placement[edge.source] != placement[edge.target]
    )
    return frozenset((min(pair), max(pair)) for pair in pairs)


def draw_map(report: ReportData, keys: Sequence[RegionKey], pairs: Sequence[Pair], hour: int) -> Markup:
    """The map at an hour.

    Args:
        keys: What stands for the regions that are named; others that the workflow may use are dots.
        pairs: Pairs of regions (places in `keys`) between which calls go at some hour.
        hour: UTC.
    """
    named = [report.region(key.region) for key in keys]
    placed = [(index, region) for index, region in enumerate(named) if _place(region) is not None]
    others = [
        place
        for region in report.regions
        if region.code not in {key.region for key in keys} and (place := _place(region)) is not None
    ]
    known = [place for _, region in placed if (place := _place(region)) is not None]
    view = view_of([*known, *others])
    true = {index: view(*place) for (index, _), place in zip(placed, known, strict=True)}
    circles = spread(true)
    labels = _place_labels(circles, {index: keys[index].region for index in circles if len(circles) <= MOST_LABELS})
    counts = Counter(report.placement(hour))
    order = {key.region: index for index, key in enumerate(keys)}
    now = crossings(report.graph, report.placement(hour), order)
    return element(
        "svg",
        element("title", "Map of the regions", id="map-title"),
        element(
            "desc",
            "A circle for each region that the plan uses at some hour, and for home; filled where nodes run at the "
            "chosen hour. Lines are calls between regions. The table of placements says the same in words.",
            id="map-description",
        ),
        element("rect", width=WIDTH, height=HEIGHT, class_="sea"),
        element("path", d=_land(view), class_="land"),
        *(
            element(
                "path",
                d=_arc(circles[first], circles[second]),
                class_="arc" if (first, second) in now else "arc is-off",
                data_arc=index,
            )
            for index, (first, second) in enumerate(pairs)
            if first in circles and second in circles
        ),
        *(element("circle", cx=x, cy=y, r=3.5, class_="other") for x, y in (view(*place) for place in others)),
        *(
            element(
                "path", d=f"M{number(true[index][0])} {number(true[index][1])}L{number(x)} {number(y)}", class_="leader"
            )
            for index, (x, y) in circles.items()
        ),
        *(
            _marker(keys[index], index, circles[index], labels.get(index), counts[keys[index].region])
            for index in circles
        ),
        class_="map",
        role="img",
        aria_labelledby="map-title map-description",
        viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
    )


def _place(region: ReportRegion) -> Point | None:
    if region.longitude is None or region.latitude is None:
        return None
    return region.longitude, region.latitude


def _marker(key: RegionKey, index: int, centre: Point, label: Point | None, nodes: int) -> Markup:
    x, y = centre
    return element(
        "g",
        element("title", key.region),
        element("circle", cx=x, cy=y, r=_RADIUS),
        element("text", key.letter, x=x, y=y + 5, class_="letter"),
        None if label is None else element("text", key.region, x=label[0], y=label[1], class_="code"),
        class_=f"marker {key.style_class}" + ("" if nodes else " is-empty"),
        data_region=index,
    )


def _land(view: View) -> str:
    """Outlines that touch the picture."""
    parts = []
    for ring in data.land_outlines():
        points = [view(*point) for point in ring]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if max(xs) < 0 or min(xs) > WIDTH or max(ys) < 0 or min(ys) > HEIGHT:
            continue
        parts.append("M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "z")
    return "".join(parts)


def spread(places: Mapping[int, Point]) -> dict[int, Point]:
    """Centres of circles that do not overlap, near the places that they stand for."""
    centres = {index: list(place) for index, place in places.items()}
    for _ in range(_ROUNDS):
        moved = False
        for (first, one), (second, other) in combinations(centres.items(), 2):
            x, y = other[0] - one[0], other[1] - one[1]
            distance = math.hypot(x, y)
            if distance >= _APART:
                continue
            moved = True
            # Two at the same place part in a direction of their own.
            angle = math.atan2(y, x) if distance > 1e-6 else 0.7 * (first + 2 * second)
            push = (_APART - distance) / 2 + 0.01
            one[0] -= push * math.cos(angle)
            one[1] -= push * math.sin(angle)
            other[0] += push * math.cos(angle)
            other[1] += push * math.sin(angle)
        for centre in centres.values():
            centre[0] = min(max(centre[0], _MARGIN), WIDTH - _MARGIN)
            centre[1] = min(max(centre[1], _MARGIN), HEIGHT - _MARGIN)
        if not moved:
            break
    return {index: (x, y) for index, (x, y) in centres.items()}


def _place_labels(circles: Mapping[int, Point], texts: Mapping[int, str]) -> dict[int, Point]:
    """Middle of the base line of each label, where it hides as little as possible."""
    taken = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in circles.values()]
    labels = {}
    for index, label in texts.items():
        x, y = circles[index]
        half = len(label) * _LETTER_WIDTH / 2
        side = _RADIUS + half + 4
        candidates = [
            (x, y + _RADIUS + 15),
            (x, y - _RADIUS - 6),
            (x + side, y + 5),
            (x - side, y + 5),
            (x + side, y + 19),
            (x - side, y - 9),
        ]
        boxes = [(cx - half, cy - _TEXT_HEIGHT + 4, cx + half, cy + 4) for cx, cy in candidates]
        best = min(range(len(boxes)), key=lambda number: _hidden(boxes[number], taken))
        labels[index] = candidates[best]
        taken.append(boxes[best])
    return labels


def _hidden(box: tuple[float, float, float, float], taken: Sequence[tuple[float, float, float, float]]) -> float:
    """Area of a box that is taken already, or outside of the picture."""
    left, top, right, bottom = box
    inside = _overlap(box, (0.0, 0.0, WIDTH, HEIGHT))
    return (right - left) * (bottom - top) - inside + sum(_overlap(box, other) for other in taken)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _arc(start: Point, end: Point) -> str:
    """Bent upwards, so that two arcs in a row can be told apart."""
    (x, y), (to_x, to_y) = start, end
    lift = 0.18 * math.hypot(to_x - x, to_y - y)
    return (
        f"M{number(x)} {number(y)}"
        f"Q{number((x + to_x) / 2)} {number(max((y + to_y) / 2 - lift, 4.0))} {number(to_x)} {number(to_y)}"
    )
