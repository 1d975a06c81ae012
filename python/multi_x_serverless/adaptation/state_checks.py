"""What `doctor` looks at in the product's own tables, on every cloud: tables, workflows, locks, plans, signals.

A check whose tables are missing is left out: that they are missing is a finding already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless.adaptation.signals import OLDEST, read_signals
from multi_x_serverless.adaptation.workflows import FoundWorkflows
from multi_x_serverless.cloud.locks import held_locks
from multi_x_serverless.cloud.ports import Check, Cloud, Finding, Key
from multi_x_serverless.cloud.tables import (
    SYSTEM_TABLES,
    TABLE_PREFIX,
    PlanStore,
    physical_name,
    setup_command,
    workflow_table,
)
from multi_x_serverless.deployment.journal import open_journals
from multi_x_serverless.errors import (
    CloudError,
    CorruptedStateError,
    InvalidDocumentError,
    MultiXServerlessError,
    NewerSchemaError,
)
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.signals import known_at
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.sdk.tables import REGION_TABLES

UPGRADE = "python -m pip install --upgrade multi-x-serverless"

_NOBODY = Key("doctor", "-")  # an item that nobody writes: reading it shows that a table can be read


@dataclass(frozen=True)
class DeployedState:
    """What is recorded, read once.

    Attributes:
        tables: Physical names of the tables in the system region.
        workflows: Those that are recorded; `None` if they could not be read, which is a finding already.
    """

    tables: frozenset[str]
    workflows: FoundWorkflows | None

    @property
    def deployed(self) -> tuple[WorkflowRecord, ...]:
        """Workflows that take runs."""
        return tuple(record for record in self.recorded if record.status == "deployed")

    @property
    def recorded(self) -> tuple[WorkflowRecord, ...]:
        """Those, and workflows whose removal did not reach its end."""
        return () if self.workflows is None else self.workflows.readable


def state_checks(cloud: Cloud, state: DeployedState) -> tuple[Check, ...]:
    """Checks of the system region's tables and of what they hold."""
    checks: list[tuple[str, tuple[str, ...], Callable[[], tuple[Finding, ...]]]] = [
        ("tables", (), lambda: _check_system_tables(cloud, state))
    ]
    found = state.workflows
    if found is not None:
        checks += [
            ("workflows", ("workflows", "locks"), lambda: _check_workflows(cloud, found)),
            ("journal", ("journal", "locks", "plan_pointers", "plans"), lambda: _check_journals(cloud, found)),
        ]
    checks.append(("locks", ("locks",), lambda: _check_locks(cloud)))
    checks += [("plans", ("plans", "plan_pointers"), _plan_check(cloud, record)) for record in state.deployed]
    checks.append(("signals", ("signals",), lambda: _check_signals(cloud, state)))
    return tuple(
        Check(name, look)
        for name, tables, look in checks
        if state.tables.issuperset(physical_name(table) for table in tables)
    )


def check_region_tables(cloud: Cloud, region: str, *, in_use: bool) -> tuple[Finding, ...]:
    """The run-time tables of a region; where no function is, they are made with the first one."""
    there = set(cloud.key_value.list_tables(region))
    missing = [table for table in REGION_TABLES if physical_name(table) not in there]
    if missing and in_use:
        message = f"{_listed(missing)} {_are(missing)} missing: runs fail there"
        return (Finding("tables", "problem", message, setup_command(region), (region,)),)
    if missing:
        return (
            Finding("tables", "ok", "no run-time tables yet, the first function there brings them", regions=(region,)),
        )
    return _check_readable(cloud, region, REGION_TABLES)


def _check_system_tables(cloud: Cloud, state: DeployedState) -> tuple[Finding, ...]:
    region = (cloud.system_region,)
    missing = [table for table in SYSTEM_TABLES if physical_name(table) not in state.tables]
    if not any(table.startswith(TABLE_PREFIX) for table in state.tables):
        message = "there are none yet; 'deploy' makes what it needs, 'setup_tables' makes all"
        return (Finding("tables", "note", message, setup_command(), region),)
    if missing:
        message = f"{_listed(missing)} {_are(missing)} missing in the system region"
        return (Finding("tables", "problem", message, setup_command(cloud.system_region), region),)
    return _check_readable(cloud, cloud.system_region, SYSTEM_TABLES)


def _check_readable(cloud: Cloud, region: str, tables: Sequence[str]) -> tuple[Finding, ...]:
    findings = []
    for table in tables:
        try:
            cloud.key_value.get(region, physical_name(table), _NOBODY)
        except CloudError as error:
            findings.append(Finding("tables", "problem", f"{table} cannot be read: {error}", "", (region,)))
    kind = "system tables" if tables is SYSTEM_TABLES else "run-time tables"
    return tuple(findings) or (
        Finding("tables", "ok", f"the {len(tables)} {kind} are there and can be read", regions=(region,)),
    )


def _check_workflows(cloud: Cloud, found: FoundWorkflows) -> tuple[Finding, ...]:
    findings = [
        Finding("workflows", "problem", f"the record of {workflow_id} cannot be read: {why}", _mend(cloud, workflow_id))
        for workflow_id, why in found.unreadable.items()
    ]
    at_work = _at_work(cloud)
    for record in found.readable:
        if record.status != "removing":
            continue
        workflow_id = record.workflow_id
        if workflow_id in at_work:
            message = f"{workflow_id} is being removed, or the command that did it died"
            findings.append(Finding("workflows", "note", message))
        else:
            message = f"the removal of {workflow_id} did not reach its end"
            findings.append(Finding("workflows", "problem", message, f"multi_x_serverless remove {workflow_id}"))
    deployed = sum(record.status == "deployed" for record in found.readable)
    return tuple(findings) or (Finding("workflows", "ok", f"{deployed} deployed, all records can be read"),)


def _at_work(cloud: Cloud) -> frozenset[str]:
    """Names of the locks that a command may be holding now, be it alive or not."""
    return frozenset() if cloud.health.is_alone() else frozenset(lock.name for lock in held_locks(cloud))


def _mend(cloud: Cloud, workflow_id: str) -> str:
    """What makes a record readable, by the error that reading it ends in."""
    try:
        workflow_table(cloud).get(Key(workflow_id))
    except NewerSchemaError:
        return UPGRADE
    except (InvalidDocumentError, CorruptedStateError):
        return f"# restore its item in the table {physical_name('workflows')} from a backup"
    except MultiXServerlessError:
        pass  # the message says it
    return ""


def _check_journals(cloud: Cloud, found: FoundWorkflows) -> tuple[Finding, ...]:
    at_work = _at_work(cloud)
    records = {record.workflow_id: record for record in found.readable}
    findings = []
    for workflow_id in open_journals(cloud):
        record = records.get(workflow_id)
        if record is not None and record.status == "removing":
            continue  # the check of workflows says so
        kind, remedy = _interrupted(cloud, workflow_id, record)
        if workflow_id in at_work:
            message = f"{kind} of {workflow_id} is under way, or its command died"
            remedy = f"# if it died, when its lease has ended:\n{remedy}"
            findings.append(Finding("journal", "note", message, remedy))
        else:
            message = f"{kind} of {workflow_id} was interrupted; what it made is in the journal"
            findings.append(Finding("journal", "problem", message, remedy))
    return tuple(findings) or (Finding("journal", "ok", "no operation was interrupted"),)


def _interrupted(cloud: Cloud, workflow_id: str, record: WorkflowRecord | None) -> tuple[str, str]:
    """Which operation the journal is of, and what brings it to its end."""
    if record is not None and PlanStore(cloud).staged(workflow_id) is not None:
        return "a migration", f"multi_x_serverless update_check_deployment {workflow_id}"
    remedy = "# in the directory of its project:\nmulti_x_serverless deploy"
    if record is None:
        remedy += f"\n# or, to give it up:\nmulti_x_serverless remove {workflow_id}"
    return "a deployment", remedy


def _check_locks(cloud: Cloud) -> tuple[Finding, ...]:
    is_alone = cloud.health.is_alone()
    findings = []
    for lock in held_locks(cloud):
        message = (
            f"a command is working on {lock.name}, or died doing so: its lease ends in {lock.remaining_s:.0f} s at the "
            "latest, until then others are refused"
        )
        if is_alone:
            message = f"a command that worked on {lock.name} died; the next that changes something drops its lock"
        findings.append(Finding("locks", "note", message))
    return tuple(findings) or (Finding("locks", "ok", "none are held"),)


def _plan_check(cloud: Cloud, record: WorkflowRecord) -> Callable[[], tuple[Finding, ...]]:
    return lambda: _check_plans(cloud, record)


def _check_plans(cloud: Cloud, record: WorkflowRecord) -> tuple[Finding, ...]:
    workflow_id, now, plans = record.workflow_id, cloud.now(), PlanStore(cloud)
    replan = f"multi_x_serverless solve {workflow_id}\nmulti_x_serverless update_check_deployment {workflow_id}"
    active, staged = plans.active(workflow_id), plans.staged(workflow_id)
    findings = []
    if active is None:
        remedy = "# in the directory of its project:\nmulti_x_serverless deploy"
        findings.append(Finding("plans", "problem", f"{workflow_id} has no plan in force: runs go home", remedy))
    elif active.expires_at <= now:
        message = f"{_plan(active)} in force expired {_time(active.expires_at)}: runs go home"
        findings.append(Finding("plans", "problem", message, replan))
    if staged is not None and staged.expires_at <= now:
        message = f"{_plan(staged)} is staged and expired {_time(staged.expires_at)}: it will be dropped"
        findings.append(Finding("plans", "problem", message, replan))
    elif staged is not None:
        message = f"{_plan(staged)} is staged and waits for its migration"
        findings.append(Finding("plans", "note", message, f"multi_x_serverless update_check_deployment {workflow_id}"))
    if not findings and active is not None:
        findings.append(Finding("plans", "ok", f"{_plan(active)} is in force until {_time(active.expires_at)}"))
    return tuple(findings)


def _check_signals(cloud: Cloud, state: DeployedState) -> tuple[Finding, ...]:
    """How old the collected data of the regions is that deployed workflows may use."""
    regions = sorted({region for record in state.deployed for region in record.regions})
    if not regions:
        return (Finding("signals", "ok", "none are needed: no workflow is deployed"),)
    signals, now = read_signals(cloud), cloud.now()
    kinds = (("carbon", signals.carbon), ("provider", signals.prices), ("performance", signals.performance))
    findings = []
    missing = {
        kind: tuple(region for region in regions if region not in known)
        for kind, known in kinds
        if not known.keys() >= set(regions)
    }
    if missing:
        message = f"no {', '.join(missing)} data was collected: 'solve' asks for it"
        remedy = f"multi_x_serverless data_collect {'all' if len(missing) > 1 else next(iter(missing))}"
        lacking = tuple(sorted(set().union(*missing.values())))
        findings.append(Finding("signals", "note", message, remedy, lacking))
    for kind, known in kinds:
        remedy = f"multi_x_serverless data_collect {kind}"
        ages = {region: now - known_at(known[region]) for region in regions if region in known}
        if not ages:
            continue
        oldest = max(ages, key=lambda region: ages[region])
        sources = Counter(known[region].source for region in ages)
        message = f"{kind} data is {ages[oldest] / DAY_S:.1f} days old, from {_named_sources(sources)}"
        if ages[oldest] >= OLDEST[kind].refuse_s:
            findings.append(Finding("signals", "problem", f"{message}: too old to plan with", remedy, (oldest,)))
        elif ages[oldest] >= OLDEST[kind].warn_s:
            findings.append(Finding("signals", "note", message, remedy, (oldest,)))
        else:
            findings.append(Finding("signals", "ok", message))
    return tuple(findings)


def _named_sources(sources: Counter[str]) -> str:
    """Sources, the one of most regions first; where there are several, each with the number of its regions."""
    if len(sources) == 1:
        return next(iter(sources))
    ordered = sorted(sources.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{source} ({count} region{'' if count == 1 else 's'})" for source, count in ordered)


def _plan(plan: Plan) -> str:
    return f"plan {plan.version} of {plan.workflow_id}"


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _listed(tables: Sequence[str]) -> str:
    return ", ".join(tables)


def _are(things: Sequence[str]) -> str:
    return "is" if len(things) == 1 else "are"
