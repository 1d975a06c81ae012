"""The benchmark workflows that there are: every folder of `benchmarks` that holds a project.

A benchmark's sample input is what its README says: the commands in it that store objects and start runs are read, so
that what a reader is told to do is what is measured.

    $ multi_x_serverless --cloud local objects put map_reduce-0.0.1 sample/text.txt
    $ multi_x_serverless --cloud local run map_reduce-0.0.1 -a '{"text": "text.txt"}'
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.config import CONFIGURATION_DIRECTORY, CONFIGURATION_FILE

BENCHMARKS = Path(__file__).parents[1]
README = "README.md"

COMMAND = re.compile(r"^\$ multi_x_serverless (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """What a benchmark is run with.

    Attributes:
        objects: Key -> file, to be stored before it runs.
        events: Inputs of runs, at least one.
    """

    objects: Mapping[str, Path]
    events: tuple[Any, ...]

    def inputs(self, runs: int) -> list[Any]:
        """Inputs of so many runs: the first event, the second one, and so on, over and over."""
        return [self.events[number % len(self.events)] for number in range(runs)]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark workflow: the name of its folder, and the folder."""

    name: str
    project: Path

    def sample(self) -> Sample:
        """The sample input by the commands of its README.

        Raises:
            UsageError: There is none, or it cannot be read.
        """
        readme = self.project / README
        objects: dict[str, Path] = {}
        events: list[Any] = []
        try:
            for command in COMMAND.findall(readme.read_text(encoding="utf-8")):
                words = shlex.split(command)
                if "put" in words:
                    objects.update(self._stored(words))
                elif "run" in words:
                    events += self._events(words)
        except (OSError, ValueError, IndexError) as error:
            raise UsageError(f"the sample input that '{readme}' names cannot be read: {error}.") from error
        if not events:
            raise UsageError(f"'{readme}' has no command that runs the workflow with -a or --arguments-file.")
        return Sample(objects, tuple(events))

    def _stored(self, words: Sequence[str]) -> dict[str, Path]:
        """Of ``objects put ID FILE [--key KEY]``."""
        file = self.project / words[words.index("put") + 2]
        return {_option(words, "--key") or file.name: file}

    def _events(self, words: Sequence[str]) -> list[Any]:
        """Of ``run ID -a JSON`` and ``run ID --arguments-file FILE``."""
        argument, file = _option(words, "-a"), _option(words, "--arguments-file")
        lines = [] if file is None else (self.project / file).read_text(encoding="utf-8").splitlines()
        return [json.loads(text) for text in (*([] if argument is None else [argument]), *lines) if text.strip()]


def _option(words: Sequence[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words else None


def find_benchmarks(only: Sequence[str] = (), root: Path = BENCHMARKS) -> tuple[Benchmark, ...]:
    """All benchmarks by name, or some of them.

    Raises:
        UsageError: One that is asked for does not exist.
    """
    found = {file.parent.name: Benchmark(file.parent.name, file.parent) for file in sorted(root.glob("*/app.py"))}
    found = {name: one for name, one in found.items() if _is_project(one.project)}
    unknown = [name for name in only if name not in found]
    if unknown:
        raise UsageError(f"there is no benchmark '{unknown[0]}'; there are {', '.join(found)}.")
    return tuple(one for name, one in found.items() if not only or name in only)


def _is_project(directory: Path) -> bool:
    return (directory / CONFIGURATION_DIRECTORY / CONFIGURATION_FILE).is_file()
