from __future__ import annotations

import importlib

import pytest

from multi_x_serverless.sdk.errors import BackendError
from multi_x_serverless.testing import RETRIES, InlineExecutor
from tests.unit.sdk.conftest import PackageWriter

FAILING = """
@workflow.serverless_function(entry_point=True)
def first(event):
    log.append(event)
    if event == "fail":
        raise ValueError(event)
"""


def test_a_message_that_always_fails_is_dead_lettered_after_its_retries(deploy: PackageWriter) -> None:
    cloud = deploy(FAILING, [("first", False)], [])
    cloud.start("fail")
    cloud.start("fine")
    cloud.deliver_all()

    assert importlib.import_module(cloud.manifest.module).log == ["fail", "fine", *["fail"] * RETRIES]
    assert [letter.attempts for letter in cloud.dead_letters] == [RETRIES]
    assert [record["error"] for record in cloud.records_of("node_failed")] == ["ValueError"] * 3


def test_messages_are_delivered_in_the_order_that_is_chosen(deploy: PackageWriter) -> None:
    cloud = deploy(FAILING, [("first", False)], [])
    for number in range(3):
        cloud.start(number)
    cloud.deliver_all(choose=lambda length: length - 1)

    assert importlib.import_module(cloud.manifest.module).log == [2, 1, 0]


def test_an_unavailable_region_refuses_every_operation(deploy: PackageWriter) -> None:
    cloud = deploy(FAILING, [("first", False)], [])
    cloud.backend.unavailable_regions.add("us-east-1")

    with pytest.raises(BackendError, match="unavailable"):
        cloud.start()
    assert cloud.backend.queue == []


def test_the_inline_executor_keeps_errors_for_whoever_asks() -> None:
    future = InlineExecutor().submit(int, "no number")

    assert isinstance(future.exception(), ValueError)
    assert InlineExecutor().submit(int, "5").result() == 5
