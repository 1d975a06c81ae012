"""Carbon intensity of the regions over the day, and below it how many nodes the plan has in each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from string import ascii_lowercase

from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.report.page.markup import Markup, element, number
from multi_x_serverless.report.page.region_keys import RegionKey
from multi_x_serverless.report.page.report_data import ReportData, ReportRegion
from multi_x_serverless.report.page.scales import Scale, ticks

WIDTH, HEIGHT = 640.0, 412.0
_LEFT, _RIGHT, _TOP = 74.0, 42.0, 44.0
_LINES_END, _BARS_START, _BARS_END = 252.0, 270.0, 368.0
_LABEL_WIDTH, _LABEL_HEIGHT = 36.0, 19.0  # of letters at the ends of lines, as large as they are on a phone
_LEAST_FOR_LETTER = 13.0  # height of a part of a column
_HOUR_WIDTH = (WIDTH - _LEFT - _RIGHT) / HOURS_PER_DAY
_EVERY = 6  # hours between two marks
MOST_LETTERED = 8
"""Further regions whose lines have letters; of more of them the table alone says which is which."""


def has_intensities(report: ReportData, keys: Sequence[RegionKey]) -> bool:
    """Whether there is anything to draw."""
    return any(report.region(key.region).intensity_gco2eq_per_kwh is not None for key in keys)


def further_regions(report: ReportData, keys: Sequence[RegionKey]) -> tuple[ReportRegion, ...]:
    """Those with known intensities that the workflow may use and nothing on the page is named after."""
    named = {key.region for key in keys}
    return tuple(
        region for region in report.regions if region.code not in named and region.intensity_gco2eq_per_kwh is not None
    )


def lettered_regions(report: ReportData, keys: Sequence[RegionKey]) -> tuple[tuple[str, ReportRegion], ...]:
    """A small letter for each of the further regions, if they are few enough to be told apart in the chart."""
    others = further_regions(report, keys)
    return tuple(zip(ascii_lowercase, others, strict=False)) if len(others) <= MOST_LETTERED else ()


def draw_intensities(report: ReportData, keys: Sequence[RegionKey], hour: int) -> Markup:
    """The chart, with the chosen hour marked; regions without known intensities have no line."""
    known = [(key, values) for key in keys if (values := report.region(key.region).intensity_gco2eq_per_kwh)]
    others = further_regions(report, keys)
    lettered = lettered_regions(report, keys)
    top = max(max(values) for _, values in known)
    marks = ticks(0.0, max(top, *(max(region.intensity_gco2eq_per_kwh or (0.0,)) for region in others), 1.0), 4)
    scale = Scale(marks[0], marks[-1], _LINES_END, _TOP)
    width = WIDTH + _LABEL_WIDTH * (_letter_columns(len(known) + len(lettered)) - 1)
    return element(
        "svg",
        element("title", "Carbon intensity by hour", id="intensity-title"),
        element(
            "desc",
            "A line for each region over the 24 hours, in grams of CO2eq per kWh, and below it a column for each hour "
            "that is divided as the plan's nodes are over the regions. The tables say the same in figures.",
            id="intensity-description",
        ),
        element(
            "rect",
            x=hour_x(hour),
            y=_TOP,
            width=_HOUR_WIDTH,
            height=_BARS_END - _TOP,
            class_="hour-mark",
            data_left=_LEFT,
            data_step=_HOUR_WIDTH,
        ),
        *_axis(scale, marks),
        *(_line(region.intensity_gco2eq_per_kwh or (), scale, "line other") for region in others),
        *(_line(values, scale, f"line {key.style_class}", dashes=key.dashes) for key, values in known),
        *_letters(
            [
                *((key.letter, key.style_class, scale(values[-1])) for key, values in known),
                *((letter, "other", scale((region.intensity_gco2eq_per_kwh or ())[-1])) for letter, region in lettered),
            ]
        ),
        *_columns(report, keys),
        *_hours(),
        *(
            _hover(report, [report.region(key.region) for key, _ in known], others, index)
            for index in range(HOURS_PER_DAY)
        ),
        class_="chart",
        role="img",
        aria_labelledby="intensity-title intensity-description",
        viewBox=f"0 0 {number(width)} {number(HEIGHT)}",
    )


def hour_x(hour: float) -> float:
    """Left edge of an hour."""
    return _LEFT + hour * _HOUR_WIDTH


def _axis(scale: Scale, marks: Sequence[float]) -> list[Markup]:
    parts = [element("text", "gCO2eq/kWh", x=6, y=22, class_="axis start")]
    for mark in marks:
        y = scale(mark)
        parts.append(element("path", d=f"M{number(_LEFT)} {number(y)}H{number(WIDTH - _RIGHT)}", class_="grid"))
        parts.append(element("text", f"{mark:g}", x=_LEFT - 6, y=y + 5, class_="tick end"))
    return parts


def _line(values: Sequence[float], scale: Scale, style: str, dashes: str = "") -> Markup:
    """Steps: an intensity holds for its hour."""
    path = f"M{number(_LEFT)} {number(scale(values[0]))}"
    for hour, value in enumerate(values):
        path += f"V{number(scale(value))}H{number(hour_x(hour + 1))}"
    return element("path", d=path, class_=style, stroke_dasharray=dashes or None)


def _letters(ends: Sequence[tuple[str, str, float]]) -> list[Markup]:
    """The letter of each line at its end, pushed apart where lines end together; in columns if there are many.

    Args:
        ends: Letter, style and height of each.
    """
    parts = []
    ordered = sorted(ends, key=lambda end: end[2])
    columns = _letter_columns(len(ordered))
    for column in range(columns):
        own = ordered[column::columns]
        below = -1e9
        highest = [_LINES_END + 8 - _LABEL_HEIGHT * (len(own) - 1 - rank) for rank in range(len(own))]
        for (letter, style, y), limit in zip(own, highest, strict=True):
            at = min(max(y, below + _LABEL_HEIGHT), limit)
            below = at
            x = WIDTH - _RIGHT + 6 + _LABEL_WIDTH * column
            parts.append(element("text", letter, x=x, y=at + 5, class_=f"line-letter {style}"))
    return parts


def _letter_columns(lines: int) -> int:
    """So many that the letters of each fit one below the other."""
    rows = int((_LINES_END + 8 - _TOP) // _LABEL_HEIGHT)
    return max(1, math.ceil(lines / rows))


def _columns(report: ReportData, keys: Sequence[RegionKey]) -> list[Markup]:
    parts = []
    nodes = len(report.graph.nodes)
    for hour in range(HOURS_PER_DAY):
        counts = Counter(report.placement(hour))
        bottom = _BARS_END
        for key in keys:
            height = (_BARS_END - _BARS_START) * counts[key.region] / nodes
            if height <= 0:
                continue
            bottom -= height
            parts.append(
                element(
                    "rect",
                    x=hour_x(hour) + 1,
                    y=bottom,
                    width=_HOUR_WIDTH - 2,
                    height=height,
                    class_=f"column {key.style_class}",
                )
            )
            if height >= _LEAST_FOR_LETTER:
                parts.append(
                    element(
                        "text",
                        key.letter,
                        x=hour_x(hour) + _HOUR_WIDTH / 2,
                        y=bottom + height / 2 + 4.5,
                        class_=f"column-letter {key.style_class}",
                    )
                )
    parts.append(element("text", "nodes", x=_LEFT - 6, y=(_BARS_START + _BARS_END) / 2 + 5, class_="tick end"))
    return parts


def _hours() -> list[Markup]:
    return [
        element("text", f"{hour:02}:00", x=hour_x(hour), y=_BARS_END + 22, class_=_anchor(hour))
        for hour in range(0, HOURS_PER_DAY + 1, _EVERY)
    ]


def _anchor(hour: int) -> str:
    return "tick start" if hour == 0 else "tick end" if hour == HOURS_PER_DAY else "tick"


def _hover(report: ReportData, known: Sequence[ReportRegion], others: Sequence[ReportRegion], hour: int) -> Markup:
    """What a pointer over an hour is told."""
    counts = Counter(report.placement(hour))
    lines = [f"{hour:02}:00 UTC"]
    for region in known:
        intensity = (region.intensity_gco2eq_per_kwh or ())[hour]
        lines.append(f"{region.code}: {intensity:.0f} gCO2eq/kWh, nodes: {counts[region.code]}")
    lines += [f"{region.code}: {(region.intensity_gco2eq_per_kwh or ())[hour]:.0f} gCO2eq/kWh" for region in others]
    return element(
        "rect",
        element("title", "\n".join(lines)),
        x=hour_x(hour),
        y=_TOP,
        width=_HOUR_WIDTH,
        height=_BARS_END - _TOP,
        class_="hover",
    )
