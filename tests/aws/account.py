"""An AWS account for tests: moto in this process for the code under test, and as a server for everybody else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler
from moto.logs.models import LogGroup
from moto.moto_server import threaded_moto_server
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sns.responses import SNSResponse

from tests.aws.function_plane import FunctionPlane
from tests.aws.policies import Guard
from tests.aws.price_list import PriceListStub


@dataclass(frozen=True)
class AwsAccount:
    """What a test needs to know of the account.

    Attributes:
        endpoint: Address of the server, for `AWS_ENDPOINT_URL` of other processes.
        plane: What runs the functions.
        guard: What holds them to their roles' policies.
        price_list: What answers for the Price List API.
    """

    endpoint: str
    plane: FunctionPlane
    guard: Guard
    price_list: PriceListStub


CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_SESSION_TOKEN": "testing"}


@contextmanager
def aws_account(directory: Path) -> Iterator[AwsAccount]:
    """An empty account inside the `with` block; calls of this process go to moto without a network."""
    with aws_in_memory() as price_list:
        guards: list[Guard] = []
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request hides a failure

        def guarded(*arguments: Any) -> Guard:
            guards.append(Guard(price_list.in_front_of(DomainDispatcherApplication(*arguments))))
            return guards[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threaded_moto_server, "DomainDispatcherApplication", guarded)
            server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
            server.start()
        plane = FunctionPlane(directory)
        try:
            host, port = server.get_host_and_port()
            plane.endpoint = f"http://{host}:{port}"
            with plane.installed():
                yield AwsAccount(plane.endpoint, plane, guards[-1], price_list)
        finally:
            plane.close()
            server.stop()


@contextmanager
def aws_in_memory() -> Iterator[PriceListStub]:
    """AWS as moto imitates it, and a price list: no network, no credentials of anybody, and no functions that run."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        environment.delenv("AWS_PROFILE", raising=False)
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        serialise_tables(environment)
        serialise_topics(environment)
        interleave_logs(environment)
        with mock_aws(), PriceListStub().installed() as price_list:
            yield price_list


def serialise_tables(patch: pytest.MonkeyPatch) -> None:
    """One request at a time: moto reads, checks and writes without a lock, where DynamoDB is atomic per item."""
    lock = threading.Lock()
    unguarded = DynamoHandler.call_action

    def call_action(handler: DynamoHandler) -> object:
        with lock:
            return unguarded(handler)

    patch.setattr(DynamoHandler, "call_action", call_action)


def serialise_topics(patch: pytest.MonkeyPatch) -> None:
    """One request at a time but for publishing, which changes no topic: moto lists what others are changing."""
    lock = threading.Lock()
    unguarded = SNSResponse.call_action

    def call_action(handler: SNSResponse) -> object:
        if handler._get_action() == "Publish":
            return unguarded(handler)
        with lock:
            return unguarded(handler)

    patch.setattr(SNSResponse, "call_action", call_action)


def interleave_logs(patch: pytest.MonkeyPatch) -> None:
    """Lines of all streams by time, as CloudWatch Logs gives them since 2019; moto gives them stream by stream."""
    of_streams: Callable[..., Any] = LogGroup.filter_log_events

    def filter_log_events(group: LogGroup, *arguments: Any) -> Any:
        *others, _interleaved = arguments
        return of_streams(group, *others, interleaved=True)

    patch.setattr(LogGroup, "filter_log_events", filter_log_events)
