from __future__ import annotations

import hashlib
import json
import signal
import types
from typing import Any

import numpy as np
import pytest

from multi_x_serverless import _core
from tests.oracles.problems import random_problem
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem, one_node_problem

NODES = (ENTRY, RESIZE, LABEL, JOIN)


def _solve(problem: dict[str, Any], *arguments: Any, **keywords: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_core.Problem.from_json(dump(problem)).solve(*arguments, **keywords))
    return answer


def _everywhere(region: str) -> dict[str, str]:
    return dict.fromkeys(NODES, region)


def test_work_moves_to_the_clean_grid_and_back() -> None:
    night, noon = _solve(fan_out_problem())["hours"]
    assert (night["hour"], noon["hour"]) == (0, 12)
    assert night["placement"] == _everywhere("ca-central-1")
    assert noon["placement"] == _everywhere("us-east-1")
    assert night["metrics"]["carbon"]["mean"] < 0.2 * night["home_metrics"]["carbon"]["mean"]
    assert noon["metrics"] == noon["home_metrics"]
    assert night["best_single_region"] == "ca-central-1"
    assert [hour["status"] for hour in (night, noon)] == ["optimal", "optimal"]


def test_a_solution_says_what_it_answers() -> None:
    problem = fan_out_problem()
    document = dump(problem)
    parsed = _core.Problem.from_json(document)
    solution = json.loads(parsed.solve())
    assert solution["schema"] == "multi-x-serverless/solution"
    assert solution["version"] == 1
    assert solution["problem_hash"] == parsed.hash == hashlib.sha256(document).hexdigest()
    assert solution["engine_version"] == _core.__version__
    assert solution["workflow"] == problem["workflow"]
    assert solution["provenance"] == problem["provenance"]
    assert (solution["solver"], solution["seed"], solution["runs"]) == ("fine-grained", 1, 30)
    assert (solution["scenarios"], solution["validation_scenarios"]) == (100, 120)
    assert (solution["prior"], solution["robust"]) == (False, False)
    hour = solution["hours"][0]
    assert hour["objective"]["name"] == "carbon"
    assert hour["objective"]["value"] == hour["metrics"]["carbon"]["mean"]
    assert [entry["name"] for entry in hour["priority"]] == ["carbon", "cost", "runtime"]
    assert all(entry["proven"] for entry in hour["priority"])
    assert hour["validation"]["scenarios"] == 120
    assert hour["min_marginals_metric"] == "carbon"
    for node in NODES:
        by_region = hour["min_marginals"][node]
        assert min(by_region.values()) == pytest.approx(hour["objective"]["value"], rel=1e-12)


def test_every_single_region_is_a_candidate() -> None:
    problem = fan_out_problem()
    problem["nodes"][2]["allowed"] = ["us-east-1"]
    hour = _solve(problem)["hours"][0]
    candidates = {candidate["region"]: candidate for candidate in hour["candidates"]}
    assert set(candidates) == {"us-east-1", "ca-central-1"}
    assert candidates["us-east-1"]["placement_is_pure"]
    assert not candidates["ca-central-1"]["placement_is_pure"]
    assert candidates["us-east-1"]["metrics"] == hour["home_metrics"]
    pinned = {**_everywhere("ca-central-1"), LABEL: "us-east-1"}
    evaluated = _core.Problem.from_json(dump(problem)).evaluate(pinned, 0)
    assert candidates["ca-central-1"]["metrics"]["carbon"]["mean"] == evaluated.carbon.mean


def test_best_static_region_is_the_best_mean_over_the_hours() -> None:
    """ca-central-1 is best at night and far worse at noon: the best of each hour is no region for the whole day."""
    solution = _solve(fan_out_problem())
    night, noon = solution["hours"]
    assert (night["best_single_region"], noon["best_single_region"]) == ("ca-central-1", "us-east-1")
    means: dict[str, float] = {}
    for hour in (night, noon):
        for candidate in hour["candidates"]:
            mean = candidate["metrics"]["carbon"]["mean"] / 2.0
            means[candidate["region"]] = means.get(candidate["region"], 0.0) + mean
    assert means["us-east-1"] < means["ca-central-1"]
    assert solution["best_static_region"] == "us-east-1"


def test_where_nothing_may_leave_home_the_best_region_is_home() -> None:
    problem = fan_out_problem()
    problem["regions"] = problem["regions"][::-1]
    problem["latency"]["round_trip_s"] = [row[::-1] for row in problem["latency"]["round_trip_s"][::-1]]
    for node in problem["nodes"]:
        node["allowed"] = ["us-east-1"]
    solution = _solve(problem)
    assert solution["best_static_region"] == "us-east-1"
    assert [hour["best_single_region"] for hour in solution["hours"]] == ["us-east-1", "us-east-1"]


def test_the_solution_says_which_percentile_its_limits_are_on() -> None:
    problem = fan_out_problem()
    problem["settings"] |= {"tail": 0.5, "confidence": 0.9}
    solution = _solve(problem)
    assert (solution["tail"], solution["confidence"]) == (0.5, 0.9)


def test_static_region_must_keep_the_hard_limits_at_every_hour() -> None:
    problem = fan_out_problem()
    problem["intensity_gco2e_per_kwh"]["ca-central-1"] = [30.0] * 24
    assert _solve(problem)["best_static_region"] == "ca-central-1"
    slow_is_out = {"runtime": {"type": "relative", "value": 1.0}}
    problem["constraints"]["hard"] = slow_is_out
    assert _solve(problem)["best_static_region"] == "us-east-1"
    problem["constraints"] = {**problem["constraints"], "hard": {}, "soft": slow_is_out}
    assert _solve(problem)["best_static_region"] == "us-east-1", "a soft limit goes before the objectives"
    problem["constraints"]["soft"] = {}
    problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 0.001}}
    assert _solve(problem)["best_static_region"] is None


def test_static_region_within_the_tolerance_is_chosen_by_the_next_objective() -> None:
    problem = fan_out_problem()
    problem["intensity_gco2e_per_kwh"]["ca-central-1"] = [370.0] * 24
    assert _solve(problem)["best_static_region"] == "ca-central-1"
    problem["constraints"]["priority_tolerance"] = 0.1
    assert _solve(problem)["best_static_region"] == "us-east-1", "within ten per cent of the cleaner one, and cheaper"


def test_baselines_are_validated_over_the_same_fresh_scenarios() -> None:
    solution = _solve(fan_out_problem())
    night, noon = solution["hours"]
    for hour in (night, noon):
        validation = hour["validation"]
        # Here the plan is the best single region of each hour, and us-east-1 is home and the best static one.
        assert validation["best_single_metrics"] == validation["metrics"]
        assert validation["best_static_metrics"] == validation["home_metrics"]
    assert night["validation"]["best_static_metrics"] != night["validation"]["best_single_metrics"]
    assert night["validation"]["home_metrics"] != night["home_metrics"], "fresh scenarios"


@pytest.mark.parametrize("solver", ["fine-grained", "coarse-grained", "heuristic"])
def test_answers_depend_on_the_seed_only(solver: str) -> None:
    problem = random_problem(11, max_nodes=6, max_regions=4, hours=3, runs=30)
    parsed = _core.Problem.from_json(dump(problem))

    def answer(**keywords: Any) -> dict[str, Any]:
        solution: dict[str, Any] = json.loads(parsed.solve(solver, **keywords))
        del solution["elapsed_s"]
        return solution

    first = answer(threads=1)
    assert first == answer(threads=2) == answer()
    other = answer(seed=99)
    assert other["seed"] == 99
    assert other["hours"][0]["metrics"] != first["hours"][0]["metrics"]
    problem["settings"]["seed"] = 99
    reread = json.loads(_core.Problem.from_json(dump(problem)).solve(solver))
    assert reread["hours"] == other["hours"]


def test_a_relative_hard_limit_is_tested_on_the_estimate_and_both_bounds() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": 1.0}}
    night = _solve(problem)["hours"][0]
    # ca-central-1 is cleaner and five per cent slower: only the branch that the join need not wait for may move.
    assert night["placement"] == {**_everywhere("us-east-1"), LABEL: "ca-central-1"}
    (limit,) = night["constraints"]
    assert limit["limit"] == night["home_metrics"]["runtime"]["tail_upper"] == limit["upper_bound"]
    assert (limit["binding"], limit["violated"], limit["slack"]) == (True, False, 0.0)
    home, found = night["home_metrics"]["runtime"], night["metrics"]["runtime"]
    assert limit["estimate"] == found["tail"]
    assert limit["compared"] == [
        {"statistic": "lower_bound", "value": found["tail_lower"], "limit": home["tail_lower"]},
        {"statistic": "estimate", "value": found["tail"], "limit": home["tail"]},
        {"statistic": "upper_bound", "value": found["tail_upper"], "limit": home["tail_upper"]},
    ]
    assert home["tail_lower"] < home["tail"] < home["tail_upper"]
    candidates = {candidate["region"]: candidate["feasible"] for candidate in night["candidates"]}
    assert candidates == {"us-east-1": True, "ca-central-1": False}
    assert night["best_single_region"] == "us-east-1"


def test_an_absolute_hard_limit_is_tested_on_the_upper_bound_alone() -> None:
    problem = fan_out_problem()
    problem["constraints"] = {
        "hard": {"runtime": {"type": "absolute", "value": 3.0}},
        "soft": {"cost": {"type": "relative", "value": 2.0}},
    }
    night = _solve(problem)["hours"][0]
    hard, soft = night["constraints"]
    tail_upper, cost = night["metrics"]["runtime"]["tail_upper"], night["metrics"]["cost"]["mean"]
    assert hard["compared"] == [{"statistic": "upper_bound", "value": tail_upper, "limit": 3.0}]
    assert soft["compared"] == [{"statistic": "mean", "value": cost, "limit": soft["limit"]}]


@pytest.mark.parametrize(
    ("over_home", "over"),
    [
        ({}, []),
        ({94: 0.001}, ["lower_bound"]),
        ({95: 0.001}, ["estimate"]),
        ({97: 0.001}, ["upper_bound"]),
        ({90: 0.001, 96: 0.001, 100: 5.0}, []),
    ],
)
def test_each_statistic_of_a_relative_limit_decides(over_home: dict[int, float], over: list[str]) -> None:
    # Ten of 1,000 scenarios have each rank of the 100 runs: the 938th, 950th and 962nd are of the 94th, 95th and 97th.
    problem = one_node_problem(over_home)
    parsed = _core.Problem.from_json(dump(problem))
    (name,) = parsed.nodes
    away, home = (parsed.evaluate({name: region}, 0).runtime for region in ("ca-central-1", "us-east-1"))
    pairs = {
        "lower_bound": (away.tail_lower, home.tail_lower),
        "estimate": (away.tail, home.tail),
        "upper_bound": (away.tail_upper, home.tail_upper),
    }
    assert [key for key, (found, most) in pairs.items() if found > most] == over  # type: ignore[operator]
    for solver in ("fine-grained", "coarse-grained", "heuristic"):
        (hour,) = _solve(problem, solver)["hours"]
        assert hour["placement"] == {name: "us-east-1" if over else "ca-central-1"}
        assert [candidate["feasible"] for candidate in hour["candidates"]] == [True, not over]
        assert hour["constraints"][0]["binding"] == bool(over)
    (point,) = json.loads(parsed.pareto(0))["frontier"]["points"][:1]
    assert point["placement"] == {name: "us-east-1" if over else "ca-central-1"}


def test_an_unmet_relative_limit_names_what_is_the_farthest_over_it() -> None:
    problem = one_node_problem({95: -0.002})
    problem["constraints"]["hard"]["runtime"]["value"] = 0.95
    (hour,) = _solve(problem)["hours"]
    assert hour["status"] == "infeasible"
    (unmet,) = hour["infeasibility"]["limits"]
    home = hour["home_metrics"]["runtime"]["tail"]
    assert unmet["statistic"] == "estimate"
    assert unmet["limit"] == pytest.approx(0.95 * home)
    assert unmet["best_achievable"] == pytest.approx(home - 0.002, abs=1e-4)
    assert unmet["excess"] == unmet["best_achievable"] - unmet["limit"]
    assert unmet["lower_bound"] == pytest.approx(unmet["best_achievable"], rel=1e-5)
    assert not unmet["attainable_alone"]


def test_a_soft_limit_gives_way_only_when_it_must() -> None:
    problem = fan_out_problem()
    problem["constraints"]["soft"] = {
        "runtime": {"type": "relative", "value": 1.0},
        "cost": {"type": "relative", "value": 0.5},
    }
    night = _solve(problem)["hours"][0]
    # Half the cost is out of reach; the other limit then holds at home whatever a run waits for.
    assert night["soft_violations"] == 1
    assert {entry["metric"]: entry["violated"] for entry in night["constraints"]} == {"runtime": False, "cost": True}
    assert night["placement"] == {**_everywhere("us-east-1"), LABEL: "ca-central-1"}


@pytest.mark.parametrize("solver", ["fine-grained", "coarse-grained", "heuristic"])
def test_what_cannot_be_met_stays_home_and_says_by_how_much(solver: str) -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {
        "runtime": {"type": "absolute", "value": 0.5},
        "cost": {"type": "absolute", "value": 1.0},
    }
    hour = _solve(problem, solver)["hours"][0]
    assert hour["status"] == "infeasible"
    assert hour["placement"] == _everywhere("us-east-1")
    assert hour["best_single_region"] is None
    reason = hour["infeasibility"]
    assert reason["proven"] == (solver == "fine-grained")
    by_metric = {entry["metric"]: entry for entry in reason["limits"]}
    assert by_metric["cost"]["attainable_alone"]
    runtime = by_metric["runtime"]
    assert not runtime["attainable_alone"]
    assert runtime["excess"] == pytest.approx(runtime["best_achievable"] - 0.5)
    assert runtime["best_achievable"] == pytest.approx(hour["home_metrics"]["runtime"]["tail_upper"], rel=1e-5)
    assert runtime["lower_bound"] == pytest.approx(runtime["best_achievable"], rel=1e-5)


def test_priors_are_marked() -> None:
    problem = random_problem(3, runs=0)
    assert _solve(problem)["prior"] is True


def test_an_interval_makes_moving_prove_itself() -> None:
    problem = fan_out_problem()
    problem["intensity_gco2e_per_kwh"]["ca-central-1"] = [360.0] * 24
    assert _solve(problem)["hours"][0]["placement"] == _everywhere("ca-central-1")
    problem["intensity_interval"] = {"low_factor": 0.9, "high_factor": 1.1}
    cautious = _solve(problem)
    assert cautious["robust"] is True
    assert cautious["hours"][0]["placement"] == _everywhere("us-east-1")


def test_a_deadline_leaves_an_honest_gap() -> None:
    problem = random_problem(5, max_nodes=9, max_regions=6, runs=90, hours=2)
    problem["constraints"] = {"hard": {"runtime": {"type": "relative", "value": 1.01}}}
    for hour in _solve(problem, deadline_s=0.0)["hours"]:
        assert hour["status"] in ("optimal", "timed_out")
        assert hour["objective"]["lower_bound"] <= hour["objective"]["value"]
        assert not any(limit["violated"] for limit in hour["constraints"])


def test_what_is_proven_is_said_per_objective() -> None:
    """Without time for any search the single-region solver proves what its relaxed minimum proves, and no more."""
    problem = fan_out_problem()
    problem["constraints"]["priority_order"] = ["carbon", "runtime"]
    for hour in _solve(problem, "coarse-grained")["hours"]:
        proven = [entry["proven"] for entry in hour["priority"]]
        assert (hour["status"] == "optimal") == all(proven)
        for entry in hour["priority"]:
            if entry["proven"]:
                assert entry["lower_bound"] == pytest.approx(entry["value"], rel=1e-6)


def test_samples_are_what_metrics_summarise() -> None:
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    placement = {**_everywhere("us-east-1"), RESIZE: "ca-central-1"}
    samples = parsed.samples(placement, 12)
    metrics = parsed.evaluate(placement, 12)
    for name, summary in (("carbon", metrics.carbon), ("cost", metrics.cost), ("runtime", metrics.runtime)):
        assert samples[name].dtype == np.float32
        assert samples[name].shape == (100,)
        assert samples[name].mean(dtype=np.float64) == pytest.approx(summary.mean, rel=1e-6)
        assert np.sort(samples[name])[94] == pytest.approx(summary.tail)
    assert repr(metrics).startswith("Metrics(carbon=Summary(mean=")


def test_any_mapping_is_a_placement() -> None:
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    placement = _everywhere("us-east-1")
    assert parsed.evaluate(types.MappingProxyType(placement), 0).cost.mean == parsed.evaluate(placement, 0).cost.mean


@pytest.mark.parametrize(
    ("placement", "hour", "argument"),
    [
        ({**_everywhere("us-east-1"), "nobody": "us-east-1"}, 0, "placement"),
        ({ENTRY: "us-east-1"}, 0, "placement"),
        ({**_everywhere("us-east-1"), JOIN: "eu-west-1"}, 0, "placement"),
        (_everywhere("us-east-1"), 24, "hour"),
    ],
)
def test_a_placement_that_does_not_fit_is_refused(placement: dict[str, str], hour: int, argument: str) -> None:
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    with pytest.raises(_core.EngineError) as refusal:
        parsed.evaluate(placement, hour)
    assert (refusal.value.code, refusal.value.path) == ("invalid-argument", argument)
    assert not isinstance(refusal.value, _core.InvalidProblemError)


@pytest.mark.parametrize(
    ("keywords", "argument"),
    [
        ({"solver": "magic"}, "solver"),
        ({"threads": 0}, "threads"),
        ({"threads": -1}, "threads"),
        ({"threads": 20_000}, "threads"),
        ({"threads": 10**30}, "threads"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"frontier": -0.1}, "tolerance"),
        ({"deadline_s": -1.0}, "deadline_s"),
        ({"deadline_s": float("nan")}, "deadline_s"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(keywords: dict[str, Any], argument: str) -> None:
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    with pytest.raises(_core.EngineError) as refusal:
        parsed.solve(**keywords)
    assert (refusal.value.code, refusal.value.path) == ("invalid-argument", argument)


@pytest.mark.parametrize("hour", [-1, 24, 2**70])
def test_hours_that_are_none_are_refused(hour: int) -> None:
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    for ask in (parsed.evaluate, parsed.samples):
        with pytest.raises(_core.EngineError) as refusal:
            ask(_everywhere("us-east-1"), hour)
        assert (refusal.value.code, refusal.value.path) == ("invalid-argument", "hour")
    with pytest.raises(_core.EngineError):
        parsed.pareto(hour)
    with pytest.raises(TypeError):
        parsed.evaluate(_everywhere("us-east-1"), 1.5)  # type: ignore[arg-type]  # that is what is tested


def test_progress_ends_with_all_hours_done() -> None:
    reports: list[tuple[int, int]] = []
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    parsed.solve(progress=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (2, 2)
    assert reports == sorted(set(reports))


def test_an_exception_in_the_progress_callback_ends_the_solve() -> None:
    def fail(done: int, total: int) -> None:
        raise LookupError(f"{done} of {total}")

    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    with pytest.raises(LookupError):
        parsed.solve(progress=fail)


def test_a_signal_interrupts_a_long_solve() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    problem = random_problem(21, max_nodes=14, max_regions=8, runs=90, scenarios=20_000, hours=24)
    problem["constraints"] = {"hard": {"runtime": {"type": "relative", "value": 1.0}}, "priority_order": ["runtime"]}
    parsed = _core.Problem.from_json(dump(problem))
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            parsed.solve(deadline_s=600.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def _trade_offs() -> dict[str, Any]:
    """At hour 0 the clean region is slower and dearer, so that carbon, cost and time pull apart."""
    problem = fan_out_problem()
    problem["hours"] = [0]
    return problem


def test_the_frontier_holds_the_best_of_each_metric() -> None:
    parsed = _core.Problem.from_json(dump(_trade_offs()))
    answer = json.loads(parsed.pareto(0))
    assert (answer["schema"], answer["version"]) == ("multi-x-serverless/frontier", 1)
    assert (answer["hour"], answer["problem_hash"]) == (0, parsed.hash)
    frontier = answer["frontier"]
    assert (frontier["complete"], frontier["epsilon"], frontier["tolerance"]) == (True, 0.0, 0.0)
    carbon = [point["metrics"]["carbon"]["mean"] for point in frontier["points"]]
    assert carbon == sorted(carbon)
    assert len(carbon) > 2
    for metric, statistic in (("carbon", "mean"), ("cost", "mean"), ("runtime", "tail")):
        values = [point["metrics"][metric][statistic] for point in frontier["points"]]
        candidates = _solve(_trade_offs())["hours"][0]["candidates"]
        assert min(values) <= min(candidate["metrics"][metric][statistic] for candidate in candidates)
    assert frontier["points"][0]["supported"]
    for point in frontier["points"]:
        metrics = parsed.evaluate(point["placement"], 0)
        assert metrics.carbon.mean == point["metrics"]["carbon"]["mean"]
        assert metrics.runtime.tail == point["metrics"]["runtime"]["tail"]


def test_a_tolerance_thins_the_frontier() -> None:
    parsed = _core.Problem.from_json(dump(_trade_offs()))
    everything, some = (json.loads(parsed.pareto(0, tolerance=fraction))["frontier"] for fraction in (0.0, 0.3))
    assert some["complete"]
    assert some["epsilon"] == 0.3
    assert 0 < len(some["points"]) < len(everything["points"])


def test_a_frontier_without_time_says_what_is_proven() -> None:
    problem = random_problem(21, max_nodes=14, max_regions=8, runs=90, scenarios=1000)
    problem["constraints"] = {"hard": {}, "priority_order": ["carbon"]}
    parsed = _core.Problem.from_json(dump(problem))
    frontier = json.loads(parsed.pareto(problem["hours"][0], deadline_s=0.0))["frontier"]
    assert not frontier["complete"]
    assert frontier["points"]
    assert frontier["epsilon"] is None or frontier["epsilon"] > 0.0


def test_solve_adds_frontiers_when_asked() -> None:
    assert [hour["frontier"] for hour in _solve(fan_out_problem())["hours"]] == [None, None]
    solution = _solve(fan_out_problem(), frontier=0.0)
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    for hour in solution["hours"]:
        alone = json.loads(parsed.pareto(hour["hour"]))["frontier"]
        assert hour["frontier"]["complete"]
        together, separate = (
            [point["metrics"]["carbon"]["mean"] for point in frontier["points"]]
            for frontier in (hour["frontier"], alone)
        )
        assert together == pytest.approx(separate)


@pytest.mark.parametrize(
    ("keywords", "argument"),
    [
        ({"tolerance": -0.1}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"deadline_s": -1.0}, "deadline_s"),
    ],
)
def test_frontier_arguments_that_make_no_sense_are_refused(keywords: dict[str, Any], argument: str) -> None:
    parsed = _core.Problem.from_json(dump(fan_out_problem()))
    with pytest.raises(_core.EngineError) as refusal:
        parsed.pareto(0, **keywords)
    assert (refusal.value.code, refusal.value.path) == ("invalid-argument", argument)
    with pytest.raises(_core.EngineError):
        parsed.pareto(24)


def test_a_signal_interrupts_a_long_frontier() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # Its whole frontier takes more than five seconds, hundreds of times as long as it is given.
    problem = random_problem(4, min_nodes=16, max_nodes=16, max_regions=10, runs=90, scenarios=20_000)
    problem["constraints"] = {"hard": {}, "priority_order": ["runtime"]}
    parsed = _core.Problem.from_json(dump(problem))
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            parsed.pareto(problem["hours"][0], deadline_s=600.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def test_other_intensities_are_as_good_as_another_document() -> None:
    problem = random_problem(5, hours=4)
    other = {
        region: [value * (0.5 + (hour + position) % 5) for hour, value in enumerate(values)]
        for position, (region, values) in enumerate(problem["intensity_gco2e_per_kwh"].items())
    }
    changed = _core.Problem.from_json(dump(problem)).with_intensity(other)
    written = _core.Problem.from_json(dump({**problem, "intensity_gco2e_per_kwh": other}))
    mine, theirs = (json.loads(entry.solve(threads=1)) for entry in (changed, written))
    for solution in (mine, theirs):
        solution.pop("elapsed_s")
        assert len(solution.pop("problem_hash")) == 64
        for hour in solution["hours"]:
            hour.pop("elapsed_s", None)
    assert mine == theirs
    original = _core.Problem.from_json(dump(problem))
    assert len({changed.hash, written.hash, original.hash}) == 3
    assert changed.hash == original.with_intensity(other).hash
    single = original.with_intensity(other, hours=[problem["hours"][-1]])
    assert single.hours == problem["hours"][-1:]
    assert single.hash != changed.hash
    (entry,) = json.loads(single.solve(threads=1))["hours"]
    assert entry["placement"] == mine["hours"][-1]["placement"]
    for wrong in ([], [24], [3, 3], [2**70]):
        with pytest.raises(_core.EngineError):
            original.with_intensity(other, hours=wrong)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda columns: columns.pop("us-east-1"), "intensity_gco2e_per_kwh.us-east-1"),
        (lambda columns: columns.update(nowhere=[1.0] * 24), "intensity_gco2e_per_kwh.nowhere"),
        (lambda columns: columns.update({"us-east-1": [1.0] * 23}), "intensity_gco2e_per_kwh.us-east-1"),
        (lambda columns: columns["us-east-1"].__setitem__(3, -1.0), "intensity_gco2e_per_kwh.us-east-1[3]"),
        (lambda columns: columns["us-east-1"].__setitem__(3, float("nan")), "intensity_gco2e_per_kwh.us-east-1[3]"),
    ],
)
def test_intensities_are_checked(change: Any, path: str) -> None:
    problem = fan_out_problem()
    columns = {region: list(values) for region, values in problem["intensity_gco2e_per_kwh"].items()}
    change(columns)
    with pytest.raises(_core.InvalidProblemError) as caught:
        _core.Problem.from_json(dump(problem)).with_intensity(columns)
    assert caught.value.path == path
