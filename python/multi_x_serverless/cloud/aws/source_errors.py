"""What errors of AWS mean to whoever asks it about the outside world and has something to fall back on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.aws.session import (
    ACCESS_DENIED,
    THROTTLED,
    UNKNOWN_CREDENTIALS,
    code_of,
    missing_permission,
)
from multi_x_serverless.errors import CloudError, SignalSourceError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.aws.session import AwsSession

_NO_CREDENTIALS = UNKNOWN_CREDENTIALS | frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch"}
)


@contextmanager
def source_errors(session: AwsSession, operation: str, what: str) -> Iterator[None]:
    """Turn botocore's errors into errors of a source of signals.

    Args:
        session: Translates what is not special.
        operation: Name of the port's operation.
        what: What is asked for, to be named in the message, for example ``the price list``.

    Raises:
        SignalSourceError: ``unauthorized`` if the caller may not ask, ``quota`` if it asks too often, ``unavailable``
            if there was no answer, or one that says that the service failed or refuses the request as such.
    """
    from botocore.exceptions import (  # noqa: PLC0415  # slow; loaded when AWS is used
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        SSOError,
    )

    try:
        with session.errors(operation, None, what):
            yield
    except CloudError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError):
            code = code_of(cause)
            if code in ACCESS_DENIED:
                message = f"{what} cannot be read without {missing_permission(cause)}."
                raise SignalSourceError(message, reason="unauthorized") from cause
            if code in _NO_CREDENTIALS:
                raise SignalSourceError(str(error), reason="unauthorized") from cause
            if code in THROTTLED:
                raise SignalSourceError(f"{what} was asked for too often: {cause}", reason="quota") from cause
        elif isinstance(cause, CredentialRetrievalError | NoCredentialsError | PartialCredentialsError | SSOError):
            raise SignalSourceError(str(error), reason="unauthorized") from cause
        raise SignalSourceError(str(error), reason="unavailable") from error
