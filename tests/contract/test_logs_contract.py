"""Contract of `LogService` that needs a function which runs."""

from __future__ import annotations

from multi_x_serverless.cloud.ports import Cloud
from tests.contract.function_package import make_function

TALKER = """
print("loaded")

def handler(event, context):
    print("got", event["n"])
    return None
"""


def test_lines_of_one_container_have_its_stream(cloud: Cloud, region: str, name: str) -> None:
    for function in (f"{name}-a", f"{name}-b"):
        make_function(cloud, region, function, TALKER)
        for number in (b'{"n": 1}', b'{"n": 2}'):
            cloud.functions.invoke(region, function, number, timeout_s=10)

    now = cloud.now()
    logs = {
        function: list(cloud.logs.read_logs(region, function, now - 60, now + 1))
        for function in (f"{name}-a", f"{name}-b")
    }

    streams = {function: {event.stream for event in events} for function, events in logs.items()}
    assert all(len(found) == 1 and "" not in found for found in streams.values())
    assert streams[f"{name}-a"] != streams[f"{name}-b"]
    for events in logs.values():
        said = [event.message for event in events if not event.message.startswith(("START", "END", "REPORT"))]
        assert said == ["loaded", "got 1", "got 2"]
