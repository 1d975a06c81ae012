"""Whose the lines in functions' logs are, which belong together, and that each is told once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multi_x_serverless.cloud.ports import LogEvent
from multi_x_serverless.errors import CloudError
from multi_x_serverless.observation.function_logs import LATE_S, LogReader, ReadTexts, Wanted
from multi_x_serverless.observation.sync import LogSource
from tests.fakes import Call, FakeCloud
from tests.unit.observation.records import WORKFLOW_ID, RunLog, as_line

HOME = "us-east-1"
NODE_FUNCTIONS = ("receive", "count", "join")
FIRST = "11111111-0000-0000-0000-000000000000"
SECOND = "22222222-0000-0000-0000-000000000000"


class Logs:
    """Logs in which a line is written each hundredth of a second, from second 0 on."""

    def __init__(self) -> None:
        self.cloud = FakeCloud()
        self.now = 0.0

    def write(self, *lines: str, stream: str = "a", function: str = "count", region: str = HOME) -> None:
        log = self.cloud.logs.logs.setdefault((region, function), [])
        for line in lines:
            self.now += 0.01
            log.append(LogEvent(f"{len(log):06d}", self.now, line, stream))

    def sources(self) -> list[LogSource]:
        return [LogSource(region, function) for region, function in self.cloud.logs.logs]

    def read(self, *, shown_from: float = 0.0, wanted: Wanted | None = None) -> ReadTexts:
        reader = LogReader(self.cloud, WORKFLOW_ID, NODE_FUNCTIONS, wanted or Wanted())
        return reader.read(self.sources(), 0.0, self.now + 1.0, shown_from=shown_from)

    def told(self, wanted: Wanted | None = None) -> list[tuple[str, int | None, str]]:
        return [(text.run_id, text.node, text.text) for text in self.read(wanted=wanted).texts]


@pytest.fixture
def logs() -> Logs:
    return Logs()


def begins(run_id: str, node: int = 1, request: str = "") -> str:
    record = RunLog(run_id).node_started(node, 0.0)
    return as_line(record | ({"req": request} if request else {}))


def test_what_follows_a_record_is_of_its_run(logs: Logs) -> None:
    logs.write("loading", begins("r1"), "one", as_line(RunLog("r1").finished(1, 0.5)), "late", begins("r2"), "two")
    assert logs.told() == [("", None, "loading"), ("r1", 1, "one"), ("r1", 1, "late"), ("r2", 1, "two")]


def test_containers_at_work_at_the_same_time_are_told_apart(logs: Logs) -> None:
    logs.write(begins("r1"), "one")
    logs.write(begins("r2"), "two", stream="b")
    logs.write("more of one")
    assert logs.told() == [("r1", 1, "one"), ("r2", 1, "two"), ("r1", 1, "more of one")]


def test_lines_between_lambdas_start_and_the_record_wait_for_it(logs: Logs) -> None:
    logs.write(
        "INIT_START Runtime Version: python:3.12",
        "loading",
        f"START RequestId: {FIRST} Version: $LATEST",
        "early",
        begins("r1", request=FIRST),
        "one",
        f"END RequestId: {FIRST}",
        f"REPORT RequestId: {FIRST}\tDuration: 2.00 ms",
        f"START RequestId: {SECOND} Version: $LATEST",
        "of an invocation that died before its record",
        f"{SECOND} Task timed out after 3.00 seconds",
    )
    assert logs.told() == [
        ("", None, "loading"),
        ("r1", 1, "early"),
        ("r1", 1, "one"),
        ("", None, "of an invocation that died before its record"),
        ("", None, f"{SECOND} Task timed out after 3.00 seconds"),
    ]
    routine = [text for text in logs.read(wanted=Wanted(with_records=True)).texts if text.kind == "platform"]
    assert [text.run_id for text in routine] == ["", "r1", "r1", "r1", ""]


def test_what_the_platform_says_of_an_invocation_that_it_ended_is_told(logs: Logs) -> None:
    logs.write(begins("r1", request=FIRST), f"{FIRST} Task timed out after 3.00 seconds")
    (text,) = logs.read().texts
    assert (text.kind, text.run_id) == ("killed", "r1")


def test_a_text_without_an_end_of_line_is_told_without_the_record_behind_it(logs: Logs) -> None:
    logs.write(begins("r1"), "counted" + as_line(RunLog("r1").finished(1, 0.5)))
    assert logs.told() == [("r1", 1, "counted")]


def test_records_of_other_workflows_are_somebodys_output(logs: Logs) -> None:
    other = as_line(RunLog("r9").node_started(1, 0.0) | {"wf": "other-1"})
    logs.write(begins("r1"), other, '{"mxs":1,"t":"damaged"')
    assert logs.told() == [("r1", 1, other)]


def test_a_record_of_a_node_that_the_graph_has_not_breaks_nothing(logs: Logs) -> None:
    logs.write(begins("r1", node=99), "one")
    assert logs.told() == [("r1", None, "one")]


def test_lines_that_were_written_as_one_are_one_text(logs: Logs) -> None:
    logs.write(
        begins("r1"),
        "counting",
        "  indented",
        "next",
        "{",
        '  "a": 1',
        "}",
        "done",
        "Traceback (most recent call last):",
        '  File "app.py", line 1',
        "ValueError: bad",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        '  File "app.py", line 2',
        "KeyError: 'x'",
        "after",
    )
    texts = [text for _, _, text in logs.told()]
    assert [text.split("\n")[0] for text in texts] == [
        "counting",
        "next",
        "{",
        "done",
        "Traceback (most recent call last):",
        "after",
    ]
    assert texts[4].endswith("KeyError: 'x'")


def test_nothing_goes_on_behind_an_exception_group_but_what_followed_from_it(logs: Logs) -> None:
    group = (
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "app.py", line 3, in first',
        "  | ExceptionGroup: two (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        "    | ValueError: bad",
        "    +------------------------------------",
    )
    chained = "During handling of the above exception, another exception occurred:"
    raised = ("Traceback (most recent call last):", '  File "app.py", line 1', "KeyError: 'x'")
    logs.write(begins("r1"), *group, "after", *raised, *raised, *group, chained, *raised, "after")
    assert [text for _, _, text in logs.told()][1:] == [
        "after",
        "\n".join(raised),
        "\n".join((*raised, *group, chained, *raised)),
        "after",
    ]


def test_a_text_is_not_continued_by_another_container_or_run(logs: Logs) -> None:
    logs.write(begins("r1"), "one")
    logs.write(begins("r2"), "two", stream="b")
    logs.write("  of one")
    logs.write(begins("r3"), "  of a new run")
    assert logs.told() == [("r1", 1, "one\n  of one"), ("r2", 1, "two"), ("r3", 1, "  of a new run")]


def test_the_runtime_clients_traceback_has_its_lines_again(logs: Logs) -> None:
    logs.write(begins("r1"), "[ERROR] ValueError: bad\rTraceback (most recent call last):\r  File 'app.py'")
    assert logs.told() == [("r1", 1, "[ERROR] ValueError: bad\nTraceback (most recent call last):\n  File 'app.py'")]


def test_a_message_of_several_lines_is_one_text_with_its_traceback(logs: Logs) -> None:
    logs.write(begins("r1"), "[ERROR] ValueError: first", "second")
    logs.write(begins("r2"), "elsewhere", stream="b")
    logs.write("", "third\rTraceback (most recent call last):\r\u00a0\u00a0File 'app.py'")
    whole = "[ERROR] ValueError: first\nsecond\nthird\nTraceback (most recent call last):\n\u00a0\u00a0File 'app.py'"
    assert logs.told() == [("r1", 1, whole), ("r2", 1, "elsewhere")]


def test_a_message_is_no_further_one_than_its_container_run_and_traceback(logs: Logs) -> None:
    end = "third\rTraceback (most recent call last):\r\u00a0\u00a0File 'app.py'"
    logs.write(begins("r1"), "[ERROR] said by the developer", "going on", begins("r2"), end)
    logs.write(
        "[ERROR] KeyError: 'x'\rTraceback (most recent call last):\r\u00a0\u00a0File 'app.py'", begins("r3"), end
    )
    logs.write(
        "[ERROR] said by the developer", "Traceback (most recent call last):", "  File 'app.py'", "KeyError: 'x'"
    )
    logs.write(
        "[ERROR] said by the developer",
        "[ERROR]\tlogged\rTraceback (most recent call last):\r\u00a0\u00a0File 'app.py'",
    )
    firsts = [text.split("\n")[0] for _, _, text in logs.told()]
    assert firsts == [
        "[ERROR] said by the developer",
        "going on",
        "third",
        "[ERROR] KeyError: 'x'",
        "third",
        "[ERROR] said by the developer",
        "Traceback (most recent call last):",
        "[ERROR] said by the developer",
        "[ERROR]\tlogged",
    ]


def test_the_newest_text_is_whole_if_it_has_several_lines(logs: Logs) -> None:
    error = (
        "[ERROR] ValueError: first",
        "second",
        "third\rTraceback (most recent call last):\r\u00a0\u00a0File 'app.py'",
    )
    logs.write(begins("r1"), "one", "two", *error)
    read = logs.read(wanted=Wanted(limit=1))
    assert [text.text for text in read.texts] == ["\n".join(error).replace("\r", "\n")]
    assert read.left_out == 2


def test_of_one_run_or_node_only(logs: Logs) -> None:
    logs.write("loading", begins("r1"), "one", begins("r2"), "two")
    logs.write(begins("r1", node=0), "zero", function="receive", stream="b")
    assert logs.told(Wanted(run_id="r1")) == [("r1", 1, "one"), ("r1", 0, "zero")]
    assert logs.told(Wanted(run_id="r1", nodes=frozenset({0}))) == [("r1", 0, "zero")]
    by_node = logs.told(Wanted(nodes=frozenset({1})))
    assert by_node == [("", None, "loading"), ("r1", 1, "one"), ("r2", 1, "two")], "the function is this node only"
    assert logs.read(wanted=Wanted(run_id="r1")).has_run
    assert not logs.read(wanted=Wanted(run_id="r3")).has_run


def test_the_newest_are_kept_and_the_others_counted(logs: Logs) -> None:
    logs.write(begins("r1"), *(f"line {number}" for number in range(50)))
    logs.write(begins("r1", node=0), *(f"other {number}" for number in range(2)), function="receive", stream="b")
    read = logs.read(wanted=Wanted(limit=5))
    assert [text.text for text in read.texts] == ["line 47", "line 48", "line 49", "other 0", "other 1"]
    assert read.left_out == 47


def test_what_is_read_to_know_the_run_is_not_told(logs: Logs) -> None:
    logs.write(begins("r1"), "before")
    later = logs.now + 0.001
    logs.write("after")
    assert [(text.run_id, text.text) for text in logs.read(shown_from=later).texts] == [("r1", "after")]


def test_following_tells_each_line_once_and_remembers_whose_it_is(logs: Logs) -> None:
    reader = LogReader(logs.cloud, WORKFLOW_ID, NODE_FUNCTIONS, Wanted())
    logs.write(begins("r1"), "one")

    def look(start: float) -> list[tuple[str, str]]:
        read = reader.read(logs.sources(), start, logs.now + 0.001, shown_from=0.0)
        return [(text.run_id, text.text) for text in read.texts]

    assert look(0.0) == [("r1", "one")]
    logs.write("two")
    assert look(logs.now - LATE_S) == [("r1", "two")]
    assert look(logs.now - LATE_S) == []
    logs.now += 10 * LATE_S
    logs.write("three")
    assert look(logs.now - LATE_S) == [("r1", "three")]


def test_a_log_that_cannot_be_read_hides_no_other(logs: Logs) -> None:
    logs.write(begins("r1"), "one")
    logs.write("away", region="us-west-2")

    def refuse(call: Call) -> CloudError | None:
        is_away = call.operation == "read_logs" and call.arguments[0] == "us-west-2"
        return CloudError("closed.", operation="read_logs", region="us-west-2") if is_away else None

    logs.cloud.logs.faults.before = refuse
    read = logs.read()
    assert [text.text for text in read.texts] == ["one"]
    assert [(log.region, log.error) for log in read.unread] == [("us-west-2", "closed.")]


class Follower:
    """Looks at the logs as `logs --follow` does: from `LATE_S` before where the last look ended."""

    def __init__(self, logs: Logs) -> None:
        self.logs = logs
        self.unread: list[float] = []
        self._reader = LogReader(logs.cloud, WORKFLOW_ID, NODE_FUNCTIONS, Wanted())
        self._until = 0.0

    def look(self) -> list[str]:
        start, self._until = self._until - LATE_S, self.logs.now + 0.001
        read = self._reader.read(self.logs.sources(), start, self._until, shown_from=0.0)
        self.unread = [log.read_until for log in read.unread]
        return [text.text for text in read.texts]


def break_off_after(logs: Logs, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look gets so many lines, and then an error."""

    def read_some(region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        found = [event for event in logs.cloud.logs.logs[region, function] if start <= event.timestamp < end]
        yield from found[:lines]
        if len(found) > lines:
            raise CloudError("throttled.", operation="read_logs", region=region)

    monkeypatch.setattr(logs.cloud.logs, "read_logs", read_some)


def test_what_a_log_got_while_it_could_not_be_read_is_told_when_it_can_be(logs: Logs) -> None:
    follower = Follower(logs)
    logs.write(begins("r1"), "one")
    assert follower.look() == ["one"]
    is_closed = True
    logs.cloud.logs.faults.before = lambda call: (
        CloudError("closed.", operation="read_logs") if is_closed and call.operation == "read_logs" else None
    )
    for number in range(5):
        logs.now += LATE_S
        logs.write(f"line {number}")
        assert (follower.look(), len(follower.unread)) == ([], 1)
    is_closed = False
    logs.now += 10 * LATE_S
    logs.write("last")
    assert follower.look() == [*(f"line {number}" for number in range(5)), "last"]
    logs.write("  and no line again")
    assert (follower.look(), follower.unread) == (["  and no line again"], [])


@pytest.mark.parametrize("is_first", [True, False])
def test_a_look_that_breaks_off_is_gone_on_with(logs: Logs, monkeypatch: pytest.MonkeyPatch, is_first: bool) -> None:
    follower = Follower(logs)
    logs.write(begins("r1"), "one")
    told = [] if is_first else follower.look()
    logs.now += 10 * LATE_S  # so long that no look would go back so far
    expected = ["one"]
    for number in range(7):
        logs.now += 3 * LATE_S
        logs.write(f"line {number}", f"at the moment of {number}")
        log = logs.cloud.logs.logs[HOME, "count"]
        log[-1] = LogEvent(log[-1].id, log[-2].timestamp, log[-1].message, log[-1].stream)
        expected += [f"line {number}", f"at the moment of {number}"]
    break_off_after(logs, 3, monkeypatch)
    looks = 0
    while len(told) < len(expected):
        told += follower.look()
        looks += 1
        assert looks <= len(expected), "each look gets on"
    assert looks > 2
    assert told == expected
    assert (follower.look(), follower.unread) == ([], [])
