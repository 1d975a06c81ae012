"""The smallest example, as a check of what the other tests here use."""

from __future__ import annotations

import pytest

from benchmarks.tests.running import CommandFailedError, Deploy, DeployedWorkflow, Failure


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    return deploy("small_sync_example")


def test_runs_come_back_in_the_order_of_their_events(workflow: DeployedWorkflow) -> None:
    flags = [(True, True, False), (False, False, True), (False, False, False)]
    runs = workflow.run_many([dict(zip(("execute_1", "execute_2", "execute_3"), row, strict=True)) for row in flags])
    assert [run.status for run in runs] == ["complete"] * 3
    assert [run.functions for run in runs] == [
        ("initial_function", "sync_function", "second_sync_function"),
        ("initial_function", "second_sync_function"),
        ("initial_function",),
    ]
    assert [run.result for run in runs] == [[{"sync_function": ["first", "second"]}], ["third"], None]


def test_a_failed_run_comes_back_with_its_failures(workflow: DeployedWorkflow) -> None:
    run = workflow.run({})
    assert (run.status, run.functions, run.result) == ("failed", (), None)
    assert run.failures == (Failure("initial_function", "KeyError", "'execute_1'"),) * 3
    assert "KeyError: 'execute_1'" in workflow.show(run.run_id)


def test_objects_go_in_and_come_out(workflow: DeployedWorkflow) -> None:
    body = bytes(range(256))
    workflow.put_object("in/a", body)
    workflow.put_object("out/b", b"")
    assert workflow.get_object("in/a") == body
    assert workflow.list_objects() == ("in/a", "out/b")
    assert workflow.list_objects("in/") == ("in/a",)
    with pytest.raises(CommandFailedError, match="has no object 'in/b'"):
        workflow.get_object("in/b")
