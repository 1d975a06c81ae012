"""What all commands share: the global options, opening the cloud, talking to the user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.console import is_terminal
from multi_x_serverless.cli.output import write_error
from multi_x_serverless.errors import NotConfirmedError, WorkInterruptedError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.aws import AwsCloud
    from multi_x_serverless.cloud.ports import Cloud

APPLICATION = "multi-x-serverless"
PROGRAM = "multi_x_serverless"
DEFAULT_CLOUD = "aws"
DEFAULT_SYSTEM_REGION = "us-east-1"

CLOUD_VARIABLE = "MULTI_X_SERVERLESS_CLOUD"
REGION_VARIABLE = "MULTI_X_SERVERLESS_SYSTEM_REGION"
STATE_VARIABLE = "MULTI_X_SERVERLESS_STATE_DIR"


@dataclass(frozen=True)
class Settings:
    """The global options, see ``multi_x_serverless --help``."""

    cloud: str
    system_region: str
    state_dir: Path | None
    time_scale: float
    profile: str | None
    project_dir: Path
    output: str
    verbosity: int
    assume_yes: bool
    color: bool

    @property
    def is_json(self) -> bool:
        """Whether standard output is for machines."""
        return self.output == "json"

    @contextmanager
    def open_cloud(self, *, exclusive: bool = True) -> Iterator[Cloud]:
        """Open the chosen cloud.

        Args:
            exclusive: The command changes something. Commands that only read may run beside another one.

        Raises:
            StateDirectoryBusyError: Another command holds the embedded cloud.
        """
        if self.cloud == "aws":
            with self._open_aws() as aws:
                yield aws
            return
        from multi_x_serverless.cloud.local import LocalCloud
        from multi_x_serverless.cloud.locks import break_locks
        from multi_x_serverless.cloud.tables import SYSTEM_TABLES, physical_name

        cloud = LocalCloud(
            self.local_state_directory(),
            system_region=self.system_region,
            time_scale=self.time_scale,
            exclusive=exclusive,
        )
        try:
            if exclusive and physical_name(SYSTEM_TABLES[0]) in cloud.key_value.list_tables(cloud.system_region):
                # Whoever held these locks is gone: nobody else can hold the state directory now.
                break_locks(cloud)
            yield cloud
        finally:
            cloud.close()

    def _open_aws(self) -> AwsCloud:
        from multi_x_serverless import data
        from multi_x_serverless.cloud.aws import AwsCloud

        return AwsCloud(regions=tuple(data.regions()), system_region=self.system_region, profile=self.profile)

    def local_state_directory(self) -> Path:
        """Where the embedded cloud lives."""
        if self.state_dir is not None:
            return self.state_dir
        import platformdirs

        return platformdirs.user_state_path(APPLICATION)

    def with_options(self, commands: str) -> str:
        """A text in which our own commands can be typed as they stand.

        Those that begin a line or stand in quotation marks get the global options that this command was called with,
        but for what the environment says anyway.
        """
        import re
        import shlex

        options = _unless_ambient("--cloud", self.cloud, CLOUD_VARIABLE, DEFAULT_CLOUD)
        if self.cloud == "local" and self.state_dir is not None:
            options += _unless_ambient("--state-dir", str(self.state_dir), STATE_VARIABLE, "")
        if self.cloud == "aws" and self.profile is not None:
            options += ["--profile", self.profile]
        options += _unless_ambient("--system-region", self.system_region, REGION_VARIABLE, DEFAULT_SYSTEM_REGION)
        if self.project_dir != Path():
            options += ["--project-dir", str(self.project_dir)]
        called = shlex.join([PROGRAM, *options])
        # One that has options already has been through here.
        return re.sub(rf"(^ *|'){PROGRAM}(?= (?!--))", lambda found: found[1] + called, commands, flags=re.MULTILINE)

    def say(self, text: str, *, level: int = 0) -> None:
        """Progress for people, on standard error."""
        if self.verbosity >= level:
            write_error(text)

    @staticmethod
    def say_error(text: str) -> None:
        """What went wrong without ending the command, on standard error; ``--quiet`` does not hide it."""
        write_error(f"error: {text}")

    def confirm(self, question: str) -> None:
        """Ask before something is deleted or replaced; `--yes` answers, and without a terminal the answer is no.

        Raises:
            click.UsageError: There is no terminal to ask on.
            NotConfirmedError: The answer was no.
            WorkInterruptedError: There was no answer, but Ctrl-C or the end of the input.
        """
        if self.assume_yes:
            return
        import sys

        if not is_terminal(sys.stdin):
            raise click.UsageError(f"{question} There is no terminal to ask on: add --yes before the command.")
        try:
            is_wanted = click.confirm(question, err=True)
        except click.Abort:
            raise WorkInterruptedError("nothing was changed.") from None
        if not is_wanted:
            raise NotConfirmedError("the answer was no; nothing was changed.")


def _unless_ambient(option: str, value: str, variable: str, default: str) -> list[str]:
    """An option, unless a command without it means the same."""
    return [] if value == (os.environ.get(variable) or default) else [option, value]


pass_settings = click.make_pass_decorator(Settings)
