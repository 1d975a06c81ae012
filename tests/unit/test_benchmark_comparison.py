"""`make bench` calls a change what exceeds the noise, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.microbenchmarks import compare
from benchmarks.microbenchmarks.compare import Run, Timing, in_words, read_run, report, saved_runs, verdict
from multi_x_serverless.errors import InvalidDocumentError, UsageError

BEFORE = Timing(least=0.9, first_quartile=0.95, median=1.0, third_quartile=1.1, rounds=20, timer="perf_counter")


def times(timing: Timing, factor: float) -> Timing:
    return replace(
        timing,
        least=timing.least * factor,
        first_quartile=timing.first_quartile * factor,
        median=timing.median * factor,
        third_quartile=timing.third_quartile * factor,
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (BEFORE, "within noise"),
        (times(BEFORE, 1.12), "within noise"),
        (times(BEFORE, 1.2), "slower"),
        (times(BEFORE, 0.9), "within noise"),
        (times(BEFORE, 0.8), "faster"),
        (replace(times(BEFORE, 2.0), rounds=3), "too few rounds"),
        (replace(times(BEFORE, 2.0), timer="process_time"), "another timer"),
        # Far from the other, but with so wide a spread that it says nothing.
        (replace(times(BEFORE, 2.0), first_quartile=1.0), "within noise"),
    ],
)
def test_a_change_is_what_exceeds_the_noise(now: Timing, expected: str) -> None:
    assert verdict(BEFORE, now) == expected


def test_rounds_that_agree_closely_do_not_make_a_change_of_a_few_per_cent() -> None:
    tight = replace(BEFORE, first_quartile=0.999, third_quartile=1.001)
    assert verdict(tight, times(tight, 1.04)) == "within noise"
    assert verdict(tight, times(tight, 1.06)) == "slower"
    assert verdict(tight, times(tight, 0.94)) == "faster"


def saved(names: dict[str, float], *, taken_at: str, **changes: Any) -> dict[str, Any]:
    """What pytest-benchmark saves, as far as it is read; the medians by name."""
    return {
        "datetime": taken_at,
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "benchmarks": [
            {
                "fullname": f"benchmarks/microbenchmarks/test_it.py::{name}",
                "options": {"timer": "perf_counter"},
                "stats": {"min": 0.9 * median, "q1": 0.99 * median, "median": median, "q3": 1.01 * median, "rounds": 9},
            }
            for name, median in names.items()
        ],
        **changes,
    }


def save(directory: Path, kind: str, number: int, content: dict[str, Any] | str) -> None:
    (directory / kind).mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (directory / kind / f"{number:04}_0123456789abcdef_20260101_000000.json").write_text(text, encoding="utf-8")


def test_each_benchmark_is_held_against_its_latest_earlier_run(tmp_path: Path) -> None:
    save(tmp_path, "Linux-CPython-3.11-64bit", 1, saved({"old": 1.0, "both": 1.0}, taken_at="2026-01-01T10:00:00"))
    save(tmp_path, "Linux-CPython-3.11-64bit", 2, saved({"both": 2.0}, taken_at="2026-01-02T10:00:00"))
    save(tmp_path, "Linux-CPython-3.12-64bit", 1, saved({"both": 9.0}, taken_at="2026-01-02T11:00:00"))
    newest = saved({"old": 1.0, "both": 3.0, "new": 0.5}, taken_at="2026-01-03T10:00:00")
    save(tmp_path, "Linux-CPython-3.11-64bit", 3, newest)
    runs = saved_runs(tmp_path)
    assert [run.name for run in runs] == ["0003", "0002", "0001"]
    rows = {row.name: row for row in compare.compare(runs)}
    assert {name: row.verdict for name, row in rows.items()} == {
        "test_it.py::old": "within noise",
        "test_it.py::both": "slower",
        "test_it.py::new": "new",
    }
    assert rows["test_it.py::both"].before == runs[1].timings["test_it.py::both"]


def test_the_report_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path, "kind", 1, saved({"test_same": 0.0123, "test_slow": 2e-6}, taken_at="2026-01-01T10:00:00.5"))
    newest = saved(
        {"test_same": 0.0124, "test_slow": 3e-6, "test_new": 1.5},
        taken_at="2026-01-02T10:00:00.5",
        load_before=0.4,
        processors=2,
    )
    save(tmp_path, "kind", 2, newest)
    assert compare.main(["--directory", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        "now:    0002, commit 012345678, 2026-01-02T10:00, 0.2 busy processes for each processor\n"
        "before: 0001, commit 012345678, 2026-01-01T10:00\n"
        "\n"
        "benchmark               before      now  ratio  of least  noise\n"
        "test_it.py::test_slow  2.00 us  3.00 us   1.50      1.50    2 %  SLOWER\n"
        "test_it.py::test_same  12.3 ms  12.4 ms   1.01      1.01    2 %  within noise\n"
        "test_it.py::test_new             1.50 s                     2 %  new\n"
        "\n"
        "1 slower, 0 faster, of 3. Times are medians; noise is the width of the middle half of the rounds.\n"
    )


@pytest.mark.parametrize("busy", [1, 2])
def test_a_busy_machine_is_told(tmp_path: Path, busy: int) -> None:
    for number in (1, 2):
        load = 3.0 if number == busy else 0.1
        content = saved({"one": 1.0}, taken_at=f"2026-01-0{number}", load_before=load, processors=4)
        save(tmp_path, "kind", number, content)
    assert "The machine was busy with something else" in report(saved_runs(tmp_path))


def test_the_first_run_has_nothing_to_be_compared_with() -> None:
    text = report((Run("0001", "2026-01-01T10:00:00", "0123456+", None, {"test_it.py::test_one": BEFORE}),))
    assert "nothing to compare with yet" in text
    assert "new" in text.splitlines()[-3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        (saved({}, taken_at="2026-01-01", benchmarks=None), "benchmarks"),
        (saved({"one": float("nan")}, taken_at="2026-01-01"), "is not JSON"),
        (saved({}, taken_at="2026-01-01", benchmarks=[{"fullname": "one", "stats": {}}]), r"stats.min: is missing"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: dict[str, Any] | str, message: str) -> None:
    save(tmp_path, "kind", 1, content)
    with pytest.raises(InvalidDocumentError, match=message):
        saved_runs(tmp_path)


def test_a_commit_that_is_not_known_is_no_error(tmp_path: Path) -> None:
    save(tmp_path, "kind", 1, saved({"one": 1.0}, taken_at="2026-01-01", commit_info={"id": None, "error": "no git"}))
    (path,) = (tmp_path / "kind").iterdir()
    assert read_run(path).commit == "no commit"


def test_nothing_saved_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="'make bench' saves one"):
        saved_runs(tmp_path / "missing")
    assert compare.main(["--directory", str(tmp_path)]) == 2
    assert "error: no run of the benchmarks is saved" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (120.0, "120 s"),
        (1.0, "1.00 s"),
        (0.0123456, "12.3 ms"),
        (0.99999, "1.00 s"),
        (4.567e-6, "4.57 us"),
        (7e-9, "7 ns"),
    ],
)
def test_times_have_three_digits(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
