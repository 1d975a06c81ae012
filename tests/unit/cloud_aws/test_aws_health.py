"""What doctor finds in an account in which one thing is broken at a time, and the command that mends it.

moto keeps what was made; what it does not know (Lambda's quotas, missing permissions) is stubbed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE
from multi_x_serverless.cloud.ports import Finding
from multi_x_serverless.cloud.tables import create_tables, physical_name
from multi_x_serverless.errors import CloudError
from multi_x_serverless.sdk.tables import CLAIMS, PAYLOAD_OBJECT_PREFIX
from tests.aws.calls import ApiCalls
from tests.aws.operator import needed
from tests.unit.cloud_aws.conftest import REGION

SYSTEM = "us-east-1"
ACCOUNT = "123456789012"
BUCKET = f"multi-x-serverless-{ACCOUNT}-{REGION}"
GB = 1024**3


@pytest.fixture
def made(cloud: AwsCloud) -> AwsCloud:
    """Tables, bucket and queue of a region, as the product makes them."""
    create_tables(cloud, (REGION,))
    return cloud


def client(cloud: AwsCloud, service: str, region: str = REGION) -> Any:
    """The client that checks use."""
    return cloud._session.probe(service, region)


def find(cloud: AwsCloud, check: str, region: str = REGION, *, in_use: bool = True) -> list[Finding]:
    checks = {entry.name: entry for entry in cloud.health.region_checks(region, in_use=in_use)}
    findings = list(checks[check].look())
    assert {finding.check for finding in findings} == {check}
    assert {finding.regions for finding in findings} == {(region,)}
    return findings


def find_wrong(cloud: AwsCloud, check: str) -> Finding:
    (finding,) = [finding for finding in find(cloud, check) if finding.status != "ok"]
    return finding


def assert_mended_by_setup(cloud: AwsCloud, finding: Finding) -> None:
    """The command that is named does what it is named for, in a process of its own that knows of nothing yet."""
    assert finding.remedy == f"multi_x_serverless setup_tables --region {REGION}"
    with AwsCloud(regions=cloud.regions, system_region=cloud.system_region, installation="mine") as other:
        create_tables(other, (REGION,))
    assert {entry.status for entry in find(cloud, finding.check)} == {"ok"}


@pytest.mark.parametrize("check", ["tables", "bucket", "queue"])
def test_what_the_product_makes_is_well(made: AwsCloud, check: str) -> None:
    assert {finding.status for finding in find(made, check)} == {"ok"}


def test_all_tables_are_looked_at(made: AwsCloud) -> None:
    assert [finding.message for finding in find(made, "tables")] == ["4 are active and ours"]
    assert [finding.message for finding in find(made, "tables", SYSTEM)] == ["9 are active and ours"]


@pytest.mark.parametrize("check", ["bucket", "queue"])
def test_where_nothing_is_deployed_nothing_has_to_be(cloud: AwsCloud, check: str) -> None:
    assert [finding.message for finding in find(cloud, check, in_use=False)] == ["there is none yet"]


def test_missing_tables_are_not_its_business(cloud: AwsCloud) -> None:
    checks = {entry.name: entry for entry in cloud.health.region_checks(REGION, in_use=True)}
    assert checks["tables"].look() == ()


# --- tables --------------------------------------------------------------------------------------------------

TABLE = physical_name(CLAIMS)


def test_a_table_that_keeps_what_runs_leave(made: AwsCloud) -> None:
    client(made, "dynamodb").update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"}
    )

    finding = find_wrong(made, "tables")

    assert finding.status == "problem"
    assert finding.message.startswith(f"{TABLE} has no time to live")
    assert_mended_by_setup(made, finding)


def test_a_system_table_needs_no_time_to_live(made: AwsCloud) -> None:
    client(made, "dynamodb", SYSTEM).update_time_to_live(
        TableName=physical_name("plans"), TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"}
    )

    assert {finding.status for finding in find(made, "tables", SYSTEM)} == {"ok"}


def table_arn(cloud: AwsCloud) -> str:
    arn: str = client(cloud, "dynamodb").describe_table(TableName=TABLE)["Table"]["TableArn"]
    return arn


def test_a_table_without_our_tag(made: AwsCloud) -> None:
    client(made, "dynamodb").untag_resource(ResourceArn=table_arn(made), TagKeys=["multi-x-serverless"])

    finding = find_wrong(made, "tables")

    assert finding.status == "note"
    assert finding.remedy == (
        f"aws dynamodb tag-resource --resource-arn {table_arn(made)} --tags Key=multi-x-serverless,Value=mine "
        f"--region {REGION}"
    )


def test_a_table_of_another_installation(made: AwsCloud) -> None:
    tags = [{"Key": "multi-x-serverless", "Value": "theirs"}]
    client(made, "dynamodb").tag_resource(ResourceArn=table_arn(made), Tags=tags)

    finding = find_wrong(made, "tables")

    assert (finding.status, finding.message) == ("problem", f"{TABLE} is of the installation 'theirs'")


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("CREATING", f"aws dynamodb wait table-exists --table-name {TABLE} --region {REGION}"),
        ("DELETING", f"aws dynamodb wait table-not-exists --table-name {TABLE} --region {REGION}"),
        ("ARCHIVED", f"aws dynamodb describe-table --table-name {TABLE} --region {REGION}"),
    ],
)
def test_a_table_that_takes_no_requests(
    made: AwsCloud, status: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = client(made, "dynamodb")
    describe = tables.describe_table

    def describe_table(TableName: str) -> Any:  # noqa: N803  # AWS's name
        answer = describe(TableName=TableName)
        if TableName == TABLE:
            answer["Table"]["TableStatus"] = status
        return answer

    monkeypatch.setattr(tables, "describe_table", describe_table)

    finding = find_wrong(made, "tables")

    assert (finding.status, finding.message) == ("problem", f"{TABLE} is {status} and takes no requests")
    assert finding.remedy == command


# --- bucket --------------------------------------------------------------------------------------------------


def test_a_bucket_that_is_gone(cloud: AwsCloud) -> None:
    (finding,) = find(cloud, "bucket", in_use=True)

    assert finding.status == "problem"
    assert finding.message.startswith(f"{BUCKET} is gone")
    assert finding.remedy == "multi_x_serverless deploy"


@pytest.mark.parametrize(("in_use", "status"), [(True, "problem"), (False, "note")])
def test_a_bucket_that_is_not_to_be_seen(made: AwsCloud, in_use: bool, status: str) -> None:
    with Stubber(client(made, "s3")) as stubber:
        stubber.add_client_error("head_bucket", "403", "Forbidden", 403)
        (finding,) = find(made, "bucket", in_use=in_use)

    assert finding.status == status
    assert "another account has the name" in finding.message


@pytest.mark.parametrize("is_absent", [True, False])
def test_a_bucket_that_may_become_public(made: AwsCloud, is_absent: bool) -> None:
    bucket = client(made, "s3")
    if is_absent:
        bucket.delete_public_access_block(Bucket=BUCKET)
    else:
        bucket.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicAcls": True})

    finding = find_wrong(made, "bucket")

    assert (finding.status, finding.message) == ("problem", f"{BUCKET} does not block public access")
    assert_mended_by_setup(made, finding)


def test_a_bucket_without_encryption(made: AwsCloud) -> None:
    client(made, "s3").delete_bucket_encryption(Bucket=BUCKET)

    finding = find_wrong(made, "bucket")

    assert (finding.status, finding.message) == ("problem", f"{BUCKET} is not encrypted by default")
    assert_mended_by_setup(made, finding)


RULE = {
    "ID": "x",
    "Status": "Enabled",
    "Filter": {"Prefix": PAYLOAD_OBJECT_PREFIX},
    "Expiration": {"Days": 7},
}


@pytest.mark.parametrize(
    "changes",
    [None, {"Status": "Disabled"}, {"Filter": {"Prefix": "other/"}}, {"Expiration": {"Days": 6}}],
    ids=["none", "disabled", "elsewhere", "too early"],
)
def test_a_bucket_that_is_not_swept(made: AwsCloud, changes: dict[str, Any] | None) -> None:
    bucket = client(made, "s3")
    if changes is None:
        bucket.delete_bucket_lifecycle(Bucket=BUCKET)
    else:
        rules = {"Rules": [RULE | changes]}
        bucket.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=rules)

    finding = find_wrong(made, "bucket")

    assert finding.message == f"{BUCKET} does not delete large payloads after 7 days"
    assert_mended_by_setup(made, finding)


def test_all_that_is_wrong_with_a_bucket_is_one_finding(made: AwsCloud) -> None:
    client(made, "s3").delete_public_access_block(Bucket=BUCKET)
    client(made, "s3").delete_bucket_encryption(Bucket=BUCKET)

    finding = find_wrong(made, "bucket")

    assert finding.message == f"{BUCKET} does not block public access and is not encrypted by default"


def test_a_rule_in_the_form_before_filters_counts(made: AwsCloud) -> None:
    old = {key: value for key, value in RULE.items() if key != "Filter"} | {"Prefix": PAYLOAD_OBJECT_PREFIX}
    client(made, "s3").put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [old]})

    assert {finding.status for finding in find(made, "bucket")} == {"ok"}


# --- queue ---------------------------------------------------------------------------------------------------


def test_a_queue_that_is_gone(cloud: AwsCloud) -> None:
    (finding,) = find(cloud, "queue", in_use=True)

    assert finding.status == "problem"
    assert_mended_by_setup(cloud, finding)


def test_letters_are_counted_and_not_taken(made: AwsCloud) -> None:
    queue = client(made, "sqs")
    url = queue.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    for body in ("one", "two"):
        queue.send_message(QueueUrl=url, MessageBody=body)

    assert made.health.waiting_letters(REGION) == 2
    taken = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert len(taken) == 2, "nobody had taken them"
    assert made.health.waiting_letters(REGION) == 2, "those that somebody looks at are counted too"


def test_no_queue_holds_no_letters(cloud: AwsCloud) -> None:
    assert cloud.health.waiting_letters(REGION) == 0


# --- quotas --------------------------------------------------------------------------------------------------


@contextmanager
def quotas(cloud: AwsCloud, *, limit: int = 1000, free: int | None = None, used_gb: float = 1.0) -> Iterator[None]:
    answer = {
        "AccountLimit": {
            "TotalCodeSize": 75 * GB,
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": limit if free is None else free,
        },
        "AccountUsage": {"TotalCodeSize": int(used_gb * GB), "FunctionCount": 3},
    }
    with Stubber(client(cloud, "lambda")) as stubber:
        stubber.add_response("get_account_settings", answer)
        yield


def test_the_quotas_that_aws_gives_by_default(cloud: AwsCloud) -> None:
    with quotas(cloud):
        (finding,) = find(cloud, "quotas")

    assert (finding.status, finding.message) == ("ok", "1,000 functions can run at once, code storage has room")


def test_the_quota_of_a_new_account(cloud: AwsCloud) -> None:
    with quotas(cloud, limit=10):
        (finding,) = find(cloud, "quotas")

    assert (finding.status, finding.message) == (
        "note",
        "at most 10 functions run at once; AWS gives 1,000 when asked",
    )
    assert finding.remedy == (
        "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
        f"--desired-value 1000 --region {REGION}"
    )


@pytest.mark.parametrize(("free", "status"), [(100, "ok"), (99, "note"), (0, "problem")])
def test_what_is_reserved_is_not_there(cloud: AwsCloud, free: int, status: str) -> None:
    with quotas(cloud, limit=1000, free=free):
        (finding,) = find(cloud, "quotas")

    assert finding.status == status
    assert status == "ok" or "less what is reserved" in finding.message
    assert status == "ok" or "--desired-value 2000" in finding.remedy


@pytest.mark.parametrize(("used_gb", "status"), [(59.9, "ok"), (60.0, "note"), (72.8, "problem")])
def test_code_storage_that_fills_up(cloud: AwsCloud, used_gb: float, status: str) -> None:
    with quotas(cloud, used_gb=used_gb):
        (finding,) = find(cloud, "quotas")

    assert finding.status == status
    assert status == "ok" or finding.message == f"{used_gb:.1f} of 75 GB of code storage are used"
    assert status == "ok" or "--quota-code L-2ACBD22F --desired-value 150" in finding.remedy


# --- permissions, regions, endpoint --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "service", "operation", "message", "permission"),
    [
        (
            "quotas",
            "lambda",
            "get_account_settings",
            "User: x is not authorized to perform: lambda:GetAccountSettings",
            "lambda:GetAccountSettings",
        ),
        ("tables", "dynamodb", "describe_table", "no", "DescribeTable"),
        ("bucket", "s3", "get_public_access_block", "Access Denied", "GetPublicAccessBlock"),
    ],
)
def test_what_may_not_be_asked_is_a_note(
    made: AwsCloud, check: str, service: str, operation: str, message: str, permission: str
) -> None:
    with ExitStack() as stack:
        stubber = stack.enter_context(Stubber(client(made, service)))
        if service == "s3":
            stubber.add_response("head_bucket", {})
        stubber.add_client_error(operation, "AccessDenied", message, 403)
        (finding,) = find(made, check)

    assert finding.status == "note"
    assert finding.message.endswith(permission)
    assert "docs/guide/doctor.md" in finding.remedy


def test_what_an_endpoint_does_not_offer_is_a_note(cloud: AwsCloud) -> None:
    (finding,) = find(cloud, "quotas")  # moto has none

    assert (finding.status, finding.message) == (
        "note",
        "cannot be told: GetAccountSettings is not offered by this endpoint",
    )


def test_other_refusals_are_raised_as_ours(cloud: AwsCloud) -> None:
    with Stubber(client(cloud, "lambda")) as stubber:
        stubber.add_client_error("get_account_settings", "ServiceException", "down", 500)
        with pytest.raises(CloudError, match="down"):
            find(cloud, "quotas")


def find_general(cloud: AwsCloud, check: str) -> Finding:
    checks = {entry.name: entry for entry in cloud.health.checks()}
    (finding,) = checks[check].look()
    return finding


@contextmanager
def opt_in(cloud: AwsCloud, **statuses: str) -> Iterator[None]:
    regions = [{"RegionName": name.replace("_", "-"), "OptInStatus": status} for name, status in statuses.items()]
    with Stubber(client(cloud, "ec2", SYSTEM)) as stubber:
        stubber.add_response("describe_regions", {"Regions": regions}, {"AllRegions": True})
        yield


def test_regions_are_asked_for_once(cloud: AwsCloud) -> None:
    with opt_in(cloud, us_east_1="opt-in-not-required", us_west_2="not-opted-in"):
        assert cloud.health.reach(SYSTEM).status == "ok"
        assert cloud.health.reach(REGION).message == "not enabled in this account"
        assert find_general(cloud, "regions").message == "1 of 2 are enabled in the account"


def test_regions_that_may_not_be_asked_for_are_tried(cloud: AwsCloud) -> None:
    with Stubber(client(cloud, "ec2", SYSTEM)) as stubber:
        stubber.add_client_error("describe_regions", "UnauthorizedOperation", "You are not authorized", 403)
        reached = cloud.health.reach(REGION)
        finding = find_general(cloud, "regions")

    assert reached.status == "ok"
    assert (finding.status, finding.message) == (
        "problem",
        "cannot be told without the permission for DescribeRegions",
    )


def test_another_endpoint_is_a_note(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_general(cloud, "endpoint").status == "ok"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")

    finding = find_general(cloud, "endpoint")

    assert (finding.status, finding.remedy) == ("note", "unset AWS_ENDPOINT_URL")
    assert "http://127.0.0.1:5000" in finding.message


def test_nothing_is_changed_and_the_guide_names_every_permission(made: AwsCloud) -> None:
    with ApiCalls().recording() as recorded:
        made.health.access()
        made.health.waiting_letters(REGION)
        for region in (SYSTEM, REGION):
            made.health.reach(region)
            for check in (*made.health.checks(), *made.health.region_checks(region, in_use=True)):
                check.look()

    operations = {call.operation for call in recorded.calls}
    assert len(operations) > 10
    assert {name for name in operations if not name.startswith(("Describe", "Get", "Head", "List"))} == set()
    assert {access.action for call in recorded.calls for access in needed(call)} <= permissions_of_the_guide()


def permissions_of_the_guide() -> set[str]:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "doctor.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    return set(json.loads(policy)["Statement"][0]["Action"])
