"""The one door to boto3: clients per service and region, made when first asked for, and what their errors mean.

boto3 is imported when the first client is made, so that importing this module costs nothing. ``AWS_ENDPOINT_URL`` and
the usual sources of credentials are honoured by boto3 itself.
"""

from __future__ import annotations

import difflib
import math
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from multi_x_serverless.cloud.aws.names import TAG
from multi_x_serverless.errors import CloudError, ResourceNotFoundError, UnknownRegionError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_resourcegroupstaggingapi.client import ResourceGroupsTaggingAPIClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sts.client import STSClient

ATTEMPTS = 8
"""How often botocore tries a request in its adaptive mode, the first time included."""

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
CONNECTIONS = 32
"""Connections kept per client: commands work on many resources at once."""

LIST_ATTEMPTS = 5
LIST_TIMEOUT_S = 20.0
"""Of requests for prices and names of regions: there is something to fall back on, but no reason to hurry."""

PRICE_LIST_REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
"""Where the Price List API has endpoints; each knows the prices of all regions (AWS Billing user guide)."""

PROBE_ATTEMPTS = 2
PROBE_TIMEOUT_S = 10.0
"""Of requests that only ask whether something is there and well: whoever asks wants an answer, be it a bad one."""

_INVOCATION_MARGIN_S = 5.0  # between a function's answer and the end of waiting for it

_NOT_FOUND = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ImageNotFoundException",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchKey",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
    }
)
UNKNOWN_CREDENTIALS = frozenset(
    {"AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"}
)
"""How services answer in a region that the account has not enabled, or to credentials that are none."""

ACCESS_DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
"""How services answer who lacks a permission."""

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""How services answer who asks too often."""

_PERMISSION = re.compile(r"perform: ([A-Za-z0-9-]+:[A-Za-z0-9]+)")

_RETRYABLE = THROTTLED | frozenset(
    {
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "ConcurrentAccess",
        "ConcurrentAccessException",
        "ConcurrentModification",
        "LimitExceededException",
        "OperationAborted",
        "OperationAbortedException",
        "QueueDeletedRecently",
        "RequestTimeout",
        "ResourceConflictException",
        "ResourceInUseException",
    }
)


class AwsSession:
    """Clients, the regions that may be used, and the installation whose tag everything carries.

    Args:
        regions: Codes of the regions that may be used.
        system_region: Where calls go that have no region (identity).
        installation: Value of the tag on everything that is made.
        profile: Profile of the AWS configuration files; by default the environment's.
        pause: Waits a number of seconds.
    """

    def __init__(
        self,
        regions: tuple[str, ...],
        system_region: str,
        *,
        installation: str = "default",
        profile: str | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.regions = regions
        self.system_region = system_region
        self.installation = installation
        self.pause = pause
        self.profile = profile
        self._known = frozenset(regions)
        # Making a client is not thread-safe; clients themselves are.
        self._lock = threading.RLock()
        self._session: Any = None
        self._clients: dict[tuple[str, str, int, float], Any] = {}
        self._account: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """Tags of everything that is made."""
        return {TAG: self.installation}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The same as most services write them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def require(self, region: str) -> None:
        """Refuse a region that may not be used.

        Raises:
            UnknownRegionError: There is no such region.
        """
        if region not in self._known:
            near = difflib.get_close_matches(region, self.regions, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.regions)}."
            raise UnknownRegionError(f"there is no region '{region}'; {hint}")

    def account_id(self) -> str:
        """The account whose credentials are used; asked once.

        Raises:
            CloudError: The credentials do not work.
        """
        with self._lock:
            if self._account is None:
                with self.errors("account_id", None, "the account"):
                    self._account = self.sts().get_caller_identity()["Account"]
            return self._account

    def dynamodb(self, region: str) -> DynamoDBClient:
        """Tables."""
        return cast("DynamoDBClient", self._client("dynamodb", region))

    def ecr(self, region: str) -> ECRClient:
        """Container images."""
        return cast("ECRClient", self._client("ecr", region))

    def iam(self) -> IAMClient:
        """Roles."""
        return cast("IAMClient", self._client("iam", self.system_region))

    def functions(self, region: str) -> LambdaClient:
        """Lambda."""
        return cast("LambdaClient", self._client("lambda", region))

    def invocations(self, region: str, timeout_s: float) -> LambdaClient:
        """Lambda for synchronous invocations, which are waited for as long as asked and never sent twice."""
        read_timeout_s = math.ceil(timeout_s) + _INVOCATION_MARGIN_S
        return cast("LambdaClient", self._client("lambda", region, attempts=1, read_timeout_s=read_timeout_s))

    def logs(self, region: str) -> CloudWatchLogsClient:
        """CloudWatch Logs."""
        return cast("CloudWatchLogsClient", self._client("logs", region))

    def regions_service(self) -> Any:
        """EC2, whose list of regions says which the account may use (nothing else of it is used)."""
        return self._client("ec2", self.system_region)

    def tagging(self, region: str) -> ResourceGroupsTaggingAPIClient:
        """What carries which tag."""
        return cast("ResourceGroupsTaggingAPIClient", self._client("resourcegroupstaggingapi", region))

    def price_list(self) -> Any:  # no stubs of pricing are installed
        """The Price List API, at the endpoint of the system region if it has one."""
        region = self.system_region if self.system_region in PRICE_LIST_REGIONS else PRICE_LIST_REGIONS[0]
        return self._kept_client("pricing", region, LIST_ATTEMPTS, LIST_TIMEOUT_S)

    def public_parameters(self) -> Any:  # no stubs of ssm are installed
        """Systems Manager, whose public parameters describe AWS's regions (nothing else of it is used)."""
        return self._client("ssm", self.system_region, attempts=LIST_ATTEMPTS, read_timeout_s=LIST_TIMEOUT_S)

    def s3(self, region: str) -> S3Client:
        """Objects."""
        return cast("S3Client", self._client("s3", region))

    def sns(self, region: str) -> SNSClient:
        """Topics."""
        return cast("SNSClient", self._client("sns", region))

    def scheduler(self, region: str) -> Any:  # no stubs of the scheduler are installed
        """Schedules."""
        return self._client("scheduler", region)

    def sqs(self, region: str) -> SQSClient:
        """Queues."""
        return cast("SQSClient", self._client("sqs", region))

    def sts(self) -> STSClient:
        """Who is calling."""
        return cast("STSClient", self._client("sts", self.system_region))

    def probe(self, service: str, region: str) -> Any:  # clients of many services
        """A client of any service that gives up early: for whoever looks at what is there."""
        return self._client(service, region, attempts=PROBE_ATTEMPTS, read_timeout_s=PROBE_TIMEOUT_S)

    @contextmanager
    def errors(self, operation: str, region: str | None, what: str) -> Iterator[None]:
        """Turn botocore's errors into ours.

        Args:
            operation: Name of the port's operation.
            region: Where, if it has a region.
            what: What it is about, to be named in the message, for example ``table 'x'``.
        """
        from botocore.exceptions import (  # noqa: PLC0415  # slow; loaded when AWS is used
            BotoCoreError,
            ClientError,
            CredentialRetrievalError,
            HTTPClientError,
            NoCredentialsError,
            PartialCredentialsError,
            SSOError,
            WaiterError,
        )
        from botocore.exceptions import ConnectionError as NoConnectionError  # noqa: PLC0415

        where = "" if region is None else f" in {region}"
        try:
            yield
        except ClientError as error:
            code = code_of(error)
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in UNKNOWN_CREDENTIALS and region is not None:
                raise CloudError(
                    f"{operation} of {what}{where} was refused: the credentials are not known there. If they work in "
                    f"other regions, the account has not enabled this one "
                    f"(aws account enable-region --region-name {region}).",
                    operation=operation,
                    region=region,
                ) from error
            if code in _NOT_FOUND:
                raise ResourceNotFoundError(
                    f"there is no {what}{where}, or something it needs is missing ({error}).",
                    operation=operation,
                    region=region,
                ) from error
            raise CloudError(
                f"{operation} of {what}{where} was refused: {error}",
                operation=operation,
                region=region,
                retryable=code in _RETRYABLE or status >= 500,
            ) from error
        except (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError, SSOError) as error:
            raise CloudError(
                f"AWS was not asked ({operation} of {what}{where}): {str(error).rstrip('.')}. Give credentials ('aws "
                "configure', 'aws sso login', or a profile by --profile), or use the embedded cloud (--cloud local); "
                "'multi_x_serverless doctor' tells more.",
                operation=operation,
                region=region,
            ) from error
        except BotoCoreError as error:
            raise CloudError(
                f"{operation} of {what}{where} failed: {error}",
                operation=operation,
                region=region,
                retryable=isinstance(error, HTTPClientError | NoConnectionError | WaiterError),
            ) from error

    def send_until_known(
        self, request: Callable[[], object], not_known_yet: Mapping[str, Collection[str]], delays_s: Iterable[float]
    ) -> None:
        """Send a request again as long as a service says that it does not know yet what was just made elsewhere.

        Args:
            request: Sends it.
            not_known_yet: Code of an error -> parts of sentences, one of which is in the error's own.
            delays_s: Waits before each further attempt; after the last one the error stands.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        for delay_s in (*delays_s, None):
            try:
                request()
            except ClientError as error:
                sentences = not_known_yet.get(code_of(error), ())
                if delay_s is None or not any(sentence in message_of(error) for sentence in sentences):
                    raise
                self.pause(delay_s)
            else:
                return

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _client(
        self, service: str, region: str, *, attempts: int = ATTEMPTS, read_timeout_s: float = READ_TIMEOUT_S
    ) -> Any:  # cast above
        self.require(region)
        return self._kept_client(service, region, attempts, read_timeout_s)

    def _kept_client(self, service: str, region: str, attempts: int, read_timeout_s: float) -> Any:
        key = (service, region, attempts, read_timeout_s)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make_client(service, region, attempts, read_timeout_s)
            return self._clients[key]

    def _make_client(self, service: str, region: str, attempts: int, read_timeout_s: float) -> Any:
        import boto3  # noqa: PLC0415  # slow; loaded when AWS is used
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            max_pool_connections=CONNECTIONS,
        )
        if self._session is None:
            try:
                self._session = boto3.session.Session(profile_name=self.profile)
            except ProfileNotFound as error:
                raise CloudError(f"{error}: name one that 'aws configure' made.", operation="session") from error
        return self._session.client(service, region_name=region, config=config)


def code_of(error: ClientError) -> str:
    """AWS's code of an error."""
    return error.response.get("Error", {}).get("Code", "")


def message_of(error: ClientError) -> str:
    """AWS's sentence about an error."""
    return error.response.get("Error", {}).get("Message", "")


def is_missing(error: ClientError) -> bool:
    """Whether an error says that something does not exist."""
    return code_of(error) in _NOT_FOUND


def missing_permission(error: ClientError) -> str:
    """The permission that was missing, as far as AWS says."""
    said = _PERMISSION.search(str(error))
    return f"the permission {said.group(1)}" if said else f"the permission for {error.operation_name}"
