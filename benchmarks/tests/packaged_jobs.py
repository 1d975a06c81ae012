"""The tests that lie in a benchmark's own directory, run on what was deployed: its modules and its requirements."""

from __future__ import annotations

import os
import subprocess
import sys

import yaml

from benchmarks.tests.running import RUN_TIMEOUT_S, DeployedWorkflow


def check_packaged_jobs(workflow: DeployedWorkflow) -> None:
    """Run `tests/` of a benchmark's directory on its unpacked package, which is there as soon as it has run once.

    Raises:
        AssertionError: A test failed; the message is pytest's own.
    """
    (package,) = {app.parent for app in (workflow.state / "packages").glob("*/app.py")}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--quiet", str(workflow.project / "tests")],
        env=os.environ | _environment_of(workflow) | {"PYTHONPATH": str(package)},
        # "python -m" puts the working directory in front: the package's modules must win.
        cwd=package,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def _environment_of(workflow: DeployedWorkflow) -> dict[str, str]:
    file = workflow.project / ".multi-x-serverless" / "config.yml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {variable["key"]: variable["value"] for variable in settings["environment_variables"]}
