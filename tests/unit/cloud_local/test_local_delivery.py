"""Messages: retries, dead letters, concurrency, and what survives the death of a host."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from multi_x_serverless.cloud.local import DeliveryFaults, FaultPlan, LocalCloud, LocalSettings, OperationFaults
from multi_x_serverless.cloud.local.faults import FaultInjector
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.errors import CloudError
from tests.unit.cloud_local.local_functions import (
    HOME,
    deliver_all,
    deploy,
    invoke,
    log_lines,
    process_is_alive,
    wait_for,
)

RECORD = """
import os
from client import ask, message
def handler(event, context):
    ask("put", region=os.environ["AWS_REGION"], table="seen", partition=message(event), sort=context.aws_request_id,
        attributes={"pid": os.getpid()})
"""

FAIL_TWICE = """
import os
from client import ask, message
def handler(event, context):
    attempt = ask("put", region=os.environ["AWS_REGION"], table="seen", partition=message(event),
                  sort=context.aws_request_id, attributes={"pid": os.getpid()})["version"]
    print("attempt", attempt)
    if attempt <= 2:
        raise RuntimeError("not yet")
"""


def seen(cloud: LocalCloud) -> list[tuple[str, int]]:
    """Messages that were handled and how often."""
    return [(item.key.partition, item.version) for item in cloud.key_value.scan(HOME, "seen")]


def test_each_message_is_handled_once(cloud: LocalCloud) -> None:
    cloud.key_value.create_table(HOME, "seen")
    deploy(cloud, "record", RECORD)
    deliver_all(cloud, "record", *(f"{index:03d}" for index in range(40)))
    assert seen(cloud) == [(f"{index:03d}", 1) for index in range(40)]
    assert cloud.messages.dead_letters(HOME, "") == ()


def test_a_failed_message_is_retried_under_the_same_request_id(cloud: LocalCloud) -> None:
    cloud.key_value.create_table(HOME, "seen")
    deploy(cloud, "fragile", FAIL_TWICE)
    deliver_all(cloud, "fragile", "a")
    assert seen(cloud) == [("a", 3)]
    assert [line for line in log_lines(cloud, "fragile") if line.startswith("attempt")] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
    ]
    assert cloud.messages.dead_letters(HOME, "") == ()


def test_retries_wait_for_their_time(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(settings=LocalSettings(retry_delays_s=(0.3,)), time_scale=1.0)
    source = "import time\ndef handler(event, context):\n    print(time.time())\n    raise RuntimeError\n"
    deploy(cloud, "fails", source)
    deliver_all(cloud, "fails", "a")
    first, second = [float(line) for line in log_lines(cloud, "fails") if "RuntimeError" not in line]
    assert second - first >= 0.3


def test_a_message_for_a_deleted_function_becomes_a_dead_letter(cloud: LocalCloud) -> None:
    deploy(cloud, "gone", RECORD)
    cloud.messages.publish(HOME, "gone", b"a")
    cloud.functions.delete_function(HOME, "gone")
    with cloud.host() as host:
        assert host.wait_until_idle(30)
    [letter] = cloud.messages.dead_letters(HOME, "gone")
    assert "'gone' was deleted" in letter.error


def test_what_was_queued_for_a_deleted_function_does_not_reach_a_later_one_of_its_name(cloud: LocalCloud) -> None:
    cloud.key_value.create_table(HOME, "seen")
    deploy(cloud, "again", RECORD)
    deploy(cloud, "again", RECORD, region="us-west-2")
    for region in (HOME, "us-west-2"):
        cloud.messages.publish(region, "again", b"old")
        cloud.functions.invoke_async(region, "again", b"{}")
    cloud.functions.delete_function(HOME, "again")
    deploy(cloud, "again", RECORD)
    assert [(letter.region, letter.body) for letter in cloud.messages.dead_letters(HOME, "again")] == [
        (HOME, b"old"),
        (HOME, b"{}"),
    ]
    assert cloud.messages.count() == 2, "those of the other region stay"
    cloud.functions.delete_function("us-west-2", "again")
    deliver_all(cloud, "again", "new")
    assert seen(cloud) == [("new", 1)]


def test_a_host_does_not_wait_for_the_retry_of_a_deleted_function(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(settings=LocalSettings(retry_delays_s=(1000.0,)))
    deploy(cloud, "fails", "def handler(event, context):\n    raise RuntimeError\n")
    with cloud.host() as host:
        cloud.messages.publish(HOME, "fails", b"a")
        assert wait_for(lambda: all(entry.available_at > time.time() + 500 for entry in cloud.messages.entries()))
        assert not host.wait_until_idle(0.05)
        cloud.functions.delete_function(HOME, "fails")
        assert host.wait_until_idle(5)
        assert host.pending() == 0
    assert len(cloud.messages.dead_letters(HOME, "fails")) == 1


@pytest.mark.parametrize(
    ("end", "letters"), [("print('end')", 0), ("raise RuntimeError('late')", 1)], ids=["succeeds", "fails"]
)
def test_a_delivery_under_way_ends_although_its_function_is_deleted(cloud: LocalCloud, end: str, letters: int) -> None:
    cloud.key_value.create_table(HOME, "seen")
    source = f"""
import time
from client import ask
def handler(event, context):
    print("begin", flush=True)
    while ask("get", region="us-east-1", table="seen", partition="go")["item"] is None:
        time.sleep(0.01)
    {end}
"""
    deploy(cloud, "slow", source)
    with cloud.host() as host:
        cloud.messages.publish(HOME, "slow", b"a")
        assert wait_for(lambda: log_lines(cloud, "slow") == ["begin"])
        cloud.functions.delete_function(HOME, "slow")
        assert not host.wait_until_idle(0.05)
        cloud.key_value.put(HOME, "seen", Key("go"), {"n": 1})
        assert host.wait_until_idle(30)
    assert log_lines(cloud, "slow").count("begin") == 1
    assert len(cloud.messages.dead_letters(HOME, "slow")) == letters


def test_what_is_cleared_from_a_region_leaves_no_message(cloud: LocalCloud) -> None:
    deploy(cloud, "gone", RECORD)
    cloud.messages.publish(HOME, "gone", b"a")
    cloud.functions.delete_function(HOME, "gone")
    with cloud.host() as host:
        assert host.wait_until_idle(30)
    cloud.messages.publish(HOME, "gone", b"queued")
    assert cloud.clear_region("us-west-2") == ()
    assert cloud.clear_region(HOME) == ("1 objects", "2 messages")
    assert cloud.messages.dead_letters(HOME, "") == ()
    with cloud.host() as host:
        assert host.pending() == 0


def test_a_topic_without_a_function_drops_its_messages(cloud: LocalCloud) -> None:
    cloud.messages.create_topic(HOME, "alone")
    cloud.messages.publish(HOME, "alone", b"a")
    with cloud.host() as host:
        assert host.pending() == 0


@pytest.mark.parametrize("body", [b"", b"\xff\xfe"], ids=["empty", "binary"])
def test_a_message_must_be_text(cloud: LocalCloud, body: bytes) -> None:
    cloud.messages.create_topic(HOME, "topic")
    with pytest.raises(CloudError, match="refused"):
        cloud.messages.publish(HOME, "topic", body)


def test_deliveries_overlap(open_cloud: Callable[..., LocalCloud]) -> None:
    """Three functions that wait for one another can only end if all three run at the same time."""
    cloud = open_cloud(settings=LocalSettings(concurrency=3, retry_delays_s=()))
    cloud.key_value.create_table(HOME, "seen")
    source = """
import time
from client import ask, message
def handler(event, context):
    ask("put", region="us-east-1", table="seen", partition="all", sort=message(event), attributes={})
    while len(ask("query", region="us-east-1", table="seen", partition="all")["items"]) < 3:
        time.sleep(0.01)
"""
    deploy(cloud, "meet", source)
    deliver_all(cloud, "meet", "a", "b", "c")
    assert cloud.messages.dead_letters(HOME, "") == ()


def test_concurrency_is_bounded(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(settings=LocalSettings(concurrency=1))
    source = """
import time
def handler(event, context):
    print("begin", time.time())
    time.sleep(0.02)
    print("end", time.time())
"""
    deploy(cloud, "one", source)
    deliver_all(cloud, "one", "a", "b", "c", "d")
    assert [line.split()[0] for line in log_lines(cloud, "one")] == ["begin", "end"] * 4


def test_who_waits_for_a_round_trip_holds_up_nobody(open_cloud: Callable[..., LocalCloud]) -> None:
    """With room for one delivery, the second runs while the first waits for a far region to answer."""
    cloud = open_cloud(
        settings=LocalSettings(concurrency=1, retry_delays_s=()),
        round_trip_seconds=lambda a, b: 0.0 if a == b else 1.5,
    )
    cloud.key_value.create_table("us-west-2", "far")
    source = """
import time
from client import ask, message
def handler(event, context):
    print("begin", message(event))
    if message(event) == "far":
        ask("get", region="us-west-2", table="far", partition="x")
    print("end", message(event))
"""
    deploy(cloud, "calls", source)
    with cloud.host() as host:
        cloud.messages.publish(HOME, "calls", b"far")
        assert wait_for(lambda: "begin far" in log_lines(cloud, "calls"))
        cloud.messages.publish(HOME, "calls", b"near")
        assert host.wait_until_idle(30)
    lines = log_lines(cloud, "calls")
    assert lines.index("end near") < lines.index("end far")


def test_a_host_counts_what_is_pending_and_knows_when_time_is_over(cloud: LocalCloud) -> None:
    deploy(cloud, "slow", "import time\ndef handler(event, context):\n    time.sleep(0.5)\n")
    cloud.messages.publish(HOME, "slow", b"a")
    with cloud.host() as host:
        assert host.pending() == 1
        assert not host.wait_until_idle(0.05)
        assert host.wait_until_idle(30)
        assert host.pending() == 0


def test_there_is_one_host_at_a_time(cloud: LocalCloud) -> None:
    with cloud.host(), pytest.raises(CloudError, match="has a host already"), cloud.host():
        pass
    with cloud.host() as host:
        assert host.wait_until_idle(1)


def test_what_a_closed_host_interrupts_is_delivered_by_the_next(open_cloud: Callable[..., LocalCloud]) -> None:
    settings = LocalSettings(retry_delays_s=(), termination_grace_s=0.0)
    source = """
import os, time
from client import ask
def handler(event, context):
    print("begin", flush=True)
    if ask("get", region="us-east-1", table="seen", partition="go")["item"] is None:
        time.sleep(60)
    print("end")
"""
    cloud = open_cloud(settings=settings)
    cloud.key_value.create_table(HOME, "seen")
    deploy(cloud, "slow", source, timeout_s=100)
    with cloud.host():
        cloud.messages.publish(HOME, "slow", b"a")
        assert wait_for(lambda: log_lines(cloud, "slow") == ["begin"])
    cloud.key_value.put(HOME, "seen", Key("go"), {"n": 1})
    with cloud.host() as host:
        assert host.pending() == 1
        assert host.wait_until_idle(30)
    assert [line for line in log_lines(cloud, "slow") if line in {"begin", "end"}] == ["begin", "begin", "end"]
    assert cloud.messages.dead_letters(HOME, "") == ()


def test_what_is_published_while_nobody_hosts_waits(open_cloud: Callable[..., LocalCloud]) -> None:
    with open_cloud() as cloud:
        cloud.key_value.create_table(HOME, "seen")
        deploy(cloud, "record", RECORD)
        cloud.messages.publish(HOME, "record", b"patient")
    cloud = open_cloud()
    with cloud.host() as host:
        assert host.wait_until_idle(30)
    assert seen(cloud) == [("patient", 1)]


HOST_SCRIPT = """
import sys
from pathlib import Path
from multi_x_serverless.cloud.local import LocalCloud
regions = ("us-east-1", "us-west-2", "eu-west-1")
cloud = LocalCloud(Path(sys.argv[1]), regions=regions, round_trip_seconds=lambda a, b: 0.0)
with cloud.host() as host:
    for index in range(20):
        cloud.messages.publish("us-east-1", "record", f"late {index:02d}".encode())
    print("published", flush=True)
    host.wait_until_idle(600)
"""


def test_a_killed_host_leaves_no_process_and_the_next_finishes_its_queue(
    open_cloud: Callable[..., LocalCloud], state_dir: Path, tmp_path: Path
) -> None:
    source = """
import os, subprocess, time
from client import ask, message
def handler(event, context):
    child = subprocess.Popen(["sleep", "300"])
    ask("put", region="us-east-1", table="seen", partition=message(event),
        attributes={"pid": os.getpid(), "child": child.pid})
    if ask("get", region="us-east-1", table="go", partition="go")["item"] is None:
        time.sleep(300)
    child.kill()
    child.wait()
"""
    with open_cloud() as cloud:
        cloud.key_value.create_table(HOME, "seen")
        cloud.key_value.create_table(HOME, "go")
        deploy(cloud, "record", source, timeout_s=600)
    script = tmp_path / "host.py"
    script.write_text(HOST_SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    host = subprocess.Popen([sys.executable, str(script), str(state_dir)], stdout=subprocess.PIPE, env=environment)
    assert host.stdout is not None
    with host.stdout:
        assert host.stdout.readline() == b"published\n"
    with open_cloud(exclusive=False) as reader:
        assert wait_for(lambda: len(list(reader.key_value.scan(HOME, "seen"))) >= 2)
        items = list(reader.key_value.scan(HOME, "seen"))
    process_ids = [int(item.attributes[name]) for item in items for name in ("pid", "child")]
    assert all(map(process_is_alive, process_ids))
    os.kill(host.pid, signal.SIGKILL)
    host.wait()
    assert wait_for(lambda: not any(map(process_is_alive, process_ids)))

    cloud = open_cloud()
    cloud.key_value.put(HOME, "go", Key("go"), {"n": 1})
    with cloud.host() as following:
        assert following.pending() == 20
        assert following.wait_until_idle(60)
    assert [item.key.partition for item in cloud.key_value.scan(HOME, "seen")] == [
        f"late {index:02d}" for index in range(20)
    ]
    assert cloud.messages.dead_letters(HOME, "") == ()


def test_duplicates_are_two_deliveries_of_one_message(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(fault_plan=FaultPlan(delivery=DeliveryFaults(duplicate=1.0)))
    deploy(cloud, "echo", "import json\ndef handler(event, context):\n    print(json.dumps(event))\n")
    deliver_all(cloud, "echo", "a")
    first, second = [json.loads(line)["Records"][0]["Sns"] for line in log_lines(cloud, "echo")]
    assert first == second


def test_a_delayed_message_is_overtaken(open_cloud: Callable[..., LocalCloud]) -> None:
    """With the seed that is chosen here the first message is held back and the second is not."""
    plans = (FaultPlan(seed, delivery=DeliveryFaults(reorder=0.5, reorder_s=0.7)) for seed in range(100))
    plan = next(plan for plan in plans if _first_two_draws(plan, "reorder") == (True, False))
    cloud = open_cloud(fault_plan=plan)
    deploy(cloud, "echo", "from client import message\ndef handler(event, context):\n    print(message(event))\n")
    deliver_all(cloud, "echo", "first", "second")
    assert log_lines(cloud, "echo") == ["second", "first"]


def _first_two_draws(plan: FaultPlan, kind: str) -> tuple[bool, bool]:
    injector = FaultInjector(plan)
    return injector.draw(kind) < 0.5, injector.draw(kind) < 0.5


def test_a_message_that_is_due_after_any_timer_is_waited_for(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(fault_plan=FaultPlan(delivery=DeliveryFaults(delay=1.0, delay_s=1e300)))
    deploy(cloud, "echo", RECORD)
    cloud.messages.publish(HOME, "echo", b"a")
    with cloud.host() as host:
        assert not host.wait_until_idle(0.05)
        cloud.functions.delete_function(HOME, "echo")
        assert host.wait_until_idle(math.inf)


def test_a_dropped_delivery_comes_later(open_cloud: Callable[..., LocalCloud]) -> None:
    plan = FaultPlan(delivery=DeliveryFaults(drop=1.0, redelivery_s=0.3))
    cloud = open_cloud(fault_plan=plan)
    deploy(cloud, "clock", "import time\ndef handler(event, context):\n    print(time.time())\n")
    before = time.time()
    deliver_all(cloud, "clock", "a")
    [at] = map(float, log_lines(cloud, "clock"))
    assert at - before >= 0.3


def test_a_crash_costs_an_attempt_and_no_message(open_cloud: Callable[..., LocalCloud]) -> None:
    plan = FaultPlan(delivery=DeliveryFaults(crash=1.0, crash_within_s=0.05))
    cloud = open_cloud(fault_plan=plan)
    source = """
import os, time
def handler(event, context):
    print("begin", os.getpid(), flush=True)
    time.sleep(0.2)
    print("end", os.getpid())
"""
    deploy(cloud, "slow", source)
    deliver_all(cloud, "slow", "a")
    lines = log_lines(cloud, "slow")
    assert any("killed by the fault plan" in line for line in lines)
    ends = [line for line in lines if line.startswith("end")]
    assert len(ends) == 1
    assert lines.index(ends[0].replace("end", "begin")) > 0
    assert cloud.messages.dead_letters(HOME, "") == ()


def test_a_region_that_is_out_gets_its_messages_afterwards(cloud: LocalCloud) -> None:
    deploy(cloud, "pid", "def handler(event, context):\n    print('here')\n")
    with cloud.host() as host:
        cloud.messages.publish(HOME, "pid", b"before")
        assert host.wait_until_idle(30)
        cloud.messages.publish(HOME, "pid", b"during")
        cloud.faults.begin_outage(HOME)
        with pytest.raises(CloudError, match="not available") as caught:
            cloud.messages.publish(HOME, "pid", b"refused")
        assert caught.value.retryable
        with pytest.raises(CloudError, match="not available"):
            invoke(cloud, "pid")
        cloud.faults.end_outage(HOME)
        assert host.wait_until_idle(30)
    assert log_lines(cloud, "pid") == ["here", "here"]


def test_nothing_is_lost_when_everything_goes_wrong(open_cloud: Callable[..., LocalCloud]) -> None:
    plan = FaultPlan(
        seed=11,
        delivery=DeliveryFaults(
            duplicate=0.2,
            delay=0.2,
            delay_s=0.05,
            reorder=0.2,
            reorder_s=0.02,
            drop=0.2,
            redelivery_s=0.05,
            crash=0.1,
            crash_within_s=0.02,
        ),
        operations={"put": OperationFaults(throttle=0.1, lost_answer=0.1, crash_before=0.1, crash_after=0.1)},
    )
    cloud = open_cloud(fault_plan=plan)
    cloud.key_value.create_table(HOME, "seen")
    deploy(cloud, "record", RECORD)
    sent = {f"{index:03d}" for index in range(40)}
    deliver_all(cloud, "record", *sorted(sent))
    handled = {item.key.partition for item in cloud.key_value.scan(HOME, "seen")}
    given_up = {letter.body.decode() for letter in cloud.messages.dead_letters(HOME, "record")}
    assert handled | given_up == sent
    assert len(seen(cloud)) > len(handled)  # some came twice
    assert any("killed by the fault plan" in line for line in log_lines(cloud, "record"))
