"""Whether AWS lets the caller in, and what to do when it does not: credentials, clock, network, regions.

One request tells most of it: STS says to everybody who they are, without any permission, and the date of its answer
tells how wrong this machine's clock is, also when the clock is why the request was refused.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.aws.session import UNKNOWN_CREDENTIALS, AwsSession, code_of, message_of
from multi_x_serverless.cloud.ports import Finding
from multi_x_serverless.errors import CloudError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

CREDENTIALS = "credentials"
CLOCK = "clock"
REGION = "region"

REFUSED_SKEW_S = 300.0
"""Most services refuse a request whose time is 5 minutes off (S3: 15; AWS Signature Version 4 documentation)."""

NOTED_SKEW_S = 60.0
"""A clock that is synchronised is off by far less; leases and expiries compare clocks of several machines."""

_SKEWED = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_WRONG_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
_WRONG_TIME = ("Signature expired", "Signature not yet current")


def aws_command(session: AwsSession, command: str) -> str:
    """A command of AWS's command line for the profile in use."""
    return f"aws {command}" + ("" if session.profile is None else f" --profile {shlex.quote(session.profile)}")


def synchronise_command() -> str:
    """What sets this machine's clock."""
    return "sudo sntp -sS time.apple.com" if sys.platform == "darwin" else "sudo timedatectl set-ntp true"


def check_access(session: AwsSession, clock: Callable[[], float] = time.time) -> tuple[Finding, ...]:
    """Whether the credentials work, and how far the clock is off."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

    asked_at = clock()
    try:
        answer: Any = session.probe("sts", session.system_region).get_caller_identity()
    except ClientError as error:
        clocks = _check_clock(error.response, asked_at, clock())
        if any(finding.status == "problem" for finding in clocks):
            return clocks  # whether the credentials are right cannot be told before the clock is
        return (_explain_refusal(session, error), *clocks)
    except (BotoCoreError, CloudError) as error:
        return (_explain_failure(session, error),)
    return (
        Finding(CREDENTIALS, "ok", f"account {answer['Account']}, {answer['Arn']}"),
        *_check_clock(answer, asked_at, clock()),
    )


def check_region(session: AwsSession, region: str, opt_in_status: str | None) -> Finding:
    """Whether a region is open to the account and answers; its opt-in status is EC2's, `None` if it is not known."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    enable = (
        aws_command(session, f"account enable-region --region-name {region}")
        + "\n# takes minutes to hours; or keep plans out of it: disallowed_regions in .multi-x-serverless/config.yml"
    )
    if opt_in_status == "not-opted-in":
        return Finding(REGION, "problem", "not enabled in this account", enable, (region,))
    try:
        session.probe("sts", region).get_caller_identity()
    except ClientError as error:
        if code_of(error) in UNKNOWN_CREDENTIALS:
            message = "refuses credentials that AWS took elsewhere, as a region does that is not enabled"
            return Finding(REGION, "problem", message, enable, (region,))
        return Finding(REGION, "problem", f"refuses requests: {error}", "", (region,))
    except BotoCoreError as error:
        return Finding(REGION, "problem", f"cannot be reached: {error}", _NETWORK, (region,))
    return Finding(REGION, "ok", "enabled, and answers", regions=(region,))


_NETWORK = "# look at network, proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL"


def _check_clock(answer: Any, asked_at: float, answered_at: float) -> tuple[Finding, ...]:  # as clients answer
    """This machine's clock against the date of an answer, which was made between the two times."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        their_time = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return (Finding(CLOCK, "note", "AWS's answer has no date to compare this machine's clock with"),)
    ahead_s = (asked_at + answered_at) / 2 - their_time
    if abs(ahead_s) < NOTED_SKEW_S:
        return (Finding(CLOCK, "ok", f"within {NOTED_SKEW_S:.0f} s of AWS's"),)
    off = f"this machine's clock is {abs(ahead_s):,.0f} s {'ahead of' if ahead_s > 0 else 'behind'} AWS's"
    remedy = synchronise_command()
    if abs(ahead_s) < REFUSED_SKEW_S:
        return (Finding(CLOCK, "note", f"{off}; from {REFUSED_SKEW_S:.0f} s on requests are refused", remedy),)
    return (Finding(CLOCK, "problem", f"{off}: requests are refused", remedy),)


def _explain_refusal(session: AwsSession, error: ClientError) -> Finding:
    """What AWS says of credentials that it does not take."""
    code, said = code_of(error), message_of(error)
    configure = aws_command(session, "configure")
    if code in _SKEWED or (code in _WRONG_SIGNATURE and any(text in said for text in _WRONG_TIME)):
        message, remedy = f"AWS says that this machine's clock is wrong: {said}", synchronise_command()
    elif code in _EXPIRED:
        message = "the credentials have expired"
        remedy = (
            aws_command(session, "sso login") + "\n# or, without IAM Identity Center: get new temporary credentials"
            " the way you got these"
        )
    elif code in UNKNOWN_CREDENTIALS:
        message, remedy = "AWS does not know the access key: it was deleted, or is of another partition", configure
    elif code in _WRONG_SIGNATURE:
        message, remedy = "the secret key does not belong to the access key", configure
    else:
        message, remedy = f"AWS refuses to say who is calling: {error}", ""
    return Finding(CREDENTIALS, "problem", message, remedy)


def _explain_failure(session: AwsSession, error: Exception) -> Finding:
    """Why no request could be made, or none was answered."""
    from botocore import exceptions  # noqa: PLC0415

    reason = error.__cause__ if isinstance(error, CloudError) and error.__cause__ is not None else error
    configure = aws_command(session, "configure")
    if isinstance(reason, exceptions.NoCredentialsError):
        message = "there are no credentials"
        remedy = f"{configure}\n# or choose a profile that has some: --profile, AWS_PROFILE"
    elif isinstance(reason, exceptions.PartialCredentialsError):
        message, remedy = f"half of the credentials is missing: {reason}", configure
    elif isinstance(reason, exceptions.ProfileNotFound):
        message = f"{reason}"
        remedy = f"aws configure list-profiles\n# then choose one of these, or make this one:\n{configure}"
    elif isinstance(reason, exceptions.SSOError | exceptions.TokenRetrievalError):
        message = f"the session of IAM Identity Center has ended: {reason}"
        remedy = aws_command(session, "sso login")
    elif isinstance(reason, getattr(exceptions, "LoginError", ())):  # botocore 1.41 and newer
        message, remedy = f"the session of 'aws login' has ended: {reason}", aws_command(session, "login")
    elif isinstance(reason, exceptions.HTTPClientError | exceptions.ConnectionError):
        message, remedy = f"AWS cannot be reached: {reason}", _NETWORK
    else:
        message, remedy = f"no request can be made: {reason}", configure
    return Finding(CREDENTIALS, "problem", message, remedy)
