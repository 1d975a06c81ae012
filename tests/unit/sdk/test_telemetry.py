from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from multi_x_serverless.sdk.records import parse_line
from multi_x_serverless.sdk.telemetry import (
    RecordWriter,
    cpu_seconds,
    describe_failure,
    peak_memory_mb,
    process_age_s,
)


class CountingStream(io.StringIO):
    """Counts writes: a record that took two could be torn apart."""

    writes = 0

    def write(self, text: str, /) -> int:
        self.writes += 1
        return super().write(text)


def writer_on(stream: io.StringIO) -> RecordWriter:
    return RecordWriter(stream, workflow_id="w-1.0.0", region="us-east-1", clock=lambda: 5.0)


def test_a_record_is_one_write_of_one_line() -> None:
    stream = CountingStream()
    writer = writer_on(stream)
    writer.write("node_started", "run", "request", node=1, edge=None, hop=2, cold=False, detail="two\nlines")

    assert stream.writes == 1
    assert stream.getvalue().count("\n") == 1
    assert writer.bytes_written == len(stream.getvalue())
    assert parse_line(stream.getvalue()) == {
        "mxs": 1,
        "t": "node_started",
        "wf": "w-1.0.0",
        "run": "run",
        "region": "us-east-1",
        "ts": 5.0,
        "req": "request",
        "node": 1,
        "hop": 2,
        "cold": False,
        "detail": "two\nlines",
    }


def test_records_of_several_threads_stay_whole() -> None:
    stream = io.StringIO()
    writer = writer_on(stream)

    def write() -> None:
        for _ in range(200):
            writer.write("duplicate", "r", "q", node=1)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = [parse_line(line) for line in stream.getvalue().splitlines()]
    assert len(records) == 800
    assert all(record is not None and record["node"] == 1 for record in records)


def test_processor_time_counts_this_process_and_its_children() -> None:
    before = cpu_seconds()
    while cpu_seconds() == before:
        sum(range(1000))
    middle = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(2_000_000))"], check=True)

    assert before < middle
    assert cpu_seconds() - middle > 0.005


def test_waiting_takes_no_processor_time() -> None:
    before = time.process_time()
    started = cpu_seconds()
    time.sleep(0.02)

    assert cpu_seconds() - started <= time.process_time() - before + 0.01


def test_the_peak_of_memory_is_in_megabytes() -> None:
    block = bytearray(b"x" * 60 * 1024 * 1024)

    assert 60 < peak_memory_mb() < 100_000
    assert block[0] == ord("x")


def test_the_age_of_the_process_grows() -> None:
    age = process_age_s()
    assert age is not None
    time.sleep(0.02)
    later = process_age_s()
    assert later is not None
    assert later > age >= 0.0


@pytest.mark.parametrize("content", [None, "", "1 (python) S 1 2"])
def test_where_the_system_does_not_tell_the_age_it_is_unknown(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "stat"
    if content is not None:
        file.write_text(content)

    assert process_age_s(file) is None


def test_a_command_with_blanks_and_parentheses_does_not_confuse_the_age(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    fields = ["S", *["0"] * 18, str(5 * os.sysconf("SC_CLK_TCK")), "0"]
    file.write_text(f"1 (a (b) c) {' '.join(fields)}")

    age = process_age_s(file)

    assert age == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME) - 5.0, abs=5.0)


def fail(depth: int) -> None:
    if depth:
        fail(depth - 1)
    raise ValueError("x" * 1000)


def test_of_a_failure_only_the_developers_part_is_shown() -> None:
    def boundary() -> None:
        fail(1)

    with pytest.raises(ValueError, match="x") as caught:
        boundary()

    whole = describe_failure(caught.value)
    inside = describe_failure(caught.value, boundary.__code__)
    elsewhere = describe_failure(caught.value, describe_failure.__code__)

    assert any("in boundary" in line for line in whole.traceback)
    assert not any("in boundary" in line for line in inside.traceback)
    assert any("in fail" in line for line in inside.traceback)
    assert elsewhere == whole


def test_a_failure_is_described_shortly() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        fail(50)
    failure = describe_failure(caught.value)

    assert failure.error == "ValueError"
    assert len(failure.message) == 500
    assert 2 < len(failure.traceback) <= 30
    assert failure.traceback[-1].startswith("ValueError: xxx")
    assert all("\n" not in line and len(line) <= 500 for line in failure.traceback)
