from __future__ import annotations

from dataclasses import replace

import pytest

from multi_x_serverless.errors import InvalidDocumentError
from tests.unit.report.page.reports import GRAPH, graph_of, region, report_of


def test_a_plan_of_another_graph_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="places other nodes"):
        replace(report_of(), graph=graph_of(("other",), ()))


def test_a_region_of_the_plan_that_is_missing_is_refused() -> None:
    report = report_of()
    with pytest.raises(InvalidDocumentError, match="lacks one"):
        replace(report, regions=report.regions[:2])


def test_half_a_place_and_half_a_day_are_refused() -> None:
    whole = region("us-east-1")
    with pytest.raises(InvalidDocumentError, match="half of a place"):
        replace(whole, latitude=None)
    with pytest.raises(InvalidDocumentError, match="12 hours"):
        replace(whole, intensity_gco2eq_per_kwh=(1.0,) * 12)


def test_placements_are_in_the_order_of_the_graph() -> None:
    report = report_of()
    assert report.placement(3)[2] == "us-west-2"
    assert len(report.placement(3)) == len(GRAPH.nodes)
    assert report.hour_made == 15
