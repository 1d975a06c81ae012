"""A problem document with fewer regions is the problem of these regions, and refused where it would be none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from multi_x_serverless.adaptation.replay.document import (
    Changes,
    Priorities,
    changed,
    read_priorities,
)
from multi_x_serverless.errors import InvalidDocumentError, UsageError
from multi_x_serverless.solving.engine import LoadedProblem
from tests.oracles.checker import Checker
from tests.oracles.problems import random_problem
from tests.unit.core.documents import ENTRY, RESIZE, dump, fan_out_problem


def problem_of_two_regions(seed: int, runs: int) -> dict[str, Any]:
    """A random problem of more regions, of which the first and home say all that is known of durations."""
    problem = random_problem(seed, max_regions=5, runs=runs)
    home = problem["regions"].index(problem["home"])
    for columns in problem["observations"]["nodes"].values():
        columns["region"] = [place if place in {-1, 0, home} else home for place in columns["region"]]
        if seed % 2:
            columns["sent_bytes"], columns["received_bytes"] = {}, {}
    if problem["trigger"]["region"] not in {problem["regions"][0], problem["home"]}:
        problem["trigger"]["region"] = problem["home"]
    return problem


@pytest.mark.parametrize("seed", range(30))
def test_placements_in_the_regions_left_keep_their_metrics(seed: int) -> None:
    problem = problem_of_two_regions(seed, [30, 0, 90][seed % 3])
    kept = changed(json.dumps(problem).encode(), Changes(regions=(problem["regions"][0],)))
    before, after = LoadedProblem(json.dumps(problem).encode()), LoadedProblem(kept)
    assert set(after.regions) == {problem["regions"][0], problem["home"]}
    placement = {
        node["name"]: next(region for region in after.regions if region in node["allowed"]) for node in problem["nodes"]
    }
    found, expected = after.evaluate(placement, 5), before.evaluate(placement, 5)
    assert found.runtime.mean == pytest.approx(expected.runtime.mean, rel=1e-6)
    if not has_data_elsewhere(problem, after.regions):
        assert found.carbon.mean == pytest.approx(expected.carbon.mean, rel=1e-9)
        assert found.cost.mean == pytest.approx(expected.cost.mean, rel=1e-9)


def test_half_of_these_problems_have_no_data_elsewhere() -> None:
    """So that the test before compares carbon and cost, too."""
    problems = [problem_of_two_regions(seed, [30, 0, 90][seed % 3]) for seed in range(30)]
    elsewhere = [has_data_elsewhere(problem, [problem["regions"][0], problem["home"]]) for problem in problems]
    assert elsewhere.count(False) >= 15


def has_data_elsewhere(problem: dict[str, Any], regions: list[str]) -> bool:
    ends = {
        end
        for columns in problem["observations"]["nodes"].values()
        for name in ("sent_bytes", "received_bytes")
        for end in columns[name]
    }
    return not ends <= {*regions, "outside"}


@pytest.mark.parametrize("seed", range(12))
def test_the_checker_reads_the_restricted_document_alike(seed: int) -> None:
    problem = problem_of_two_regions(seed, 30)
    kept = changed(json.dumps(problem).encode(), Changes(regions=(problem["regions"][0],)))
    document = json.loads(kept)
    placement = {node["name"]: node["allowed"][0] for node in document["nodes"]}
    found = LoadedProblem(kept).evaluate(placement, 3)
    expected = Checker(document).summaries(placement, 3)
    assert found.carbon.mean == pytest.approx(expected["carbon"].mean, rel=1e-9)
    assert found.cost.mean == pytest.approx(expected["cost"].mean, rel=1e-9)


def three_regions() -> dict[str, Any]:
    problem = fan_out_problem()
    problem["regions"].append("us-west-2")
    problem["intensity_gco2e_per_kwh"]["us-west-2"] = [200.0] * 24
    problem["prices"]["us-west-2"] = json.loads(json.dumps(problem["prices"]["us-east-1"]))
    problem["prices"]["us-west-2"]["egress_usd_per_gb"] = {"us-east-1": 0.02, "ca-central-1": 0.03}
    problem["prices"]["us-east-1"]["egress_usd_per_gb"]["us-west-2"] = 0.02
    problem["prices"]["ca-central-1"]["egress_usd_per_gb"]["us-west-2"] = 0.03
    problem["latency"]["round_trip_s"] = [[0.001, 0.03, 0.07], [0.03, 0.001, 0.06], [0.07, 0.06, 0.001]]
    for node in problem["nodes"]:
        node["allowed"] = list(problem["regions"])
    return problem


def test_home_always_stays() -> None:
    kept = json.loads(changed(dump(three_regions()), Changes(regions=("us-west-2",))))
    assert kept["regions"] == ["us-east-1", "us-west-2"]
    assert kept["latency"]["round_trip_s"] == [[0.001, 0.07], [0.07, 0.001]]
    assert kept["prices"]["us-west-2"]["egress_usd_per_gb"] == {"us-east-1": 0.02}
    LoadedProblem(json.dumps(kept).encode())


def test_bytes_of_regions_left_out_go_outside() -> None:
    problem = three_regions()
    columns = problem["observations"]["nodes"][RESIZE]
    columns["sent_bytes"] = {"ca-central-1": [1.0] * 30, "outside": [2.0] * 30, "us-west-2": [4.0] * 30}
    kept = json.loads(changed(dump(problem), Changes(regions=("us-west-2",))))
    sent = kept["observations"]["nodes"][RESIZE]["sent_bytes"]
    assert sent == {"outside": [3.0] * 30, "us-west-2": [4.0] * 30}


def test_what_would_be_lost_is_refused_with_the_remedy() -> None:
    problem = three_regions()
    with pytest.raises(UsageError, match="no region eu-west-1; there are us-east-1"):
        changed(dump(problem), Changes(regions=("eu-west-1",)))
    problem["observations"]["nodes"][ENTRY]["region"] = [1] * 30
    with pytest.raises(UsageError, match=f"node {ENTRY} ran only in ca-central-1, .* add ca-central-1 to --regions"):
        changed(dump(problem), Changes(regions=("us-west-2",)))
    problem = three_regions()
    problem["trigger"]["region"] = "ca-central-1"
    with pytest.raises(UsageError, match="triggered in ca-central-1, which is left out: add it to --regions"):
        changed(dump(problem), Changes(regions=("us-west-2",)))


def test_energy_seed_and_deadline_are_changed_and_told() -> None:
    found = json.loads(changed(dump(fan_out_problem()), Changes(transmission="worst", seed=9, deadline_s=2.5)))
    assert found["transmission"]["inter_region_kwh_per_gb"] == 0.005
    assert found["transmission"]["intra_region_kwh_per_gb"] == 0.0
    assert found["provenance"]["transmission"] == "preset 'worst'"
    assert (found["settings"]["seed"], found["settings"]["deadline_s"]) == (9, 2.5)
    assert json.loads(changed(dump(fan_out_problem()), Changes())) == fan_out_problem()


def test_a_named_energy_takes_the_place_of_an_interval() -> None:
    problem = fan_out_problem()
    problem["transmission"]["interval"] = {"low_factor": 0.5, "high_factor": 5.0}
    problem["provenance"] |= {"carbon_interval": "given by hand", "transmission_interval": "the published presets"}
    named = json.loads(changed(dump(problem), Changes(transmission="worst")))
    assert named["transmission"]["interval"] is None
    assert named["provenance"].keys() & {"carbon_interval", "transmission_interval"} == {"carbon_interval"}
    kept = json.loads(changed(dump(problem), Changes(seed=1)))
    assert kept["transmission"]["interval"] is not None
    assert kept["provenance"]["transmission_interval"] == "the published presets"


def test_priorities_are_read() -> None:
    problem = fan_out_problem()
    assert read_priorities(dump(problem)) == Priorities(("carbon", "cost", "runtime"), 0.0, 0.95)
    problem["constraints"] = {"priority_order": ["cost"], "priority_tolerance": 0.02}
    problem["settings"]["tail"] = 0.9
    assert read_priorities(dump(problem)) == Priorities(("cost",), 0.02, 0.9)
    del problem["constraints"], problem["settings"]["tail"]
    assert read_priorities(dump(problem)) == Priorities(("carbon", "cost", "runtime"), 0.0, 0.95)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("constraints", "priority_order"), ["cost", "speed"]),
        (("constraints", "priority_tolerance"), "0.1"),
        (("settings", "tail"), [0.9]),
    ],
)
def test_what_is_no_priority_is_refused_with_its_path(path: tuple[str, str], value: object) -> None:
    problem = fan_out_problem()
    problem[path[0]][path[1]] = value
    with pytest.raises(InvalidDocumentError, match=r"\.".join(path)):
        read_priorities(dump(problem))
