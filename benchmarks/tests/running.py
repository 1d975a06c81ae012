"""Benchmark workflows on an embedded cloud of their own: the real command line, and their own requirements.

How a test uses it (`conftest` has the fixture):

    @pytest.fixture(scope="module")
    def workflow(deploy: Deploy) -> DeployedWorkflow:
        return deploy("image_processing")


    def test_it(workflow: DeployedWorkflow) -> None:
        workflow.put_object("input/a.png", body)                # as `objects put` does
        run = workflow.run({"image": "input/a.png"})            # waits for the end; failed runs come back too
        assert run.status == "complete", run.failures
        assert run.functions == ("get_input", "flip")           # in the order in which they started
        assert run.result == {...}                              # what the last function returned
        workflow.get_object("output/a.png")                     # bytes; list_objects(prefix) -> keys
        workflow.show(run.run_id)                               # the text of `status RUN_ID`

One deployment serves all tests of a module: the first one installs the workflow's requirements, later ones (and later
test runs) find them in the cache of the command line. Simulated distances are not waited for.

Functions run with the requirements of their own package, so a test imports only what it looks at results with; that
stands in `requirements.txt` beside this file. `make test-benchmarks` installs it and runs all of these tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

BENCHMARKS = Path(__file__).resolve().parents[1]

DEPLOY_TIMEOUT_S = 1_200.0
"""Large requirements are downloaded at first; a deployment that takes longer hangs."""

RUN_TIMEOUT_S = 300.0
"""A run that takes longer hangs."""


class CommandFailedError(Exception):
    """A command ended with an exit code that the test did not expect."""


@dataclass(frozen=True)
class Failure:
    """An attempt that raised: function of the node, type and message of the exception."""

    function: str
    error: str
    message: str


@dataclass(frozen=True)
class BenchmarkRun:
    """A run that has ended.

    Attributes:
        status: ``complete``, ``failed``, or ``running`` if it had no end within the time.
        functions: Functions of the nodes that finished, in the order of their starts.
        result: What the last function returned; node -> value if several nodes are last.
        failures: Attempts that raised, also those that a retry made good.
        trace: All that `run --output json` tells of it.
    """

    run_id: str
    status: str
    functions: tuple[str, ...]
    result: Any
    failures: tuple[Failure, ...]
    trace: dict[str, Any]


@dataclass(frozen=True)
class DeployedWorkflow:
    """A workflow on an embedded cloud of its own.

    Attributes:
        project: Its directory.
        workflow_id: Its id.
        state: The state directory; what else lies beside it is nobody's.
    """

    project: Path
    workflow_id: str
    state: Path

    def put_object(self, key: str, body: bytes) -> None:
        """Store an object."""
        self.command("objects", "put", self.workflow_id, "-", "--key", key, standard_input=body)

    def get_object(self, key: str) -> bytes:
        """Fetch an object."""
        return self.command("objects", "get", self.workflow_id, key)

    def list_objects(self, prefix: str = "") -> tuple[str, ...]:
        """Keys of the objects, sorted."""
        listed = self.document("objects", "list", self.workflow_id, "--prefix", prefix)
        return tuple(entry["key"] for entry in listed["objects"])

    def run(self, event: object, *, timeout_s: float = RUN_TIMEOUT_S) -> BenchmarkRun:
        """Run it once and wait for the end, whichever."""
        return self.run_many([event], timeout_s=timeout_s)[0]

    def run_many(self, events: list[object], *, timeout_s: float = RUN_TIMEOUT_S) -> tuple[BenchmarkRun, ...]:
        """Run it once for each event, several at a time; the runs in the order of the events."""
        lines = "".join(json.dumps(event) + "\n" for event in events).encode()
        wait = ["--wait", "--timeout", f"{timeout_s:g}"]
        arguments = ("run", self.workflow_id, "--arguments-file", "-", *wait)
        document = self.document(*arguments, standard_input=lines, accepted=(0, 1), timeout_s=2 * timeout_s)
        return tuple(_run(trace) for trace in document["runs"])

    def show(self, run_id: str) -> str:
        """What `status RUN_ID` tells a person."""
        return self.command("status", run_id).decode()

    def document(self, *arguments: str, **settings: Any) -> Any:
        """What a command says with ``--output json``; the settings are those of `command`."""
        return json.loads(self.command("--output", "json", *arguments, **settings))

    def command(
        self,
        *arguments: str,
        standard_input: bytes = b"",
        accepted: tuple[int, ...] = (0,),
        timeout_s: float = RUN_TIMEOUT_S,
    ) -> bytes:
        """Standard output of a command.

        Raises:
            CommandFailedError: Its exit code is not among the accepted ones.
        """
        options = ["--cloud", "local", "--state-dir", str(self.state), "--time-scale", "0", "--quiet", "--yes"]
        finished = subprocess.run(
            [sys.executable, "-m", "multi_x_serverless", *options, "--project-dir", str(self.project), *arguments],
            input=standard_input,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "400"},
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        if finished.returncode not in accepted:
            said = (finished.stdout + finished.stderr).decode(errors="replace")
            raise CommandFailedError(f"{' '.join(arguments)} ended with {finished.returncode}: {said}")
        return finished.stdout


Deploy: TypeAlias = Callable[[str], DeployedWorkflow]


def deploy(name: str, directory: Path) -> DeployedWorkflow:
    """Deploy the benchmark of a name to an embedded cloud in an empty directory."""
    project = BENCHMARKS / name
    settings = yaml.safe_load((project / ".multi-x-serverless" / "config.yml").read_text(encoding="utf-8"))
    workflow = DeployedWorkflow(
        project, f"{settings['workflow_name']}-{settings['workflow_version']}", directory / "state"
    )
    workflow.command("deploy", timeout_s=DEPLOY_TIMEOUT_S)
    return workflow


def _run(trace: dict[str, Any]) -> BenchmarkRun:
    nodes = sorted(trace["nodes"], key=lambda node: node["start_s"])
    return BenchmarkRun(
        run_id=trace["run_id"],
        status=trace["status"],
        functions=tuple(_function_of(node["node"]) for node in nodes),
        result=trace["result"],
        failures=tuple(
            Failure(_function_of(failure["node"]), failure["error"], failure["message"])
            for failure in trace["failures"]
        ),
        trace=trace,
    )


def _function_of(node: str) -> str:
    return node.partition(":")[0]
