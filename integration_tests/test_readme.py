"""The README is true: its tour runs as printed, its example deploys and returns what it should."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from integration_tests.conftest import CommandLine
from integration_tests.pages import ROOT, Reader, blocks_of, section

README = (ROOT / "README.md").read_text(encoding="utf-8")

INSTALLING = frozenset({"python3", ".", "pip"})
"""Making a virtual environment and installing into it: whoever runs this test has done it."""


def test_the_tour_runs_as_printed(tmp_path: Path) -> None:
    """Every `multi_x_serverless` command of "Use it", with its `cd` and `export` lines, in order."""
    reader = Reader(tmp_path, not_run=INSTALLING)
    reader.follow(section(README, "Use it"))
    ran = {words[0] for words in reader.ran}
    assert {"new_workflow", "deploy", "run", "data_sync", "solve", "update_check_deployment", "report"} <= ran


def test_the_example_deploys_and_runs(command_line: CommandLine, tmp_path: Path) -> None:
    (source,) = (block.body for block in blocks_of(section(README, "A workflow")) if block.language == "python")
    project = tmp_path / "thumbnails"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(source, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(
        "workflow_name: thumbnails\nworkflow_version: 0.0.1\nhome_region: us-east-1\n", encoding="utf-8"
    )
    command_line.succeed("deploy", cwd=project)
    both = '{"image": "abcdefghijklmnopqrstuvwxyz", "describe": true}'
    (run,) = command_line.succeed("run", "thumbnails-0.0.1", "-a", both)["runs"]
    assert run["result"] == {"parts": [{"thumbnail": "abcdefghijklmnop"}, {"words": 26}]}
    (run,) = command_line.succeed("run", "thumbnails-0.0.1", "-a", '{"image": "abc"}')["runs"]
    assert run["result"] == {"parts": [{"thumbnail": "abc"}]}


def test_every_command_that_the_readme_lists_exists() -> None:
    listed = re.findall(r"`([a-z_]+)(?: [A-Z\[{][^`]*)?`", section(README, "Commands"))
    known = {"new_workflow", "setup_tables", "teardown", "deploy", "run", "list", "status", "data_sync", "data_collect"}
    known |= {"solve", "update_check_solver", "update_check_deployment", "report", "remove"}
    assert known <= set(listed)
    for command in known:
        help_text = subprocess.run(
            [sys.executable, "-m", "multi_x_serverless", command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert help_text.startswith(f"Usage: multi_x_serverless {command}")
