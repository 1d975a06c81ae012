"""The framework in the cloud: its jobs, their events, what their environment tells them, and what was deployed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

import orjson

from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError, UsageError
from multi_x_serverless.model import documents

Job: TypeAlias = Literal["data_sync", "data_collect", "update_check_solver", "update_check_deployment"]

JOBS: tuple[Job, ...] = get_args(Job)
"""In the order of the loop."""

DISTRIBUTION = "multi-x-serverless"
"""Name of the program in the package index."""

PROBE_MEMBER = "multi_x_serverless_probe"
"""An event with this member and a nonce is answered with the nonce and the versions, by a function that works."""

EVENT = "framework-event"
EVENT_VERSION = 1
_EVENT_MEMBERS = frozenset({"version", "job", "workflow", "tick", "after", "valid_until"})

RECORD_SCHEMA = "multi-x-serverless/framework"
RECORD_VERSION = 1

SYSTEM_REGION = "MULTI_X_SERVERLESS_SYSTEM_REGION"
REGIONS = "MULTI_X_SERVERLESS_REGIONS"
INSTALLATION = "MULTI_X_SERVERLESS_INSTALLATION"


COLLECTING_JOBS: frozenset[Job] = frozenset({"data_collect", "update_check_solver"})
"""Jobs that ask the sources of signals."""


@dataclass(frozen=True)
class FrameworkEvent:
    """What a job's function is invoked with. ``{"job": "data_sync"}`` is enough.

    Attributes:
        job: What to do.
        workflow_id: For which workflow; `None`: for all, one invocation each.
        tick: Equal for all invocations that come of one; a workflow is handled once per tick. Empty: the invocation's
            own id.
        after: Workflows up to this id have been started by an earlier invocation.
        valid_until: From then on the next one is near and this one is dropped, seconds since the epoch.
    """

    job: Job
    workflow_id: str | None = None
    tick: str = ""
    after: str | None = None
    valid_until: float | None = None

    def to_json(self) -> bytes:
        """As a payload."""
        members = {
            "version": EVENT_VERSION,
            "job": self.job,
            "workflow": self.workflow_id,
            "tick": self.tick or None,
            "after": self.after,
            "valid_until": self.valid_until,
        }
        return orjson.dumps({name: value for name, value in members.items() if value is not None})

    @classmethod
    def from_members(cls, event: object) -> FrameworkEvent:
        """Read what a function was invoked with.

        Raises:
            InvalidDocumentError: It is no event of a job.
            NewerSchemaError: A newer version of the program sent it.
        """
        if not isinstance(event, dict):
            raise InvalidDocumentError(EVENT, "", f"is {type(event).__name__}, expected an object")
        unknown = sorted(str(name) for name in event.keys() - _EVENT_MEMBERS)
        if unknown:
            raise InvalidDocumentError(EVENT, unknown[0], "is no member of an event")
        version = event.get("version", EVENT_VERSION)
        if not isinstance(version, int) or version > EVENT_VERSION:
            raise NewerSchemaError(EVENT, "version", f"is {version!r}, this program reads up to {EVENT_VERSION}")
        if event.get("job") not in JOBS:
            raise InvalidDocumentError(EVENT, "job", f"is {event.get('job')!r}, expected one of {', '.join(JOBS)}")
        valid_until = event.get("valid_until")
        if valid_until is not None and not (isinstance(valid_until, int | float) and math.isfinite(valid_until)):
            raise InvalidDocumentError(EVENT, "valid_until", f"is {valid_until!r}, expected a time")
        return cls(
            job=cast("Job", event["job"]),
            workflow_id=_text(event, "workflow"),
            tick=_text(event, "tick") or "",
            after=_text(event, "after"),
            valid_until=valid_until,
        )


def _text(event: Mapping[str, Any], name: str) -> str | None:
    value = event.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidDocumentError(EVENT, name, f"is {value!r}, expected text")
    return value


@dataclass(frozen=True)
class FrameworkEnvironment:
    """The cloud as a job's function opens it.

    Attributes:
        system_region: Region of the tables and of the functions.
        regions: Regions that workflows may use.
        installation: Value of the tag on everything that is made.
    """

    system_region: str
    regions: tuple[str, ...]
    installation: str

    def to_variables(self) -> dict[str, str]:
        """As environment variables."""
        return {SYSTEM_REGION: self.system_region, REGIONS: ",".join(self.regions), INSTALLATION: self.installation}

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> FrameworkEnvironment:
        """Read environment variables.

        Raises:
            UsageError: One is missing.
        """
        missing = [name for name in (SYSTEM_REGION, REGIONS, INSTALLATION) if not variables.get(name)]
        if missing:
            raise UsageError(
                f"the environment lacks {', '.join(missing)}: 'multi_x_serverless deploy_framework' sets them."
            )
        return cls(variables[SYSTEM_REGION], tuple(variables[REGIONS].split(",")), variables[INSTALLATION])


@dataclass(frozen=True)
class FrameworkRecord:
    """What the last complete `deploy_framework` made.

    Attributes:
        program: Version of the program.
        package_key: Key of the package in the object store of the system region.
        fingerprints: Name of a role -> digest of its policy, which a cloud does not tell.
        deployed_at: Seconds since the epoch.
    """

    program: str
    package_key: str
    fingerprints: Mapping[str, str]
    deployed_at: float

    def to_document(self) -> bytes:
        """The record as a JSON document."""
        return documents.write(RECORD_SCHEMA, RECORD_VERSION, vars(self))

    @classmethod
    def from_document(cls, text: bytes | str) -> FrameworkRecord:
        """Read a record."""
        fields = documents.read(text, RECORD_SCHEMA, RECORD_VERSION)
        return cls(
            program=fields.text("program"),
            package_key=fields.text("package_key"),
            fingerprints=fields.mapping("fingerprints", documents.as_text),
            deployed_at=fields.number("deployed_at"),
        )
