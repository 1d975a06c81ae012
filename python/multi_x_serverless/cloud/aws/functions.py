"""Functions (the function port) on Lambda: code from the region's bucket or registry, failures to the dead letters."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from multi_x_serverless.cloud.aws.dead_letters import DeadLetterQueues
from multi_x_serverless.cloud.aws.images import AwsImageRegistry
from multi_x_serverless.cloud.aws.logs import AwsLogService
from multi_x_serverless.cloud.aws.names import CODE_KEY_TAG, registry_host
from multi_x_serverless.cloud.aws.objects import AwsObjectStore
from multi_x_serverless.cloud.aws.session import AwsSession
from multi_x_serverless.cloud.function_limits import find_problem, require_event, require_payload
from multi_x_serverless.cloud.ports import Architecture, FunctionDescription, FunctionSpecification, InvocationResult
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

RETRIES = 2
"""How often a failed asynchronous invocation is tried again; the most that Lambda offers."""

MAXIMUM_EVENT_AGE_S = 6 * 3600
"""How long Lambda keeps an event that it cannot deliver; the most that it offers."""

_ROLE_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0)
"""Waits for a new role or repository to be known to Lambda: most are within 10 s, none is waited for over a minute."""

_NOT_KNOWN_YET = {
    "InvalidParameterValueException": (
        "cannot be assumed by Lambda",
        "does not have permissions to call SendMessage",
        "KMS key is invalid for CreateGrant",  # of a function with variables, for the same reason
    ),
    "AccessDeniedException": ("does not have permission to access the ECR image",),
}
_WAIT: Any = {"Delay": 1, "MaxAttempts": 300}
_DURATION = re.compile(r"^REPORT .*?\bDuration: ([0-9.]+) ms", re.MULTILINE)
_INIT_DURATION = re.compile(r"^REPORT .*?\bInit Duration: ([0-9.]+) ms", re.MULTILINE)
_MILLISECONDS = 1000


class AwsFunctionService:
    """See `multi_x_serverless.cloud.ports.FunctionService`."""

    def __init__(
        self,
        session: AwsSession,
        objects: AwsObjectStore,
        images: AwsImageRegistry,
        logs: AwsLogService,
        letters: DeadLetterQueues,
    ) -> None:
        self._session = session
        self._objects = objects
        self._images = images
        self._logs = logs
        self._letters = letters

    def put_function(self, region: str, specification: FunctionSpecification) -> FunctionDescription:
        """Create or update a function; what is as it should be is not touched."""
        self._session.require(region)
        problem = find_problem(specification)
        if problem is not None:
            raise CloudError(
                f"the function '{specification.name}' cannot be made: {problem}.",
                operation="put_function",
                region=region,
            )
        client, name = self._session.functions(region), specification.name
        before = self.get_function(region, name)
        if before is not None and before.specification.package_format != specification.package_format:
            raise CloudError(
                f"the function '{name}' in {region} is made from a {before.specification.package_format}, and Lambda "
                f"cannot change that to {specification.package_format}; remove its workflow, then deploy again.",
                operation="put_function",
                region=region,
            )
        if before is None or before.specification.code_sha256 != specification.code_sha256:
            self._require_code(region, specification)
        queue = self._letters.provide(region)
        self._logs.provide_log(region, name)
        with self._session.errors("put_function", region, f"function '{name}'"):
            if before is None:
                self._create(client, region, specification)
            else:
                client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_WAIT)
                self._update(client, region, before, specification)
            self._when_all_is_known(
                lambda: client.put_function_event_invoke_config(
                    FunctionName=name,
                    MaximumRetryAttempts=RETRIES,
                    MaximumEventAgeInSeconds=MAXIMUM_EVENT_AGE_S,
                    DestinationConfig={"OnFailure": {"Destination": queue}},
                )
            )
            self._reserve(client, before, specification)
        made = self.get_function(region, name)
        if made is None:
            raise CloudError(
                f"the function '{name}' in {region} was deleted while it was being made.",
                operation="put_function",
                region=region,
                retryable=True,
            )
        return made

    def get_function(self, region: str, name: str) -> FunctionDescription | None:
        """Describe a function."""
        client = self._session.functions(region)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            return None  # there is none of such a name, which Lambda would refuse to look for
        try:
            with self._session.errors("get_function", region, f"function '{name}'"):
                return _describe(region, client.get_function(FunctionName=name))
        except ResourceNotFoundError:
            return None

    def list_functions(self, region: str, prefix: str) -> tuple[FunctionDescription, ...]:
        """Functions whose name starts with `prefix`, sorted by name."""
        client = self._session.functions(region)
        with self._session.errors("list_functions", region, "functions"):
            pages = client.get_paginator("list_functions").paginate()
            names = [function["FunctionName"] for page in pages for function in page["Functions"]]
        described = (self.get_function(region, name) for name in sorted(names) if name.startswith(prefix))
        return tuple(description for description in described if description is not None)

    def delete_function(self, region: str, name: str) -> None:
        """Delete a function; its log stays."""
        client = self._session.functions(region)
        with suppress(ResourceNotFoundError), self._session.errors("delete_function", region, f"function '{name}'"):
            client.delete_function(FunctionName=name)

    def invoke(self, region: str, name: str, payload: bytes, *, timeout_s: float) -> InvocationResult:
        """Invoke synchronously; times are Lambda's own if it tells, else the duration as it was waited for."""
        require_payload(payload, region)
        client = self._session.invocations(region, timeout_s)
        started = time.monotonic()
        with (
            self._answer_in_time(region, name, timeout_s),
            self._session.errors("invoke", region, f"function '{name}'"),
        ):
            answer = client.invoke(FunctionName=name, Payload=payload, LogType="Tail")
            body = answer["Payload"].read()
        waited_s = time.monotonic() - started
        kind = answer.get("FunctionError")
        error = read_error(kind, body) if kind else None
        duration_s, init_s = _times_s(answer.get("LogResult", ""))
        return InvocationResult(body, error, waited_s if duration_s is None else duration_s, init_s)

    def invoke_async(self, region: str, name: str, payload: bytes) -> None:
        """Queue an invocation; Lambda has it in several places when it answers."""
        require_event(payload, region)
        client = self._session.functions(region)
        with self._session.errors("invoke_async", region, f"function '{name}'"):
            client.invoke(FunctionName=name, InvocationType="Event", Payload=payload)

    @contextmanager
    def _answer_in_time(self, region: str, name: str, timeout_s: float) -> Iterator[None]:
        from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415

        try:
            yield
        except CloudError as error:
            if not isinstance(error.__cause__, ReadTimeoutError):
                raise
            raise CloudError(
                f"the function '{name}' in {region} gave no answer within {timeout_s:g} s.",
                operation="invoke",
                region=region,
                retryable=True,
            ) from error

    def _create(self, client: LambdaClient, region: str, specification: FunctionSpecification) -> None:
        self._when_all_is_known(
            lambda: client.create_function(
                **_configuration(specification),
                Architectures=[specification.architecture],
                Code=self._code(region, specification),
                PackageType="Image" if specification.package_format == "image" else "Zip",
                Tags=self._tags(specification),
            )
        )
        client.get_waiter("function_active_v2").wait(FunctionName=specification.name, WaiterConfig=_WAIT)

    def _update(
        self, client: LambdaClient, region: str, before: FunctionDescription, specification: FunctionSpecification
    ) -> None:
        name, was = specification.name, before.specification
        updated = client.get_waiter("function_updated_v2")
        if (was.code_sha256, was.architecture) != (specification.code_sha256, specification.architecture):
            self._when_all_is_known(
                lambda: client.update_function_code(
                    FunctionName=name,
                    Architectures=[specification.architecture],
                    **self._code(region, specification),
                )
            )
            updated.wait(FunctionName=name, WaiterConfig=_WAIT)
        if _configuration(was) != _configuration(specification):
            self._when_all_is_known(lambda: client.update_function_configuration(**_configuration(specification)))
            updated.wait(FunctionName=name, WaiterConfig=_WAIT)
        client.tag_resource(Resource=before.id, Tags=self._tags(specification))

    def _code(self, region: str, specification: FunctionSpecification) -> Any:  # keyword arguments of two calls
        if specification.package_format == "image":
            return {"ImageUri": f"{registry_host(self._session.account_id(), region)}/{specification.code_key}"}
        return {"S3Bucket": self._objects.bucket(region), "S3Key": specification.code_key}

    def _require_code(self, region: str, specification: FunctionSpecification) -> None:
        if specification.package_format == "image":
            self._images.require_image(region, specification.code_key)
        else:
            self._objects.require_object(region, specification.code_key)

    @staticmethod
    def _reserve(
        client: LambdaClient, before: FunctionDescription | None, specification: FunctionSpecification
    ) -> None:
        """Reserve or free concurrency; most functions have none and nothing is asked for them."""
        was, name = None if before is None else before.specification.reserved_concurrency, specification.name
        if specification.reserved_concurrency == was:
            return
        if specification.reserved_concurrency is None:
            client.delete_function_concurrency(FunctionName=name)
        else:
            client.put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=specification.reserved_concurrency
            )

    def _tags(self, specification: FunctionSpecification) -> dict[str, str]:
        return {**self._session.tags, CODE_KEY_TAG: specification.code_key}

    def _when_all_is_known(self, request: Callable[[], object]) -> None:
        """Send a request again as long as Lambda does not know the role or the image, or not yet what it may do."""
        self._session.send_until_known(request, _NOT_KNOWN_YET, _ROLE_DELAYS_S)


def read_error(kind: str, body: bytes) -> str:
    """What went wrong in a function, from the answer that Lambda gives then."""
    try:
        document = json.loads(body)
        message = document["errorMessage"]
    except (ValueError, KeyError, TypeError):
        return f"{kind}: {body[:200].decode(errors='replace')}"
    return f"{document.get('errorType', kind)}: {message}"


def _times_s(tail: str) -> tuple[float | None, float | None]:
    """Duration and start of the container, in seconds, from the end of a log; `None` if its report is not there."""
    text = base64.b64decode(tail).decode(errors="replace")
    found = _DURATION.search(text)
    if found is None:
        return None, None
    init = _INIT_DURATION.search(text)
    # A report without it is of a container that was there.
    return float(found.group(1)) / _MILLISECONDS, 0.0 if init is None else float(init.group(1)) / _MILLISECONDS


def _configuration(specification: FunctionSpecification) -> Any:  # keyword arguments of two calls
    common = {
        "FunctionName": specification.name,
        "MemorySize": specification.memory_mb,
        "Timeout": specification.timeout_s,
        "Role": specification.role,
        "Environment": {"Variables": dict(specification.environment)},
    }
    if specification.package_format == "image":
        return {**common, "ImageConfig": {"Command": [specification.handler]}}
    return {**common, "Handler": specification.handler, "Runtime": specification.runtime}


def _describe(region: str, answer: Any) -> FunctionDescription:
    found, code, tags = answer["Configuration"], answer.get("Code", {}), answer.get("Tags", {})
    is_image = found.get("PackageType") == "Image"
    if is_image:  # its runtime is part of the image, which Lambda does not look into
        handler = (found.get("ImageConfigResponse", {}).get("ImageConfig", {}).get("Command") or [""])[0]
        sha256 = code.get("ImageUri", "").rpartition("@sha256:")[2]
    else:
        handler = found.get("Handler", "")
        sha256 = base64.b64decode(found["CodeSha256"]).hex()
    specification = FunctionSpecification(
        name=found["FunctionName"],
        handler=handler,
        runtime=found.get("Runtime", ""),
        architecture=cast("Architecture", found.get("Architectures", ["x86_64"])[0]),
        memory_mb=found["MemorySize"],
        timeout_s=found["Timeout"],
        code_key=tags.get(CODE_KEY_TAG, ""),
        code_sha256=sha256,
        role=found["Role"],
        environment=found.get("Environment", {}).get("Variables", {}),
        package_format="image" if is_image else "zip",
        reserved_concurrency=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
    )
    return FunctionDescription(found["FunctionArn"], region, specification)
