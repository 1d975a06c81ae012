"""What the command line says after Ctrl-C: what is left, and commands that can be typed as they stand."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
import pytest

from multi_x_serverless.adaptation import upkeep
from multi_x_serverless.cli.commands import demo
from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.main import cli, run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.deployment import scaffold
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, WorkInterruptedError
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID, make_project


@pytest.fixture(autouse=True)
def ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTI_X_SERVERLESS_CLOUD", raising=False)


def press(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_an_interrupted_deployment_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "--project-dir", str(project)]
    monkeypatch.setattr("multi_x_serverless.deployment.executor.Executor.probe", press)
    assert run([*state, "deploy"]) == EXIT_INTERRUPTED
    told = said(capsys)
    assert told.startswith(f"interrupted: {WORKFLOW_ID} is not deployed yet. What was made of it so far is noted: ")
    assert f"'multi_x_serverless --cloud local --state-dir {tmp_path / 'state'} --project-dir {project} deploy'" in told
    monkeypatch.undo()
    monkeypatch.setenv("MULTI_X_SERVERLESS_CLOUD", "local")
    known = f"multi_x_serverless {' '.join(state[2:])}"
    to_do = f"'{known} deploy' in its project goes on with it, '{known} remove {WORKFLOW_ID}' deletes"
    assert run([*state, "list"]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert f"{WORKFLOW_ID} is not deployed yet: its first deployment" in listed
    assert to_do in listed
    assert "No workflow is deployed." not in listed
    assert run([*state, "--output", "json", "list"]) == 0
    assert json.loads(capsys.readouterr().out)["unfinished"] == [WORKFLOW_ID]
    for command in (["run", WORKFLOW_ID], ["status", WORKFLOW_ID], ["report", WORKFLOW_ID]):
        assert run([*state, *command]) == EXIT_FAILURE
        assert to_do in said(capsys)
    assert run([*state, "run", "another-0.0.1"]) == EXIT_FAILURE
    assert f"deploy' makes one; deployments without an end: {WORKFLOW_ID}." in said(capsys)
    assert run([*state, "--yes", "remove", WORKFLOW_ID]) == 0
    assert run([*state, "list"]) == 0
    assert "No workflow is deployed." in capsys.readouterr().out


def test_commands_whose_state_is_the_same_wherever_they_stop_say_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = deployed_example(tmp_path)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    monkeypatch.setattr(upkeep, "sync_logs", press)
    assert run(["--cloud", "local", "data-sync"]) == EXIT_INTERRUPTED
    assert said(capsys) == (
        "interrupted: what was read so far is kept, the next 'multi_x_serverless --cloud local data_sync' goes on "
        "there."
    )
    monkeypatch.setattr("multi_x_serverless.adaptation.status.workflow_status", press)
    assert run(["status", WORKFLOW_ID]) == EXIT_INTERRUPTED
    assert said(capsys) == "interrupted"


def all_commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its name, subcommands as ``objects put``."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


def only_reads(command: click.Command) -> bool:
    """Whether a command opens the cloud, and beside others at that wherever it does."""
    assert command.callback is not None
    function = inspect.unwrap(command.callback)
    module = ast.parse(inspect.getsource(sys.modules[function.__module__]))
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    waiting, seen, opened = [function.__name__], set[str](), list[bool]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Name):
                waiting.append(node.id)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "open_cloud":
                exclusive = [keyword.value for keyword in node.keywords if keyword.arg == "exclusive"]
                opened.append(bool(exclusive) and isinstance(exclusive[0], ast.Constant) and not exclusive[0].value)
    return bool(opened) and all(opened)


WITHOUT_A_CLOUD = {"simulate", "replay", "completion", "version"}
"""They open none, and write what they found where they are told to."""

CHANGING = {
    "demo": ("demo",),
    "new_workflow": ("new_workflow", "hello"),
    "setup_tables": ("setup_tables",),
    "deploy": ("deploy",),
    "run": ("run", WORKFLOW_ID),
    "objects put": ("objects", "put", WORKFLOW_ID, __file__),
    "objects delete": ("objects", "delete", WORKFLOW_ID, "--all"),
    "dead_letters": ("dead_letters", "--discard-all"),
    "redrive": ("redrive", WORKFLOW_ID),
    "data_sync": ("data_sync",),
    "data_collect": ("data_collect", "all"),
    "solve": ("solve", WORKFLOW_ID),
    "update_check_solver": ("update_check_solver",),
    "update_check_deployment": ("update_check_deployment",),
    "deploy_framework": ("deploy_framework",),
    "remove_framework": ("--yes", "remove_framework"),
    "remove": ("remove", WORKFLOW_ID),
    "teardown": ("teardown",),
}
"""A call of each command that changes something."""


def test_no_command_that_changes_something_is_forgotten() -> None:
    found = {name for name, command in all_commands(cli) if not only_reads(command)}
    assert found - WITHOUT_A_CLOUD == set(CHANGING)


@pytest.fixture
def pressed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before anything that a command does is under way."""
    for work in (
        "multi_x_serverless.cli.session.Settings.open_cloud",
        "multi_x_serverless.cli.commands.demo._make_anew",
        "multi_x_serverless.deployment.scaffold.new_workflow",
    ):
        monkeypatch.setattr(work, press)


@pytest.mark.usefixtures("pressed_at_once")
@pytest.mark.parametrize("name", CHANGING)
def test_every_command_that_changes_something_says_what_is_left_wherever_it_stops(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run([*CHANGING[name]]) == EXIT_INTERRUPTED
    told = said(capsys)
    assert re.fullmatch(r"interrupted: [^{}]+\.", told)
    named = [shlex.split(command) for command in re.findall(r"'(multi_x_serverless [^']+)'", told)]
    assert named or "the same command" in told
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)
    for words in named:
        cli.main(words[1:], standalone_mode=False)  # refuses what there is not


@pytest.mark.usefixtures("pressed_at_once")
@pytest.mark.parametrize(
    "arguments",
    [
        ("dead_letters",),
        ("deploy", "--dry-run"),
        ("solve", WORKFLOW_ID, "--dry-run"),
        ("update_check_deployment", "--dry-run"),
        ("deploy_framework", "--dry-run"),
        ("remove_framework", "--dry-run"),
        ("objects", "get", WORKFLOW_ID, "key"),
    ],
)
def test_what_changes_nothing_leaves_nothing(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments]) == EXIT_INTERRUPTED
    assert said(capsys) == "interrupted"


def test_a_second_ctrl_c_does_not_take_back_what_was_said_of_the_first() -> None:
    @says_what_is_left("something of {workflow_id} may be left.")
    def command(*, workflow_id: str, is_exact: bool) -> None:
        try:
            raise WorkInterruptedError("nothing was made yet.") if is_exact else KeyboardInterrupt
        finally:
            press()  # while the progress is taken off the terminal, for example

    with pytest.raises(WorkInterruptedError, match=r"^nothing was made yet\.$"):
        command(workflow_id=WORKFLOW_ID, is_exact=True)
    with pytest.raises(WorkInterruptedError, match=rf"^something of {WORKFLOW_ID} may be left\.$"):
        command(workflow_id=WORKFLOW_ID, is_exact=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("teardown",), "what is left is deleted by 'multi_x_serverless --cloud local teardown'. "),
        (("deploy", "--dry-run"), ""),
    ],
)
def test_ctrl_c_stays_ctrl_c_where_the_cloud_cannot_be_closed(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def open_cloud(*_: object, **__: object) -> Iterator[None]:
        try:
            press()
            yield
        finally:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    assert run(["--cloud", "local", *arguments]) == EXIT_INTERRUPTED
    error = "OSError: [Errno 28] No space left on device"
    assert said(capsys) == f"interrupted: {told}On its way out it met another error: {error}."


def test_an_error_without_ctrl_c_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Settings, "open_cloud", refuse)
    assert run(["teardown"]) == EXIT_FAILURE


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_ctrl_c_stays_ctrl_c_where_the_state_cannot_be_read(
    error: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    project = make_project(tmp_path / "project")
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "--project-dir", str(project)]
    monkeypatch.setattr("multi_x_serverless.deployment.executor.Executor.probe", press)
    monkeypatch.setattr("multi_x_serverless.adaptation.interruption.read_state", refuse)
    assert run([*state, "deploy"]) == EXIT_INTERRUPTED
    why = "OSError: disk full" if isinstance(error, OSError) else "interrupted again"
    told = said(capsys)
    assert f"is noted, but could not be read ({why}): 'multi_x_serverless" in told
    assert "defect" not in told


def test_a_demo_that_was_interrupted_while_it_was_made_anew_can_be_made_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory = tmp_path / "demo"
    monkeypatch.setattr(demo._Demo, "run", lambda *_: EXIT_FAILURE)
    assert run(["demo", "--directory", str(directory)]) == EXIT_FAILURE
    for name in ("a", "z"):
        (directory / name).mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", press)
        assert run(["demo", "--directory", str(directory)]) == EXIT_INTERRUPTED
    assert said(capsys).endswith(
        f"interrupted: what was made so far is in {directory}; the same command makes it anew."
    )
    assert run(["demo", "--directory", str(directory)]) == EXIT_FAILURE
    assert [entry.name for entry in directory.iterdir()] == [demo.MARKER]


def test_a_project_is_there_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(scaffold, "example_inputs", press)
        assert run(["--project-dir", str(tmp_path), "new_workflow", "hello"]) == EXIT_INTERRUPTED
    assert list(tmp_path.iterdir()) == []
    assert run(["--project-dir", str(tmp_path), "new_workflow", "hello"]) == EXIT_OK
    assert [entry.name for entry in tmp_path.iterdir()] == ["hello"]


def test_a_question_that_gets_no_answer_changes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "setup_tables", "--region", "us-east-1"]) == 0
    monkeypatch.setattr("sys.stdin", Terminal(""))  # its end, as Ctrl-D makes it
    assert run([*state, "teardown"]) == EXIT_INTERRUPTED
    assert said(capsys).endswith("interrupted: nothing was changed.")
