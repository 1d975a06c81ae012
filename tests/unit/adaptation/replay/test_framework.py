"""What the framework's jobs take of a replay, against sums by hand, and from which load on planning pays for them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.replay.framework import JOBS_OF_CAUSE, FrameworkJobs, framework_jobs
from multi_x_serverless.adaptation.replay.intensities import gather_intensities
from multi_x_serverless.adaptation.replay.stretch import stretch_of
from multi_x_serverless.collection.carbon_file import CarbonFileSource
from multi_x_serverless.deployment.framework import INTERVALS_MINUTES, MEMORY_MB, SOLVER_MEMORY_MB
from multi_x_serverless.deployment.framework_cost import HANDLING_S, START_S, monthly_cost
from multi_x_serverless.errors import NotEnoughDataError, UnknownRegionError
from multi_x_serverless.model.framework import JOBS
from tests.unit.adaptation.replay.worlds import AWAY, HOME, always, by_hour_of_day, days, replayed, world
from tests.unit.core.documents import fan_out_problem

SWAPPING = by_hour_of_day([100.0] * 12 + [900.0] * 12)


def jobs_of(hours: int, gco2eq_per_kwh: float = 250.0, region: str = HOME) -> FrameworkJobs:
    return FrameworkJobs(region, np.full(hours, gco2eq_per_kwh), "made up")


def test_every_job_has_one_cause() -> None:
    assert sorted(job for jobs in JOBS_OF_CAUSE.values() for job in jobs) == sorted(JOBS)


@pytest.mark.parametrize("cause", JOBS_OF_CAUSE)
def test_energy_by_hand(cause: str) -> None:
    """A start for all workflows and one for this, at half of the processor that the memory brings (1769 MB: one)."""
    kwh = 0.0
    for job in JOBS_OF_CAUSE[cause]:
        memory = SOLVER_MEMORY_MB if job == "update_check_solver" else MEMORY_MB
        seconds = 60 / INTERVALS_MINUTES[job] * (START_S + HANDLING_S[job])
        power = memory / 1769 * (0.00074 + 0.5 * (0.0035 - 0.00074)) + memory / 1024 * 0.0003725
        kwh += seconds / 3600 * power * 1.11
    assert jobs_of(5).carbon_gco2eq(cause) == pytest.approx([kwh * 250.0] * 5)


def test_a_month_costs_what_the_guide_to_the_framework_says() -> None:
    jobs = jobs_of(1)
    a_month = 720 * sum(jobs.usd_per_hour(cause) for cause in JOBS_OF_CAUSE)
    assert a_month == pytest.approx(monthly_cost(1, HOME, "x86_64").total_usd)
    assert f"{a_month:.2f}" == "0.77"


def test_policies_that_plan_bear_them_whatever_the_load() -> None:
    made = world(days(2), {HOME: always(400.0), AWAY: SWAPPING})
    jobs = FrameworkJobs(HOME, np.arange(48.0), "made up")
    for load in (1.0, 10_000.0):
        with_jobs, without = (replayed(fan_out_problem(), made, load, jobs=given) for given in (jobs, None))
        assert (with_jobs.framework_region, without.framework_region) == (HOME, None)
        for name in ("home", "static"):
            assert with_jobs.policy(name).carbon == without.policy(name).carbon
            assert with_jobs.policy(name).cost == without.policy(name).cost
        for name in ("single", "system", "oracle"):
            found, bare = with_jobs.policy(name), without.policy(name)
            for cause in JOBS_OF_CAUSE:
                part = found.overhead[cause]
                assert part.carbon_gco2eq == pytest.approx(jobs.carbon_gco2eq(cause).sum())
                assert part.cost_usd == pytest.approx(48 * jobs.usd_per_hour(cause))
                assert part.carbon_gco2eq > 0
                assert (bare.overhead[cause].carbon_gco2eq, bare.overhead[cause].cost_usd) == (0.0, 0.0)
            more = found.hours.carbon_overhead_gco2eq - bare.hours.carbon_overhead_gco2eq
            assert more == pytest.approx(sum(jobs.carbon_gco2eq(cause) for cause in JOBS_OF_CAUSE))
            assert found.carbon.gross == bare.carbon.gross
            assert found.carbon.net == pytest.approx(bare.carbon.net + more.sum())


def test_the_load_that_pays_is_where_the_net_saving_begins() -> None:
    made = world(days(3), {HOME: always(400.0), AWAY: SWAPPING})
    found = replayed(fan_out_problem(), made, jobs=jobs_of(72))
    assert found.static_region == HOME
    rate = found.pays_from_runs_per_hour("home")
    assert rate is not None
    assert rate > 10.0
    for factor, is_less in ((0.9, False), (1.1, True)):
        again = replayed(fan_out_problem(), made, factor * rate, jobs=jobs_of(72))
        assert again.policy("system").carbon.gross < again.policy("home").carbon.gross, "it plans alike"
        assert (again.policy("system").carbon.net < again.policy("home").carbon.net) == is_less
    assert found.to_members()["pays_from_runs_per_hour"] == {"home": rate, "static": rate}
    without = replayed(fan_out_problem(), made).pays_from_runs_per_hour("home")
    assert without is not None
    assert without < 0.05 * rate


def test_what_a_baseline_took_to_get_there_is_left_out() -> None:
    made = world(days(2), {HOME: always(400.0), AWAY: by_hour_of_day([100.0] * 12 + [600.0] * 12)})
    settings: dict[str, Any] = {"home_share": 0.0, "package_bytes": 2.0**32}
    found = replayed(fan_out_problem(), made, jobs=jobs_of(48), **settings)
    static = found.policy("static")
    assert found.static_region == AWAY
    rate = found.pays_from_runs_per_hour("static")
    assert rate is not None
    assert static.carbon.overhead > 0.3 * found.policy("system").carbon.overhead, "it counts"
    for factor, is_less in ((0.9, False), (1.1, True)):
        again = replayed(fan_out_problem(), made, factor * rate, jobs=jobs_of(48), **settings)
        assert (again.policy("system").carbon.net < again.policy("static").carbon.net) == is_less


def test_where_runs_save_nothing_no_load_pays() -> None:
    found = replayed(fan_out_problem(), world(days(1), {HOME: always(30.0), AWAY: always(400.0)}), jobs=jobs_of(24))
    assert found.policy("system").carbon.gross == found.policy("home").carbon.gross
    assert found.pays_from_runs_per_hour("home") is None
    clean = world(days(1), {HOME: always(400.0), AWAY: always(30.0)})
    controls = replayed(fan_out_problem(), clean, jobs=jobs_of(24))
    assert controls.pays_from_runs_per_hour("home") is not None
    assert controls.pays_from_runs_per_hour("static") is None, "static keeps no controls"


class TestWhere:
    def test_a_region_of_the_workflow_has_the_intensities_of_the_replay(self) -> None:
        made = world(days(1), {HOME: always(400.0), AWAY: lambda hour: 100.0 + hour})
        jobs = framework_jobs(AWAY, made)
        assert jobs.region == AWAY
        assert jobs.intensity.tolist() == [100.0 + hour for hour in range(24)]
        assert jobs.origin == "made up for tests, 2023"

    def test_another_region_has_its_own_and_is_told_of(self) -> None:
        made = gather_intensities([HOME, AWAY], days(1))
        jobs = framework_jobs("us-west-2", made)
        assert jobs.intensity == pytest.approx(gather_intensities(["us-west-2"], days(1)).replayed[0])
        found = replayed(fan_out_problem(), made, jobs=jobs)
        assert set(found.origins) == {HOME, AWAY, "us-west-2"}
        assert found.regions == (HOME, AWAY)
        assert len(set(found.notes)) == len(found.notes), "what holds of both is said once"
        flat = next(region for region in data.regions().values() if not region.has_hourly_trace)
        told = replayed(fan_out_problem(), made, jobs=framework_jobs(flat.code, made)).notes
        assert any(flat.code in note for note in told)

    def test_one_of_which_nothing_is_known_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        file = tmp_path / "carbon.csv"
        lines = [f"us-east-1,2031-05-01T{hour:02}:00Z,100" for hour in range(24)]
        file.write_text("\n".join(["zone_or_region,datetime_utc,gco2eq_per_kwh", *lines]), encoding="utf-8")
        past = CarbonFileSource(file)
        made = gather_intensities([HOME], stretch_of(date(2031, 5, 1), date(2031, 5, 1)), past)
        assert framework_jobs(HOME, made, past).intensity.tolist() == [100.0] * 24
        with pytest.raises(
            NotEnoughDataError, match=r"us-west-2 is not known .*--system-region, .*--without-framework"
        ):
            framework_jobs("us-west-2", made, past)
        with pytest.raises(UnknownRegionError):
            framework_jobs("us-east-9", made, past)
