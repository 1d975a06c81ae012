"""Compare the newest saved run of the benchmarks with the ones before it.

    python -m benchmarks.microbenchmarks.compare [--directory .benchmarks]

`make bench` saves a run of pytest-benchmark as JSON and calls this. Each benchmark is held against the latest earlier
run on the same kind of machine and interpreter that has it. A difference is called a change only if the middle halves
of the rounds of both runs do not overlap and the medians differ by more than a few per cent: what is smaller is noise.
Rounds of one run share its circumstances, though: on a machine that was busy during one of the runs everything seems
changed, and then the ratio of the least times, which is shown as well, is nearer to 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import orjson

from multi_x_serverless.errors import EXIT_OK, InvalidDocumentError, MultiXServerlessError, UsageError
from multi_x_serverless.model.documents import Fields

DIRECTORY = Path(".benchmarks")
LEAST_ROUNDS = 4
"""Fewer have no quartiles worth the name."""

LEAST_CHANGE = 0.05
"""Fraction of the median. The rounds of a short loop agree within 1 or 2 %, and the next run of the same code is 2 or
3 % off: caches and the processor's clock are its own."""

BUSY = 0.5
"""Busy processes for each processor, before a run, above which its times are not to be trusted."""

Verdict: TypeAlias = Literal["slower", "faster", "within noise", "too few rounds", "another timer", "new"]
CHANGES: tuple[Verdict, ...] = ("slower", "faster")


@dataclass(frozen=True)
class Timing:
    """One benchmark of one run; seconds of a round."""

    least: float
    first_quartile: float
    median: float
    third_quartile: float
    rounds: int
    timer: str


@dataclass(frozen=True)
class Run:
    """A saved run.

    Attributes:
        name: Its number among the saved ones.
        taken_at: ISO 8601, UTC; sorts as text.
        commit: First characters of the commit, with a plus if there were changes beside it.
        busyness: Busy processes in the minute before the run, over the number of processors; `None` if not noted.
        timings: By the name of the benchmark, without the directories.
    """

    name: str
    taken_at: str
    commit: str
    busyness: float | None
    timings: Mapping[str, Timing]


@dataclass(frozen=True)
class Row:
    """One benchmark of the newest run beside its latest earlier one; `None` where there is none."""

    name: str
    before: Timing | None
    now: Timing
    verdict: Verdict


def read_run(path: Path) -> Run:
    """Read what pytest-benchmark saved.

    Raises:
        InvalidDocumentError: It is no such file.
    """
    name = f"benchmark {path.name}"
    try:
        members = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InvalidDocumentError(name, "", f"is not JSON ({error})") from None
    if not isinstance(members, dict):
        raise InvalidDocumentError(name, "", "is not a JSON object")
    fields = Fields(name, "", members)
    commit = fields.section("commit_info")
    is_dirty = "dirty" in commit.values and commit.truth("dirty")
    return Run(
        name=path.stem.partition("_")[0],
        taken_at=fields.text("datetime"),
        commit=(commit.optional_text("id") or "no commit")[:9] + ("+" if is_dirty else ""),
        busyness=_busyness(fields),
        timings={
            benchmark.text("fullname").rpartition("/")[2]: _timing(benchmark)
            for benchmark in fields.sections("benchmarks")
        },
    )


def _busyness(fields: Fields) -> float | None:
    """As `conftest.py` beside this file notes it."""
    load = fields.optional_number("load_before")
    return None if load is None else load / max(1, fields.integer("processors"))


def _timing(benchmark: Fields) -> Timing:
    stats = benchmark.section("stats")
    return Timing(
        least=stats.number("min"),
        first_quartile=stats.number("q1"),
        median=stats.number("median"),
        third_quartile=stats.number("q3"),
        rounds=stats.integer("rounds"),
        timer=benchmark.section("options").text("timer"),
    )


def saved_runs(directory: Path) -> tuple[Run, ...]:
    """The runs on the kind of machine and interpreter of the newest run, the newest first.

    Raises:
        UsageError: There is none.
        InvalidDocumentError: A file is none of pytest-benchmark.
    """
    # pytest-benchmark makes a directory for each kind, such as Linux-CPython-3.12-64bit.
    kinds = [tuple(read_run(path) for path in kind.glob("*.json")) for kind in directory.glob("*") if kind.is_dir()]
    newest = max((kind for kind in kinds if kind), key=lambda kind: max(run.taken_at for run in kind), default=())
    if not newest:
        raise UsageError(f"no run of the benchmarks is saved in {directory}; 'make bench' saves one.")
    return tuple(sorted(newest, key=lambda run: run.taken_at, reverse=True))


def compare(runs: Sequence[Run]) -> tuple[Row, ...]:
    """The first run's benchmarks, in its order, each beside the first later entry of `runs` that has it."""
    now, *earlier = runs
    return tuple(_row(name, timing, earlier) for name, timing in now.timings.items())


def _row(name: str, now: Timing, earlier: Iterable[Run]) -> Row:
    before = next((run.timings[name] for run in earlier if name in run.timings), None)
    return Row(name, before, now, "new" if before is None else verdict(before, now))


def verdict(before: Timing, now: Timing) -> Verdict:
    """Whether a benchmark has changed, as far as the rounds can tell."""
    if before.timer != now.timer:
        return "another timer"
    if min(before.rounds, now.rounds) < LEAST_ROUNDS:
        return "too few rounds"
    if abs(now.median - before.median) <= LEAST_CHANGE * before.median:
        return "within noise"
    if now.first_quartile > before.third_quartile:
        return "slower"
    if now.third_quartile < before.first_quartile:
        return "faster"
    return "within noise"


def noise_percent(timing: Timing) -> float:
    """Width of the middle half of the rounds, in per cent of the median."""
    return 100.0 * (timing.third_quartile - timing.first_quartile) / timing.median


def in_words(seconds: float) -> str:
    """Three digits and the unit that fits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 0.9995:
            return f"{seconds * factor:#.3g} {unit}".replace(". ", " ")
    return f"{seconds * 1e9:.0f} ns"


def table(rows: Iterable[Row]) -> str:
    """The rows as text, changes first."""
    lines = [("benchmark", "before", "now", "ratio", "of least", "noise", "")]
    for row in sorted(rows, key=lambda row: row.verdict not in CHANGES):
        before = row.before
        noises = [noise_percent(timing) for timing in (before, row.now) if timing and timing.rounds >= LEAST_ROUNDS]
        is_comparable = before is not None and before.timer == row.now.timer
        lines.append(
            (
                row.name,
                in_words(before.median) if before else "",
                in_words(row.now.median),
                f"{row.now.median / before.median:.2f}" if before and is_comparable else "",
                f"{row.now.least / before.least:.2f}" if before and is_comparable else "",
                f"{max(noises):.0f} %" if noises else "",
                row.verdict if row.verdict not in CHANGES else row.verdict.upper(),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Numbers to the right, the first and the last cell to the left."""
    name, *numbers, last = cells
    middle = "".join(f"  {cell:>{width}}" for cell, width in zip(numbers, widths[1:-1], strict=True))
    return f"{name:<{widths[0]}}{middle}  {last}".rstrip()


def report(runs: Sequence[Run]) -> str:
    """The table, what it compares, and how many changed."""
    rows = compare(runs)
    now, *earlier = runs
    lines = [f"now:    {describe(now)}"]
    if earlier:
        lines.append(f"before: {describe(earlier[0])}")
    if len(earlier) > 1:
        lines.append("        or the latest run before it that has the benchmark")
    lines += ["", table(rows), ""]
    if not earlier:
        lines.append("The first saved run: nothing to compare with yet.")
        return "\n".join(lines)
    counts = ", ".join(f"{sum(row.verdict == change for row in rows)} {change}" for change in CHANGES)
    lines.append(f"{counts}, of {len(rows)}. Times are medians; noise is the width of the middle half of the rounds.")
    if any(run.busyness is not None and run.busyness > BUSY for run in (now, earlier[0])):
        lines.append("The machine was busy with something else: changes may be its own. Run it again when it is idle.")
    return "\n".join(lines)


def describe(run: Run) -> str:
    """A run in a line."""
    busy = "" if run.busyness is None else f", {run.busyness:.1f} busy processes for each processor"
    return f"{run.name}, commit {run.commit}, {run.taken_at[:16]}{busy}"


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line, print the comparison, and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the newest run of the benchmarks with the ones before it.")
    parser.add_argument(
        "--directory", type=Path, default=DIRECTORY, help="where pytest-benchmark saves runs (%(default)s)"
    )
    arguments = parser.parse_args(words)
    try:
        print(report(saved_runs(arguments.directory)))
    except MultiXServerlessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
