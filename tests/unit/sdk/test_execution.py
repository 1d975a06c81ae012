"""Whole runs on a cloud in memory: what is called, declined, joined, retried and logged."""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import pytest

from multi_x_serverless.sdk.application import Application, load_package
from multi_x_serverless.sdk.errors import (
    BackendError,
    CallSiteError,
    ClaimHeldError,
    DamagedStateError,
    InvalidDefinitionError,
    NotASyncNodeError,
    OutsideRunError,
    PayloadError,
    RepeatedCallError,
)
from multi_x_serverless.sdk.payload import INLINE_LIMIT_BYTES
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.tables import CLAIMS, SYNC_PAYLOADS, SYNC_STATUS
from multi_x_serverless.testing import START_TIME, MemoryCloud, TestContext
from tests.unit.sdk.conftest import PackageWriter

CHAIN = """
@workflow.serverless_function(entry_point=True)
def first(event):
    log.append(("first", event))
    workflow.invoke_serverless_function(second, event)  # edge 0

@workflow.serverless_function()
def second(event):
    log.append(("second", event))
"""
CHAIN_SHAPE = ([("first", False), ("second", False)], [(0, 1)])

JOIN = """
@workflow.serverless_function(entry_point=True)
def first(event):
    log.append("first")
    workflow.invoke_serverless_function(second, "from second")  # edge 0
    workflow.invoke_serverless_function(join, event)  # edge 1

@workflow.serverless_function()
def second(event):
    log.append("second")
    workflow.invoke_serverless_function(join, event)  # edge 2

@workflow.serverless_function()
def join():
    log.append(workflow.get_predecessor_results())
"""
JOIN_SHAPE = ([("first", False), ("second", False), ("join", True)], [(0, 1), (0, 2), (1, 2)])


def log_of(cloud: MemoryCloud) -> list[Any]:
    log = importlib.import_module(cloud.manifest.module).log
    assert isinstance(log, list)
    return log


def plan_of(cloud: MemoryCloud, *placement: int) -> PlanReplica:
    return PlanReplica(
        version=3,
        manifest_id=cloud.manifest.id,
        expires_at=START_TIME + 86400,
        home_share=0.0,
        regions=cloud.manifest.regions,
        hours=((0, placement),),
    )


def run(cloud: MemoryCloud, payload: object = None) -> list[Any]:
    cloud.start(payload)
    cloud.deliver_all()
    return log_of(cloud)


# --- calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", 0, [], {"a": [1]}, b"\x00"])
def test_a_call_carries_its_payload(deploy: PackageWriter, value: object) -> None:
    assert run(deploy(CHAIN, *CHAIN_SHAPE), value) == [("first", value), ("second", value)]


def test_a_call_without_payload_gives_none(deploy: PackageWriter) -> None:
    source = CHAIN.replace("(second, event)", "(second)")

    assert run(deploy(source, *CHAIN_SHAPE), 5) == [("first", 5), ("second", None)]


def test_a_function_without_parameter_is_called_without(deploy: PackageWriter) -> None:
    source = CHAIN.replace("def second(event)", "def second()").replace('"second", event', '"second", 1')

    assert run(deploy(source, *CHAIN_SHAPE))[1] == ("second", 1)


def test_several_calls_go_out_in_any_order_and_from_helpers(deploy: PackageWriter) -> None:
    source = """
    @workflow.serverless_function(entry_point=True)
    def first(event):
        help(0)  # via 2
        if event["c"]:
            workflow.invoke_serverless_function(c, "c")  # edge 1
        workflow.invoke_serverless_function(b, "b")  # edge 0

    def help(event):
        workflow.invoke_serverless_function(d, "d")  # edge 2

    @workflow.serverless_function()
    def b(event):
        log.append(event)

    @workflow.serverless_function()
    def c(event):
        log.append(event)

    @workflow.serverless_function()
    def d(event):
        log.append(event)
    """
    shape = ([("first", False), ("b", False), ("c", False), ("d", False)], [(0, 1), (0, 2), (0, 3)])

    assert run(deploy(source, *shape), {"c": True}) == ["d", "c", "b"]


def test_a_function_of_two_nodes_knows_its_place(deploy: PackageWriter) -> None:
    source = """
    @workflow.serverless_function(entry_point=True)
    def first(event):
        workflow.invoke_serverless_function(shared, "deep")  # edge 0

    @workflow.serverless_function()
    def shared(event):
        log.append(event)
        if event == "deep":
            workflow.invoke_serverless_function(second, "second")  # edge 1

    @workflow.serverless_function()
    def second(event):
        workflow.invoke_serverless_function(shared, "leaf")  # edge 2
    """
    shape = ([("first", False), ("shared", False), ("second", False), ("shared", False)], [(0, 1), (1, 2), (2, 3)])

    assert run(deploy(source, *shape)) == ["deep", "leaf"]


def test_the_run_id_is_the_same_in_every_function(deploy: PackageWriter) -> None:
    source = CHAIN.replace('log.append(("second", event))', "log.append(workflow.run_id)")
    cloud = deploy(source, *CHAIN_SHAPE)
    run_id = cloud.start()
    cloud.deliver_all()

    assert log_of(cloud)[1] == run_id


def test_another_workflow_sees_nothing_of_the_run(deploy: PackageWriter) -> None:
    other = "other = MultiXServerlessWorkflow(name='other', version='0.0.1')\n"
    source = other + CHAIN.replace('log.append(("first", event))', "other.run_id")
    cloud = deploy(source, *CHAIN_SHAPE)

    with pytest.raises(OutsideRunError, match="'run_id' of workflow 'other-0"):
        failing_first(cloud)


def test_nothing_of_a_run_is_left_behind(deploy: PackageWriter) -> None:
    source = CHAIN + "    workflow.get_predecessor_data()\n"
    cloud = deploy(source, *CHAIN_SHAPE)
    run(cloud)
    workflow = importlib.import_module(cloud.manifest.module).workflow

    assert len(cloud.dead_letters) == 1
    with pytest.raises(OutsideRunError):
        workflow.get_predecessor_data()


def failing_first(cloud: MemoryCloud, payload: object = None) -> None:
    """Deliver the trigger of a run, for what its function raises."""
    cloud.start(payload)
    cloud.deliver(cloud.backend.queue.pop())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("for _ in range(2): workflow.invoke_serverless_function(second)  # edge 0", RepeatedCallError),
        ("workflow.invoke_serverless_function(second)\n    1  # edge 0", CallSiteError),
        ("workflow.invoke_serverless_function(print)  # edge 0", InvalidDefinitionError),
        ("workflow.invoke_serverless_function(second, object())  # edge 0", PayloadError),
        ("workflow.get_predecessor_data()  # edge 0", NotASyncNodeError),
    ],
)
def test_misuse_is_refused_and_the_delivery_fails(deploy: PackageWriter, body: str, error: type[Exception]) -> None:
    source = CHAIN.replace("workflow.invoke_serverless_function(second, event)  # edge 0", body)
    cloud = deploy(source, *CHAIN_SHAPE)

    with pytest.raises(error):
        failing_first(cloud)
    assert cloud.records_of("node_failed")[0]["error"] == error.__name__
    assert cloud.records_of("node_finished") == []


def test_a_thread_of_the_developer_is_not_the_run(deploy: PackageWriter) -> None:
    source = CHAIN.replace(
        "    workflow.invoke_serverless_function(second, event)  # edge 0",
        """
    import threading
    def call():
        try:
            workflow.invoke_serverless_function(second, event)  # edge 0
        except Exception as error:
            log.append(error)
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
""",
    )
    (_, error) = run(deploy(source, *CHAIN_SHAPE))

    assert isinstance(error, OutsideRunError)


# --- joins and declines --------------------------------------------------------------------------------------


def test_a_join_reads_what_was_passed_in_edge_order(deploy: PackageWriter) -> None:
    results = run(deploy(JOIN, *JOIN_SHAPE), b"\xff")[2]

    assert [(result.payload, result.function, result.node, result.edge) for result in results] == [
        (b"\xff", "first", "first:0", 1),
        ("from second", "second", "second:1", 2),
    ]


def test_absence_and_none_are_told_apart_in_a_join(deploy: PackageWriter) -> None:
    source = JOIN.replace("(join, event)  # edge 1", "(join)  # edge 1").replace('"from second"', "None")
    results = run(deploy(source, *JOIN_SHAPE))[2]

    assert [(result.payload, result.has_payload) for result in results] == [(None, False), (None, True)]


def test_two_calls_of_one_join_are_two_results(deploy: PackageWriter) -> None:
    source = """
    @workflow.serverless_function(entry_point=True)
    def first(event):
        workflow.invoke_serverless_function(join, "same")  # edge 0
        workflow.invoke_serverless_function(join, "same")  # edge 1

    @workflow.serverless_function()
    def join(event):
        log.append((event, workflow.get_predecessor_data()))
    """

    assert run(deploy(source, [("first", False), ("join", True)], [(0, 1), (0, 1)])) == [(None, ["same", "same"])]


FLAGS = """
@workflow.serverless_function(entry_point=True)
def initial(event):
    workflow.invoke_serverless_function(sync, "one", event[0])  # edge 0
    if event[1]:
        workflow.invoke_serverless_function(sync, "two")  # edge 1
    workflow.invoke_serverless_function(second, "three", conditional=event[2])  # edge 2

@workflow.serverless_function()
def sync(event):
    log.append(("sync", workflow.get_predecessor_data()))
    workflow.invoke_serverless_function(second, "four", conditional=CALLS_SECOND)  # edge 3

@workflow.serverless_function()
def second(event):
    log.append(("second", workflow.get_predecessor_data()))
"""
FLAGS_SHAPE = ([("initial", False), ("sync", True), ("second", True)], [(0, 1), (0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("flags", list(itertools.product([False, True], repeat=4)))
def test_a_join_behind_a_join_for_every_combination_of_conditions(
    deploy: PackageWriter, flags: tuple[bool, bool, bool, bool]
) -> None:
    cloud = deploy(FLAGS + f"\nCALLS_SECOND = {flags[3]}\n", *FLAGS_SHAPE)

    log = run(cloud, flags[:3])

    to_sync = [name for name, flag in zip(["one", "two"], flags, strict=False) if flag]
    to_second = ["three"] * flags[2] + ["four"] * bool(to_sync and flags[3])
    expected = [("sync", to_sync)] * bool(to_sync) + [("second", to_second)] * bool(to_second)
    assert log == expected
    assert cloud.dead_letters == []
    # Every edge ends exactly once: called, or declined.
    called = [record["edge"] for record in cloud.records_of("edge_called")]
    declined = [record["edge"] for record in cloud.records_of("edge_declined")]
    assert sorted(called + declined) == [0, 1, 2, 3]


def test_a_decline_is_recorded_where_the_branch_died(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN.replace("def first(event):", "def first(event):\n    return"), *JOIN_SHAPE)
    run(cloud)

    declined = [(record["edge"], record["node"], record["origin"]) for record in cloud.records_of("edge_declined")]
    assert declined == [(0, 0, 0), (1, 0, 0), (2, 1, 0)]
    reports = [(record["edge"], record["state"], record["complete"]) for record in cloud.records_of("sync_reported")]
    assert reports == [(1, "declined", False), (2, "declined", True)]


def test_if_the_function_raises_nothing_is_declined_and_the_retry_decides(deploy: PackageWriter) -> None:
    source = JOIN.replace(
        '    log.append("first")\n',
        '    log.append("first")\n    if len(log) == 1:\n        raise ValueError("once")\n',
    )
    cloud = deploy(source, *JOIN_SHAPE)
    cloud.start("x")
    with pytest.raises(ValueError, match="once"):
        cloud.deliver(cloud.backend.queue[0])
    assert cloud.records_of("edge_declined") == []
    assert all(key[1] != SYNC_STATUS for key in cloud.backend.items)

    cloud.deliver_all()

    log = log_of(cloud)
    assert log[:3] == ["first", "first", "second"]
    assert [result.payload for result in log[3]] == ["x", "from second"]


def test_a_join_is_read_in_the_region_it_is_placed_in(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 0, 1, 2))
    run(cloud)

    for table in (SYNC_STATUS, SYNC_PAYLOADS):
        assert {key[0] for key in cloud.backend.items if key[1] == table} == {"ca-central-1"}
    assert [(record["node"], record["region"]) for record in cloud.records_of("node_started")] == [
        (0, "us-east-1"),
        (1, "us-west-2"),
        (2, "ca-central-1"),
    ]


def test_the_state_of_a_run_expires(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    run(cloud)
    cloud.now += 8 * 86400

    tables = {key[1] for key in cloud.backend.items}
    assert tables == {SYNC_STATUS, SYNC_PAYLOADS, CLAIMS}
    assert all(cloud.backend.get(*key) is None for key in cloud.backend.items)


def test_a_lost_payload_is_not_taken_for_nothing(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.start()
    for _ in range(2):
        cloud.deliver(cloud.backend.queue.pop(0))
    for key in [key for key in cloud.backend.items if key[1] == SYNC_PAYLOADS]:
        del cloud.backend.items[key]

    with pytest.raises(DamagedStateError, match="payload of edge 1"):
        cloud.deliver(cloud.backend.queue.pop(0))


def test_of_two_large_payloads_of_one_edge_the_first_stays(deploy: PackageWriter) -> None:
    """As of two small ones: the object of the second is another."""
    cloud = deploy(JOIN.replace("(join, event)  # edge 1", "(join, event * len(log))  # edge 1"), *JOIN_SHAPE)
    cloud.start("x" * (INLINE_LIMIT_BYTES - 10))
    trigger = cloud.backend.queue.pop()
    first = cloud.application(trigger.region, "first")
    log_of(cloud).append("warm-up")  # so that the first payload is large already
    for request in ("one", "two"):
        first.handle({"Records": [{"Sns": {"Message": trigger.body}}]}, TestContext(request))

    cloud.deliver_all()

    results = next(entry for entry in log_of(cloud) if isinstance(entry, tuple))
    assert [len(result.payload) for result in results if result.edge == 1] == [2 * (INLINE_LIMIT_BYTES - 10)]


# --- duplicates and retries ----------------------------------------------------------------------------------


def until_the_join_fires(cloud: MemoryCloud) -> None:
    cloud.start()
    for _ in range(2):
        cloud.deliver(cloud.backend.queue.pop(0))
    assert len(cloud.backend.queue) == 1


def test_a_firing_that_comes_twice_runs_once(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    until_the_join_fires(cloud)
    firing = cloud.backend.queue.pop()

    outcomes = [
        cloud.application(firing.region, "join").handle(
            {"Records": [{"Sns": {"Message": firing.body}}]}, TestContext(request_id)
        )
        for request_id in ("one", "one", "two")
    ]

    assert [answer["deliveries"][0]["outcome"] for answer in outcomes] == [  # type: ignore[index]  # plain JSON
        "finished",
        "duplicate",
        "duplicate",
    ]
    assert len(log_of(cloud)) == 3
    assert [record["req"] for record in cloud.records_of("duplicate")] == ["one", "two"]


def test_a_failed_join_gives_its_claim_back(deploy: PackageWriter) -> None:
    source = JOIN.replace("def join():\n", "def join():\n    if len(log) == 2:\n        log.append(0)\n        1 / 0\n")
    cloud = deploy(source, *JOIN_SHAPE)
    until_the_join_fires(cloud)
    firing = cloud.backend.queue.pop()
    event = {"Records": [{"Sns": {"Message": firing.body}}]}
    with pytest.raises(ZeroDivisionError):
        cloud.application(firing.region, "join").handle(event, TestContext("one"))

    answer = cloud.application(firing.region, "join").handle(event, TestContext("another"))

    assert answer["deliveries"][0]["outcome"] == "finished"  # type: ignore[index]  # plain JSON


class ProcessDiedError(BaseException):
    """What a test lets an operation raise in place of a death of the process."""


def test_a_join_whose_process_died_is_taken_over(deploy: PackageWriter) -> None:
    """By its own retry at once where the platform retries at once, by others when the lease is over."""
    cloud = deploy(JOIN, *JOIN_SHAPE)
    until_the_join_fires(cloud)
    firing = cloud.backend.queue.pop()
    event = {"Records": [{"Sns": {"Message": firing.body}}]}
    join = cloud.application(firing.region, "join")

    is_dead = False

    def die(moment: str, operation: str, region: str) -> None:
        nonlocal is_dead
        is_dead = is_dead or operation == "query"
        if is_dead:
            raise ProcessDiedError

    cloud.backend.hook = die
    for _ in range(2):  # the same request id: at once
        is_dead = False
        with pytest.raises(ProcessDiedError):
            join.handle(event, TestContext("one", remaining_ms=10_000))
    cloud.backend.hook = None

    cloud.now += 14  # time limit and grace are not over
    assert join.handle(event, TestContext("two"))["deliveries"][0]["outcome"] == "duplicate"  # type: ignore[index]
    cloud.now += 1
    assert join.handle(event, TestContext("two"))["deliveries"][0]["outcome"] == "finished"  # type: ignore[index]


def test_an_event_that_the_queue_hands_out_twice_at_once_comes_again_later(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.backend.earliest_retry_s = 60.0
    until_the_join_fires(cloud)
    firing = cloud.backend.queue.pop()
    event = {"Records": [{"Sns": {"Message": firing.body}}]}
    join = cloud.application(firing.region, "join")
    second: list[Exception] = []

    def deliver_again(moment: str, operation: str, region: str) -> None:
        if operation == "query" and moment == "before" and not second:
            cloud.now += 59
            second.append(ClaimHeldError())
            with pytest.raises(ClaimHeldError) as caught:
                join.handle(event, TestContext("one", remaining_ms=900_000))
            second[0] = caught.value

    cloud.backend.hook = deliver_again
    answer = join.handle(event, TestContext("one", remaining_ms=900_000))

    assert answer["deliveries"][0]["outcome"] == "finished"  # type: ignore[index]  # plain JSON
    assert "repeated later" in str(second[0])
    assert len(log_of(cloud)) == 3


@pytest.mark.parametrize("operation", ["put", "set_if_absent", "publish"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2])
def test_an_operation_that_fails_once_anywhere_costs_a_retry_and_nothing_else(
    deploy: PackageWriter, operation: str, moment: str, nth: int
) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.start("x")
    seen = itertools.count(1)

    def fail(at: str, name: str, region: str) -> None:
        if (at, name) == (moment, operation) and next(seen) == nth:
            raise BackendError("broken", operation=name, region=region, outcome_unknown=moment == "after")

    cloud.backend.hook = fail
    cloud.deliver_all()

    assert cloud.dead_letters == []
    results = [entry for entry in log_of(cloud) if isinstance(entry, tuple)]
    assert [[result.payload for result in joined] for joined in results] == [["x", "from second"]]
    assert next(seen) > nth


# --- regions -------------------------------------------------------------------------------------------------


def regions_of(cloud: MemoryCloud, record_type: str = "node_started") -> list[tuple[int, str]]:
    return [(record["node"], record["region"]) for record in cloud.records_of(record_type)]


def test_a_run_goes_where_the_plan_places_it_and_is_forwarded_once(deploy: PackageWriter) -> None:
    cloud = deploy(CHAIN, *CHAIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 1, 2))
    run(cloud, "x")

    assert regions_of(cloud) == [(0, "us-west-2"), (1, "ca-central-1")]
    (forwarded,) = cloud.records_of("run_forwarded")
    assert (forwarded["region"], forwarded["to"]) == ("us-east-1", "us-west-2")
    (started,) = cloud.records_of("run_started")
    assert (started["forwarded"], started["reason"], started["plan"], started["key"]) == (True, "plan", 3, 0)
    assert (started["place"], started["sent"], started["bytes"]) == ("12", START_TIME, 3)
    assert started["manifest"] == cloud.manifest.id
    assert [record["hop"] for record in cloud.records_of("node_started")] == [1, 2]


def test_a_call_that_its_region_does_not_take_goes_home(deploy: PackageWriter) -> None:
    cloud = deploy(CHAIN, *CHAIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 0, 2))
    cloud.backend.unavailable_regions.add("ca-central-1")
    run(cloud, "x")

    assert regions_of(cloud) == [(0, "us-east-1"), (1, "us-east-1")]
    (called,) = cloud.records_of("edge_called")
    assert (called["to"], called["fallback"]) == ("us-east-1", True)


def test_a_call_that_nobody_takes_fails_the_function(deploy: PackageWriter) -> None:
    cloud = deploy(CHAIN, *CHAIN_SHAPE)
    cloud.start("x")
    trigger = cloud.backend.queue.pop()
    cloud.application("us-east-1", "first").handle({}, None)
    cloud.backend.unavailable_regions.update(cloud.manifest.regions)

    with pytest.raises(BackendError, match="publish in us-east-1 failed"):
        cloud.deliver(trigger)
    assert cloud.records_of("node_failed")[0]["error"] == "BackendError"
    assert cloud.records_of("edge_declined") == []


@pytest.mark.parametrize("shape", ["chain", "join"])
def test_a_run_whose_entry_region_is_down_goes_home_as_a_whole(deploy: PackageWriter, shape: str) -> None:
    cloud = deploy(CHAIN, *CHAIN_SHAPE) if shape == "chain" else deploy(JOIN, *JOIN_SHAPE)
    nodes = len(cloud.manifest.nodes)
    cloud.set_plan(plan_of(cloud, *[1] * nodes))
    cloud.backend.unavailable_regions.add("us-west-2")
    run(cloud, "x")

    assert regions_of(cloud) == [(node, "us-east-1") for node in range(nodes)]
    (started,) = cloud.records_of("run_started")
    assert (started["reason"], started["key"], started["forwarded"]) == ("region_unavailable", "home", False)
    assert cloud.records_of("run_forwarded") == []


def test_if_the_entry_region_may_have_taken_the_trigger_the_placement_stays(deploy: PackageWriter) -> None:
    """Then two entry functions run, as after any repeated delivery, but they meet at one join."""
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 1, 1, 2))
    cloud.start("x")

    def lose_the_answer(moment: str, operation: str, region: str) -> None:
        if (moment, operation, region) == ("after", "publish", "us-west-2"):
            cloud.backend.hook = None
            raise BackendError("lost", operation=operation, region=region, outcome_unknown=True)

    cloud.backend.hook = lose_the_answer
    cloud.deliver_all()

    assert [entry for entry in regions_of(cloud) if entry[0] == 0] == [(0, "us-east-1"), (0, "us-west-2")]
    assert [entry for entry in regions_of(cloud, "node_finished") if entry[0] == 2] == [(2, "ca-central-1")]


def test_a_trigger_that_comes_again_after_it_was_handed_on_keeps_its_placement(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 1, 1, 2))
    cloud.start("x")
    trigger = cloud.backend.queue[0]
    cloud.deliver(cloud.backend.queue.pop())
    cloud.backend.unavailable_regions.add("us-west-2")
    cloud.deliver(trigger)
    cloud.backend.unavailable_regions.clear()
    cloud.deliver_all()

    assert [entry for entry in regions_of(cloud, "node_finished") if entry[0] == 2] == [(2, "ca-central-1")]


def test_a_sync_node_that_falls_back_home_reads_what_was_left_where_it_was_planned(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 0, 0, 2))

    def refuse_messages(moment: str, operation: str, region: str) -> None:
        if (operation, region) == ("publish", "ca-central-1"):
            raise BackendError("refused", operation=operation, region=region)

    cloud.backend.hook = refuse_messages
    log = run(cloud, "x")

    assert regions_of(cloud, "node_finished")[-1] == (2, "us-east-1")
    assert [result.payload for result in log[2]] == ["x", "from second"]


def test_a_large_payload_goes_by_the_object_store_of_the_receiver(deploy: PackageWriter) -> None:
    cloud = deploy(JOIN, *JOIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 0, 1, 2))
    large = "x" * (INLINE_LIMIT_BYTES + 1)
    log = run(cloud, large)

    assert log[2][0].payload == large
    assert [region for region, _ in cloud.backend.objects] == ["ca-central-1"]
    assert [record.get("large") for record in cloud.records_of("edge_called")] == [None, True, None]


def test_a_large_payload_of_a_plain_call_does_too(deploy: PackageWriter) -> None:
    cloud = deploy(CHAIN.replace("(second, event)", "(second, event * 250_000)"), *CHAIN_SHAPE)
    cloud.set_plan(plan_of(cloud, 0, 1))

    assert run(cloud, "y")[1] == ("second", "y" * 250_000)
    assert [region for region, _ in cloud.backend.objects] == ["us-west-2"]
    assert cloud.records_of("edge_called")[0]["large"] is True


# --- results -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "logged"),
    [
        ("{'sum': 3}", {"sum": 3}),
        ("0", 0),
        ("''", ""),
        ("None", None),
        ("object()", None),
        ("float('nan')", None),
        ("'x' * 9000", None),
    ],
)
def test_a_last_node_logs_a_result_that_is_json_and_short(
    deploy: PackageWriter, expression: str, logged: object
) -> None:
    source = CHAIN.replace("# edge 0", "# edge 0\n    return 'not the last'") + f"    return {expression}\n"
    cloud = deploy(source, *CHAIN_SHAPE)
    cloud.start()
    for region, function in [("us-east-1", "first"), ("us-east-1", "second")]:
        application = Application(
            load_package(cloud.root, function), cloud.backend, region, stream=cloud.stream, logs_results=True
        )
        body = cloud.backend.queue.pop().body
        application.handle({"Records": [{"Sns": {"Message": body}}]}, TestContext("r"))

    assert [record.get("result") for record in cloud.records_of("node_finished")] == [None, logged]


def test_results_are_not_logged_unless_it_is_asked_for(deploy: PackageWriter) -> None:
    cloud = deploy(CHAIN + "    return 'secret'\n", *CHAIN_SHAPE)
    run(cloud)

    assert "secret" not in cloud.stream.getvalue()
