"""The README is true: its tour runs as printed, its example deploys and returns what it should."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from integration_tests.conftest import CommandLine

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Text of a second-level section."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## )", README, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the README has no section '{title}'"
    return match.group(1)


def blocks(text: str, language: str) -> list[str]:
    """Code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_tour_runs_as_printed(tmp_path: Path) -> None:
    """Every `multi_x_serverless` command of "Use it", with its `cd` and `export` lines, in order."""
    environment = os.environ | {"MULTI_X_SERVERLESS_STATE_DIR": str(tmp_path / "state"), "NO_COLOR": "1"}
    directory, ran = tmp_path, []
    for block in blocks(section("Use it"), "console"):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            match words:
                case ["cd", target]:
                    directory = directory / target
                case ["export", assignment]:
                    name, _, value = assignment.partition("=")
                    environment[name] = value
                case ["multi_x_serverless", *arguments]:
                    command = [sys.executable, "-m", "multi_x_serverless", *arguments]
                    finished = subprocess.run(
                        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
                    )
                    assert finished.returncode == 0, f"{line}\n{finished.stdout}{finished.stderr}"
                    ran.append(arguments[0])
                case _:
                    # Making a virtual environment and installing into it: whoever runs this test has done it.
                    assert words[0] in {"python3", ".", "pip"}, line
    assert {"new_workflow", "deploy", "run", "data_sync", "solve", "update_check_deployment", "report"} <= set(ran)


def test_the_example_deploys_and_runs(command_line: CommandLine, tmp_path: Path) -> None:
    (source,) = blocks(section("A workflow"), "python")
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
    listed = re.findall(r"`([a-z_]+)(?: [A-Z\[{][^`]*)?`", section("Commands"))
    known = {"new_workflow", "setup_tables", "teardown", "deploy", "run", "list", "status", "data_sync", "data_collect"}
    known |= {"solve", "update_check_solver", "update_check_deployment", "report", "remove"}
    assert known <= set(listed)
    for command in known:
        help_text = subprocess.run(
            [sys.executable, "-m", "multi_x_serverless", command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert help_text.startswith(f"Usage: multi_x_serverless {command}")
