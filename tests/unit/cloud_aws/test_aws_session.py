"""What botocore's errors become, and how clients are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

import multi_x_serverless
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.session import ATTEMPTS, AwsSession
from multi_x_serverless.errors import CloudError, ResourceNotFoundError, UnknownRegionError


@pytest.fixture
def session() -> AwsSession:
    return AwsSession(("us-east-1", "us-west-2"), "us-east-1")


def refusal(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Anything")


def mapped(session: AwsSession, error: Exception) -> CloudError:
    with pytest.raises(CloudError, match="table 'runs'") as caught, session.errors("put", "us-west-2", "table 'runs'"):
        raise error
    assert (caught.value.operation, caught.value.region) == ("put", "us-west-2")
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    "code",
    ["ResourceNotFoundException", "NoSuchKey", "NoSuchEntity", "NotFound", "404", "QueueDoesNotExist"],
)
def test_what_is_missing_is_told_apart(session: AwsSession, code: str) -> None:
    assert type(mapped(session, refusal(code, 404))) is ResourceNotFoundError


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (refusal("AccessDeniedException", 403), False),
        (refusal("ValidationException", 400), False),
        (refusal("ThrottlingException", 400), True),
        (refusal("InternalFailure", 500), True),
        (EndpointConnectionError(endpoint_url="https://x"), True),
        (ReadTimeoutError(endpoint_url="https://x"), True),
        (NoCredentialsError(), False),
        (ParamValidationError(report="wrong"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_whether_trying_again_may_help(session: AwsSession, error: Exception, retryable: bool) -> None:
    found = mapped(session, error)
    assert type(found) is CloudError
    assert found.retryable is retryable


def test_other_errors_pass(session: AwsSession) -> None:
    with pytest.raises(ZeroDivisionError), session.errors("put", None, "x"):
        raise ZeroDivisionError


def test_a_client_is_made_once_per_service_and_region(session: AwsSession) -> None:
    assert session.s3("us-west-2") is session.s3("us-west-2")
    assert session.s3("us-west-2") is not session.s3("us-east-1")
    assert session.s3("us-west-2").meta.region_name == "us-west-2"
    retries: Any = session.s3("us-west-2").meta.config.retries  # type: ignore[attr-defined]  # not in the stubs
    assert (retries["mode"], retries["total_max_attempts"]) == ("adaptive", ATTEMPTS)
    session.close()


def test_an_invocation_is_waited_for_and_sent_once(session: AwsSession) -> None:
    config: Any = session.invocations("us-west-2", 899.5).meta.config
    assert config.read_timeout >= 900
    assert config.retries["total_max_attempts"] == 1
    session.close()


def test_the_endpoint_of_the_environment_is_used(session: AwsSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    assert session.sns("us-west-2").meta.endpoint_url == "http://127.0.0.1:5000"
    session.close()


def test_an_unknown_region_is_refused(session: AwsSession) -> None:
    with pytest.raises(UnknownRegionError, match="did you mean us-"):
        session.sqs("us-wst-2")


def test_a_profile_that_is_not_there_is_named() -> None:
    session = AwsSession(("us-east-1",), "us-east-1", profile="nobody")
    with pytest.raises(CloudError, match="nobody"):
        session.sts()


def test_importing_the_ports_does_not_import_boto3() -> None:
    path = multi_x_serverless.__path__[0].rpartition("/")[0]
    source = (
        f"import sys; sys.path.insert(0, {path!r}); import multi_x_serverless.cloud.aws; print('boto3' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_missing_credentials_are_said_with_the_ways_to_give_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with AwsCloud(regions=("us-east-1",), system_region="us-east-1") as cloud, pytest.raises(CloudError) as caught:
        cloud.key_value.list_tables("us-east-1")
    assert "aws configure" in str(caught.value)
    assert "--cloud local" in str(caught.value)
    assert not caught.value.retryable
