"""What can be wrong with an embedded cloud (the health port): its directory, the disk, faults on purpose."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil

from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.cloud.local.faults import FaultPlan
from multi_x_serverless.cloud.local.packages import REQUIRED_MODULES
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.local.schema import SCHEMA_VERSION
from multi_x_serverless.cloud.local.state_directory import StateDirectory
from multi_x_serverless.cloud.ports import Check, Finding, FindingStatus

LITTLE_SPACE_BYTES = 1024**3
"""Four unzipped packages of the largest size that Lambda takes."""

TOO_LITTLE_SPACE_BYTES = 64 * 1024**2
"""The database and a small package still fit, hardly anything else does."""

_MIB = 1024**2


class LocalHealth:
    """See `multi_x_serverless.cloud.ports.Health`."""

    def __init__(self, directory: StateDirectory, database: Database, regions: Regions, plan: FaultPlan) -> None:
        self._directory = directory
        self._database = database
        self._regions = regions
        self._plan = plan

    def access(self) -> tuple[Finding, ...]:
        """Nobody is kept out."""
        return ()

    def is_alone(self) -> bool:
        """Whether nobody owns the directory: who changes something does."""
        return self._directory.owner() is None

    def reach(self, region: str) -> Finding:
        """Whether a region exists and is not out by the fault plan."""
        self._regions.require(region, "reach")
        return Finding("region", "ok", "answers", regions=(region,))

    def checks(self) -> tuple[Check, ...]:
        """The directory, its disk, its owner and its database, faults, and what functions run with."""
        return (
            Check("state", self._check_directory),
            Check("disk", self._check_space),
            Check("owner", self._check_owner),
            Check("database", self._check_schema),
            Check("faults", self._check_faults),
            Check("runtime", _check_runtime),
        )

    def region_checks(self, region: str, *, in_use: bool) -> tuple[Check, ...]:  # noqa: ARG002  # the port's signature
        """A region has nothing of its own that could be wrong."""
        return ()

    def waiting_letters(self, region: str) -> int:
        """How many messages of the region were given up."""
        row = self._database.row("SELECT count(*) FROM dead_letter WHERE region = ?", (region,))
        return 0 if row is None else int(row[0])

    def _check_directory(self) -> tuple[Finding, ...]:
        root = self._directory.root
        if not root.exists():
            return (
                Finding("state", "note", f"{root} is not there yet: the first command that changes something makes it"),
            )
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            return (
                Finding(
                    "state",
                    "problem",
                    f"{root} cannot be written by this user: nothing can be deployed or run",
                    f"chmod u+rwx {shlex.quote(str(root))}\n# or choose another one with --state-dir",
                ),
            )
        return (Finding("state", "ok", f"{root}"),)

    def _check_space(self) -> tuple[Finding, ...]:
        place = self._directory.root.absolute()
        place = next(directory for directory in (place, *place.parents) if directory.exists())
        free = shutil.disk_usage(place).free
        message = f"{free // _MIB:,} MiB are free under {place}"
        if free >= LITTLE_SPACE_BYTES:
            return (Finding("disk", "ok", message),)
        status: FindingStatus = "note" if free >= TOO_LITTLE_SPACE_BYTES else "problem"
        remedy = "# make room there, or choose a directory on another disk with --state-dir"
        return (Finding("disk", status, f"only {message}", remedy),)

    def _check_owner(self) -> tuple[Finding, ...]:
        owner = self._directory.owner()
        if owner is None or owner == os.getpid():
            return (Finding("owner", "ok", "no other command holds the state directory"),)
        return (
            Finding(
                "owner",
                "note",
                f"process {owner} holds the state directory: other commands that change something are refused",
                f"# wait until it ends; to see what it is:\nps -p {owner} -o pid,etime,args",
            ),
        )

    def _check_schema(self) -> tuple[Finding, ...]:
        if not self._directory.database.exists():
            return (Finding("database", "ok", "there is none yet"),)
        row = self._database.row("PRAGMA user_version")
        version = 0 if row is None else int(row[0])
        if version < SCHEMA_VERSION:
            message = (
                f"the database has version {version}; the next command that changes something brings it to "
                f"{SCHEMA_VERSION}"
            )
            return (Finding("database", "note", message),)
        return (Finding("database", "ok", f"version {version}, readable"),)

    def _check_faults(self) -> tuple[Finding, ...]:
        file = self._directory.fault_plan
        plan, nothing = self._plan, FaultPlan()
        kinds = [
            name
            for name, is_planned in (
                ("deliveries", plan.delivery != nothing.delivery),
                ("operations", bool(plan.operations)),
                ("outages of " + ", ".join(outage.region for outage in plan.outages), bool(plan.outages)),
            )
            if is_planned
        ]
        if not kinds:
            return (Finding("faults", "ok", "none are planned"),)
        return (
            Finding(
                "faults",
                "note",
                f"faults happen on purpose ({'; '.join(kinds)}), by {file.name}",
                f"rm {shlex.quote(str(file))}" if file.exists() else "",
            ),
        )


def _check_runtime() -> tuple[Finding, ...]:
    for module in REQUIRED_MODULES:
        try:
            importlib.import_module(module)
        except ImportError as error:
            return (
                Finding(
                    "runtime",
                    "problem",
                    f"functions cannot run here: AWS's runtime client does not load ({error})",
                    "python -m pip install --force-reinstall 'awslambdaric>=4,<5'",
                ),
            )
    return (Finding("runtime", "ok", "AWS's runtime client loads"),)
