from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.sdk.application import PROBE, Application, load_package
from multi_x_serverless.sdk.envelope import new_trigger
from multi_x_serverless.sdk.errors import OtherManifestError, PackageError
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest, ManifestError
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload, PayloadReference
from multi_x_serverless.testing import MemoryBackend, MemoryCloud, TestContext
from tests.unit.sdk.conftest import PackageWriter

SOURCE = """
@workflow.serverless_function(entry_point=True)
def first(event):
    log.append(event)
    workflow.invoke_serverless_function(second, event)  # edge 0

@workflow.serverless_function()
def second(event):
    log.append(event)
"""
SHAPE = ([("first", False), ("second", False)], [(0, 1)])


@pytest.fixture
def cloud(deploy: PackageWriter) -> MemoryCloud:
    return deploy(SOURCE, *SHAPE)


def first(cloud: MemoryCloud) -> Application:
    return cloud.application("us-east-1", "first")


def sns(*bodies: object) -> dict[str, object]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": body}} for body in bodies]}


def test_a_probe_is_answered_and_runs_nothing(cloud: MemoryCloud) -> None:
    answer = first(cloud).handle({PROBE: "nonce"}, TestContext("r"))

    assert answer == {"probe": "nonce", "manifest": cloud.manifest.id, "function": "first", "region": "us-east-1"}
    assert cloud.records == []
    assert cloud.backend.queue == []


@pytest.mark.parametrize(
    "event", [{}, None, [], "text", {"Records": []}, {"Records": None}, {"Records": "x"}, {"detail": {}}]
)
def test_an_event_of_nobody_is_rejected_and_not_retried(cloud: MemoryCloud, event: object) -> None:
    assert first(cloud).handle(event, TestContext("r")) == {
        "deliveries": [{"outcome": "rejected", "reason": "unknown_event"}]
    }
    (record,) = cloud.records
    assert (record["t"], record["reason"], record["run"], record["req"]) == ("rejected", "unknown_event", "", "r")


@pytest.mark.parametrize("event", [{"Records": [5]}, {"Records": [{}]}, {"Records": [{"Sns": 1}]}, sns(None), sns("{")])
def test_a_damaged_notification_is_rejected(cloud: MemoryCloud, event: object) -> None:
    assert first(cloud).handle(event, TestContext("r")) == {
        "deliveries": [{"outcome": "rejected", "reason": "malformed"}]
    }


def test_a_message_for_another_function_runs_nothing(cloud: MemoryCloud) -> None:
    body = new_trigger(cloud.manifest, ABSENT_PAYLOAD, now=0.0).encode()

    answer = cloud.application("us-east-1", "second").handle(sns(body), TestContext("r"))

    assert answer == {"deliveries": [{"outcome": "rejected", "reason": "other_function"}]}
    assert [record["t"] for record in cloud.records] == ["rejected"]


def test_a_message_of_another_deployment_fails_so_that_it_comes_again(cloud: MemoryCloud) -> None:
    document = json.loads(new_trigger(cloud.manifest, ABSENT_PAYLOAD, now=0.0).encode())

    with pytest.raises(OtherManifestError):
        first(cloud).handle(sns(json.dumps({**document, "mf": "000000000000"})), TestContext("r"))
    assert cloud.records_of("rejected")[0]["reason"] == "other-manifest"


def test_every_notification_of_an_event_is_handled(cloud: MemoryCloud) -> None:
    bodies = [
        new_trigger(cloud.manifest, Payload.of(value), now=0.0, run_id=f"run-{value}").encode() for value in (1, 2)
    ]

    answer = first(cloud).handle(sns(*bodies), TestContext("r"))

    assert answer == {"deliveries": [{"run": f"run-{value}", "node": 0, "outcome": "finished"} for value in (1, 2)]}


def test_what_the_function_returns_is_not_part_of_the_answer(deploy: PackageWriter) -> None:
    cloud = deploy(SOURCE.replace("# edge 0", "# edge 0\n    return object()"), *SHAPE)
    run_id = cloud.start()

    answer = cloud.deliver(cloud.backend.queue.pop())

    assert answer == {"deliveries": [{"run": run_id, "node": 0, "outcome": "finished"}]}


def test_a_large_trigger_is_read_from_the_object_store(cloud: MemoryCloud) -> None:
    trigger = new_trigger(cloud.manifest, ABSENT_PAYLOAD, now=0.0, run_id="big")
    cloud.backend.put_object("us-west-2", "payloads/example-0.0.1/big/trigger", b'{"large": true}')
    index = cloud.manifest.regions.index("us-west-2")
    document = {**json.loads(trigger.encode()), "payload": json.loads(PayloadReference(index, "json", 15).wire_text())}

    first(cloud).handle(sns(json.dumps(document)), TestContext("r"))

    assert cloud.records_of("run_started")[0]["bytes"] == 15
    assert json.loads(cloud.backend.queue[0].body)["payload"] == {"j": {"large": True}}


def test_only_the_first_invocation_of_a_container_is_cold(deploy: PackageWriter) -> None:
    cloud = deploy(SOURCE, *SHAPE)
    application = Application(
        load_package(cloud.root, "second"), cloud.backend, "us-east-1", stream=cloud.stream, init_s=0.25
    )
    for attempt in range(2):
        cloud.start(attempt)
        cloud.deliver(cloud.backend.queue.pop(0))
        application.handle(sns(cloud.backend.queue.pop(0).body), TestContext("r"))

    finished = [record for record in cloud.records_of("node_finished") if record["node"] == 1]
    assert [(record["cold"], record.get("init")) for record in finished] == [(True, 0.25), (False, None)]
    started = [record for record in cloud.records_of("node_started") if record["node"] == 1]
    assert [record["cold"] for record in started] == [True, False]


def test_real_threads_send_what_inline_calls_send(deploy: PackageWriter) -> None:
    cloud = deploy(SOURCE, *SHAPE)
    application = Application(load_package(cloud.root, "first"), cloud.backend, "us-east-1", stream=cloud.stream)

    for _ in range(20):
        cloud.start("x")
        application.handle(sns(cloud.backend.queue.pop(0).body), TestContext("r"))
        assert json.loads(cloud.backend.queue.pop(0).body)["payload"] == {"j": "x"}
    assert cloud.backend.queue == []


def test_records_survive_a_redirected_standard_output(deploy: PackageWriter) -> None:
    redirect = "    import contextlib, io\n    with contextlib.redirect_stdout(io.StringIO()):\n    "
    cloud = deploy(SOURCE.replace("    workflow.invoke", redirect + "    workflow.invoke"), *SHAPE)
    cloud.start()
    cloud.deliver(cloud.backend.queue.pop())

    assert [record["t"] for record in cloud.records] == ["run_started", "node_started", "edge_called", "node_finished"]


# --- packages ------------------------------------------------------------------------------------------------


def rewrite(cloud: MemoryCloud, **members: Any) -> None:
    file = cloud.root / MANIFEST_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **members}))


def test_a_package_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no readable manifest"):
        load_package(tmp_path, "first")


def test_a_damaged_manifest_is_refused(cloud: MemoryCloud) -> None:
    (cloud.root / MANIFEST_FILE).write_text("{}")

    with pytest.raises(ManifestError, match="deploy again"):
        load_package(cloud.root, "first")


def test_a_function_that_the_package_does_not_have_is_refused(cloud: MemoryCloud) -> None:
    with pytest.raises(PackageError, match="no function 'third'"):
        load_package(cloud.root, "third")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"variable": "log"}, "'log' in module"),
        ({"variable": "missing"}, "is None, not workflow"),
        ({"workflow": "example-9.9.9"}, "not workflow 'example-9.9.9'"),
        (
            {"functions": [{"name": "first", "attribute": "gone", "topic": "t", "delivery": "at_least_once"}]},
            "defines no function 'first'",
        ),
        (
            {"functions": [{"name": "first", "attribute": "log", "topic": "t", "delivery": "at_least_once"}]},
            "defines no function 'first'",
        ),
    ],
)
def test_a_package_whose_parts_do_not_fit_is_refused(cloud: MemoryCloud, members: dict[str, Any], message: str) -> None:
    rewrite(cloud, **members)

    with pytest.raises(PackageError, match=message):
        load_package(cloud.root, "first")


def test_the_manifest_identifies_itself_by_its_content(cloud: MemoryCloud) -> None:
    text = (cloud.root / MANIFEST_FILE).read_text()

    assert Manifest.from_json(text).to_json() == text
    assert Manifest.from_json(text).id == json.loads(text)["id"]
    rewrite(cloud, home_share=0.9)
    assert Manifest.from_json((cloud.root / MANIFEST_FILE).read_text()).id != json.loads(text)["id"]


def test_without_a_context_an_invocation_still_runs(cloud: MemoryCloud) -> None:
    backend = MemoryBackend(lambda: cloud.now)
    application = Application(load_package(cloud.root, "first"), backend, "us-east-1", stream=io.StringIO())

    answer = application.handle(sns(new_trigger(cloud.manifest, Payload.of(1), now=0.0, run_id="r").encode()), None)

    assert answer == {"deliveries": [{"run": "r", "node": 0, "outcome": "finished"}]}
