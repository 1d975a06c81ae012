"""What every command prints, as JSON or as tables, when it is really run: the loop on the embedded cloud."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.deployment.packaging import Package, pack_files
from tests.fakes import FakeCloud

WORKFLOW_ID = "hello-0.0.1"
TEXT = '{"text": "A short text about the wind and the sun.", "deep": true}'


@dataclass
class Documents:
    """What commands printed: the words of the command line and the document, in order."""

    printed: list[tuple[tuple[str, ...], Mapping[str, Any]]] = field(default_factory=list)

    def by_schema(self) -> dict[str, list[Mapping[str, Any]]]:
        """Documents by the last part of their schema."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for _, document in self.printed:
            found.setdefault(str(document["schema"]).rsplit("/", 1)[-1], []).append(document)
        return found

    def commands(self) -> set[str]:
        """Names of the commands that printed one."""
        return {words[0] for words, _ in self.printed}


def command_documents(directory: Path) -> Documents:
    """Run every command with ``--output json`` and keep what it printed."""
    return Documents([(words, json.loads(text)) for words, text in command_outputs(directory, "json")])


def command_outputs(directory: Path, form: str) -> list[tuple[tuple[str, ...], str]]:
    """Run every command and keep what it printed: the words of the command line and the text, in order.

    Args:
        directory: An empty one.
        form: Of the output, ``json`` or ``table``.
    """
    state = ["--cloud", "local", "--state-dir", str(directory / "state"), "--time-scale", "0"]
    loop = _Caller(form, state)
    _loop(loop, directory)
    framework = _Caller(form, [])
    _framework(framework)
    return [*loop.printed, *framework.printed]


@dataclass
class _Caller:
    form: str
    options: list[str]
    printed: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def __call__(self, *words: str, exit_codes: tuple[int, ...] = (0,)) -> str:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()) as complaints:
            code = run([*self.options, "--yes", "--output", self.form, *words])
        assert code in exit_codes, f"{words}: {code}: {complaints.getvalue()}"
        self.printed.append((words, output.getvalue()))
        return output.getvalue()


def _loop(call: _Caller, directory: Path) -> None:
    call("version")
    call("setup_tables")
    call("doctor", exit_codes=(0, 1))
    call.options += ["--project-dir", str(directory)]
    call("new_workflow", "hello")
    call.options += ["--project-dir", str(directory / "hello")]
    call("deploy", "--dry-run", exit_codes=(3,))
    call("deploy")
    call("explain", WORKFLOW_ID)
    run_id = re.search(r"[0-9a-f]{32}", call("run", WORKFLOW_ID, "-a", TEXT))
    assert run_id is not None
    call("run", WORKFLOW_ID, "-a", '{"text": ""}', exit_codes=(1,))
    call("data_sync")
    call("data_collect", "all")
    problem = str(directory / "problem.json")
    call("solve", WORKFLOW_ID, "--robust", "--dry-run")
    call("solve", WORKFLOW_ID, "--frontier", "10", "--dump-problem", problem)
    call("explain", WORKFLOW_ID)
    call("simulate", problem, "--placement", "all-home")
    replayed = ("--from", "2023-03-01", "--to", "2023-03-02", "--rate", "10", "--solve-cpu", "1")
    call("replay", "--workflow", problem, "--regions", "us-west-2", *replayed)
    call("update_check_deployment")
    call("update_check_solver", "--minimum-runs", "1", exit_codes=(0, 3))
    call("run", WORKFLOW_ID, "--no-wait", "-a", TEXT)
    call("status", WORKFLOW_ID)
    call("status", run_id.group())
    call("report", WORKFLOW_ID)
    call("logs", WORKFLOW_ID)
    call("list")
    call("list", "--tagged")
    call("dead_letters")
    call("redrive", WORKFLOW_ID, exit_codes=(1,))
    call("dead_letters", "--discard-all")
    file = directory / "object.txt"
    file.write_text("text", encoding="utf-8")
    call("objects", "put", WORKFLOW_ID, str(file))
    call("objects", "list", WORKFLOW_ID)
    call("objects", "get", WORKFLOW_ID, "object.txt", "-o", str(directory / "copy.txt"))
    call("objects", "delete", WORKFLOW_ID, "object.txt")
    call("remove", WORKFLOW_ID)
    call("teardown")


def _framework(call: _Caller) -> None:
    """The embedded cloud has no schedules: these two on a cloud that has."""
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)

    @contextlib.contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    def build(*_: object, **__: object) -> Package:
        return pack_files({"content": Path(__file__)})

    with (
        mock.patch.object(Settings, "open_cloud", open_cloud),
        mock.patch("multi_x_serverless.deployment.framework_package.build_framework_package", build),
        mock.patch.dict(os.environ),
    ):
        call("deploy_framework", "--dry-run", exit_codes=(3,))
        call("remove_framework")
