"""Queues of invocations that were given up: one SQS queue per region, the failure destination of every function.

Listing takes every message from the queue for a while (SQS knows no other way) and puts it back at the end; a listing
that is interrupted loses nothing, its messages come back when `LISTING_S` have passed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, resource_name
from multi_x_serverless.cloud.aws.session import AwsSession, is_missing
from multi_x_serverless.cloud.ports import DeadLetter
from multi_x_serverless.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

RETENTION_S = 14 * 24 * 3600
"""How long a dead letter is kept: the longest that SQS offers."""

LISTING_S = 120
"""For how long the messages of an interrupted listing stay hidden."""

_COUNTS: tuple[Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"], ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)
_BATCH = 10  # most messages of one request (SQS quotas)
_WAIT_S = 1  # asks all servers of the queue, where a request without waiting asks some of them
_MILLISECONDS = 1000


@dataclass(frozen=True)
class HeldLetter:
    """A dead letter, the ARN of the topic it came by (empty if it came by none) and what SQS deletes it by."""

    letter: DeadLetter
    topic: str
    receipt: str


class DeadLetterQueues:
    """The queue of each region."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._ready: set[str] = set()

    def arn(self, region: str) -> str:
        """ARN of a region's queue."""
        return resource_name("sqs", region, self._session.account_id(), DEAD_LETTER_QUEUE)

    def provide(self, region: str) -> str:
        """Make a region's queue, or give the one that is there its properties; returns its ARN."""
        with self._lock:
            if region not in self._ready:
                self._provide(region)
                self._ready.add(region)
        return self.arn(region)

    def remove(self, region: str) -> bool:
        """Delete a region's queue with all it holds; whether there was one."""
        client = self._session.sqs(region)
        with self._lock:
            self._ready.discard(region)
        with self._session.errors("delete_queue", region, f"queue '{DEAD_LETTER_QUEUE}'"):
            url = self._url(client)
            if url is None:
                return False
            client.delete_queue(QueueUrl=url)
        return True

    def _provide(self, region: str) -> None:
        client = self._session.sqs(region)
        attributes: Any = {"MessageRetentionPeriod": str(RETENTION_S), "SqsManagedSseEnabled": "true"}
        with self._session.errors("create_queue", region, f"queue '{DEAD_LETTER_QUEUE}'"):
            url = self._url(client)
            if url is None:
                client.create_queue(QueueName=DEAD_LETTER_QUEUE, Attributes=attributes, tags=self._session.tags)
            else:
                client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
                client.tag_queue(QueueUrl=url, Tags=self._session.tags)

    def count(self, region: str) -> int | None:
        """How many letters there are, about (SQS knows no better) and without taking them; `None` without a queue."""
        client = self._session.sqs(region)
        with self._session.errors("dead_letters", region, f"queue '{DEAD_LETTER_QUEUE}'"):
            url = self._url(client)
            if url is None:
                return None
            counted = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
        return sum(int(counted.get(name, "0")) for name in _COUNTS)

    @contextmanager
    def hold(self, region: str) -> Iterator[tuple[HeldLetter, ...]]:
        """All letters of a region, hidden from other listings inside the `with` block."""
        client = self._session.sqs(region)
        with self._session.errors("dead_letters", region, f"queue '{DEAD_LETTER_QUEUE}'"):
            url = self._url(client)
        if url is None:
            yield ()
            return
        held: dict[str, HeldLetter] = {}
        try:
            with self._session.errors("dead_letters", region, f"queue '{DEAD_LETTER_QUEUE}'"):
                while messages := self._receive(client, url):
                    read = {message["MessageId"]: _read(region, message) for message in messages}
                    is_round = not held.keys().isdisjoint(read)  # the first ones are visible again: all were seen
                    held.update(read)
                    if is_round:
                        break
            yield tuple(sorted(held.values(), key=lambda entry: (entry.letter.failed_at, entry.letter.id)))
        finally:
            self._release(client, url, region, list(held.values()))

    def delete(self, region: str, letters: Sequence[HeldLetter]) -> None:
        """Delete letters that are held.

        Raises:
            CloudError: SQS refused one; others may be deleted.
        """
        client = self._session.sqs(region)
        with self._session.errors("delete_letters", region, f"queue '{DEAD_LETTER_QUEUE}'"):
            url = self._url(client) if letters else None
            for first in range(0, 0 if url is None else len(letters), _BATCH):
                batch = letters[first : first + _BATCH]
                entries: Any = [{"Id": str(index), "ReceiptHandle": entry.receipt} for index, entry in enumerate(batch)]
                answer = client.delete_message_batch(QueueUrl=url or "", Entries=entries)
                for refused in answer.get("Failed", []):
                    letter_id = batch[int(refused["Id"])].letter.id
                    raise CloudError(
                        f"the dead letter '{letter_id}' was not deleted: {refused.get('Message', refused['Code'])}.",
                        operation="delete_letters",
                        region=region,
                    )

    def _url(self, client: SQSClient) -> str | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        try:
            return client.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    @staticmethod
    def _receive(client: SQSClient, url: str) -> list[MessageTypeDef]:
        answer = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=LISTING_S,
            WaitTimeSeconds=_WAIT_S,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return answer.get("Messages", [])

    def _release(self, client: SQSClient, url: str, region: str, held: list[HeldLetter]) -> None:
        """Make letters visible again; one that was deleted meanwhile is reported by SQS inside the answer."""
        with self._session.errors("dead_letters", region, f"queue '{DEAD_LETTER_QUEUE}'"):
            for first in range(0, len(held), _BATCH):
                client.change_message_visibility_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": entry.receipt, "VisibilityTimeout": 0}
                        for index, entry in enumerate(held[first : first + _BATCH])
                    ],
                )


def _read(region: str, message: MessageTypeDef) -> HeldLetter:
    """A record of an invocation that failed (Lambda developer guide, "Capturing records of asynchronous invocations").

    What is no such record is shown as it is, without a function: nothing in the queue is passed over.
    """
    text = message.get("Body", "")
    sent_at = float(message.get("Attributes", {}).get("SentTimestamp", "0")) / _MILLISECONDS
    try:
        record = json.loads(text)
        request, context = record["requestPayload"], record["requestContext"]
        function = context["functionArn"].split(":")[6]
        failed_at = datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00")).timestamp()
        body, topic = _request(request)
        error = _error(record.get("responsePayload"), context.get("condition", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        function, failed_at, body, topic, error = "", sent_at, text, "", "not a record of an invocation"
    letter = DeadLetter(message["MessageId"], region, function, body.encode(), error, failed_at)
    return HeldLetter(letter, topic, message["ReceiptHandle"])


def _request(request: Any) -> tuple[str, str]:  # any JSON
    """Body and topic of the message of an event of SNS; any other request has no topic."""
    if isinstance(request, dict) and "Records" in request:
        sns = request["Records"][0]["Sns"]
        return sns["Message"], sns["TopicArn"]
    return json.dumps(request), ""


def _error(response: Any, condition: str) -> str:  # any JSON
    if isinstance(response, dict) and "errorMessage" in response:
        kind = response.get("errorType")
        return f"{kind}: {response['errorMessage']}" if kind else str(response["errorMessage"])
    return condition
