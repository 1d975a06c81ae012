"""What Lambda takes as a function and for an invocation (AWS Lambda quotas); every cloud refuses the rest alike."""

from __future__ import annotations

import re
from collections.abc import Mapping

from multi_x_serverless.cloud.ports import Architecture, FunctionSpecification
from multi_x_serverless.errors import CloudError

MAXIMUM_ENVIRONMENT_BYTES = 4096
MAXIMUM_PAYLOAD_BYTES = 6_291_456
"""Largest payload of a synchronous invocation (AWS Lambda quotas, as that of the environment)."""

MAXIMUM_EVENT_BYTES = 1_048_576
"""Largest payload of an asynchronous invocation (as above)."""

IMAGE_PLATFORMS: Mapping[Architecture, str] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What a container image must be made for, as Docker and registries write it."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RUNTIME = re.compile(r"python3\.\d+")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""Variables that Lambda sets itself and refuses (developer guide, "Defined runtime environment variables")."""


def find_problem(specification: FunctionSpecification) -> str | None:
    """Why Lambda would refuse a function."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in specification.environment.items())
    reserved = sorted(_RESERVED_VARIABLES.intersection(specification.environment))
    odd = sorted(name for name in specification.environment if not _VARIABLE.fullmatch(name))
    checks = (
        (_NAME.fullmatch(specification.name), "its name must be 1 to 64 letters, digits, '-' or '_'"),
        ("." in specification.handler, "its handler must have the form 'module.function'"),
        (_RUNTIME.fullmatch(specification.runtime), f"'{specification.runtime}' is no Python runtime"),
        (
            specification.architecture in {"x86_64", "arm64"},
            f"'{specification.architecture}' is no architecture",
        ),
        (
            128 <= specification.memory_mb <= 10240,
            f"memory must be 128 to 10240 MB, not {specification.memory_mb}",
        ),
        (
            1 <= specification.timeout_s <= 900,
            f"the timeout must be 1 to 900 s, not {specification.timeout_s}",
        ),
        (
            specification.reserved_concurrency is None or specification.reserved_concurrency >= 1,
            f"a reserved concurrency of {specification.reserved_concurrency} would let nothing run",
        ),
        (not reserved, f"Lambda itself sets the environment variables {', '.join(reserved)}"),
        (not odd, f"these are no names of environment variables: {', '.join(odd)}"),
        (
            size <= MAXIMUM_ENVIRONMENT_BYTES,
            f"its environment has {size} bytes and may have {MAXIMUM_ENVIRONMENT_BYTES}",
        ),
    )
    return next((problem for holds, problem in checks if not holds), None)


def require_payload(payload: bytes, region: str) -> None:
    """Refuse what is too large for a synchronous invocation.

    Raises:
        CloudError: It is.
    """
    _require_size(payload, MAXIMUM_PAYLOAD_BYTES, "an invocation", "invoke", region)


def require_event(payload: bytes, region: str) -> None:
    """Refuse what is too large for an asynchronous invocation.

    Raises:
        CloudError: It is.
    """
    _require_size(payload, MAXIMUM_EVENT_BYTES, "an event", "invoke_async", region)


def _require_size(payload: bytes, limit: int, what: str, operation: str, region: str) -> None:
    if len(payload) > limit:
        raise CloudError(
            f"the payload has {len(payload):,} bytes; {what} takes at most {limit:,}.",
            operation=operation,
            region=region,
        )
