"""Topics (the message port) on SNS, and what was given up, from the queue of dead letters."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.aws.dead_letters import DeadLetterQueues
from multi_x_serverless.cloud.aws.names import resource_name
from multi_x_serverless.cloud.aws.session import AwsSession, code_of, is_missing
from multi_x_serverless.cloud.ports import DeadLetter
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef

MAXIMUM_MESSAGE_BYTES = 256 * 1024
"""Largest message (Amazon SNS quotas)."""

_STATEMENT_CHARACTERS = 100  # longest id of a statement of a function's policy (Lambda API, AddPermission)


class AwsMessageService:
    """See `multi_x_serverless.cloud.ports.MessageService`."""

    def __init__(self, session: AwsSession, letters: DeadLetterQueues) -> None:
        self._session = session
        self._letters = letters

    def create_topic(self, region: str, name: str) -> str:
        """Make a topic; returns its ARN."""
        client = self._session.sns(region)
        tags: Any = self._session.tag_list
        with self._session.errors("create_topic", region, f"topic '{name}'"):
            # Tags are set apart: with others than it has, an existing topic would be refused.
            topic = client.create_topic(Name=name)["TopicArn"]
            client.tag_resource(ResourceArn=topic, Tags=tags)
        return topic

    def subscribe(self, region: str, topic: str, function: str) -> None:
        """Deliver the topic's messages to a function, and to no other function any longer.

        What else somebody has subscribed, an address to look on for example, stays.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        arn = self._arn(region, topic)
        functions, client = self._session.functions(region), self._session.sns(region)
        with self._session.errors("subscribe", region, f"function '{function}' for topic '{topic}'"):
            endpoint = functions.get_function_configuration(FunctionName=function)["FunctionArn"]
            try:
                functions.add_permission(
                    FunctionName=function,
                    StatementId=_statement_id(topic),
                    Action="lambda:InvokeFunction",
                    Principal="sns.amazonaws.com",
                    SourceArn=arn,
                    SourceAccount=self._session.account_id(),
                )
            except ClientError as error:
                if code_of(error) != "ResourceConflictException":  # it has the statement
                    raise
            client.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=endpoint, ReturnSubscriptionArn=True)
            for subscription in self._subscriptions(region, arn):
                if subscription.get("Protocol") == "lambda" and subscription.get("Endpoint") != endpoint:
                    self._unsubscribe(region, topic, subscription)

    def delete_topic(self, region: str, name: str) -> None:
        """Delete a topic, its subscription and the function's permission."""
        arn = self._arn(region, name)
        with suppress(ResourceNotFoundError), self._session.errors("delete_topic", region, f"topic '{name}'"):
            for subscription in self._subscriptions(region, arn):
                self._unsubscribe(region, name, subscription)
            self._session.sns(region).delete_topic(TopicArn=arn)

    def has_topic(self, region: str, name: str) -> bool:
        """Whether there is a topic of exactly this name."""
        arn = self._arn(region, name)
        try:
            with self._session.errors("has_topic", region, f"topic '{name}'"):
                self._session.sns(region).get_topic_attributes(TopicArn=arn)
        except ResourceNotFoundError:
            return False
        return True

    def list_topics(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of topics that start with `prefix`, sorted."""
        client = self._session.sns(region)
        with self._session.errors("list_topics", region, "topics"):
            pages = client.get_paginator("list_topics").paginate()
            names = [topic["TopicArn"].rpartition(":")[2] for page in pages for topic in page["Topics"]]
        return tuple(sorted(name for name in names if name.startswith(prefix)))

    def publish(self, region: str, topic: str, body: bytes) -> None:
        """Publish; SNS has the message in several places when it answers."""
        text = _text_of(region, topic, body)
        with self._session.errors("publish", region, f"topic '{topic}'"):
            self._session.sns(region).publish(TopicArn=self._arn(region, topic), Message=text)

    def dead_letters(self, region: str, prefix: str) -> tuple[DeadLetter, ...]:
        """Messages given up, of functions whose name starts with `prefix`, oldest first."""
        with self._letters.hold(region) as held:
            return tuple(entry.letter for entry in held if entry.letter.function.startswith(prefix))

    def redrive(self, region: str, letter_id: str) -> None:
        """Put a dead letter back on its topic; it is deleted after that, so it may come twice but is not lost."""
        with self._letters.hold(region) as held:
            found = next((entry for entry in held if entry.letter.id == letter_id), None)
            if found is None:
                raise ResourceNotFoundError(
                    f"there is no dead letter '{letter_id}' in {region}.", operation="redrive", region=region
                )
            if not found.topic:
                raise CloudError(
                    f"the dead letter '{letter_id}' came by no topic: invoke '{found.letter.function}' instead.",
                    operation="redrive",
                    region=region,
                )
            with self._session.errors("redrive", region, f"topic '{found.topic}'"):
                self._session.sns(region).publish(TopicArn=found.topic, Message=found.letter.body.decode())
            self._letters.delete(region, [found])

    def discard(self, region: str, *letter_ids: str) -> int:
        """Delete dead letters for good; returns how many of them were there."""
        with self._letters.hold(region) as held:
            found = [entry for entry in held if entry.letter.id in letter_ids]
            self._letters.delete(region, found)
        return len(found)

    def _arn(self, region: str, topic: str) -> str:
        self._session.require(region)
        return resource_name("sns", region, self._session.account_id(), topic)

    def _subscriptions(self, region: str, arn: str) -> list[SubscriptionTypeDef]:
        pages = self._session.sns(region).get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [subscription for page in pages for subscription in page["Subscriptions"]]

    def _unsubscribe(self, region: str, topic: str, subscription: SubscriptionTypeDef) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        arn = subscription.get("SubscriptionArn", "")
        if arn.startswith("arn:"):  # else it says that it awaits confirmation or is gone, and ends with its topic
            try:
                self._session.sns(region).unsubscribe(SubscriptionArn=arn)
            except ClientError as error:
                if not is_missing(error):  # SNS lists for a while what was ended
                    raise
        if subscription.get("Protocol") != "lambda":
            return
        try:
            self._session.functions(region).remove_permission(
                FunctionName=subscription.get("Endpoint", ""), StatementId=_statement_id(topic)
            )
        except ClientError as error:
            if not is_missing(error):
                raise


def _statement_id(topic: str) -> str:
    return f"sns-{topic}"[:_STATEMENT_CHARACTERS]


def _text_of(region: str, topic: str, body: bytes) -> str:
    """The body as the text that SNS takes."""
    problem = "it is not text in UTF-8"
    if not 0 < len(body) <= MAXIMUM_MESSAGE_BYTES:
        problem = f"it has {len(body):,} bytes, and a message has 1 to {MAXIMUM_MESSAGE_BYTES:,}"
    else:
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            pass
    raise CloudError(f"the message to '{topic}' is refused: {problem}.", operation="publish", region=region)
