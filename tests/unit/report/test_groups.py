"""Hours that are placed alike, summed up."""

from __future__ import annotations

import pytest

from multi_x_serverless.report.explain import explain_problem
from multi_x_serverless.report.groups import group_hours
from tests.unit.core.documents import LABEL, dump, fan_out_problem

HOME, AWAY = "us-east-1", "ca-central-1"


def test_hours_with_one_placement_are_a_group_with_the_sums_of_its_hours() -> None:
    problem = fan_out_problem()
    problem["hours"] = [0, 1, 12, 13]
    problem["intensity_gco2e_per_kwh"][AWAY][1] = 60.0
    explanation = explain_problem(dump(problem))
    night, noon = group_hours(explanation)
    assert (night.numbers, noon.numbers) == ((0, 1), (12, 13))
    means = [entry.chosen.metrics.carbon.mean for entry in explanation.hours[:2]]
    assert night.mean("carbon") == pytest.approx(sum(means) / 2)
    homes = [entry.chosen.home_metrics.carbon.mean for entry in explanation.hours[:2]]
    assert night.change_from_home["carbon"] == pytest.approx(sum(means) / sum(homes) - 1.0)
    assert noon.change_from_home["carbon"] == 0.0
    label = next(node for node in night.nodes if node.node.node == LABEL)
    (home,) = label.alternatives
    moved = [home.by_hour[hour].moved.metrics for hour in (0, 1)]
    assert home.changes["carbon"] == pytest.approx(sum(entry.carbon.mean for entry in moved) / sum(means) - 1.0)
    bounds = [home.by_hour[hour].bound for hour in (0, 1)]
    assert home.bound_change == pytest.approx(sum(bound for bound in bounds if bound is not None) / sum(means) - 1.0)
    assert home.verdicts == {"worse": (0, 1)}


def test_the_tightest_hour_stands_for_a_limit() -> None:
    problem = fan_out_problem()
    problem["hours"] = [0, 1]
    problem["intensity_gco2e_per_kwh"][AWAY][1] = 60.0
    problem["constraints"]["hard"] = {"carbon": {"type": "relative", "value": 0.5}}
    (group,) = group_hours(explain_problem(dump(problem)))
    hour, limit = group.tightest(0)
    assert hour == 1
    assert limit == group.hours[1].limits[0]


def test_verdicts_that_differ_by_hour_keep_their_hours() -> None:
    problem = fan_out_problem()
    problem["hours"] = [0, 1]
    # A limit of carbon that one node at home keeps in the one hour and breaks in the other.
    problem["constraints"]["hard"] = {"carbon": {"type": "absolute", "value": 3.2e-4}}
    problem["intensity_gco2e_per_kwh"][HOME][1] = 700.0
    (group,) = group_hours(explain_problem(dump(problem)))
    verdicts = [other.verdicts for node in group.nodes for other in node.alternatives]
    assert {"worse": (0,), "breaks-hard-limit": (1,)} in verdicts
