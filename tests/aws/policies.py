"""What a role may do: requests of running functions are held to the policies of the very role they run under.

A subset of IAM's evaluation, enough for what functions do here: allow and deny, wildcards in actions and resources, and
the conditions on the partition keys of items. Anything else in a policy is an error and never passes unseen.
"""

from __future__ import annotations

import fnmatch
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

_ROLE = "ROLE"


def access_key_of(role_arn: str) -> str:
    """The access key of functions that run under a role: it names the role, in characters that keys have."""
    return _ROLE + role_arn.encode().hex()


_CREDENTIAL = re.compile(r"Credential=(?P<key>[^,]+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Access:
    """One thing that a request does: an action on a resource.

    Attributes:
        leading_keys: Partition keys of the items it is about.
        passed_to: The service that a role is passed to.
        prefix: What the keys of a listing are to start with.
    """

    action: str
    resource: str
    leading_keys: tuple[str, ...] = ()
    passed_to: str = ""
    prefix: str = ""


def is_allowed(statements: Iterable[Mapping[str, Any]], access: Access) -> bool:
    """Whether the statements of a role's policies allow it and none denies it."""
    effects = {statement["Effect"] for statement in statements if _applies(statement, access)}
    return effects == {"Allow"}


def statements_of(role_arn: str) -> list[Mapping[str, Any]]:
    """All statements of a role's inline policies in moto; none if there is no such role."""
    for role in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values():
        if role.arn == role_arn:
            documents = (json.loads(policy) for policy in role.policies.values())
            return [statement for document in documents for statement in document["Statement"]]
    return []


def _applies(statement: Mapping[str, Any], access: Access) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise AssertionError(f"the tests do not know how to evaluate {sorted(unknown)} of {statement}")
    return (
        _matches(statement["Action"], access.action)
        and _matches(statement["Resource"], access.resource)
        and all(_holds(operator, terms, access) for operator, terms in statement.get("Condition", {}).items())
    )


def _holds(operator: str, terms: Mapping[str, Any], access: Access) -> bool:
    if operator == "StringEquals" and set(terms) == {"iam:PassedToService"}:
        services = terms["iam:PassedToService"]
        return access.passed_to in ([services] if isinstance(services, str) else services)
    if operator == "StringLike" and set(terms) == {"s3:prefix"}:
        return _matches(terms["s3:prefix"], access.prefix)
    if operator not in ("ForAllValues:StringLike", "ForAllValues:StringEquals") or set(terms) != {
        "dynamodb:LeadingKeys"
    }:
        raise AssertionError(f"the tests do not know how to evaluate the condition {operator} on {sorted(terms)}")
    patterns = terms["dynamodb:LeadingKeys"]
    if operator.endswith("Equals"):
        return all(key in patterns for key in access.leading_keys)
    return all(_matches(patterns, key) for key in access.leading_keys)


def _matches(patterns: str | list[str], text: str) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in listed)


Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass
class Guard:
    """In front of moto's server: refuses what the role of the calling function does not allow.

    Attributes:
        accesses: What functions asked for, by role.
        refused: What was refused.
    """

    application: Application
    accesses: set[tuple[str, Access]] = field(default_factory=set)
    refused: list[tuple[str, Access]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if found is None or not found["key"].startswith(_ROLE):
            return self.application(environ, start_response)
        role = bytes.fromhex(found["key"].removeprefix(_ROLE)).decode()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        access = access_of(found["service"], found["region"], environ, body)
        self.accesses.add((role, access))
        if not is_allowed(statements_of(role), access):
            self.refused.append((role, access))
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [
                json.dumps(
                    {"__type": "AccessDeniedException", "message": f"{role} may not {access.action} {access.resource}"}
                ).encode()
            ]
        if access.action == "s3:GetObject" and not is_allowed(
            statements_of(role), Access("s3:ListBucket", access.resource.partition("/")[0])
        ):
            return self._without_admitting_a_miss(environ, start_response)
        return self.application(environ, start_response)

    def _without_admitting_a_miss(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """As S3 does for whoever may not list the bucket: what is missing is denied (API reference, "GetObject")."""
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(self.application(environ, lambda status, headers, *_: heads.append((status, headers))))
        status, headers = heads[-1]
        if status.startswith("404"):
            status, headers = "403 Forbidden", [("Content-Type", "application/xml")]
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        start_response(status, headers)
        return [body]


def access_of(service: str, region: str, environ: Mapping[str, Any], body: bytes) -> Access:
    """What a request does, from its form on the wire."""
    if service == "dynamodb":
        operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
        request = json.loads(body)
        table = f"arn:aws:dynamodb:{region}:{DEFAULT_ACCOUNT_ID}:table/{request['TableName']}"
        return Access(f"dynamodb:{operation}", table, _leading_keys(request))
    if service == "sns":
        request = parse_qs(body.decode())
        return Access(f"sns:{request['Action'][0]}", request["TopicArn"][0])
    if service == "s3":
        operation = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}
        bucket = environ.get("HTTP_HOST", "").partition(".s3.")[0] if ".s3." in environ.get("HTTP_HOST", "") else ""
        path = unquote(environ["PATH_INFO"]).lstrip("/")
        name = f"{bucket}/{path}" if bucket else path
        parameters = parse_qs(environ.get("QUERY_STRING", ""))
        if "list-type" in parameters:
            listed = f"arn:aws:s3:::{name.rstrip('/')}"
            return Access("s3:ListBucket", listed, prefix=parameters.get("prefix", [""])[0])
        return Access(f"s3:{operation[environ['REQUEST_METHOD']]}", f"arn:aws:s3:::{name}")
    if service == "pricing":
        return Access(f"pricing:{environ['HTTP_X_AMZ_TARGET'].partition('.')[2]}", "*")
    raise AssertionError(f"a function called {service}, which the tests do not know how to authorise")


def _leading_keys(request: Mapping[str, Any]) -> tuple[str, ...]:
    for place in ("Key", "Item"):
        if place in request:
            return (str(request[place]["partition"]["S"]),)
    values = request.get("ExpressionAttributeValues", {})
    return (str(values[":partition"]["S"]),) if ":partition" in values else ()
