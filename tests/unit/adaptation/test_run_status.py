"""The state of a run by its log lines, and the messages that were given up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.dead_letters import dead_letters, redrive
from multi_x_serverless.adaptation.run_status import RunStatus, begins_run_id, is_run_id, run_status
from multi_x_serverless.cloud.ports import Attributes, DeadLetter, Key, LogEvent
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.errors import ConflictError, NothingToDoError, UnknownRunError, UnknownWorkflowError, UsageError
from multi_x_serverless.sdk.envelope import new_run_id
from multi_x_serverless.sdk.tables import CLAIMS
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID
from tests.unit.observation.records import RunLog

FUNCTIONS = ("first", "left", "join")
REQUEST = "0b6f3c3e-7d1c-4f0e-9d0a-1c2d3e4f5a6b"


class Example:
    """`first` (0) calls `left` (1, edge 0) and `join` (2, edge 1); `left` calls `join` (edge 2)."""

    def __init__(self, directory: Path) -> None:
        self.cloud: FakeCloud = deployed_example(directory)
        self.now = self.cloud.now()
        self.run_id = new_run_id(self.now)
        self.log = RunLog(self.run_id, self.now)

    def write(self, *records: dict[str, Any]) -> None:
        """Write each record into the log of its node's function."""
        for record in records:
            self.line(int(record["node"]), json.dumps({**record, "wf": WORKFLOW_ID}, separators=(",", ":")))

    def line(self, node: int, text: str) -> None:
        log = self.cloud.logs.logs.setdefault((HOME, function_name(WORKFLOW_ID, FUNCTIONS[node])), [])
        log.append(LogEvent(str(len(log)), self.now, text))

    def give_up(self, body: str, letter_id: str = "letter") -> None:
        function = function_name(WORKFLOW_ID, "left")
        self.cloud.messages.letters.append(
            DeadLetter(letter_id, HOME, function, body.encode(), "ValueError: bad", self.now)
        )

    def message(self, node: int = 1) -> str:
        return json.dumps({"run": self.run_id, "node": node})

    def status(self) -> RunStatus:
        return run_status(self.cloud, self.run_id)

    def states(self) -> list[str]:
        return [node.state for node in self.status().nodes]


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


def test_a_run_that_is_complete(example: Example) -> None:
    example.write(*example.log.complete())

    status = example.status()

    assert (status.trace.status, status.plan_version, status.started_at) == ("complete", 3, example.now)
    assert [node.state for node in status.nodes] == ["finished"] * 3
    assert status.nodes[1].attempts == 1
    assert status.nodes[1].duration_s == 0.5


def test_a_dead_node_is_told_from_one_that_was_not_reached(example: Example) -> None:
    example.write(*example.log.declining()[:2])
    assert example.states() == ["running", "not reached", "not reached"]

    example.write(*example.log.declining()[2:])
    assert example.states() == ["finished", "declined", "finished"]


def test_a_join_says_what_it_waits_for(example: Example) -> None:
    log = example.log
    example.write(log.started(), log.node_started(0, 0.0), log.called(0, 0, 0.1, 0.1), log.called(0, 1, 0.1, 0.1))
    example.write(log.finished(0, 0.5))

    first, left, join = example.status().nodes

    assert (first.state, left.state, join.state) == ("finished", "called", "waiting")
    assert join.waits_for == (left.node,)


@pytest.mark.parametrize(("failures", "state", "run"), [(1, "retrying", "running"), (3, "failed", "failed")])
def test_a_node_that_fails_is_tried_again_before_it_is_given_up(
    example: Example, failures: int, state: str, run: str
) -> None:
    log = example.log
    example.write(log.started(), log.node_started(0, 0.0), log.called(0, 0, 0.1, 0.1), log.called(0, 1, 0.1, 0.1))
    example.write(log.finished(0, 0.5))
    for attempt in range(failures):
        example.write(log.node_started(1, 1.0 + attempt), log.failed(1, 1.1 + attempt, attempt))

    status = example.status()

    assert status.trace.status == run
    assert (status.nodes[1].state, status.nodes[1].attempts) == (state, failures)
    assert status.trace.failures[0].traceback == ("line",)


def test_a_message_that_was_given_up_fails_its_run_even_without_a_log(example: Example) -> None:
    example.give_up(example.message())

    status = example.status()

    assert status.trace.status == "failed"
    assert status.nodes[1].state == "failed"
    assert [message.letter.id for message in status.letters] == ["letter"]


@pytest.mark.parametrize(
    "line",
    [
        f"2026-11-25T10:00:00Z {REQUEST} Task timed out after 3.00 seconds",
        f"{REQUEST} Runtime exited with error: signal: SIGKILL",
        f"{REQUEST} Memory 300 MB used of 256 MB: the worker was killed",
        f"{REQUEST} killed by the fault plan (delivery.crash)",
        f"RequestId: {REQUEST} Error: Runtime exited with error: exit status 1",
    ],
)
def test_what_the_platform_says_of_an_invocation_that_it_ended_is_shown(example: Example, line: str) -> None:
    log = example.log
    example.write(log.started(), {**log.node_started(0, 0.0), "req": REQUEST})
    example.line(0, line)
    example.line(0, line.replace("0b6f", "ffff"))  # of another run
    example.line(0, f"{REQUEST} is what the developer's code printed")

    assert example.status().kills == (line,)
    assert example.states()[0] == "retrying"


def test_duplicates_and_fallbacks_are_counted(example: Example) -> None:
    log = example.log
    example.write(log.started(), log.node_started(0, 0.0), {**log.called(0, 0, 0.1, 0.1), "fallback": True})
    example.write(log.record("duplicate", 1.0, node=2, edge=1))

    status = example.status()

    assert (status.fallbacks, status.duplicates) == (1, 1)


def test_a_run_that_no_log_knows(example: Example) -> None:
    with pytest.raises(UnknownRunError, match=WORKFLOW_ID):
        example.status()
    with pytest.raises(UnknownWorkflowError):
        run_status(example.cloud, example.run_id, "other-0.0.1")


def test_a_run_with_an_id_of_the_callers_own_is_found(example: Example) -> None:
    example.run_id = "nightly-7"
    example.log = RunLog("nightly-7", example.now)
    example.write(*example.log.complete())

    assert not is_run_id("nightly-7")
    assert is_run_id(new_run_id(0.0))
    assert run_status(example.cloud, "nightly-7", WORKFLOW_ID).trace.status == "complete"


def test_a_letter_that_cannot_be_read_is_listed_all_the_same(example: Example) -> None:
    for number, body in enumerate(["", "[]", "[" * 100_000, "{", '{"node": 99, "run": 1}', '{"Records": []}']):
        example.give_up(body, str(number))

    found = dead_letters(example.cloud, WORKFLOW_ID)

    assert [(message.run_id, message.node) for message in found] == [("", "")] * 6


def test_a_letter_may_hold_the_event_it_was_delivered_in(example: Example) -> None:
    example.give_up(json.dumps({"Records": [{"Sns": {"Message": example.message()}}]}))

    (found,) = dead_letters(example.cloud, WORKFLOW_ID)

    assert found.run_id == example.run_id
    assert found.node.startswith("left:")


def test_what_a_killed_attempt_still_claims_is_not_put_back(example: Example) -> None:
    """It would be taken for a duplicate, and lost."""
    example.give_up(example.message())
    key = Key(f"{WORKFLOW_ID}/{example.run_id}", "n1")
    claim: Attributes = {
        "owner": "o",
        "attempt": "a",
        "started_at": example.now,
        "lease_until": example.now + 30.0,
        "done": 0,
    }
    example.cloud.key_value.put(HOME, physical_name(CLAIMS), key, claim)

    with pytest.raises(ConflictError, match="try again in 30 s"):
        redrive(example.cloud, WORKFLOW_ID)
    assert len(example.cloud.messages.letters) == 1

    example.give_up(json.dumps({"run": "other", "node": 1}), "other")
    result = redrive(example.cloud, WORKFLOW_ID)
    assert [message.letter.id for message in result.held] == ["letter"]
    assert [letter.id for letter in example.cloud.messages.letters] == ["letter"]

    example.cloud.time += 31.0
    assert len(redrive(example.cloud, WORKFLOW_ID).messages) == 1


def test_what_was_put_back_and_runs_again_is_running(example: Example) -> None:
    log = example.log
    example.write(log.started(), log.node_started(0, 0.0), log.called(0, 0, 0.1, 0.1), log.called(0, 1, 0.1, 0.1))
    example.write(log.finished(0, 0.5))
    for attempt in range(3):
        example.write(log.node_started(1, 1.0 + attempt), log.failed(1, 1.1 + attempt, attempt))
    example.write(log.node_started(1, 10.0))

    status = example.status()

    assert (status.nodes[1].state, status.trace.status) == ("running", "running")


def test_what_is_put_back_is_what_was_asked_for(example: Example) -> None:
    example.give_up(example.message(), "mine")
    example.give_up(json.dumps({"run": "other", "node": 1}), "other")

    with pytest.raises(UsageError, match="no dead letter 'nobody'"):
        redrive(example.cloud, WORKFLOW_ID, ["mine", "nobody"])
    assert len(example.cloud.messages.letters) == 2
    result = redrive(example.cloud, WORKFLOW_ID, run_id=example.run_id)

    assert [message.letter.id for message in result.messages] == ["mine"]
    assert [run.run_id for run in result.runs] == [example.run_id]
    assert [letter.id for letter in example.cloud.messages.letters] == ["other"]
    assert redrive(example.cloud, WORKFLOW_ID, ["other"], wait=False).runs == ()
    with pytest.raises(NothingToDoError):
        redrive(example.cloud, WORKFLOW_ID)


def test_the_beginning_of_an_id_is_enough_if_no_other_begins_so(example: Example) -> None:
    example.write(*example.log.complete())
    beginning = example.run_id[:8]

    assert run_status(example.cloud, beginning).trace.run_id == example.run_id
    assert run_status(example.cloud, example.run_id[:31], WORKFLOW_ID).trace.run_id == example.run_id
    other = example.run_id[:-1] + ("0" if example.run_id[-1] != "0" else "1")
    example.give_up(json.dumps({"run": other, "node": 1}))
    with pytest.raises(UsageError, match=f"2 runs begin with '{beginning}'") as caught:
        run_status(example.cloud, beginning)
    assert example.run_id in str(caught.value)
    assert other in str(caught.value)
    assert run_status(example.cloud, other).trace.run_id == other


def test_what_looks_like_a_run_id_and_is_none_is_no_workflow(example: Example) -> None:
    example.write(*example.log.complete())
    for text in ("0" * 8, "f" * 31, "0" * 32):
        assert is_run_id(text) or begins_run_id(text)
        with pytest.raises(UnknownRunError, match="no run"):
            run_status(example.cloud, text)
    for text in ("0" * 7, "0" * 33, WORKFLOW_ID, "0123456G"):
        assert not begins_run_id(text)


def test_a_run_whose_entry_failed_took_the_time_of_its_attempts(example: Example) -> None:
    log = example.log
    example.write(log.started())
    for attempt in range(3):
        example.write(log.node_started(0, 1.0 + attempt), log.failed(0, 1.5 + attempt, attempt))

    trace = example.status().trace

    assert trace.status == "failed"
    assert trace.duration_s == pytest.approx(3.5)


def test_a_run_that_was_given_up_early_took_the_time_until_its_last_record(example: Example) -> None:
    """Attempts that were killed leave no record of a failure; the letter says that none will come."""
    log = example.log
    example.write(log.started(), log.node_started(0, 2.5))
    example.give_up(example.message(node=0))

    status = example.status()

    assert status.trace.status == "failed"
    assert status.trace.duration_s == pytest.approx(2.5)
