"""Helpers: small functions in an embedded cloud, and what they left behind."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Callable

from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.ports import FunctionSpecification

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
HOME = "us-east-1"

CLIENT = """
import http.client, json, os

def ask(operation, **fields):
    address = os.environ["MULTI_X_SERVERLESS_LOCAL_ENDPOINT"].removeprefix("http://")
    connection = http.client.HTTPConnection(address)
    connection.request("POST", "/data/" + operation, json.dumps(fields), {
        "Authorization": "Bearer " + os.environ["MULTI_X_SERVERLESS_LOCAL_TOKEN"],
        "X-Source-Region": os.environ["AWS_REGION"],
    })
    response = connection.getresponse()
    document = json.loads(response.read())
    connection.close()
    if response.status != 200:
        raise RuntimeError(str(response.status) + " " + json.dumps(document))
    return document

def message(event):
    return event["Records"][0]["Sns"]["Message"]
"""


def package(source: str) -> bytes:
    """A zip with `app.py` and the client of the data endpoint."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
        archive.writestr("client.py", CLIENT)
    return buffer.getvalue()


def deploy(
    cloud: LocalCloud,
    name: str,
    source: str,
    *,
    region: str = HOME,
    timeout_s: int = 10,
    memory_mb: int = 256,
    handler: str = "app.handler",
    environment: dict[str, str] | None = None,
) -> None:
    """Make (or update) a function with a topic in front of it."""
    body = package(source)
    digest = hashlib.sha256(body).hexdigest()
    cloud.objects.put_object(region, f"{digest}.zip", body)
    role = cloud.identity.create_role("tests", '{"Statement": []}')
    cloud.functions.put_function(
        region,
        FunctionSpecification(
            name=name,
            handler=handler,
            runtime="python3.12",
            architecture="x86_64",
            memory_mb=memory_mb,
            timeout_s=timeout_s,
            code_key=f"{digest}.zip",
            code_sha256=digest,
            role=role,
            environment=environment or {},
        ),
    )
    cloud.messages.create_topic(region, name)
    cloud.messages.subscribe(region, name, name)


def invoke(cloud: LocalCloud, name: str, payload: bytes = b"{}", *, region: str = HOME) -> bytes:
    """The answer of a function that must succeed."""
    result = cloud.functions.invoke(region, name, payload, timeout_s=30)
    assert result.error is None, result.error
    return result.payload


def log_lines(cloud: LocalCloud, name: str, *, region: str = HOME) -> list[str]:
    """All lines of a function's log."""
    return [event.message for event in cloud.logs.read_logs(region, name, 0.0, time.time() + 60)]


def deliver_all(cloud: LocalCloud, name: str, *bodies: str, region: str = HOME) -> None:
    """Publish and wait until everything is done."""
    with cloud.host() as host:
        for body in bodies:
            cloud.messages.publish(region, name, body.encode())
        assert host.wait_until_idle(30)


def process_is_alive(process_id: int) -> bool:
    """Whether a process runs (one that only waits to be reaped does not)."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{process_id}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
