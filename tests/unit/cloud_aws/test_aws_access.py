"""What doctor says of credentials, clock and regions that AWS does not take, and what it names to mend them."""

from __future__ import annotations

import sys
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError
from botocore.stub import Stubber

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws import access as access_module
from multi_x_serverless.cloud.aws.access import check_access, check_region
from multi_x_serverless.cloud.aws.session import PROBE_ATTEMPTS, PROBE_TIMEOUT_S, AwsSession
from multi_x_serverless.cloud.ports import Finding

HOME, OTHER = "us-east-1", "us-west-2"
NOW = 1_700_000_000.0
IDENTITY = {"UserId": "AIDA", "Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ada"}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AwsSession:
    """A session with credentials that nothing is asked with but by a stub."""
    bare(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return AwsSession((HOME, OTHER), HOME)


def bare(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """No credentials anywhere, and none asked of a machine in AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(directory / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(directory / "credentials"))


def dated(seconds: float) -> dict[str, Any]:
    return {"HTTPHeaders": {"date": formatdate(seconds, usegmt=True)}}


def access(session: AwsSession) -> list[Finding]:
    return list(check_access(session, lambda: NOW))


def refused(session: AwsSession, code: str, message: str = "no", *, date: float = NOW) -> list[Finding]:
    """What is found when STS answers with an error."""
    with Stubber(session.probe("sts", HOME)) as stubber:
        stubber.add_client_error("get_caller_identity", code, message, 403, response_meta=dated(date))
        return access(session)


def test_who_is_calling_is_said(session: AwsSession) -> None:
    with Stubber(session.probe("sts", HOME)) as stubber:
        stubber.add_response("get_caller_identity", {**IDENTITY, "ResponseMetadata": dated(NOW)})
        credentials, clock = access(session)

    assert credentials == Finding("credentials", "ok", f"account 123456789012, {IDENTITY['Arn']}")
    assert (clock.check, clock.status) == ("clock", "ok")


def test_moto_lets_everybody_in(cloud: AwsCloud) -> None:
    assert {(finding.check, finding.status) for finding in cloud.health.access()} == {
        ("credentials", "ok"),
        ("clock", "ok"),
    }


# --- what the machine has ------------------------------------------------------------------------------------


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare(monkeypatch, tmp_path)

    (finding,) = access(AwsSession((HOME,), HOME))

    assert (finding.status, finding.message) == ("problem", "there are no credentials")
    assert finding.remedy.splitlines()[0] == "aws configure"


def test_half_of_the_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")

    (finding,) = access(AwsSession((HOME,), HOME))

    assert finding.message.startswith("half of the credentials is missing")
    assert finding.remedy == "aws configure"


def test_a_profile_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare(monkeypatch, tmp_path)

    (finding,) = access(AwsSession((HOME,), HOME, profile="no such"))

    assert "no such" in finding.message
    assert finding.remedy.splitlines()[0] == "aws configure list-profiles"
    assert finding.remedy.splitlines()[-1] == "aws configure --profile 'no such'"


@pytest.mark.parametrize(
    "settings",
    [
        "sso_start_url = https://x.invalid\nsso_region = us-east-1\n",
        "sso_session = corp\n[sso-session corp]\nsso_start_url = https://x.invalid\nsso_region = us-east-1\n",
    ],
    ids=["legacy", "session"],
)
def test_a_session_of_the_identity_center_that_has_ended(
    settings: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare(monkeypatch, tmp_path)
    head = "[profile work]\nsso_account_id = 123456789012\nsso_role_name = admin\n"
    (tmp_path / "config").write_text(head + settings, encoding="utf-8")

    (finding,) = access(AwsSession((HOME,), HOME, profile="work"))

    assert finding.message.startswith("the session of IAM Identity Center has ended")
    assert finding.remedy == "aws sso login --profile work"


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://x"),
        ConnectTimeoutError(endpoint_url="https://x"),
        ProxyConnectionError(proxy_url="http://p"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_network(session: AwsSession, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "probe", lambda service, region: _Failing(error))

    (finding,) = access(session)

    assert (finding.status, finding.check) == ("problem", "credentials")
    assert finding.message.startswith("AWS cannot be reached")
    assert "HTTPS_PROXY" in finding.remedy


class _Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_caller_identity(self) -> None:
        raise self._error


# --- what AWS says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("ExpiredToken", "the credentials have expired", "aws sso login"),
        ("ExpiredTokenException", "the credentials have expired", "aws sso login"),
        ("InvalidClientTokenId", "AWS does not know the access key", "aws configure"),
        ("SignatureDoesNotMatch", "the secret key does not belong to the access key", "aws configure"),
        ("SomethingNew", "AWS refuses to say who is calling", ""),
    ],
)
def test_credentials_that_aws_does_not_take(session: AwsSession, code: str, message: str, remedy: str) -> None:
    finding, clock = refused(session, code)

    assert finding.status == "problem"
    assert finding.message.startswith(message)
    assert finding.remedy.partition("\n")[0] == remedy
    assert clock.status == "ok"


def test_commands_are_for_the_profile_in_use(monkeypatch: pytest.MonkeyPatch, session: AwsSession) -> None:
    session.profile = "work"
    client = AwsSession((HOME,), HOME).probe("sts", HOME)
    monkeypatch.setattr(session, "probe", lambda service, region: client)
    with Stubber(client) as stubber:
        stubber.add_client_error("get_caller_identity", "InvalidClientTokenId")
        assert access(session)[0].remedy == "aws configure --profile work"


@pytest.mark.parametrize(
    ("ahead_s", "status", "direction"),
    [
        (0.0, "ok", ""),
        (59.0, "ok", ""),
        (60.0, "note", "60 s ahead of"),
        (-299.0, "note", "299 s behind"),
        (300.0, "problem", "300 s ahead of"),
        (-7200.0, "problem", "7,200 s behind"),
    ],
)
def test_how_far_the_clock_is_off(session: AwsSession, ahead_s: float, status: str, direction: str) -> None:
    with Stubber(session.probe("sts", HOME)) as stubber:
        stubber.add_response("get_caller_identity", {**IDENTITY, "ResponseMetadata": dated(NOW - ahead_s)})
        _, clock = access(session)

    assert clock.status == status
    assert direction in clock.message
    assert bool(clock.remedy) == (status != "ok")


def test_a_clock_for_which_aws_refuses_everything(session: AwsSession) -> None:
    said = "Signature expired: 20231114T000000Z is now earlier than 20231114T221320Z"
    (finding,) = refused(session, "SignatureDoesNotMatch", said, date=NOW + 80_000)

    assert finding.message == "this machine's clock is 80,000 s behind AWS's: requests are refused"


def test_a_refusal_for_the_clock_whose_answer_has_no_date(session: AwsSession) -> None:
    with Stubber(session.probe("sts", HOME)) as stubber:
        stubber.add_client_error("get_caller_identity", "SignatureDoesNotMatch", "Signature expired: x", 403)
        finding, clock = access(session)

    assert finding.message.startswith("AWS says that this machine's clock is wrong")
    assert finding.remedy == access_module.synchronise_command()
    assert (clock.status, clock.remedy) == ("note", "")


@pytest.mark.parametrize(("platform", "command"), [("linux", "timedatectl"), ("darwin", "sntp")])
def test_the_clock_is_set_by_the_machines_own_command(
    platform: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert command in access_module.synchronise_command()


# --- regions -------------------------------------------------------------------------------------------------


def test_a_region_that_answers(session: AwsSession) -> None:
    with Stubber(session.probe("sts", OTHER)) as stubber:
        stubber.add_response("get_caller_identity", IDENTITY)
        assert check_region(session, OTHER, "opted-in").status == "ok"


def test_a_region_that_is_not_enabled_is_not_asked(session: AwsSession) -> None:
    with Stubber(session.probe("sts", OTHER)):  # refuses every call
        finding = check_region(session, OTHER, "not-opted-in")

    assert (finding.status, finding.regions) == ("problem", (OTHER,))
    assert finding.remedy.splitlines()[0] == f"aws account enable-region --region-name {OTHER}"


def test_a_region_that_refuses_the_credentials(session: AwsSession) -> None:
    with Stubber(session.probe("sts", OTHER)) as stubber:
        stubber.add_client_error("get_caller_identity", "InvalidClientTokenId")
        finding = check_region(session, OTHER, None)

    assert finding.status == "problem"
    assert "not enabled" in finding.message
    assert finding.remedy.splitlines()[0] == f"aws account enable-region --region-name {OTHER}"


def test_a_region_that_refuses_for_another_reason(session: AwsSession) -> None:
    with Stubber(session.probe("sts", OTHER)) as stubber:
        stubber.add_client_error("get_caller_identity", "AccessDenied", "by an organisation")
        finding = check_region(session, OTHER, "opted-in")

    assert "by an organisation" in finding.message
    assert (finding.status, finding.remedy) == ("problem", "")


def test_a_region_that_cannot_be_reached(session: AwsSession, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = _Failing(EndpointConnectionError(endpoint_url="https://x"))
    monkeypatch.setattr(session, "probe", lambda service, region: failing)

    finding = check_region(session, OTHER, "opted-in")

    assert finding.status == "problem"
    assert finding.message.startswith("cannot be reached")
    assert "AWS_ENDPOINT_URL" in finding.remedy


def test_probes_give_up_early(session: AwsSession) -> None:
    config: Any = session.probe("sts", HOME).meta.config

    assert config.retries["total_max_attempts"] == PROBE_ATTEMPTS
    assert config.read_timeout == PROBE_TIMEOUT_S
    assert session.probe("sts", HOME) is session.probe("sts", HOME)
    assert session.probe("sts", HOME) is not session.sts()
