"""Reading solutions: what is expected comes from fresh scenarios, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError, UsageError
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.solution import few_runs_warning, plan_from_solution, read_placements, read_solution
from tests.unit.core.documents import dump, fan_out_problem


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": 1.2}}
    problem["constraints"]["soft"] = {"cost": {"type": "relative", "value": 1.1}}
    parsed: dict[str, Any] = orjson.loads(LoadedProblem(dump(problem)).solve("fine-grained").document)
    return parsed


def changed(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> bytes:
    copy = orjson.loads(orjson.dumps(document))
    change(copy)
    return orjson.dumps(copy)


def test_what_the_plan_expects_is_over_scenarios_it_was_not_chosen_by(document: dict[str, Any]) -> None:
    solution = read_solution(orjson.dumps(document))
    plan = plan_from_solution(solution, "fan_out-0.1.0", created_at=1.0, expires_at=2.0)
    assert (plan.observed_runs, plan.best_static_region) == (30, "us-east-1")
    for entry, solved, written in zip(plan.hours, solution.hours, document["hours"], strict=True):
        validation = written["validation"]
        assert entry.metrics is not None
        assert entry.metrics.to_members() == validation["metrics"] != written["metrics"]
        assert entry.home_metrics is not None
        assert entry.home_metrics.to_members() == validation["home_metrics"] != written["home_metrics"]
        assert entry.best_single_metrics == solved.validation.best_single_metrics
        assert entry.best_static_metrics == solved.validation.best_static_metrics
        # The proof is about the scenarios that the solver saw.
        assert entry.certificate.value == written["objective"]["value"] == solved.metrics.carbon.mean
        assert solved.validation.scenarios == 120
        kinds = [(limit.kind, limit.metric) for limit in solved.constraints]
        assert kinds == [(limit.kind, limit.metric) for limit in solved.validation.constraints]
        assert kinds == [("hard", "runtime"), ("soft", "cost")]
    assert Plan.from_document(plan.to_document()) == plan


def test_plan_of_before_these_were_kept_still_loads(document: dict[str, Any]) -> None:
    plan = plan_from_solution(read_solution(orjson.dumps(document)), "a-0.1.0", created_at=1.0, expires_at=2.0)
    written = orjson.loads(plan.to_document())
    del written["observed_runs"], written["best_static_region"]
    for hour in written["hours"]:
        del hour["best_static_metrics"]
    older = Plan.from_document(orjson.dumps(written))
    assert (older.observed_runs, older.best_static_region) == (None, None)
    assert all(entry.best_static_metrics is None for entry in older.hours)
    assert older.hours[0].metrics == plan.hours[0].metrics


def test_a_relative_limit_tells_all_that_is_compared(document: dict[str, Any]) -> None:
    entry = read_solution(orjson.dumps(document)).hours[0]
    hard, soft = entry.constraints
    assert [part.statistic for part in hard.compared] == ["lower_bound", "estimate", "upper_bound"]
    assert [part.statistic for part in soft.compared] == ["mean"]
    runtime, home = entry.metrics.runtime, entry.home_metrics.runtime
    assert [part.value for part in hard.compared] == [runtime.tail_lower, runtime.tail, runtime.tail_upper]
    assert [part.limit for part in hard.compared] == [
        1.2 * value for value in (home.tail_lower, home.tail, home.tail_upper) if value is not None
    ]
    assert hard.tightest.fraction == max(part.fraction for part in hard.compared)
    assert hard.tightest.slack == document["hours"][0]["constraints"][0]["slack"]


def test_solutions_of_before_more_than_the_bound_was_compared_still_load(document: dict[str, Any]) -> None:
    def age(copy: dict[str, Any]) -> None:
        for hour in copy["hours"]:
            hour["infeasibility"] = {
                "limits": [{"metric": "runtime", "limit": 1.0, "best_achievable": 2.0, "excess": 1.0}],
                "proven": True,
            }
            for part in (hour, hour["validation"]):
                for name in ("metrics", "home_metrics"):
                    for summary in part[name].values():
                        del summary["tail_lower"]
                for constraint in part["constraints"]:
                    del constraint["compared"]

    entry = read_solution(changed(document, age)).hours[0]
    hard, soft = entry.constraints
    for limit, statistic in ((hard, "upper_bound"), (soft, "mean")):
        (comparison,) = limit.compared
        assert comparison == limit.tightest
        assert (comparison.statistic, comparison.value) == (statistic, limit.upper_bound)
        assert comparison.limit == limit.limit
    assert entry.metrics.runtime.tail_lower is None
    assert entry.unmet_limits[0].statistic == "upper_bound"


@pytest.mark.parametrize(
    "compared",
    [
        [],
        [{"statistic": "median", "value": 1.0, "limit": 1.0}],
        [{"statistic": "mean", "value": "1", "limit": 1.0}],
        {},
    ],
)
def test_comparisons_that_are_none_are_refused(document: dict[str, Any], compared: object) -> None:
    broken = changed(document, lambda copy: copy["hours"][0]["constraints"][0].update(compared=compared))
    with pytest.raises(InvalidDocumentError, match="compared"):
        read_solution(broken)


def test_absent_baselines_are_none(document: dict[str, Any]) -> None:
    def drop(copy: dict[str, Any]) -> None:
        copy["best_static_region"] = None
        for hour in copy["hours"]:
            hour["best_single_region"] = None
            hour["validation"] |= {"best_single_metrics": None, "best_static_metrics": None}

    solution = read_solution(changed(document, drop))
    assert solution.best_static_region is None
    assert solution.hours[0].validation.best_static_metrics is None
    assert solution.hours[0].candidate(None) is None


def test_frontiers_are_read(document: dict[str, Any]) -> None:
    assert read_solution(orjson.dumps(document)).hours[0].frontier is None
    problem = LoadedProblem(dump(fan_out_problem()))
    solution = problem.solve("fine-grained", frontier=0.01)
    assert solution.hours[0].frontier is not None
    assert solution.hours[0].frontier.is_complete
    assert problem.pareto(0, tolerance=0.01).epsilon == 0.01
    with pytest.raises(UsageError, match="tolerance"):
        problem.pareto(0, tolerance=-1.0)


def test_infeasible_hours_are_counted(document: dict[str, Any]) -> None:
    solution = read_solution(changed(document, lambda copy: copy["hours"][1].update(status="infeasible")))
    assert solution.infeasible_hours == (12,)
    assert not solution.is_infeasible_at_all_hours


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (r"hours\[0\]\.status", lambda copy: copy["hours"][0].update(status="splendid")),
        (r"objective\.name", lambda copy: copy["hours"][0]["objective"].update(name="beauty")),
        (r"hours\[1\]\.validation", lambda copy: copy["hours"][1].pop("validation")),
        (
            r"validation\.metrics\.carbon\.mean",
            lambda copy: copy["hours"][0]["validation"]["metrics"]["carbon"].pop("mean"),
        ),
        (r"runs", lambda copy: copy.update(runs="many")),
        (r"constraints\[0\]\.metric", lambda copy: copy["hours"][0]["constraints"][0].update(metric="beauty")),
    ],
)
def test_damaged_solution_is_refused_with_the_path(
    document: dict[str, Any], path: str, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(InvalidDocumentError, match=path):
        read_solution(changed(document, change))


def test_solution_of_a_newer_version_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(NewerSchemaError):
        read_solution(changed(document, lambda copy: copy.update(version=2)))


def test_figures_of_few_runs_come_with_a_warning(document: dict[str, Any]) -> None:
    assert read_solution(orjson.dumps(document)).warnings == ()
    (warning,) = read_solution(changed(document, lambda copy: copy.update(runs=19))).warnings
    assert "19 observed runs" in warning
    assert "1 observed run:" in str(few_runs_warning(1))
    assert "declared estimates" in str(few_runs_warning(0))
    assert few_runs_warning(20) is None


def test_what_is_to_be_done_is_that_of_the_whole_solution(document: dict[str, Any]) -> None:
    text = orjson.dumps(document)
    assert [(hour.hour, hour.status, hour.placement) for hour in read_placements(text)] == [
        (hour.hour, hour.status, hour.placement) for hour in read_solution(text).hours
    ]
    problem = LoadedProblem(dump(fan_out_problem()))
    assert problem.place("coarse-grained", threads=1) == read_placements(problem.solve("coarse-grained").document)
    with pytest.raises(UsageError, match="no solver 'best'"):
        problem.place("best")
    with pytest.raises(InvalidDocumentError, match=r"hours\[1\]\.status: is 'lucky'"):
        read_placements(changed(document, lambda copy: copy["hours"][1].update(status="lucky")))
