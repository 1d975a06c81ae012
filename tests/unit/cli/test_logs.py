"""`logs` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation import function_logs
from multi_x_serverless.cli import log_lines
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.moments import parse_moment
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import LogEvent
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.errors import CloudError, UsageError
from multi_x_serverless.sdk.envelope import new_run_id
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.cli.golden import check_golden
from tests.unit.deployment.projects import WORKFLOW_ID
from tests.unit.observation.records import RunLog

AWAY = "ca-central-1"
FUNCTIONS = ("first", "left", "join")


class Example:
    """The deployed example, and what its functions log in a run."""

    def __init__(self, directory: Path) -> None:
        self.cloud: FakeCloud = deployed_example(directory)
        self.started = self.cloud.now() - 60.0
        self.run_id = new_run_id(self.started)

    def write(self, node: int, at: float, *lines: str, region: str = HOME, run_id: str = "") -> None:
        """Lines of a node's invocation, `at` seconds after the start of the run."""
        log = self.cloud.logs.logs.setdefault((region, function_name(WORKFLOW_ID, FUNCTIONS[node])), [])
        record = RunLog(run_id or self.run_id, self.started).node_started(node, at)
        for line in (json.dumps(record | {"wf": WORKFLOW_ID}, separators=(",", ":")), *lines):
            log.append(LogEvent(f"{len(log):06d}", self.started + at + len(log) / 1000, line, f"container of {region}"))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    example = Example(tmp_path)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        assert not exclusive, "reading goes on beside a command that changes something"
        yield example.cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    monkeypatch.setenv("COLUMNS", "80")
    return example


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(["--output", "json", "logs", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_lines_stand_under_their_node_and_run(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example.run_id = "018bcfe56800" + "0" * 20
    example.write(0, 0.0, "started", "Traceback (most recent call last):", '  File "app.py", line 1', "KeyError: 'x'")
    example.write(1, 1.0, "\x1b[31mred\x1b[0m\x9b2J", region=AWAY)
    example.write(0, 2.0, "again", run_id="018bcfe5ffff" + "0" * 20)
    log = example.cloud.logs.logs[HOME, function_name(WORKFLOW_ID, "join")] = []
    log.append(LogEvent("0", example.started + 0.5, "loading", "container"))
    assert run(["logs", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    check_golden("logs", output)
    assert all(len(line) <= 80 for line in output.splitlines())


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("prefix", ["", "function "])
def test_names_in_headings_are_whole_and_fit_the_terminal(columns: int, prefix: str) -> None:
    rest = f"2023-11-14 UTC  {AWAY}  run 018bcfe568000000"
    for name in ("join:sync:2", "summarise_sentences:detect_language_of_text_0_1:12", "a" * 50):
        lines = log_lines._beside(prefix + name, rest, columns).split("\n")
        assert all(len(line) <= max(columns, len(rest) + 4) for line in lines)
        assert sum(line.count(rest) for line in lines) == 1
        told = [line.replace(rest, "").rstrip() for line in lines]
        assert "".join(told).replace(" ", "") == (prefix + name).replace(" ", ""), "nothing of it is left out"
        if len(prefix + name) + len(rest) + 2 <= columns:
            assert lines == [f"{prefix}{name}  {rest}"]


def test_nodes_whose_names_differ_in_the_middle_have_different_headings(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example.write(0, 0.0, "one")
    names = [f"summarise_all_the_sentences:detect_{language}_in_a_text_0_1:12" for language in ("english", "spanish")]
    monkeypatch.setattr("multi_x_serverless.adaptation.function_logs.FunctionLogs.node_of", lambda *_: names[0])
    assert run(["logs", WORKFLOW_ID]) == 0
    english = capsys.readouterr().out
    monkeypatch.setattr("multi_x_serverless.adaptation.function_logs.FunctionLogs.node_of", lambda *_: names[1])
    assert run(["logs", WORKFLOW_ID]) == 0
    assert english != capsys.readouterr().out
    assert "\N{HORIZONTAL ELLIPSIS}" not in english
    assert all(len(line) <= 80 for line in english.splitlines())


def test_of_a_run_by_the_beginning_of_its_id(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.write(0, 0.0, "mine")
    example.write(0, 30.0, "other", run_id=new_run_id(example.started + 30.0))
    for identifier in (example.run_id, example.run_id[:16]):
        found = document(capsys, identifier)
        assert (found["workflow_id"], found["run_id"]) == (WORKFLOW_ID, example.run_id)
        assert [text["text"] for text in found["texts"]] == ["mine"]
    assert run(["logs", new_run_id(example.started)]) == 1
    assert "there is no run" in capsys.readouterr().err


def test_a_run_is_there_even_if_nothing_of_it_is_shown(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.write(0, 0.0)
    assert run(["logs", example.run_id, "--node", "left", "--since", "1s"]) == 0
    assert capsys.readouterr().out == "Nothing was logged. (--records shows the system's own records.)\n"


def test_of_a_node_or_a_function(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.write(0, 0.0, "zero")
    example.write(1, 1.0, "one")
    for name in ("left", "left:first_0_0:1"):
        assert [text["node"] for text in document(capsys, WORKFLOW_ID, "--node", name)["texts"]] == ["left:first_0_0:1"]
    assert run(["logs", WORKFLOW_ID, "--node", "nobody"]) == 2
    assert "left:first_0_0:1" in capsys.readouterr().err


def test_records_and_limits_are_asked_for(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.write(0, 0.0, "one", "two")
    with_records = document(capsys, WORKFLOW_ID, "--records")["texts"]
    assert [text["kind"] for text in with_records] == ["record", "output", "output"]
    newest = document(capsys, WORKFLOW_ID, "--limit", "1")
    assert ([text["text"] for text in newest["texts"]], newest["left_out"]) == (["two"], 1)
    assert run(["logs", WORKFLOW_ID, "--limit", "1"]) == 0
    assert capsys.readouterr().err == "1 older text left out; --limit shows more.\n"


def test_the_document_keeps_what_was_logged_and_cannot_steer_a_terminal(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    example.write(0, 0.0, "\x1b[31mred\x9b2J\x7f")
    assert run(["--output", "json", "logs", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\x7f"} & set(output)
    assert [text["text"] for text in json.loads(output)["texts"]] == ["\x1b[31mred\x9b2J\x7f"]


def test_a_log_that_cannot_be_read_is_an_error_and_the_others_are_shown(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    example.write(0, 0.0, "one")
    example.write(0, 0.0, "away", region=AWAY)

    def refuse(call: Call) -> CloudError | None:
        is_away = call.operation == "read_logs" and call.arguments[0] == AWAY
        return CloudError("it is closed.", operation="read_logs", region=AWAY) if is_away else None

    example.cloud.logs.faults.before = refuse
    assert run(["logs", WORKFLOW_ID]) == 1
    captured = capsys.readouterr()
    assert "one" in captured.out
    assert f"in {AWAY} could not be read: it is closed." in " ".join(captured.err.split())


def test_a_run_may_stand_in_a_log_that_cannot_be_read(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.write(0, 0.0, "one", run_id=new_run_id(example.started))
    example.write(1, 0.0, "mine", region=AWAY)

    def refuse(call: Call) -> CloudError | None:
        is_away = call.operation == "read_logs" and call.arguments[0] == AWAY
        return CloudError("it is closed.", operation="read_logs", region=AWAY) if is_away else None

    example.cloud.logs.faults.before = refuse
    assert run(["logs", example.run_id]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "there is no run" not in said
    assert f"in {AWAY} could not be read, and no other knows run '{example.run_id}': it is closed." in said


FRAMES = (
    "Traceback (most recent call last):",
    '  File "/var/task/multi_x_serverless/sdk/execution.py", line 43, in call',
    "    return function()",
    '  File "/var/task/app.py", line 3, in first',
    "    raise KeyError('x')",
    "KeyError: 'x'",
)


def test_a_traceback_is_the_developers_and_told_once_for_each_node(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in (0.0, 1.0):
        example.write(0, attempt, "[ERROR] KeyError: 'x'", *FRAMES)
        example.write(1, attempt, *FRAMES)
    assert run(["logs", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    assert "sdk/execution.py" not in output
    assert output.count('File "app.py", line 3, in first') == 2  # of each node once
    assert output.count("[ERROR] KeyError: 'x'") == 2
    assert output.count("(the same traceback as at 22:12:20.00") == 2
    for options in (["-v", "logs", WORKFLOW_ID], ["logs", WORKFLOW_ID, "--records"]):
        assert run(options) == 0
        whole = capsys.readouterr().out
        assert whole.count('File "/var/task/multi_x_serverless/sdk/execution.py", line 43, in call') == 4
        assert "the same traceback" not in whole
    texts = [entry["text"] for entry in document(capsys, WORKFLOW_ID)["texts"]]
    assert "\n".join(texts).count("\n".join(FRAMES)) == 4


def test_a_traceback_of_the_sdk_only_is_left_out_before_that_of_a_group(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    group = (
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "/var/task/app.py", line 3, in first',
        "  | ExceptionGroup: two (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        "    | ValueError: bad",
        "    +------------------------------------",
    )
    for attempt in (0.0, 1.0):
        chained = "During handling of the above exception, another exception occurred:"
        example.write(0, attempt, *FRAMES[:3], "KeyError: 'x'", chained, *group)
    assert run(["logs", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    assert "sdk/execution.py" not in output
    assert output.count('  |   File "app.py", line 3, in first') == 1
    assert output.count("ValueError: bad") == 1
    assert output.count("(the same traceback as at 22:12:20.001)") == 1


def test_a_traceback_that_breaks_off_is_shown_whole(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    broken_off = (*FRAMES[:3], "KeyError: 'x'", "During handling of the above exception, another exception occurred:")
    example.write(0, 0.0, *broken_off, "  and then no more")
    assert run(["logs", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    assert all(line in output for line in (*broken_off, "  and then no more"))


def test_the_day_of_an_earlier_traceback_is_told_if_it_is_another(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    for at in (-86_400.0, 0.0, 1.0):
        example.write(0, at, *FRAMES)
    assert run(["logs", WORKFLOW_ID, "--since", "2d"]) == 0
    output = capsys.readouterr().out
    assert output.count("(the same traceback as at 2023-11-13 22:12:20.001)") == 2


def test_tracebacks_met_longest_ago_are_forgotten(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "_TOLD_TRACEBACKS", 2)
    for number, name in enumerate("abacba"):
        example.write(0, float(number), *FRAMES[:-1], f"KeyError: '{name}'")
    assert run(["logs", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    assert [output.count(f"KeyError: '{name}'") for name in "abc"] == [2, 2, 1]
    assert output.count("(the same traceback as at 22:12:20.001)") == 1


def test_following_ends_well_with_ctrl_c(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example.write(0, 0.0, "one")
    looks = 0

    def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks > 2:
            raise KeyboardInterrupt
        example.cloud.time += 1.0
        example.write(1, 59.9 + looks, f"later {looks}", region=AWAY)

    follow = function_logs.follow_function_logs
    monkeypatch.setattr(function_logs, "follow_function_logs", lambda cloud, query: follow(cloud, query, sleep=sleep))
    assert run(["logs", WORKFLOW_ID, "--follow"]) == 0
    captured = capsys.readouterr()
    lines = [line.split()[-1] for line in captured.out.splitlines() if line.startswith("  ")]
    assert lines == ["one", "1", "2"]
    assert captured.err == ""
    assert run(["--output", "json", "logs", WORKFLOW_ID, "--follow"]) == 2
    assert "one document" in capsys.readouterr().err


def test_following_says_once_that_a_log_cannot_be_read_and_tells_later_what_it_got(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example.write(0, 0.0, "here")
    example.write(1, 0.5, "first", region=AWAY)
    closed = [False, True, True, True, False, True, False]  # by look: an outage of a minute, and one more
    looks = 0

    def refuse(call: Call) -> CloudError | None:
        is_away = call.operation == "read_logs" and call.arguments[0] == AWAY
        return CloudError("it is closed.", operation="read_logs", region=AWAY) if is_away and closed[looks] else None

    def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == len(closed):
            raise KeyboardInterrupt
        example.cloud.time += 20.0
        example.write(1, 60.0 + 20.0 * looks, f"line-{looks}", region=AWAY)

    example.cloud.logs.faults.before = refuse
    follow = function_logs.follow_function_logs
    monkeypatch.setattr(function_logs, "follow_function_logs", lambda cloud, query: follow(cloud, query, sleep=sleep))
    assert run(["logs", WORKFLOW_ID, "--follow"]) == 0
    captured = capsys.readouterr()
    lines = [line.split()[-1] for line in captured.out.splitlines() if line.startswith("  ")]
    assert lines == ["here", "first", *(f"line-{number}" for number in range(1, len(closed)))]
    said = " ".join(captured.err.split())
    assert said.count(f"in {AWAY} could not be read: it is closed.") == 2
    assert said.count(f"in {AWAY} can be read again") == 2


def test_following_says_each_time_that_texts_were_left_out(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    example.write(0, 0.0, "a", "b")

    def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise KeyboardInterrupt
        example.cloud.time += 1.0
        example.write(0, 60.9, "c", "d", "e")

    follow = function_logs.follow_function_logs
    monkeypatch.setattr(function_logs, "follow_function_logs", lambda cloud, query: follow(cloud, query, sleep=sleep))
    assert run(["logs", WORKFLOW_ID, "--follow", "--limit", "1"]) == 0
    said = capsys.readouterr().err
    assert "1 older text left out" in said
    assert "2 older texts left out" in said


def test_times_as_a_user_types_them() -> None:
    now = 1_700_000_000.0
    assert [now - parse_moment(text, now) for text in ("90s", "15m", "1.5h", "2d")] == [90.0, 900.0, 5400.0, 172_800.0]
    assert parse_moment("2023-11-14T22:13:20", now) == now
    assert parse_moment("2023-11-14T22:13:20Z", now) == now
    assert parse_moment("2023-11-14T23:13:20+01:00", now) == now
    for text in ("", "yesterday", "-1h", "1y", "٣h"):
        with pytest.raises(UsageError, match="is no time"):
            parse_moment(text, now)
