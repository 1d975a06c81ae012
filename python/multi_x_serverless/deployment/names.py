"""Names of everything that is made in a cloud, derived in one place and looked up exactly.

All names of a workflow start with the same prefix, ``mxs-<workflow>-<digest>-``; the digest is of the
workflow's exact id, so that two workflows never share a name although ``.`` is not allowed in names and long
ids are cut.
"""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 64
"""Of a Lambda function and of an IAM role, the shortest limits of all kinds (AWS quotas)."""

REPOSITORY_PREFIX = "mxs"
"""The names of all repositories start with this and a hyphen."""

_LONGEST_WORKFLOW_PART = 24
_DIGEST_DIGITS = 8
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")
_NOT_ALLOWED_IN_REPOSITORIES = re.compile(r"[^a-z0-9]+")


WORKFLOW_NAMES = "mxs-*"
"""Pattern of the names of all resources of all workflows."""


def workflow_prefix(workflow_id: str) -> str:
    """What the names of all resources of a workflow, and of no other, start with."""
    readable = _NOT_ALLOWED.sub("_", workflow_id)[:_LONGEST_WORKFLOW_PART]
    return f"mxs-{readable}-{_digest(workflow_id)}-"


def function_name(workflow_id: str, function: str) -> str:
    """Name of a deployed function, the same in every region."""
    return _fitting(workflow_prefix(workflow_id), function)


def topic_name(workflow_id: str, function: str) -> str:
    """Name of the topic in front of a function, the same in every region."""
    return function_name(workflow_id, function)


def role_name(workflow_id: str) -> str:
    """Name of the role that all functions of a workflow run under."""
    return workflow_prefix(workflow_id) + "role"


def package_key(workflow_id: str, sha256: str) -> str:
    """Key of a deployment package in every region's object store."""
    return f"{package_key_prefix(workflow_id)}{sha256}.zip"


def package_key_prefix(workflow_id: str) -> str:
    """What the keys of all packages of a workflow start with."""
    return f"packages/{workflow_id}/"


def repository_name(workflow_id: str) -> str:
    """Name of the repository that holds a workflow's images, the same in every region.

    Registries take lower-case letters and digits with single separators between them (OCI distribution
    specification, "Pulling manifests").
    """
    readable = _NOT_ALLOWED_IN_REPOSITORIES.sub("-", workflow_id.lower())[:_LONGEST_WORKFLOW_PART].strip("-")
    return "-".join(part for part in (REPOSITORY_PREFIX, readable, _digest(workflow_id)) if part)


def image_name(workflow_id: str, sha256: str) -> str:
    """Name of an image in every region's registry: its repository, and as its tag what it is built from."""
    return f"{repository_name(workflow_id)}:{sha256}"


FRAMEWORK_PREFIX = "multi-x-serverless-framework-"
"""Of all that the framework itself is made of; no workflow's name begins so, and no workflow's job may touch it."""


def framework_name(part: str) -> str:
    """Name of the function, the role or the schedule of a job of the framework."""
    return FRAMEWORK_PREFIX + part


FRAMEWORK_PACKAGE_PREFIX = "framework/"
"""What the keys of the framework's packages start with."""


def framework_package_key(sha256: str) -> str:
    """Key of the framework's package in the object store of the system region."""
    return f"{FRAMEWORK_PACKAGE_PREFIX}{sha256}.zip"


def bucket_prefix(account_id: str) -> str:
    """A region's bucket is named with this and the region's code (bucket names are global to AWS)."""
    return f"multi-x-serverless-{account_id}-"


def _fitting(prefix: str, name: str) -> str:
    free = LONGEST_NAME - len(prefix)
    if len(name) <= free:
        return prefix + name
    return f"{prefix}{name[: free - _DIGEST_DIGITS - 1]}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]
