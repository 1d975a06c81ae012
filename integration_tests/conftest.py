"""The command line as a fixture: each test has an embedded cloud, or an account of simulated AWS, of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.aws.account import CREDENTIALS, AwsAccount, aws_account

TIMEOUT_S = 300.0
"""A command that takes longer hangs; none takes a tenth of it."""


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    exit_code: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.output)


@dataclass(frozen=True)
class CommandLine:
    """Runs public commands on one state directory."""

    state: Path
    cloud: tuple[str, ...] = ("--cloud", "local")
    environment: dict[str, str] = field(default_factory=dict)

    def arguments(self, *arguments: str, output: str = "json") -> list[str]:
        """The command as it is started."""
        options = [*self.cloud, "--state-dir", str(self.state), "--output", output, "--yes"]
        return [sys.executable, "-m", "multi_x_serverless", *options, *arguments]

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start a command and leave it running, in a session of its own."""
        return subprocess.Popen(
            self.arguments(*arguments),
            cwd=cwd or self.state.parent,
            env=os.environ | {"NO_COLOR": "1"} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, output: str = "json") -> Answer:
        """Run a command to its end."""
        finished = subprocess.run(
            self.arguments(*arguments, output=output),
            cwd=cwd or self.state.parent,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"} | self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Answer(finished.returncode, finished.stdout, finished.stderr)

    def succeed(self, *arguments: str, cwd: Path | None = None) -> Any:
        """Run a command that must end with 0; returns its document."""
        answer = self.run(*arguments, cwd=cwd)
        assert answer.exit_code == 0, f"{arguments} ended with {answer.exit_code}: {answer.errors}\n{answer.output}"
        return answer.document


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """A command line with an empty embedded cloud."""
    return CommandLine(tmp_path / "state")


@dataclass(frozen=True)
class AwsCommandLine(CommandLine):
    """A command line on an account: moto as a server, whose functions run what was deployed (`tests/aws`)."""

    account: AwsAccount = field(kw_only=True)


@pytest.fixture
def aws_command_line(tmp_path: Path) -> Iterator[AwsCommandLine]:
    """A command line with an empty account."""
    with aws_account(tmp_path / "aws") as account:
        yield AwsCommandLine(
            tmp_path / "state",
            cloud=("--cloud", "aws"),
            environment={**CREDENTIALS, "AWS_ENDPOINT_URL": account.endpoint, "MULTI_X_SERVERLESS_CLOUD": "aws"},
            account=account,
        )
