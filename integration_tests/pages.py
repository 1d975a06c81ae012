"""Pages of the documentation as scripts: what a reader types is run as printed, and must print what the page shows.

How a page is read, fenced block by fenced block, in order:

* ``console``: a line that begins with ``$ `` is a command (a backslash at its end continues it), the lines below it are
  an extract of what it prints. A comment ``# exits with 3`` (or ``0 or 3``) stands where a command does not end with 0.
* any other block, if the text before it ends with a file's name in backquotes and a colon: that file.
* A ``console`` block below a paragraph that begins with ``*Not run by a test`` is not run; the paragraph says why.

Figures differ from run to run, so numbers, times and ids of an extract stand for any, with whatever prefix their unit
has; words, names of regions and signs do not. ``...`` stands for any text in its line, and alone for any lines.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 300.0
"""A command that takes longer hangs; none takes a tenth of it."""

NOT_RUN = "*Not run by a test"
PROGRAM = "multi_x_serverless"

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+)`[^`\n]*:\s*\Z")
_EXIT_CODES = re.compile(r"#.*exits with (\d)(?: or (\d))?")
_VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d)?"), "DATE"),
    (re.compile(r"\b[0-9a-f]{8,64}\b"), "ID"),
    (re.compile(r"(?<![\w.-])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*-)"), "#"),
    (re.compile(r"# ?(?:[nmuk]?g)(?:CO2eq)?\b"), "# g"),
    (re.compile(r"# ?[mu]?s\b"), "# s"),
    (re.compile(r"# ?[nmu]?USD\b"), "# USD"),
    (re.compile(r"[\s─]+"), " "),
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        body: Without the indentation that the block stands at.
        line: Of its opening fence, from 1.
        before: The paragraph before it.
    """

    language: str
    body: str
    line: int
    before: str

    @property
    def file(self) -> str | None:
        """The file that it is, if the paragraph before it ends with a name."""
        match = _FILE.search(self.before)
        return None if match is None or self.language == "console" else match.group(1)

    @property
    def is_not_run(self) -> bool:
        """Whether the page says that no test runs it."""
        return self.before.lstrip().startswith(NOT_RUN)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its commands."""
        steps: list[tuple[str, list[str]]] = []
        is_continued = False
        for line in self.body.splitlines():
            if is_continued:
                steps[-1] = (steps[-1][0][:-1] + line.strip(), [])
            elif line.startswith("$ "):
                steps.append((line.removeprefix("$ ").rstrip(), []))
            elif line.strip():
                assert steps, f"line {self.line}: output without a command: {line}"
                steps[-1][1].append(line)
                continue
            is_continued = bool(steps) and steps[-1][0].endswith("\\")
        return tuple(Step(command, tuple(shown)) for command, shown in steps)


@dataclass(frozen=True)
class Step:
    """A command and the extract of its output that the page shows."""

    command: str
    shown: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The command's words, without its comment."""
        return shlex.split(self.command, comments=True)

    @property
    def exit_codes(self) -> frozenset[int]:
        """What it may end with."""
        match = _EXIT_CODES.search(self.command)
        return frozenset({0} if match is None else {int(code) for code in match.groups() if code is not None})


def blocks_of(text: str) -> Iterator[Block]:
    """All fenced blocks, in order."""
    for match in _FENCE.finditer(text):
        indent = match["indent"]
        body = "\n".join(line.removeprefix(indent) for line in match["body"].splitlines())
        before = text[: match.start()].rstrip().rpartition("\n\n")[2]
        yield Block(match["language"], body + "\n", text.count("\n", 0, match.start()) + 1, before)


def section(text: str, title: str) -> str:
    """Text of a second-level section."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match is not None, f"there is no section '{title}'"
    return match.group(1)


def without_figures(line: str) -> str:
    """A line of output with everything that differs from run to run replaced."""
    for pattern, replacement in _VARYING:
        line = pattern.sub(replacement, line)
    return line.strip()


def missing_line(shown: tuple[str, ...], output: str) -> str | None:
    """The first line of an extract that the output does not have (after the ones before it); None if it has all."""
    left = iter([without_figures(line) for line in output.splitlines()])
    for line in shown:
        if line.strip() == "...":
            continue
        parts = [re.escape(part) for part in without_figures(line).split("...")]
        pattern = re.compile(".*".join(parts))
        if not any(pattern.fullmatch(candidate) for candidate in left):
            return line
    return None


@dataclass
class Reader:
    """Somebody who does what a page says, in a directory of theirs.

    Attributes:
        directory: Where they are; `cd` changes it.
        not_run: First words of commands that are no part of the test, for example of installing.
        ran: The first two words after the program's name, of each command that ran.
    """

    directory: Path
    not_run: frozenset[str] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """A state directory of their own, a terminal of 80 columns, and nothing set by whoever runs the test."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MULTI_X_SERVERLESS_")}
        state = {"MULTI_X_SERVERLESS_STATE_DIR": str(self.directory / "state")}
        self.environment = inherited | state | {"NO_COLOR": "1", "COLUMNS": "80"} | self.environment

    def follow(self, text: str) -> None:
        """Do everything that a page, or a part of one, says."""
        for block in blocks_of(text):
            if block.is_not_run:
                continue
            if block.file is not None:
                target = self.directory / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.body, encoding="utf-8")
            elif block.language == "console":
                for step in block.steps:
                    self.do(step, f"line {block.line}")

    def do(self, step: Step, where: str) -> None:
        """Run one command."""
        match step.words:
            case ["cd", target]:
                self.directory = (self.directory / target).resolve()
                assert self.directory.is_dir(), f"{where}: {step.command}"
            case ["export", assignment]:
                name, _, value = assignment.partition("=")
                self.environment[name] = value
            case ["multi_x_serverless", *arguments]:
                self.ran.append(tuple(arguments[:2]))
                self._run([sys.executable, "-m", PROGRAM, *arguments], step, where)
            case ["python", *arguments]:
                self._run([sys.executable, *arguments], step, where)
            case ["pytest", *arguments]:
                self._run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments], step, where)
            case [first, *_]:
                assert first in self.not_run, f"{where}: nobody knows how to run '{step.command}' in a test"

    def _run(self, command: list[str], step: Step, where: str) -> None:
        finished = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        said = f"{where}: {step.command}\n{finished.stdout}"
        assert finished.returncode in step.exit_codes, f"{said}\nended with {finished.returncode}"
        missing = missing_line(step.shown, finished.stdout)
        assert missing is None, f"{said}\ndoes not print: {missing}"
