"""What is told after Ctrl-C of commands that change a workflow, wherever it is pressed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.interruption import left_of_migration, telling_what_is_left
from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.solve import TradeOffs, solve_workflow
from multi_x_serverless.adaptation.upkeep import deploy_workflow
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.tables import PlanStore, create_tables
from multi_x_serverless.deployment import build as build_module
from multi_x_serverless.deployment.build import Build
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError, WorkInterruptedError
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.robust import RobustSettings
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import (
    SOURCE,
    WORKFLOW_ID,
    check_consistent,
    functions,
    left_behind,
    make_project,
    record_of,
    stage,
)


@pytest.fixture(autouse=True)
def each_project_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    @cache
    def built(source: str, project: Path) -> Build:
        return build_module.build(FakeCloud(), project)

    monkeypatch.setattr(
        "multi_x_serverless.deployment.deploy.build",
        lambda _cloud, project, _format, **_: built((project / "app.py").read_text(encoding="utf-8"), project),
    )


def stopped(cloud: FakeCloud, work: Callable[[], object], number: int) -> str:
    """What is told of work during whose call of that number Ctrl-C is pressed."""

    def press(call: Call) -> None:
        if call.number == number:
            raise KeyboardInterrupt

    cloud.faults.reset()
    cloud.faults.before = press
    with pytest.raises(WorkInterruptedError) as stop:
        work()
    cloud.faults.reset()
    return stop.value.left


def calls_of(cloud: FakeCloud, work: Callable[[], object]) -> int:
    cloud.faults.reset()
    work()
    return len(cloud.faults.calls)


def interrupted_at_each_call(
    cloud: FakeCloud, work: Callable[[FakeCloud], object], check: Callable[[FakeCloud, str], None], *, first: int = 0
) -> int:
    """How many different things are told; `check` is given the cloud after each interruption, without locks."""
    told = set()
    reference = cloud.copy()
    for number in range(first, calls_of(reference, lambda: work(reference))):
        again = cloud.copy()
        told.add(left := stopped(again, lambda again=again: work(again), number))  # type: ignore[misc]
        again.time += 1_000.0  # the lock of one who is stopped while it is given back ends by itself
        check(again, left)
    return len(told)


def test_a_first_deployment(tmp_path: Path) -> None:
    project, cloud = make_project(tmp_path), FakeCloud()
    create_tables(cloud, cloud.regions)

    def check(again: FakeCloud, left: str) -> None:
        is_begun, is_deployed = bool(Journal(again, WORKFLOW_ID).read()), record_of(again) is not None
        assert left.startswith(f"nothing of {WORKFLOW_ID} was made") == (not is_begun and not is_deployed)
        assert left.startswith(f"{WORKFLOW_ID} is not deployed yet.") == (is_begun and not is_deployed)
        assert left.startswith(f"{WORKFLOW_ID} is deployed.") == is_deployed
        if not is_begun and not is_deployed:
            assert functions(again) == set()
        if is_begun and not is_deployed:
            assert f"'multi_x_serverless remove {WORKFLOW_ID}' deletes it." in left
            removed = again.copy()
            half = stopped(removed, lambda: remove_workflow(removed, WORKFLOW_ID, keep_logs=True, progress=SILENT), 12)
            assert half.startswith(f"what was made of {WORKFLOW_ID}, which is not deployed, may be deleted in part")
            removed.time += 1_000.0
            remove_workflow(removed, WORKFLOW_ID, keep_logs=False, progress=SILENT)
            assert left_behind(removed) == {}
        deploy_workflow(again, project)
        check_consistent(again)

    assert interrupted_at_each_call(cloud, lambda again: deploy_workflow(again, project), check) == 3


def test_an_update(tmp_path: Path) -> None:
    project, cloud = make_project(tmp_path), FakeCloud()
    deploy_workflow(cloud, project)
    old = record_of(cloud)
    assert old is not None
    make_project(tmp_path, SOURCE + "\n# changed\n")

    def check(again: FakeCloud, left: str) -> None:
        record = record_of(again)
        assert record is not None
        is_begun, is_done = bool(Journal(again, WORKFLOW_ID).read()), record.package.sha256 != old.package.sha256
        assert left.startswith(f"{WORKFLOW_ID} is deployed. ") == is_done
        assert left.startswith(f"{WORKFLOW_ID} stays deployed, but some") == (is_begun and not is_done)
        assert left.startswith(f"{WORKFLOW_ID} stays deployed; ") == (not is_begun and not is_done)
        deploy_workflow(again, project)
        assert check_consistent(again).package.sha256 != old.package.sha256

    cloud.time += 60.0
    assert interrupted_at_each_call(cloud, lambda again: deploy_workflow(again, project), check) == 3


def test_a_dry_run_and_a_project_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    project, cloud = make_project(tmp_path), FakeCloud()
    with pytest.raises(KeyboardInterrupt) as stop:
        deploy_workflow(cloud, project, dry_run=True, progress=_Pressing())
    assert not isinstance(stop.value, WorkInterruptedError)
    (project / ".multi-x-serverless" / "config.yml").unlink()
    with pytest.raises(WorkInterruptedError, match="'multi_x_serverless doctor' shows"):
        deploy_workflow(cloud, project, progress=_Pressing())


class _Pressing:
    """Ctrl-C at the first step."""

    def start(self, what: str, steps: int) -> None:
        raise KeyboardInterrupt

    def advance(self, step: str) -> None:
        """Not reached."""

    def finish(self) -> None:
        """Not reached."""


def test_a_migration(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    staged = stage(cloud, left="ca-central-1")

    def check(again: FakeCloud, left: str) -> None:
        is_waiting = PlanStore(again).staged(WORKFLOW_ID) is not None
        assert left.startswith(f"plan {staged.version} of {WORKFLOW_ID} is still staged; runs go on") == is_waiting
        assert functions(again) >= {"first in us-east-1", "left in us-east-1", "join in us-east-1"}
        (outcome,) = check_deployment(again, progress=SILENT)
        assert outcome.plan_version == staged.version
        check_consistent(again)

    def migrate(again: FakeCloud) -> None:
        check_deployment(again, progress=SILENT, workflow_ids=(WORKFLOW_ID,))

    looks = cloud.copy()
    first = calls_of(looks, lambda: deployed_workflow(looks, WORKFLOW_ID))  # nothing is under way before
    assert interrupted_at_each_call(cloud, migrate, check, first=first) == 2


def test_a_check_says_no_more_of_a_workflow_than_is_so(tmp_path: Path) -> None:
    """Nothing was staged, so nothing is staged no more; and who named a workflow has not asked for those after it."""
    cloud = deployed_example(tmp_path)
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None
    again = "'multi_x_serverless update_check_deployment"
    none = (
        f"no plan of {WORKFLOW_ID} is staged; plan 1 is in force. Functions that no plan uses may be there still: "
        f"{again}{{}} deletes them{{}}."
    )
    others = ", and handles any workflow that was not reached"
    assert left_of_migration(cloud, WORKFLOW_ID) == none.format("'", others)
    assert left_of_migration(cloud, WORKFLOW_ID, named=[WORKFLOW_ID]) == none.format(f" {WORKFLOW_ID}'", "")
    staged = stage(cloud, left="ca-central-1")
    assert left_of_migration(cloud, WORKFLOW_ID, named=[WORKFLOW_ID, "other-0.0.1"]) == (
        f"plan {staged.version} of {WORKFLOW_ID} is still staged; runs go on, every function that they need is there. "
        f"{again} {WORKFLOW_ID} other-0.0.1' goes on with the plan."
    )
    assert f"{again}' goes on with the plan{others}." in left_of_migration(cloud, WORKFLOW_ID)


@pytest.mark.parametrize("named", [(), (WORKFLOW_ID,), (WORKFLOW_ID, WORKFLOW_ID)])
def test_a_check_goes_on_with_what_was_asked_for(tmp_path: Path, named: tuple[str, ...]) -> None:
    cloud = deployed_example(tmp_path)
    stage(cloud, left="ca-central-1")
    with pytest.raises(WorkInterruptedError) as stop:
        check_deployment(cloud, progress=_Pressing(), workflow_ids=named)
    assert f"'{' '.join(('multi_x_serverless update_check_deployment', *named))}' goes on" in stop.value.left


def test_a_removal(tmp_path: Path) -> None:
    def remove(again: FakeCloud) -> None:
        remove_workflow(again, WORKFLOW_ID, keep_logs=False, progress=SILENT)

    def check(again: FakeCloud, left: str) -> None:
        record = record_of(again)
        status = "removed" if record is None else record.status
        assert (left == f"{WORKFLOW_ID} is removed.") == (status == "removed")
        assert (left == f"nothing of {WORKFLOW_ID} was deleted.") == (status == "deployed")
        assert left.startswith(f"the removal of {WORKFLOW_ID} has begun") == (status == "removing")
        if record is not None:
            remove(again)
        assert left_behind(again) == {}

    cloud = FakeCloud()
    deploy_workflow(cloud, make_project(tmp_path))
    assert interrupted_at_each_call(cloud, remove, check) == 3


ROBUST = SolveSettings(hours=(0,), scenarios=60, validation_scenarios=60, robust=RobustSettings())


@pytest.mark.parametrize(
    "step",
    [
        "LoadedProblem.solve",
        "placements_without_intervals",
        "pick_point",
        "with_expectations",
        "plan_without_robustness",
    ],
)
def test_a_solve_stages_nothing_while_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    cloud = deployed_example(tmp_path, runs=30)
    monkeypatch.setattr(f"multi_x_serverless.adaptation.solve.{step}", press)
    with pytest.raises(WorkInterruptedError, match=r"^no plan was staged\.$"):
        solve_workflow(cloud, WORKFLOW_ID, settings=ROBUST, trade_offs=TradeOffs(pick=1))
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_solve_at_each_call(tmp_path: Path, *, is_waiting: bool) -> None:
    def solve(again: FakeCloud) -> None:
        solve_workflow(again, WORKFLOW_ID, settings=ROBUST)

    def check(again: FakeCloud, left: str) -> None:
        staged = PlanStore(again).staged(WORKFLOW_ID)
        if staged is None:
            assert left == "no plan was staged."
        elif before is not None and staged.version == before.version:
            assert (
                left
                == f"no plan was staged; plan {staged.version} of before still waits for 'update_check_deployment'."
            )
        else:
            assert left.startswith(f"plan {staged.version} of {WORKFLOW_ID} is staged: ")
        solve(again)

    cloud = deployed_example(tmp_path, runs=30)
    if is_waiting:
        solve(cloud)
    before = PlanStore(cloud).staged(WORKFLOW_ID)
    looks = cloud.copy()
    first = calls_of(looks, lambda: deployed_workflow(looks, WORKFLOW_ID))  # nothing is under way before
    first += calls_of(looks, lambda: PlanStore(looks).waiting(WORKFLOW_ID))
    assert interrupted_at_each_call(cloud, solve, check, first=first) == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (CloudError("no connection."), "no connection"),
        (OSError(28, "No space left on device"), r"OSError: \[Errno 28\] No space left on device"),
        (sqlite3.OperationalError("disk I/O error"), "OperationalError: disk I/O error"),
        (KeyboardInterrupt(), "interrupted again"),
    ],
)
def test_ctrl_c_stays_ctrl_c_where_the_state_cannot_be_read(error: BaseException, why: str) -> None:
    def describe() -> str:
        raise error

    match = rf"^what was made or changed so far is noted, but could not be read \({why}\): "
    with pytest.raises(WorkInterruptedError, match=match), telling_what_is_left(describe):
        raise KeyboardInterrupt
