"""The workflow's own objects: keys, where they lie, and the bytes that they move."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from multi_x_serverless import MultiXServerlessWorkflow
from multi_x_serverless.cloud.aws.objects import AwsObjectStore
from multi_x_serverless.sdk.errors import (
    BackendError,
    InvalidObjectKeyError,
    ObjectNotFoundError,
    OutsideRunError,
    PayloadError,
)
from multi_x_serverless.sdk.objects import (
    LONGEST_KEY_BYTES,
    OBJECT_PREFIX,
    workflow_object_key,
    workflow_object_prefix,
)
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.tables import PAYLOAD_OBJECT_PREFIX
from multi_x_serverless.testing import START_TIME, MemoryCloud
from tests.unit.sdk.conftest import PackageWriter

HOME, AWAY = "us-east-1", "us-west-2"

COPY = """
@workflow.serverless_function(entry_point=True)
def copy(event):
    body = workflow.read_object(event["from"])
    workflow.write_object(event["to"], event.get("body", body + body))
"""
COPY_SHAPE: tuple[list[tuple[str, bool]], list[tuple[int, int]]] = ([("copy", False)], [])


def deliver(cloud: MemoryCloud, payload: object) -> None:
    """Deliver the trigger of a run, for what its function raises."""
    cloud.start(payload)
    cloud.deliver(cloud.backend.queue.pop())


@pytest.mark.parametrize("key", ["a", "a/b.png", "ä/ö", "x" * 512, "...", "a..b/..c", "a//b", " a b ", "日" * 300])
def test_keys_lie_below_the_workflows_prefix(key: str) -> None:
    assert workflow_object_key("w-0.0.1", key) == f"objects/w-0.0.1/{key}"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "it has 0 characters"),
        ("x" * 513, "it has 513 characters, not 1 to 512"),
        ("/a", "it begins with '/'"),
        ("..", "it has a '..' between slashes"),
        ("a/../b", "it has a '..' between slashes"),
        ("a/..", "it has a '..' between slashes"),
        ("a\nb", "it holds a control character"),
        ("a\x7f", "it holds a control character"),
        ("a\x85", "it holds a control character"),
        ("a\ud800", "half a surrogate pair"),
        ("日" * 301, "it has 903 bytes in UTF-8, more than 900"),
        (b"a", "it is of type bytes, not a text"),
        (None, "it is of type NoneType, not a text"),
    ],
)
def test_keys_that_are_refused(key: Any, words: str) -> None:
    with pytest.raises(InvalidObjectKeyError) as caught:
        workflow_object_key("w-0.0.1", key)
    assert words in str(caught.value)
    assert "use a path such as" in str(caught.value)
    assert caught.value.code == "invalid-object-key"


def test_the_longest_key_of_the_longest_workflow_fits_into_s3() -> None:
    workflow = MultiXServerlessWorkflow(name="w" * 64, version="123456.123456.123456")
    assert len(workflow_object_prefix(workflow.id).encode()) + LONGEST_KEY_BYTES <= 1024


def test_no_rule_that_expires_the_state_of_runs_reaches_them() -> None:
    assert not OBJECT_PREFIX.startswith(PAYLOAD_OBJECT_PREFIX)
    assert not PAYLOAD_OBJECT_PREFIX.startswith(OBJECT_PREFIX)


def test_objects_lie_at_home_wherever_the_function_runs(deploy: PackageWriter) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    cloud.set_plan(PlanReplica(1, cloud.manifest.id, START_TIME + 1e5, 0.0, cloud.manifest.regions, ((0, (1,)),)))
    cloud.backend.put_object(HOME, "objects/example-0.0.1/in/a", b"12345")
    cloud.start({"from": "in/a", "to": "out/a"})
    cloud.deliver_all()

    assert cloud.dead_letters == []
    assert cloud.backend.objects == {
        (HOME, "objects/example-0.0.1/in/a"): b"12345",
        (HOME, "objects/example-0.0.1/out/a"): b"1234512345",
    }
    (finished,) = cloud.records_of("node_finished")
    assert finished["region"] == AWAY
    assert finished["network"] == {HOME: [5, 10]}


def test_bytes_to_the_home_region_count_at_home_too(deploy: PackageWriter) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    cloud.backend.put_object(HOME, "objects/example-0.0.1/a", b"12345")
    for _ in range(2):
        deliver(cloud, {"from": "a", "to": "b"})

    assert [record["network"] for record in cloud.records_of("node_finished")] == [{HOME: [5, 10]}] * 2


def test_a_cloud_that_shows_its_traffic_is_not_counted_twice(
    deploy: PackageWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    monkeypatch.setattr(type(cloud.backend), "shows_traffic", True)
    cloud.backend.put_object(HOME, "objects/example-0.0.1/a", b"12345")
    deliver(cloud, {"from": "a", "to": "b"})

    assert cloud.records_of("node_finished")[0]["network"] == {}


def test_a_missing_object_is_named_as_the_developer_names_it(deploy: PackageWriter) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    with pytest.raises(ObjectNotFoundError) as caught:
        deliver(cloud, {"from": "in/a", "to": "out/a"})

    assert (caught.value.code, caught.value.key, caught.value.region) == ("object-not-found", "in/a", HOME)
    assert str(caught.value) == (
        "there is no object 'in/a' in us-east-1; "
        "'multi_x_serverless objects list example-0.0.1' shows those that there are"
    )
    assert cloud.records_of("node_failed")[0]["error"] == "ObjectNotFoundError"


def test_objects_of_other_workflows_are_out_of_reach(deploy: PackageWriter) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    cloud.backend.put_object(HOME, "objects/example-0.0.10/a", b"x")
    with pytest.raises(ObjectNotFoundError):
        deliver(cloud, {"from": "a", "to": "b"})
    with pytest.raises(InvalidObjectKeyError):
        deliver(cloud, {"from": "../example-0.0.10/a", "to": "b"})


def test_only_bytes_are_stored(deploy: PackageWriter) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    cloud.backend.put_object(HOME, "objects/example-0.0.1/a", b"")
    with pytest.raises(PayloadError, match=r"object 'b' is of type str, not bytes; text becomes bytes by text.encode"):
        deliver(cloud, {"from": "a", "to": "b", "body": "text"})
    assert (HOME, "objects/example-0.0.1/b") not in cloud.backend.objects


def test_what_is_stored_no_longer_changes(deploy: PackageWriter) -> None:
    source = """
@workflow.serverless_function(entry_point=True)
def first():
    body = bytearray(b"before")
    workflow.write_object("a", body)
    body[:] = b"after"
    workflow.write_object("b", memoryview(body))
"""
    cloud = deploy(source, [("first", False)], [])
    deliver(cloud, None)

    assert cloud.backend.objects == {
        (HOME, "objects/example-0.0.1/a"): b"before",
        (HOME, "objects/example-0.0.1/b"): b"after",
    }


def test_a_home_region_that_is_out_fails_the_node(deploy: PackageWriter) -> None:
    cloud = deploy(COPY, *COPY_SHAPE)
    cloud.start({"from": "a", "to": "b"})
    cloud.backend.unavailable_regions.add(HOME)
    with pytest.raises(BackendError, match="get_object in us-east-1"):
        cloud.deliver(cloud.backend.queue.pop())


def test_there_are_no_objects_outside_of_a_run() -> None:
    workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")
    with pytest.raises(OutsideRunError, match="'read_object' of workflow 'example-0"):
        workflow.read_object("a")
    with pytest.raises(OutsideRunError, match="'write_object' of workflow 'example-0"):
        workflow.write_object("a", b"")


def test_a_thread_of_the_developer_has_none(deploy: PackageWriter) -> None:
    source = """
@workflow.serverless_function(entry_point=True)
def first():
    import threading

    def read():
        try:
            workflow.read_object("a")
        except Exception as error:
            log.append(type(error).__name__)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
"""
    cloud = deploy(source, [("first", False)], [])
    cloud.start(None)
    cloud.deliver_all()

    assert importlib.import_module(cloud.manifest.module).log == ["OutsideRunError"]


def test_the_bucket_is_swept_of_payloads_only() -> None:
    rules: list[Any] = []

    class Client:
        def __getattr__(self, name: str) -> Any:
            return lambda **arguments: rules.append(arguments) if "lifecycle" in name else None

    class Session:
        tag_list: tuple[()] = ()

        def account_id(self) -> str:
            return "123456789012"

    store = AwsObjectStore(Session())  # type: ignore[arg-type]  # as much of one as is used
    store._configure_bucket(Client(), HOME)  # type: ignore[arg-type]

    (configuration,) = (entry["LifecycleConfiguration"]["Rules"] for entry in rules)
    assert [rule["Filter"] for rule in configuration] == [{"Prefix": "payloads/"}]
