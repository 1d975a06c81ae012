"""How many placements a day a plan has."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from multi_x_serverless.adaptation.day_schedule import (
    NodeLoad,
    SignalPrices,
    SwitchingPrices,
    choose_day_schedule,
    node_loads,
    runs_by_hour,
    scheduled_plan,
)
from multi_x_serverless.adaptation.other_placements import with_placements
from multi_x_serverless.model.config_types import ProviderSettings
from multi_x_serverless.model.plan import Objective, Placement, Plan
from multi_x_serverless.solving.accounting import execution_kwh
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.model_constants import COLD_START_S, PUE_DEFAULT
from multi_x_serverless.solving.schedule import GRANULARITIES
from multi_x_serverless.solving.simulation import Simulator
from multi_x_serverless.solving.solution import plan_from_solution
from tests.unit.core.documents import dump, fan_out_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

HOME, AWAY = "us-east-1", "ca-central-1"
HOURS = range(24)
ORDER: tuple[Objective, ...] = ("carbon", "cost", "runtime")
PROVIDER = ProviderSettings(timeout_s=60, memory_mb=1769, architecture="x86_64")


def problem_with(away_by_hour: list[float], **changes: Any) -> Simulator:
    """The example where home's grid has 400 g at every hour, and the other one what is given."""
    problem = fan_out_problem()
    problem["hours"] = list(HOURS)
    problem["intensity_gco2e_per_kwh"] = {HOME: [400.0] * 24, AWAY: away_by_hour}
    problem.update(changes)
    return Simulator(dump(problem))


def prices(simulator: Simulator, runs_share: float = 1.0) -> SwitchingPrices:
    loads = {node: NodeLoad(runs_share, 1.0, PROVIDER) for node in simulator.problem.nodes}
    return SwitchingPrices(loads, SignalPrices(embedded_signals()))


def everywhere(simulator: Simulator, region: str) -> Placement:
    return {node: region if region in simulator.frame.allowed[node] else HOME for node in simulator.problem.nodes}


def choose(simulator: Simulator, *, runs: float, hysteresis: float = 0.0, **arguments: Any) -> Any:
    solution = simulator.problem.solve("fine-grained")
    hourly = {entry.hour: entry.placement for entry in solution.hours}
    home = dict.fromkeys(HOURS, simulator.home)
    return choose_day_schedule(
        simulator, hourly, home, [runs] * 24, prices(simulator), ORDER, hysteresis=hysteresis, **arguments
    )


def test_a_grid_that_is_cleaner_all_day_needs_one_placement() -> None:
    simulator = problem_with([30.0] * 24)
    found = choose(simulator, runs=100.0)
    assert (found.granularity, found.switches, found.switching) == (1, 0, 0.0)
    assert all(placement == everywhere(simulator, AWAY) for placement in found.placements.values())
    assert found.by_granularity == pytest.approx(dict.fromkeys(GRANULARITIES, found.value))


def test_grids_that_swap_order_at_noon_need_two() -> None:
    simulator = problem_with([30.0] * 12 + [900.0] * 12)
    found = choose(simulator, runs=100.0)
    assert (found.granularity, found.switches) == (2, 2)
    assert found.placements[11] == everywhere(simulator, AWAY)
    assert found.placements[12] == simulator.home
    assert found.by_granularity[2] == pytest.approx(min(found.by_granularity.values()))
    assert found.by_granularity[2] < found.by_granularity[1]


def test_a_single_clean_hour_is_left_alone_where_cold_starts_cost_more() -> None:
    simulator = problem_with([900.0] * 12 + [395.0] + [900.0] * 11)
    found = choose(simulator, runs=20.0)
    assert found.switches == 0
    assert all(placement == simulator.home for placement in found.placements.values())
    much_cleaner = choose(problem_with([900.0] * 12 + [1.0] + [900.0] * 11), runs=5_000.0)
    assert (much_cleaner.granularity, much_cleaner.switches) == (24, 2)


def test_hysteresis_takes_the_coarser_schedule_that_is_nearly_as_good() -> None:
    away = [30.0] * 12 + [900.0] * 11 + [380.0]
    exact, tolerant = (choose(problem_with(away), runs=10_000.0, hysteresis=slack) for slack in (0.0, 0.05))
    assert exact.granularity > tolerant.granularity == 2
    assert tolerant.by_granularity[2] <= exact.value * 1.05


def test_the_value_is_that_of_the_days_hours_and_switches() -> None:
    simulator = problem_with([30.0] * 8 + [900.0] * 8 + [200.0] * 8)
    found = choose(simulator, runs=50.0)
    hours = sum(50.0 * simulator.at(found.placements[hour], hour).metrics.carbon.mean for hour in HOURS)
    switching = prices(simulator).of_day(found.placements, "carbon", [50.0] * 24)
    assert found.switching == pytest.approx(switching)
    assert found.value == pytest.approx(hours + switching, rel=1e-5)


def test_no_placement_that_breaks_a_limit_is_chosen_and_where_all_do_everything_is_home() -> None:
    tight = {"hard": {"runtime": {"type": "relative", "value": 1.0}}, "soft": {}, "priority_order": list(ORDER)}
    simulator = problem_with([30.0] * 24, constraints={**tight, "priority_tolerance": 0.0})
    found = choose(simulator, runs=100.0)
    for hour in HOURS:
        assert not any(check.is_violated for check in simulator.at(found.placements[hour], hour).limits)
    impossible = {"hard": {"runtime": {"type": "absolute", "value": 1e-6}}, "soft": {}, "priority_order": list(ORDER)}
    simulator = problem_with([30.0] * 24, constraints={**impossible, "priority_tolerance": 0.0})
    assert all(placement == simulator.home for placement in choose(simulator, runs=100.0).placements.values())


def test_what_a_switch_costs() -> None:
    simulator = problem_with([30.0] * 24)
    signals = embedded_signals()
    priced = prices(simulator)
    home, away = simulator.home, everywhere(simulator, AWAY)
    busy = np.full(24, 36_000.0)  # ten a second: ten containers at once
    matrix = priced.matrix([home, away], "carbon", busy)
    assert matrix.shape == (24, 2, 2)
    assert (matrix[:, 0, 0] == 0.0).all()
    moved = sum(home[node] != away[node] for node in home)
    kwh = execution_kwh(COLD_START_S, PROVIDER.memory_mb, COLD_START_S)
    expected = 10 * moved * kwh * PUE_DEFAULT * signals.carbon[AWAY].intensity_gco2eq_per_kwh[5]
    assert matrix[5, 0, 1] == pytest.approx(expected)
    assert priced.matrix([home, away], "runtime", busy)[5, 0, 1] == pytest.approx(10 * COLD_START_S * moved)
    rare = priced.matrix([home, away], "carbon", np.full(24, 0.1))
    assert rare[5, 0, 1] < 0.01 * expected / 10, "containers of a node that hardly runs are cold anyway"
    unknown = SwitchingPrices({}, SignalPrices(signals))
    assert not unknown.matrix([home, away], "cost", busy).any()


def test_no_schedule_of_the_candidates_is_better() -> None:
    """Against all schedules of four blocks, by the same sums written out."""
    simulator = problem_with([30.0] * 6 + [500.0] * 6 + [390.0] * 6 + [900.0] * 6)
    found = choose(simulator, runs=30.0)
    candidates = [simulator.home, everywhere(simulator, AWAY), *found.placements.values()]
    priced = prices(simulator)
    distinct = list({str(entry): entry for entry in candidates}.values())
    least = min(
        sum(30.0 * simulator.at(walk[hour // 6], hour).metrics.carbon.mean for hour in HOURS)
        + priced.of_day({hour: walk[hour // 6] for hour in HOURS}, "carbon", [30.0] * 24)
        for walk in itertools.product(distinct, repeat=4)
    )
    assert found.by_granularity[4] <= least * (1 + 1e-5)


def test_a_plan_of_the_schedule_says_of_each_hour_how_far_it_is_above_the_bound() -> None:
    away = [30.0] * 12 + [900.0] * 11 + [380.0]
    simulator = problem_with(away)
    problem = fan_out_problem()
    problem |= {"hours": list(HOURS), "intensity_gco2e_per_kwh": {HOME: [400.0] * 24, AWAY: away}}
    solution = LoadedProblem(dump(problem)).solve("fine-grained")
    plan = plan_from_solution(solution, "text-0.0.1", created_at=0.0, expires_at=1.0)
    schedule = choose(simulator, runs=10_000.0, hysteresis=0.05)
    scheduled = scheduled_plan(plan, schedule, dump(problem))
    changed = [hour for hour in HOURS if plan.at(hour).placement != schedule.placements[hour]]
    assert changed == [23]
    assert {hour: scheduled.at(hour).placement for hour in HOURS} == schedule.placements
    for hour in HOURS:
        before, after = plan.at(hour), scheduled.at(hour)
        if hour not in changed:
            assert after == before
            continue
        value = simulator.at(after.placement, hour).metrics.carbon.mean
        assert after.certificate.value == pytest.approx(value)
        assert after.certificate.lower_bound == before.certificate.lower_bound
        assert after.certificate.gap == pytest.approx(1.0 - before.certificate.lower_bound / value)
        assert after.certificate.status == "feasible"
        assert after.metrics is not None
        assert after.metrics.carbon.mean == pytest.approx(value, rel=0.2)
        assert after.metrics.carbon.mean != value, "over other scenarios than it was chosen by"
    assert scheduled_plan(plan, replace(schedule, placements=plan_placements(plan)), dump(problem)) is plan


def solved_problem(**settings: int) -> tuple[bytes, Plan]:
    """A problem whose runs last very differently, so that two samples of them differ, with its plan: all away."""
    rng = random.Random(5)
    problem = fan_out_problem()
    problem |= {"hours": list(HOURS), "intensity_gco2e_per_kwh": {HOME: [400.0] * 24, AWAY: [250.0] * 24}}
    problem["settings"].update(settings)
    for columns in problem["observations"]["nodes"].values():
        columns["duration_s"] = [
            None if duration is None else duration * rng.lognormvariate(0, 1.5) for duration in columns["duration_s"]
        ]
    document = dump(problem)
    solution = LoadedProblem(document).solve("fine-grained")
    return document, plan_from_solution(solution, "text-0.0.1", created_at=0.0, expires_at=1.0)


def test_an_hour_that_is_sent_home_saves_nothing() -> None:
    """Of what the scenarios of the engine and fresh ones differ by, nothing is taken for a saving."""
    document, plan = solved_problem(scenarios=1000, validation_scenarios=4000)
    home = Simulator(document).home
    placements = {**plan_placements(plan), 3: home}
    changed = with_placements(plan, placements, document)
    before, after = plan.at(3), changed.at(3)
    assert before.placement != home
    assert after.home_metrics is not None
    assert after.metrics == after.home_metrics
    assert after.home_metrics != before.home_metrics, "otherwise the samples do not differ, and this tests nothing"
    assert changed.at(4) == plan.at(4)


def test_baselines_are_expected_over_the_scenarios_of_the_placement() -> None:
    document, plan = solved_problem(scenarios=1000, validation_scenarios=4000)
    away, home = (dict.fromkeys(HOURS, everywhere(Simulator(document), region)) for region in (AWAY, HOME))
    at_home = with_placements(plan, home, document)
    back_away = with_placements(at_home, away, document)
    assert (plan.at(3).best_single_region, plan.best_static_region) == (AWAY, AWAY)
    assert at_home.at(3).best_single_metrics == at_home.at(3).best_static_metrics == back_away.at(3).metrics
    assert at_home.at(3).best_single_metrics != plan.at(3).best_single_metrics
    alone = replace(at_home, hours=tuple(replace(hour, best_single_region=None) for hour in at_home.hours))
    assert with_placements(alone, away, document).at(3).best_single_metrics is None


def test_fresh_scenarios_are_others_than_those_that_were_planned_by() -> None:
    document, plan = solved_problem(scenarios=500, validation_scenarios=500)
    simulator = Simulator(document)
    after = with_placements(plan, dict.fromkeys(HOURS, simulator.home), document).at(3)
    assert after.metrics is not None
    assert after.metrics.carbon.mean != simulator.at(simulator.home, 3).metrics.carbon.mean
    assert after.certificate.value == simulator.at(simulator.home, 3).metrics.carbon.mean


def plan_placements(plan: Plan) -> dict[int, Placement]:
    return {hour: plan.at(hour).placement for hour in HOURS}


def test_loads_and_runs_are_those_of_the_history() -> None:
    model, runs = workflow(), observed_runs(40)
    loads = node_loads(model, runs)
    for index, node in enumerate(model.graph.nodes):
        ran = [run.nodes[index].duration_s for run in runs if index in run.nodes]
        assert loads[node.name].runs_share == pytest.approx(len(ran) / len(runs))
        assert loads[node.name].duration_s == pytest.approx(sum(ran) / len(ran))
    heavy = [replace(run, weight=3.0) for run in runs]
    for name, load in node_loads(model, heavy).items():
        assert (load.runs_share, load.duration_s) == pytest.approx((loads[name].runs_share, loads[name].duration_s))
    spread = runs_by_hour(runs, 48.0)
    assert sum(spread) == pytest.approx(48.0)
    assert min(spread) > 0.0


def test_the_tolerance_is_of_the_best_there_is_and_not_of_the_best_candidate() -> None:
    """The engine's placement may have given up some of it already: home is then farther from the best than it seems."""
    simulator = problem_with([360.0] * 24)
    engines = everywhere(simulator, AWAY)
    carbon, home = (simulator.at(placement, 0).metrics.carbon.mean for placement in (engines, simulator.home))
    assert carbon < home
    tolerance = (home / carbon - 1.0) * 1.1
    best = carbon / (1.0 + 0.9 * tolerance)

    def chosen(**arguments: Any) -> Placement:
        found = choose_day_schedule(
            simulator,
            dict.fromkeys(HOURS, engines),
            dict.fromkeys(HOURS, simulator.home),
            [100.0] * 24,
            prices(simulator),
            ORDER,
            hysteresis=0.0,
            priority_tolerance=tolerance,
            **arguments,
        )
        return found.placements[0]

    assert chosen() == simulator.home, "cheaper, and within the tolerance of the best candidate"
    assert chosen(bounds=dict.fromkeys(HOURS, (None, None, None))) == simulator.home
    assert chosen(bounds=dict.fromkeys(HOURS, (best, None, None))) == engines


def test_what_is_in_force_stays_where_the_solver_finds_nothing_that_keeps_the_limits() -> None:
    """Of single regions one is too slow and the other emits too much: then everything is home, which breaks a limit."""
    problem = fan_out_problem()
    limits = {"runtime": {"type": "relative", "value": 1.02}, "carbon": {"type": "relative", "value": 0.9}}
    simulator = problem_with([30.0] * 24, constraints={**problem["constraints"], "hard": limits})
    by_the_exact = {entry.hour: entry.placement for entry in simulator.problem.place("fine-grained")}
    by_region = simulator.problem.place("coarse-grained")
    assert {entry.status for entry in by_region} == {"infeasible"}
    found = choose_day_schedule(
        simulator,
        {entry.hour: entry.placement for entry in by_region},
        by_the_exact,
        [100.0] * 24,
        prices(simulator),
        ORDER,
        hysteresis=0.01,
        bounds={},
    )
    assert found.placements == by_the_exact
    assert simulator.home not in found.placements.values()
