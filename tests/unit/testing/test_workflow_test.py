"""Users' tests of workflows: what a run shows, and that nothing of it stays behind."""

from __future__ import annotations

import itertools
import os
import re
import sys
from pathlib import Path

import pytest

from multi_x_serverless.errors import InvalidConfigurationError, InvalidWorkflowError
from multi_x_serverless.model.config import RegionSelection, WorkflowConfiguration
from multi_x_serverless.sdk.errors import InvalidObjectKeyError, ObjectNotFoundError
from multi_x_serverless.testing import WorkflowTest, run_workflow

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "benchmarks" / "small_sync_example"

APP = """
import os
import helper
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="parts", version="0.0.1")
count = 0


@workflow.serverless_function(
    name="split", entry_point=True, environment_variables=[{"key": "GREETING", "value": "hello"}]
)
def split(event):
    workflow.invoke_serverless_function(left, event)
    workflow.invoke_serverless_function(right)
    workflow.invoke_serverless_function(audit, {"n": 1}, event == b"audit")
    return os.environ["GREETING"]


@workflow.serverless_function(name="left", delivery="exactly_once")
def left(event):
    global count
    count += 1
    if event == "fail":
        raise ValueError("refused")
    workflow.invoke_serverless_function(join, "left")


@workflow.serverless_function(name="right")
def right(event):
    workflow.invoke_serverless_function(join, helper.NAME)


@workflow.serverless_function(name="audit")
def audit(event):
    return event["n"]


@workflow.serverless_function(name="join")
def join():
    return workflow.get_predecessor_data()
"""


def _project(directory: Path, name: str = "right") -> Path:
    directory.mkdir()
    (directory / "app.py").write_text(APP)
    (directory / "helper.py").write_text(f"NAME = {name!r}\n")
    return directory


def test_steps_show_what_went_in_and_out(tmp_path: Path) -> None:
    run = run_workflow(_project(tmp_path / "project"), b"bytes")
    first = run.steps[0]
    assert run.status == "finished"
    assert (first.function, first.payload, first.returned) == ("split", b"bytes", "hello")
    assert [(call.target, call.payload, call.called) for call in first.calls] == [
        ("left", b"bytes", True),
        ("right", None, True),
        ("audit", {"n": 1}, False),
    ]
    assert [name.partition(":")[0] for name in run.declined] == ["audit"]
    assert run.result_of("join") == ["left", "right"]
    assert [result.function for result in run.steps[-1].predecessors] == ["left", "right"]
    with pytest.raises(LookupError, match="has not returned"):
        run.result_of("audit")


def test_conditional_call_happens(tmp_path: Path) -> None:
    assert run_workflow(_project(tmp_path / "project"), b"audit").result_of("audit") == 1


def test_a_functions_exception_comes_out(tmp_path: Path) -> None:
    with WorkflowTest(_project(tmp_path / "project")) as test, pytest.raises(ValueError, match="refused"):
        test.run("fail")


def test_a_failing_function_is_retried_and_given_up(tmp_path: Path) -> None:
    with WorkflowTest(_project(tmp_path / "project")) as test:
        run = test.run("fail", raise_errors=False)
    failed = [step for step in run.steps if step.error is not None]
    assert run.status == "failed"
    assert [step.function for step in failed] == ["left"] * 3
    assert "ValueError: refused" in failed[0].traceback


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_do_not_start_an_exactly_once_function_again(tmp_path: Path, seed: int) -> None:
    with WorkflowTest(_project(tmp_path / "project")) as test:
        run = test.run("x", duplicates=True, seed=seed)
        assert test.module().count == 1
    assert [step.function for step in run.steps].count("split") == 2
    assert [step.function for step in run.steps].count("join") == 1
    assert run.result_of("join") == ["left", "right"]


def test_step_by_step(tmp_path: Path) -> None:
    with WorkflowTest(_project(tmp_path / "project")) as test:
        run = test.start("x")
        assert (run.pending, run.status) == (("split",), "pending")
        step = run.step()
        assert step is not None
        assert step.function == "split"
        assert run.pending == ("left", "right")
        assert run.finish().status == "finished"
        with pytest.raises(LookupError, match="nothing is pending"):
            run.step()


def test_projects_do_not_mix_and_leave_nothing(tmp_path: Path) -> None:
    path, variables = list(sys.path), dict(os.environ)
    with WorkflowTest(_project(tmp_path / "one", "1")) as one, WorkflowTest(_project(tmp_path / "two", "2")) as two:
        assert one.run("x").result_of("join") == ["left", "1"]
        assert two.run("x").result_of("join") == ["left", "2"]
        assert one.run("x").result_of("join") == ["left", "1"]
    assert sys.path == path
    assert dict(os.environ) == variables
    assert not {"app", "helper"} & set(sys.modules)


def test_packages_without_init_do_not_mix(tmp_path: Path) -> None:
    for name in ("one", "two"):
        directory = _project(tmp_path / name)
        (directory / "parts" / "inner").mkdir(parents=True)
        (directory / "parts" / "inner" / "name.py").write_text(f"NAME = {name!r}\n")
        (directory / "helper.py").write_text("from parts.inner.name import NAME\n")
        assert run_workflow(directory, "x").result_of("join") == ["left", name]
    assert "parts" not in sys.modules


def test_source_is_refused_as_at_deployment(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkflowError, match="no such file"):
        WorkflowTest(tmp_path)


def test_configuration_is_checked_against_the_source(tmp_path: Path) -> None:
    directory = _project(tmp_path / "project")
    (directory / ".multi-x-serverless").mkdir()
    (directory / ".multi-x-serverless" / "config.yml").write_text(
        "workflow_name: other\nworkflow_version: 0.0.1\nhome_region: us-east-1\n"
    )
    with pytest.raises(InvalidWorkflowError, match="make name and version equal"):
        WorkflowTest(directory)


def test_large_payload_goes_by_the_object_store(tmp_path: Path) -> None:
    large = "x" * 300_000
    with WorkflowTest(_project(tmp_path / "project")) as test:
        test.module("helper").NAME = large  # type: ignore[attr-defined]
        joined = test.run("x")
    assert joined.result_of("join") == ["left", large]
    assert len(joined.objects) == 1


COPY = """
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="copies", version="0.0.1")


@workflow.serverless_function(name="copy", entry_point=True)
def copy(event):
    for number in range(2):
        workflow.write_object(f"out/{number}", workflow.read_object(event) * number)
"""


def test_objects(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(COPY)
    run = run_workflow(tmp_path, "in", objects={"in": b"xy"})
    assert run.workflow_objects == {"in": b"xy", "out/0": b"", "out/1": b"xy"}
    with WorkflowTest(tmp_path) as test:
        with pytest.raises(ObjectNotFoundError) as missing:
            test.run("in")
        with pytest.raises(InvalidObjectKeyError):
            test.start("in", objects={"/in": b""})
    assert str(missing.value) == (
        "there is no object 'in'; a test passes what is there before the run, for example objects={'in': b'...'}"
    )


def test_placement() -> None:
    with WorkflowTest(EXAMPLE) as test:
        event = {"execute_1": True, "execute_2": False, "execute_3": False}
        run = test.run(event, placement={"sync_function": "ca-central-1"})
        with pytest.raises(LookupError, match="cannot be placed"):
            test.run(event, placement={"sync_function": "nowhere"})
        with pytest.raises(LookupError, match="there is no 'sink' to be placed; names are initial_function"):
            test.run(event, placement={"sink": "ca-central-1"})
    assert [step.region for step in run.steps] == ["us-east-1", "ca-central-1", "us-east-1"]


def test_a_pinned_function_is_not_placed_elsewhere(tmp_path: Path) -> None:
    pinned = 'regions_and_providers={"allowed_regions": ["us-east-1", "us-west-2"]}'
    (tmp_path / "app.py").write_text(COPY.replace("entry_point=True", f"entry_point=True, {pinned}"))
    with WorkflowTest(tmp_path) as test:
        with pytest.raises(LookupError, match=r"in 'ca-central-1'; it may run in us-east-1, us-west-2$"):
            test.run("in", objects={"in": b""}, placement={"copy": "ca-central-1"})
        run = test.run("in", objects={"in": b""}, placement={"copy": "us-west-2"})
    assert run.steps[0].region == "us-west-2"


def test_a_region_that_nobody_wrote_is_explained_where_it_is_named(tmp_path: Path) -> None:
    assumed = "Without .multi-x-serverless/config.yml a test takes us-east-1 for the home region"
    app, pin = tmp_path / "app.py", 'regions_and_providers={"allowed_regions": ["eu-west-1"]}'
    app.write_text(COPY)
    with WorkflowTest(tmp_path) as test, pytest.raises(LookupError, match=assumed):
        test.start("in", placement={"copy": "eu-west-1"})
    app.write_text(COPY.replace("entry_point=True", f"entry_point=True, {pin}"))
    refusal = f"^app.py:7: 'regions_and_providers' of function 'copy' does not allow the home region .*{assumed}"
    with pytest.raises(InvalidConfigurationError, match=refusal):
        WorkflowTest(tmp_path)
    app.write_text(COPY.replace("entry_point=True", "entry_point=1"))
    with pytest.raises(InvalidWorkflowError) as other:
        WorkflowTest(tmp_path)
    assert "Without" not in str(other.value)


def test_a_configured_region_is_not_explained(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(COPY)
    configuration = WorkflowConfiguration("copies", "0.0.1", "us-east-1", regions=RegionSelection(("us-east-1",)))
    with WorkflowTest(tmp_path, configuration) as test, pytest.raises(LookupError, match=r"may run in us-east-1$"):
        test.start("in", placement={"copy": "eu-west-1"})


@pytest.mark.parametrize(("first", "second", "third"), list(itertools.product([False, True], repeat=3)))
def test_small_sync_example(first: bool, second: bool, third: bool) -> None:
    run = run_workflow(EXAMPLE, {"execute_1": first, "execute_2": second, "execute_3": third})
    joined = ["first"] * first + ["second"] * second
    expected = ["initial_function"]
    if joined:
        expected.append("sync_function")
        assert run.result_of("sync_function") == joined
    if joined or third:
        expected.append("second_sync_function")
        results = run.result_of("second_sync_function")
        assert sorted(map(str, results)) == sorted(["third"] * third + [str({"sync_function": joined})] * bool(joined))
    assert [step.function for step in run.steps] == expected
    assert len(run.nodes_run) + len(run.declined) == 3


def test_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs" / "guide" / "testing.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, names)  # noqa: S102 - the guide's own examples
