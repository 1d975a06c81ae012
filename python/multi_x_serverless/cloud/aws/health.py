"""What can be wrong with AWS (the health port): access, quotas, and what was made in a region.

Everything is read, and nothing is waited for long. What the caller is not allowed to ask is a note: the product may do
without that permission.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from multi_x_serverless.cloud.aws.access import aws_command, check_access, check_region
from multi_x_serverless.cloud.aws.dead_letters import DeadLetterQueues
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, TAG, bucket_name
from multi_x_serverless.cloud.aws.objects import NO_PUBLIC_ACCESS, PAYLOAD_DAYS
from multi_x_serverless.cloud.aws.session import (
    ACCESS_DENIED,
    AwsSession,
    code_of,
    is_missing,
    missing_permission,
)
from multi_x_serverless.cloud.ports import Check, Finding, FindingStatus
from multi_x_serverless.cloud.tables import SYSTEM_TABLES, physical_name, setup_command
from multi_x_serverless.errors import CloudError
from multi_x_serverless.sdk.tables import PAYLOAD_OBJECT_PREFIX, REGION_TABLES

DEFAULT_CONCURRENCY = 1_000
"""Executions at once per region that AWS gives by default (Lambda quotas); new accounts begin with 10."""

LITTLE_CONCURRENCY = 100
"""Below this a fan-out of a few runs at once is throttled; Lambda itself keeps 100 from being reserved."""

NEARLY_FULL = 0.8
FULL = 0.97
"""Shares of the code storage from which on it is told, and from which on the next package may not fit."""

_CONCURRENCY_QUOTA = "L-B99A9384"
_STORAGE_QUOTA = "L-2ACBD22F"
_GB = 1024**3
_NOT_OFFERED = frozenset({"404", "501", "NotImplemented", "UnknownOperationException"})
_ENDPOINT = "AWS_ENDPOINT_URL"

Look = Callable[[], tuple[Finding, ...]]


class AwsHealth:
    """See `multi_x_serverless.cloud.ports.Health`."""

    def __init__(self, session: AwsSession, letters: DeadLetterQueues, clock: Callable[[], float] = time.time) -> None:
        self._session = session
        self._letters = letters
        self._clock = clock
        self._lock = threading.Lock()
        self._opt_in: Mapping[str, str] | CloudError | None = None

    def access(self) -> tuple[Finding, ...]:
        """Whether the credentials work, and how far the clock is off."""
        return check_access(self._session, self._clock)

    def is_alone(self) -> bool:
        """Never certain: others may work on the same account from anywhere."""
        return False

    def reach(self, region: str) -> Finding:
        """Whether a region is open to the account and answers."""
        try:
            status = self._opt_in_statuses().get(region)
        except CloudError:
            status = None  # a check of its own says so
        return check_region(self._session, region, status)

    def checks(self) -> tuple[Check, ...]:
        """What is about no region."""
        # Without the list of regions 'deploy' and 'setup_tables' cannot begin.
        opt_in = self._check("regions", "the regions", self._check_opt_in, denied="problem")
        return (opt_in, Check("endpoint", _check_endpoint))

    def region_checks(self, region: str, *, in_use: bool) -> tuple[Check, ...]:
        """Quotas, tables, bucket and queue of a region."""
        return (
            self._check("quotas", "Lambda's quotas", lambda: self._check_quotas(region), region),
            self._check("tables", "tables", lambda: self._check_tables(region), region),
            self._check("bucket", "the bucket", lambda: self._check_bucket(region, in_use=in_use), region),
            self._check("queue", "the queue", lambda: self._check_queue(region, in_use=in_use), region),
        )

    def waiting_letters(self, region: str) -> int:
        """How many messages of the region were given up, about."""
        return self._letters.count(region) or 0

    def _check(
        self, name: str, what: str, look: Look, region: str | None = None, *, denied: FindingStatus = "note"
    ) -> Check:
        """A check in which a missing permission is a note, or what `denied` says."""
        regions = () if region is None else (region,)

        def guarded() -> tuple[Finding, ...]:
            from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

            try:
                with self._session.errors(name, region, what):
                    return look()
            except CloudError as error:
                cause = error.__cause__
                if isinstance(cause, ClientError) and code_of(cause) in ACCESS_DENIED:
                    remedy = "# docs/guide/doctor.md lists the permissions that doctor asks with"
                    return (
                        Finding(name, denied, f"cannot be told without {missing_permission(cause)}", remedy, regions),
                    )
                if isinstance(cause, ClientError) and code_of(cause) in _NOT_OFFERED:
                    message = f"cannot be told: {cause.operation_name} is not offered by this endpoint"
                    return (Finding(name, "note", message, regions=regions),)
                raise

        return Check(name, guarded)

    def _opt_in_statuses(self) -> Mapping[str, str]:
        """Region -> EC2's opt-in status; asked once, also when it is refused."""
        with self._lock:
            if self._opt_in is None:
                try:
                    self._opt_in = self._ask_opt_in()
                except CloudError as error:
                    self._opt_in = error
            if isinstance(self._opt_in, CloudError):
                raise self._opt_in
            return self._opt_in

    def _ask_opt_in(self) -> Mapping[str, str]:
        with self._session.errors("regions", None, "the regions"):
            client = self._session.probe("ec2", self._session.system_region)
            answer = client.describe_regions(AllRegions=True)
        return {entry["RegionName"]: entry["OptInStatus"] for entry in answer["Regions"]}

    def _check_opt_in(self) -> tuple[Finding, ...]:
        statuses = self._opt_in_statuses()
        enabled = sum(statuses.get(region, "") != "not-opted-in" for region in self._session.regions)
        return (Finding("regions", "ok", f"{enabled} of {len(self._session.regions)} are enabled in the account"),)

    def _check_quotas(self, region: str) -> tuple[Finding, ...]:
        settings = self._session.probe("lambda", region).get_account_settings()
        limit, usage = settings["AccountLimit"], settings["AccountUsage"]
        concurrency, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
        findings = []
        if free < LITTLE_CONCURRENCY:
            status: FindingStatus = "problem" if free == 0 else "note"
            message = f"at most {free} functions run at once ({concurrency:,} less what is reserved)"
            if free == concurrency:
                message = f"at most {concurrency} functions run at once; AWS gives {DEFAULT_CONCURRENCY:,} when asked"
            remedy = self._raise_quota(region, _CONCURRENCY_QUOTA, max(DEFAULT_CONCURRENCY, 2 * concurrency))
            findings.append(Finding("quotas", status, message, remedy, (region,)))
        used, size = usage["TotalCodeSize"], limit["TotalCodeSize"]
        if used >= NEARLY_FULL * size:
            remedy = "# delete functions and versions that nobody uses, or:\n" + self._raise_quota(
                region, _STORAGE_QUOTA, 2 * round(size / _GB)
            )
            message = f"{used / _GB:.1f} of {size / _GB:.0f} GB of code storage are used"
            findings.append(Finding("quotas", "problem" if used >= FULL * size else "note", message, remedy, (region,)))
        if not findings:
            message = f"{free:,} functions can run at once, code storage has room"
            findings.append(Finding("quotas", "ok", message, regions=(region,)))
        return tuple(findings)

    def _raise_quota(self, region: str, quota: str, value: int) -> str:
        return self._aws(
            f"service-quotas request-service-quota-increase --service-code lambda --quota-code {quota}"
            f" --desired-value {value} --region {region}"
        )

    def _check_tables(self, region: str) -> tuple[Finding, ...]:
        """State, time to live and owner of the product's tables that are there."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client = self._session.probe("dynamodb", region)
        run_time = [physical_name(table) for table in REGION_TABLES]
        system = [physical_name(table) for table in SYSTEM_TABLES] if region == self._session.system_region else []
        findings = []
        healthy = 0
        for table in (*system, *run_time):
            try:
                found = self._check_table(client, region, table, has_lifetime=table in run_time)
            except ClientError as error:
                if not is_missing(error):
                    raise
                continue
            findings += found
            healthy += not found
        if healthy:
            findings.append(Finding("tables", "ok", f"{healthy} are active and ours", regions=(region,)))
        return tuple(findings)

    def _check_table(self, client: Any, region: str, table: str, *, has_lifetime: bool) -> list[Finding]:
        described = client.describe_table(TableName=table)["Table"]
        status, arn = described["TableStatus"], described["TableArn"]
        if status not in ("ACTIVE", "UPDATING"):
            command = f"dynamodb describe-table --table-name {table} --region {region}"
            if status in ("CREATING", "DELETING"):
                end = "exists" if status == "CREATING" else "not-exists"
                command = f"dynamodb wait table-{end} --table-name {table} --region {region}"
            message = f"{table} is {status} and takes no requests"
            return [Finding("tables", "problem", message, self._aws(command), (region,))]
        findings = []
        if has_lifetime:
            lifetime = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
            if lifetime["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
                message = f"{table} has no time to live: what runs leave in it is never swept"
                findings.append(Finding("tables", "problem", message, setup_command(region), (region,)))
        tags = {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=arn).get("Tags", [])}
        owner = tags.get(TAG)
        if owner != self._session.installation:
            remedy = "# two installations must not share an account and its tables"
            if owner is None:
                tag = f"Key={TAG},Value={self._session.installation}"
                remedy = self._aws(f"dynamodb tag-resource --resource-arn {arn} --tags {tag} --region {region}")
            message = f"{table} has no tag '{TAG}'" if owner is None else f"{table} is of the installation '{owner}'"
            findings.append(Finding("tables", "note" if owner is None else "problem", message, remedy, (region,)))
        return findings

    def _check_bucket(self, region: str, *, in_use: bool) -> tuple[Finding, ...]:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        account = self._session.account_id()
        name = bucket_name(account, region)
        of_bucket = {"Bucket": name, "ExpectedBucketOwner": account}
        client = self._session.probe("s3", region)
        try:
            client.head_bucket(**of_bucket)
        except ClientError as error:
            if code_of(error) in ACCESS_DENIED:
                message = f"{name} is not to be seen: the caller may not, or another account has the name"
                return (Finding("bucket", "problem" if in_use else "note", message, regions=(region,)),)
            if not is_missing(error):
                raise
            if not in_use:
                return (Finding("bucket", "ok", "there is none yet", regions=(region,)),)
            message = f"{name} is gone, with the packages of the functions"
            return (Finding("bucket", "problem", message, "multi_x_serverless deploy", (region,)),)
        missing = _missing_properties(client, of_bucket)
        if missing:
            message = f"{name} {' and '.join(missing)}"
            return (Finding("bucket", "problem", message, setup_command(region), (region,)),)
        return (Finding("bucket", "ok", "private, encrypted, swept", regions=(region,)),)

    def _check_queue(self, region: str, *, in_use: bool) -> tuple[Finding, ...]:
        if self._letters.count(region) is not None:
            return (Finding("queue", "ok", "takes the messages that are given up", regions=(region,)),)
        if not in_use:
            return (Finding("queue", "ok", "there is none yet", regions=(region,)),)
        message = f"{DEAD_LETTER_QUEUE} is gone: messages that are given up are lost"
        return (Finding("queue", "problem", message, setup_command(region), (region,)),)

    def _aws(self, command: str) -> str:
        return aws_command(self._session, command)


def _check_endpoint() -> tuple[Finding, ...]:
    endpoint = os.environ.get(_ENDPOINT)
    if not endpoint:
        return (Finding("endpoint", "ok", "AWS's own"),)
    return (Finding("endpoint", "note", f"requests go to {endpoint}, not to AWS", f"unset {_ENDPOINT}"),)


def _missing_properties(client: Any, of_bucket: Mapping[str, str]) -> list[str]:
    """What is not as `AwsObjectStore` makes a bucket, in words."""
    private = _optional(lambda: client.get_public_access_block(**of_bucket), "NoSuchPublicAccessBlockConfiguration")
    encrypted = _optional(
        lambda: client.get_bucket_encryption(**of_bucket), "ServerSideEncryptionConfigurationNotFoundError"
    )
    swept = _optional(lambda: client.get_bucket_lifecycle_configuration(**of_bucket), "NoSuchLifecycleConfiguration")
    properties = {
        "does not block public access": private.get("PublicAccessBlockConfiguration") == NO_PUBLIC_ACCESS,
        "is not encrypted by default": bool(encrypted.get("ServerSideEncryptionConfiguration", {}).get("Rules")),
        f"does not delete large payloads after {PAYLOAD_DAYS} days": any(map(_sweeps_payloads, swept.get("Rules", []))),
    }
    return [words for words, holds in properties.items() if not holds]


def _sweeps_payloads(rule: Mapping[str, Any]) -> bool:
    """Whether a lifecycle rule, in today's form or the one before it, deletes payloads when they are no longer used."""
    prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix"))
    is_late_enough = rule.get("Expiration", {}).get("Days", 0) >= PAYLOAD_DAYS
    return rule.get("Status") == "Enabled" and prefix == PAYLOAD_OBJECT_PREFIX and is_late_enough


def _optional(ask: Callable[[], Any], code: str) -> Any:  # as clients answer
    """An answer; nothing if AWS says by this code that there is nothing."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        return ask()
    except ClientError as error:
        if code_of(error) != code:
            raise
        return {}
