"""The product's tables over any cloud: which there are, and typed access to each.

System tables live in the cloud's system region, run-time tables in every region a workflow may run in (their names
are the SDK's, `multi_x_serverless.sdk.tables`). Physical names carry `TABLE_PREFIX`.

=============== ============================ ================================================================
system table    key (partition, sort)        document
=============== ============================ ================================================================
workflows       workflow id, ""              `model.workflow.WorkflowRecord`
plans           workflow id, "v<version>"    `model.plan.Plan`
plan_pointers   workflow id, "active" etc.   version of the active and of the staged plan (and if a check staged it),
                                             number of the last, which outlives the workflow
history         workflow id, day and chunk   `model.run.HistoryChunk`
statistics      workflow id, kind and run    `model.sync_state`: the cursor, open runs, counted runs;
                                             `model.statistics.WorkflowStatistics`
signals         kind, region                 `model.carbon_signal` and the like, `model.regions`
locks           name, ""                     owner and end of the lease
journal         workflow id, operation       what a deployment under way has done
ledger          workflow id, time and kind   `model.ledger.LedgerEntry`
=============== ============================ ================================================================

The problem documents that plans were made of are objects (`cloud.problems`); they go with their plans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import chain

from multi_x_serverless.cloud.documents import DocumentTable, pack
from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import ABSENT, Attributes, Cloud, Condition, Item, Key
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.errors import ConflictError, CorruptedStateError, MultiXServerlessError
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.sdk.tables import REGION_TABLES

TABLE_PREFIX = "multi-x-serverless-"

SYSTEM_TABLES = (
    "workflows",
    "plans",
    "plan_pointers",
    "history",
    "statistics",
    "signals",
    "locks",
    "journal",
    "ledger",
)


def physical_name(table: str) -> str:
    """Name of a table in the cloud."""
    return TABLE_PREFIX + table


def setup_command(region: str | None = None) -> str:
    """The command that makes what is missing of tables, bucket and queue, and gives those that are there their form."""
    return "multi_x_serverless setup_tables" + ("" if region is None else f" --region {region}")


def create_tables(cloud: Cloud, regions: tuple[str, ...]) -> None:
    """Make the system tables, the run-time tables of `regions` and what else a region needs; what exists stays."""
    places = [(cloud.system_region, table) for table in SYSTEM_TABLES]
    places += [(region, table) for region in regions for table in REGION_TABLES]
    _create(cloud, places, (cloud.system_region, *regions))


def create_region_tables(cloud: Cloud, regions: tuple[str, ...]) -> None:
    """Make the run-time tables of `regions` and what else a region needs, where there is a system; what exists stays.

    This is all that a migration to new regions may do: its role cannot make the system's tables.
    """
    _create(cloud, [(region, table) for region in regions for table in REGION_TABLES], regions)


def _create(cloud: Cloud, places: list[tuple[str, str]], regions: tuple[str, ...]) -> None:
    run_all([partial(cloud.key_value.create_table, region, physical_name(table)) for region, table in places])
    run_all([partial(cloud.prepare_region, region) for region in dict.fromkeys(regions)])


def delete_tables(cloud: Cloud, regions: tuple[str, ...]) -> tuple[str, ...]:
    """Delete the product's tables, and what else regions share, with all they hold; those of the system last.

    Returns:
        What was deleted, each as ``region/name``.
    """
    elsewhere = [region for region in regions if region != cloud.system_region]
    deleted = run_all([partial(_delete_tables_of, cloud, region) for region in elsewhere])
    return (*chain.from_iterable(deleted), *_delete_tables_of(cloud, cloud.system_region))


def _delete_tables_of(cloud: Cloud, region: str) -> tuple[str, ...]:
    tables = [table for table in cloud.key_value.list_tables(region) if table.startswith(TABLE_PREFIX)]
    run_all([partial(cloud.key_value.delete_table, region, table) for table in tables])
    return tuple(f"{region}/{name}" for name in (*tables, *cloud.clear_region(region)))


def workflow_table(cloud: Cloud) -> DocumentTable[WorkflowRecord]:
    """The deployed workflows, keyed by workflow id."""
    return DocumentTable(
        cloud.key_value,
        cloud.system_region,
        physical_name("workflows"),
        WorkflowRecord.to_document,
        WorkflowRecord.from_document,
    )


_REGIONS = "regions"
"""Attribute of a plan's item: the regions in which it has nodes, with a blank between two."""

_STAGED_BY, _CHECK = "staged_by", "check"
"""Attribute of the pointer to a staged plan, and its value if a check staged it."""


@dataclass(frozen=True)
class Waiting:
    """Of a staged plan: its version, and whether a check staged it.

    Attributes:
        is_by_check: False of plans that somebody staged, that replace expired ones, and of older programs.
    """

    version: int
    is_by_check: bool


class PlanStore:
    """Plans of all workflows: versions, the staged one and the active pointer."""

    _ACTIVE = "active"
    _STAGED = "staged"
    _LAST = "last"

    def __init__(self, cloud: Cloud) -> None:
        self._store = cloud.key_value
        self._region = cloud.system_region
        self._problems = ProblemStore(cloud)
        self._plans = DocumentTable[Plan](
            cloud.key_value,
            cloud.system_region,
            physical_name("plans"),
            Plan.to_document,
            Plan.from_document,
        )

    def add(self, plan: Plan) -> Plan:
        """Store a plan under the workflow's next version and return it so numbered; it is neither staged nor active."""
        while True:
            last, item_version = self._pointer(plan.workflow_id, self._LAST)
            numbered = plan.with_version((last or 0) + 1)
            # The number is taken before the plan is written: of two writers one gets the next. A number whose plan was
            # never written (a crash in between) is left out; nothing points to it. Where the number is taken although
            # the pointer is free (a removal that did not reach its end), the next one is tried.
            if self._point(plan.workflow_id, self._LAST, numbered.version, item_version):
                key, table = _plan_key(numbered.workflow_id, numbered.version), physical_name("plans")
                # Beside the document, for who asks of many plans where they were.
                regions: Attributes = {_REGIONS: " ".join(sorted(numbered.regions))}
                item = {**pack(numbered.to_document(), table), **regions}
                if self._store.put(self._region, table, key, item, condition=ABSENT) is not None:
                    return numbered

    def stage(self, plan: Plan, *, by_check: bool = False) -> Plan:
        """Store a plan and make it the staged one, replacing any staged before.

        Args:
            by_check: Whether a check stages it, so that a later one may withdraw it.
        """
        numbered = self.add(plan)
        by = {_STAGED_BY: _CHECK} if by_check else {}
        while True:
            _, item_version = self._pointer(plan.workflow_id, self._STAGED)
            if self._point(plan.workflow_id, self._STAGED, numbered.version, item_version, by):
                return numbered

    def stage_if_none_is(self, plan: Plan) -> Plan | None:
        """Stage a plan as `stage` does, unless another one is staged, also meanwhile; `None` if so."""
        staged, item_version = self._pointer(plan.workflow_id, self._STAGED)
        if staged:
            return None
        numbered = self.add(plan)
        return numbered if self._point(plan.workflow_id, self._STAGED, numbered.version, item_version) else None

    def staged(self, workflow_id: str) -> Plan | None:
        """The plan that waits for `update_check_deployment`."""
        version, _ = self._pointer(workflow_id, self._STAGED)
        return None if not version else self.get(workflow_id, version)

    def waiting(self, workflow_id: str) -> Waiting | None:
        """The staged plan without reading it; `None` where none is, or where it is the one in force already."""
        item = self._item(workflow_id, self._STAGED)
        version = _version_in(item, workflow_id, self._STAGED)
        if item is None or not version or version == self._pointer(workflow_id, self._ACTIVE)[0]:
            return None
        return Waiting(version, item.attributes.get(_STAGED_BY) == _CHECK)

    def unstage(self, workflow_id: str, version: int) -> bool:
        """Drop the staged plan if it is still this version."""
        return self._change_staged(workflow_id, version, 0)

    def stage_again(self, workflow_id: str, version: int) -> bool:
        """Stage a plan again that was unstaged, as by whoever staged it, unless another one is staged meanwhile."""
        return self._change_staged(workflow_id, 0, version)

    def _change_staged(self, workflow_id: str, before: int, after: int) -> bool:
        """Let the pointer name another version, if it names the one before; who staged it is kept."""
        item = self._item(workflow_id, self._STAGED)
        if item is None or _version_in(item, workflow_id, self._STAGED) != before:
            return False
        by = {name: value for name, value in item.attributes.items() if name == _STAGED_BY}
        return self._point(workflow_id, self._STAGED, after, item.version, by)

    def active(self, workflow_id: str) -> Plan | None:
        """The plan in force."""
        version, _ = self._pointer(workflow_id, self._ACTIVE)
        return None if not version else self.get(workflow_id, version)

    def activate(self, workflow_id: str, version: int, *, replaces: int | None) -> None:
        """Make a stored plan the active one: the single commit of a migration.

        Args:
            replaces: Version that must be active now; `None` if none may be.

        Raises:
            ConflictError: Another plan became active meanwhile.
        """
        active, item_version = self._pointer(workflow_id, self._ACTIVE)
        if (active or None) != replaces or not self._point(workflow_id, self._ACTIVE, version, item_version):
            raise ConflictError(
                f"plan {version} of '{workflow_id}' was not activated: plan {active} became active meanwhile; "
                "run the command again."
            )

    def get(self, workflow_id: str, version: int) -> Plan:
        """A plan by version.

        Raises:
            CorruptedStateError: A pointer names a plan that is not stored.
        """
        found = self.find(workflow_id, version)
        if found is None:
            raise CorruptedStateError(f"plan {version} of '{workflow_id}' is pointed to but not stored.")
        return found

    def find(self, workflow_id: str, version: int) -> Plan | None:
        """A plan by version, `None` if it is not stored, or not any more."""
        stored = self._plans.get(_plan_key(workflow_id, version))
        return None if stored is None else stored.value

    def versions(self, workflow_id: str) -> tuple[Plan, ...]:
        """All stored plans of a workflow, oldest first."""
        return tuple(stored.value for stored in self._plans.query(workflow_id))

    def regions(self, workflow_id: str) -> frozenset[str]:
        """All regions in which some stored plan of a workflow has placed a node.

        A plan that cannot be read (a newer program's, for example) tells of none, and hides no other.
        """
        found: set[str] = set()
        for item in self._store.query(self._region, physical_name("plans"), workflow_id):
            listed = item.attributes.get(_REGIONS)
            if isinstance(listed, str):
                found.update(listed.split())
                continue
            try:  # a plan of an older program
                found |= self._plans.decoded(item).value.regions
            except MultiXServerlessError:
                continue
        return frozenset(found)

    def remove(self, workflow_id: str) -> None:
        """Forget all plans of a workflow but for the number of the last one, so that none is ever used twice.

        Logs that are kept tell of runs by the numbers of their plans: the next workflow of that id has other ones. The
        problem documents that plans were made of go first: nothing would name them afterwards.
        """
        self._problems.remove(workflow_id)
        table = physical_name("plan_pointers")
        for pointer in (self._ACTIVE, self._STAGED):
            self._store.delete(self._region, table, Key(workflow_id, pointer))
        for stored in list(self._plans.query(workflow_id)):
            self._plans.delete(stored.key)

    def prune(self, workflow_id: str, *, keep: int, created_before: float = math.inf) -> int:
        """Delete plans, but not the last ones, nor those that are active or staged; returns how many.

        A problem document goes with the last plan that was made of it.

        Args:
            keep: How many of the last ones stay.
            created_before: Only plans that were created before this moment, in seconds since the epoch, are deleted.
        """
        pointed = {self._pointer(workflow_id, name)[0] for name in (self._ACTIVE, self._STAGED)}
        plans = list(self._plans.query(workflow_id))
        others = [stored for stored in plans if stored.value.version not in pointed]
        old = [stored for stored in others[:-keep] if stored.value.created_at < created_before]
        gone = {stored.key for stored in old}
        kept = {stored.value.problem_hash for stored in plans if stored.key not in gone}
        self._problems.delete(workflow_id, {stored.value.problem_hash for stored in old} - kept - {""})
        for stored in old:
            self._plans.delete(stored.key)
        return len(old)

    def _item(self, workflow_id: str, name: str) -> Item | None:
        return self._store.get(self._region, physical_name("plan_pointers"), Key(workflow_id, name))

    def _pointer(self, workflow_id: str, name: str) -> tuple[int | None, int]:
        """The version that a pointer names, 0 or `None` for none, and the version of the pointer itself."""
        item = self._item(workflow_id, name)
        return _version_in(item, workflow_id, name), 0 if item is None else item.version

    def _point(
        self, workflow_id: str, name: str, version: int, item_version: int, more: Attributes | None = None
    ) -> bool:
        written = self._store.put(
            self._region,
            physical_name("plan_pointers"),
            Key(workflow_id, name),
            {"plan_version": version, **(more or {})},
            condition=ABSENT if item_version == 0 else Condition(item_version),
        )
        return written is not None


def _version_in(item: Item | None, workflow_id: str, name: str) -> int | None:
    if item is None:
        return None
    version = item.attributes.get("plan_version")
    if not isinstance(version, int):
        raise CorruptedStateError(f"the {name} plan pointer of '{workflow_id}' is {version!r}.")
    return version


def _plan_key(workflow_id: str, version: int) -> Key:
    return Key(workflow_id, f"v{version:08d}")
