"""Contract of `MessageService` and `LogService`: what is published arrives, and what functions print can be read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
from tests.contract.function_package import ECHO, make_function

FAIL = """
def handler(event, context):
    print("about to fail")
    raise RuntimeError("never works")
"""


@pytest.fixture
def topic(cloud: Cloud, region: str, name: str) -> Iterator[str]:
    """A topic in front of a function of the same name."""
    make_function(cloud, region, name, ECHO)
    cloud.messages.create_topic(region, name)
    cloud.messages.subscribe(region, name, name)
    yield name
    cloud.messages.delete_topic(region, name)
    cloud.functions.delete_function(region, name)
    cloud.logs.delete_logs(region, name)


def lines(cloud: Cloud, region: str, function: str) -> list[str]:
    return [event.message for event in cloud.logs.read_logs(region, function, 0.0, time.time() + 60)]


def received(cloud: Cloud, region: str, function: str) -> list[str]:
    """Bodies of the messages that the echo function has printed."""
    events = [json.loads(line.removeprefix("got ")) for line in lines(cloud, region, function) if "got " in line]
    return [event["Records"][0]["Sns"]["Message"] for event in events]


def test_topics_are_listed_made_twice_and_deleted_twice(cloud: Cloud, region: str, name: str) -> None:
    identifier = cloud.messages.create_topic(region, f"{name}-b")
    cloud.messages.create_topic(region, f"{name}-a")
    assert cloud.messages.create_topic(region, f"{name}-b") == identifier
    assert cloud.messages.list_topics(region, name) == (f"{name}-a", f"{name}-b")
    for _ in range(2):
        cloud.messages.delete_topic(region, f"{name}-a")
        cloud.messages.delete_topic(region, f"{name}-b")
    assert cloud.messages.list_topics(region, name) == ()


def test_a_missing_topic_is_named(cloud: Cloud, region: str, name: str) -> None:
    with pytest.raises(ResourceNotFoundError, match=name):
        cloud.messages.publish(region, name, b"x")


def test_a_topic_of_another_region_is_another(cloud: Cloud, other_region: str, topic: str) -> None:
    with pytest.raises(ResourceNotFoundError, match=topic):
        cloud.messages.publish(other_region, topic, b"x")


def test_a_message_over_256_kib_is_refused(cloud: Cloud, region: str, name: str) -> None:
    cloud.messages.create_topic(region, name)
    cloud.messages.publish(region, name, b"x" * 256 * 1024)
    with pytest.raises(CloudError) as caught:
        cloud.messages.publish(region, name, b"x" * (256 * 1024 + 1))
    assert not caught.value.retryable
    cloud.messages.delete_topic(region, name)


def test_a_message_reaches_its_function_as_an_event_of_sns(cloud: Cloud, region: str, topic: str) -> None:
    body = 'naïve "quoted" \\ text'
    with cloud.host() as host:
        cloud.messages.publish(region, topic, body.encode())
        assert host.wait_until_idle(30)
        assert host.pending() == 0
    [line] = [line for line in lines(cloud, region, topic) if line.startswith("got ")]
    [record] = json.loads(line.removeprefix("got "))["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["Sns"]["Type"] == "Notification"
    assert record["Sns"]["Message"] == body
    assert record["Sns"]["TopicArn"].endswith(f":{region}:{cloud.identity.account_id()}:{topic}")
    assert record["Sns"]["MessageId"]


def test_every_message_arrives(cloud: Cloud, region: str, topic: str) -> None:
    sent = [f"message {index}" for index in range(30)]
    with cloud.host() as host:
        for body in sent:
            cloud.messages.publish(region, topic, body.encode())
        assert host.wait_until_idle(60)
    assert set(received(cloud, region, topic)) == set(sent)


def test_what_always_fails_becomes_a_dead_letter_after_two_retries(cloud: Cloud, region: str, topic: str) -> None:
    make_function(cloud, region, topic, FAIL)
    with cloud.host() as host:
        cloud.messages.publish(region, topic, b"doomed")
        assert host.wait_until_idle(30)
    assert lines(cloud, region, topic).count("about to fail") == 3
    [letter] = cloud.messages.dead_letters(region, topic)
    assert (letter.function, letter.body, letter.region) == (topic, b"doomed", region)
    assert "never works" in letter.error


def test_a_redriven_letter_is_delivered_again(cloud: Cloud, region: str, topic: str) -> None:
    make_function(cloud, region, topic, FAIL)
    with cloud.host() as host:
        cloud.messages.publish(region, topic, b"second chance")
        assert host.wait_until_idle(30)
    [letter] = cloud.messages.dead_letters(region, topic)
    make_function(cloud, region, topic, ECHO)
    with cloud.host() as host:
        cloud.messages.redrive(region, letter.id)
        assert host.wait_until_idle(30)
    assert cloud.messages.dead_letters(region, topic) == ()
    assert received(cloud, region, topic) == ["second chance"]


def test_a_letter_that_is_not_there_is_named(cloud: Cloud, region: str) -> None:
    with pytest.raises(ResourceNotFoundError, match="no-such-letter"):
        cloud.messages.redrive(region, "no-such-letter")


def test_a_discarded_letter_is_gone_and_others_stay(cloud: Cloud, region: str, topic: str) -> None:
    make_function(cloud, region, topic, FAIL)
    with cloud.host() as host:
        for number in range(12):  # more than one request to SQS takes
            cloud.messages.publish(region, topic, str(number).encode())
        assert host.wait_until_idle(60)
    letters = cloud.messages.dead_letters(region, topic)
    assert len(letters) == 12
    unwanted = [letter.id for letter in letters[:11]]
    assert cloud.messages.discard(region, *unwanted, "no-such-letter") == 11
    assert cloud.messages.dead_letters(region, topic) == letters[11:]
    assert cloud.messages.discard(region, *unwanted) == 0
    with pytest.raises(ResourceNotFoundError):
        cloud.messages.redrive(region, unwanted[0])


def test_a_letter_of_another_region_is_not_discarded(cloud: Cloud, region: str, other_region: str, topic: str) -> None:
    make_function(cloud, region, topic, FAIL)
    with cloud.host() as host:
        cloud.messages.publish(region, topic, b"doomed")
        assert host.wait_until_idle(30)
    letters = cloud.messages.dead_letters(region, topic)
    assert cloud.messages.discard(other_region, letters[0].id) == 0
    assert cloud.messages.dead_letters(region, topic) == letters


def test_lines_have_unique_ids_and_are_in_order(cloud: Cloud, region: str, topic: str) -> None:
    before = cloud.now()
    with cloud.host() as host:
        for index in range(20):
            cloud.messages.publish(region, topic, str(index).encode())
        assert host.wait_until_idle(30)
    after = cloud.now()
    events = list(cloud.logs.read_logs(region, topic, before - 1, after + 1))
    assert len({event.id for event in events}) == len(events) >= 20
    assert [(event.timestamp, event.id) for event in events] == sorted((event.timestamp, event.id) for event in events)
    assert list(cloud.logs.read_logs(region, topic, after + 10, after + 20)) == []
    middle = events[10].timestamp
    early = list(cloud.logs.read_logs(region, topic, before - 1, middle))
    late = list(cloud.logs.read_logs(region, topic, middle, after + 1))
    assert early + late == events


def test_logs_are_listed_and_deleted(cloud: Cloud, region: str, topic: str) -> None:
    cloud.functions.invoke(region, topic, b"{}", timeout_s=30)
    assert cloud.logs.list_logs(region, topic) == (topic,)
    for _ in range(2):
        cloud.logs.delete_logs(region, topic)
    assert cloud.logs.list_logs(region, topic) == ()
    assert lines(cloud, region, topic) == []
