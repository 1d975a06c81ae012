"""The benchmark workflows that there are: every folder of `benchmarks` that holds a project.

benchmarks/NAME/app.py
benchmarks/NAME/.multi-x-serverless/config.yml
benchmarks/NAME/sample/events.jsonl    one input of a run per line
benchmarks/NAME/sample/...             every other file becomes an object of the workflow, its path is the key
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.config import CONFIGURATION_DIRECTORY, CONFIGURATION_FILE

BENCHMARKS = Path(__file__).parents[1]
SAMPLE = "sample"
EVENTS = "events.jsonl"


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
        """Its sample input.

        Raises:
            UsageError: There is none, or it cannot be read.
        """
        directory = self.project / SAMPLE
        events = directory / EVENTS
        try:
            lines = events.read_text(encoding="utf-8").splitlines()
            inputs = tuple(json.loads(line) for line in lines if line.strip())
        except (OSError, ValueError) as error:
            raise UsageError(f"the sample input '{events}' cannot be read: {error}.") from error
        if not inputs:
            raise UsageError(f"'{events}' holds no input: one JSON value per line is expected.")
        files = sorted(file for file in directory.rglob("*") if file.is_file() and file != events)
        return Sample({file.relative_to(directory).as_posix(): file for file in files}, inputs)


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
