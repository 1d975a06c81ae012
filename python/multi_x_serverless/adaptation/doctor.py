"""`doctor`: what is wrong, and the command that mends it. Nothing is changed.

::

    this machine -> the cloud lets us in? -> the cloud itself -> the project's configuration
                         | no: stop                                   |
                         v                                            v
                                      regions: open and answering? -> tables, quotas, letters of each, side by side
                                                                      |
                                      system tables -> workflows, journal, locks, plans, signals

Every check runs on its own: what one raises is its finding and stops no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from multi_x_serverless.adaptation.machine_checks import machine_checks
from multi_x_serverless.adaptation.state_checks import (
    UPGRADE,
    DeployedState,
    check_region_tables,
    state_checks,
)
from multi_x_serverless.adaptation.workflows import find_workflows
from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import Check, Cloud, Finding
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.places import places_of
from multi_x_serverless.deployment.state import regions_of
from multi_x_serverless.errors import (
    CorruptedStateError,
    MultiXServerlessError,
    NewerSchemaError,
    UnknownRegionError,
)
from multi_x_serverless.model.config import (
    CONFIGURATION_DIRECTORY,
    CONFIGURATION_FILE,
    WorkflowConfiguration,
    load_configuration,
)
from multi_x_serverless.model.workflow import WorkflowRecord


def examine(
    opening: AbstractContextManager[Cloud],
    project: Path,
    *,
    is_aws: bool,
    regions: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Look at this machine and, as far as it can be opened, at the cloud.

    Args:
        opening: Opens the cloud for reading, and closes it.
        project: Directory that may hold a project, whose regions are then looked at too.
        is_aws: The cloud is AWS.
        regions: Only these regions.

    Raises:
        UnknownRegionError: There is no such region.
    """
    findings = list(_run(machine_checks(is_aws=is_aws)))
    with ExitStack() as stack:
        opened: list[Cloud] = []

        def open_cloud() -> tuple[Finding, ...]:
            opened.append(stack.enter_context(opening))
            return ()

        findings += _guarded(Check("cloud", open_cloud))
        for cloud in opened:
            findings += examine_cloud(cloud, project, regions)
    return merged(findings)


def examine_cloud(cloud: Cloud, project: Path, regions: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Look at a cloud; see `examine`."""
    for region in regions:
        if region not in cloud.regions:
            raise UnknownRegionError(f"there is no region '{region}'; there are {', '.join(cloud.regions)}.")
    findings = [*_guarded(Check("access", cloud.health.access))]
    if _has_problem(findings):
        return tuple(findings)
    findings += _run(cloud.health.checks())
    configured, configuration = _read_project(project, cloud.regions)
    findings += configured
    state, read = _read_state(cloud)
    findings += read
    records = () if state is None else state.deployed
    used, unknown = _regions_in_use(cloud, records)
    places, unplaced = _places(cloud, records)
    scope = _scope(cloud, records, used, places, configuration, regions)
    findings += _examine_regions(cloud, scope)
    if state is not None:
        findings += _run(state_checks(cloud, state))
    findings += (*unknown, *unplaced)
    return tuple(findings)


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that say the same of several regions as one, in the order in which they came."""
    regions: dict[Finding, list[str]] = {}
    for finding in findings:
        regions.setdefault(replace(finding, regions=()), []).extend(finding.regions)
    return tuple(replace(finding, regions=tuple(dict.fromkeys(places))) for finding, places in regions.items())


@dataclass(frozen=True)
class _Scope:
    """Regions to look at.

    Attributes:
        used: Where functions are.
        needed: What must be open: those in use, the system region, those the configuration names, those asked for.
        possible: What a plan may come to use; whether they are open is worth a note.
        left: Where functions were, and letters may still wait; also in regions that nothing may use any more.
    """

    used: frozenset[str]
    needed: tuple[str, ...]
    possible: tuple[str, ...]
    left: frozenset[str]


def _regions_in_use(cloud: Cloud, records: Sequence[WorkflowRecord]) -> tuple[frozenset[str], tuple[Finding, ...]]:
    """Where workflows have functions, or their plans in force send runs."""
    used = {region for record in records for region in (record.home_region, *regions_of(record.resources))}

    def add_planned(record: WorkflowRecord) -> tuple[Finding, ...]:
        active = PlanStore(cloud).active(record.workflow_id)
        used.update(() if active is None else active.regions)
        return ()

    unknown = _run(Check("plans", partial(add_planned, record)) for record in records)
    return frozenset(used), unknown


def _places(cloud: Cloud, records: Sequence[WorkflowRecord]) -> tuple[frozenset[str], tuple[Finding, ...]]:
    """Where something of workflows may be, also of earlier deployments and plans as far as these can be read."""
    found = {region for record in records for region in record.regions}

    def add(record: WorkflowRecord) -> tuple[Finding, ...]:
        found.update(places_of(cloud, record))
        return ()

    unknown = _run(Check("plans", partial(add, record)) for record in records)
    return frozenset(found), unknown


def _scope(
    cloud: Cloud,
    records: Sequence[WorkflowRecord],
    used: frozenset[str],
    places: frozenset[str],
    configuration: WorkflowConfiguration | None,
    chosen: Sequence[str],
) -> _Scope:
    recorded = frozenset(region for record in records for region in record.regions)
    if chosen:
        return _Scope(used, tuple(dict.fromkeys(chosen)), (), places & set(chosen))
    named: frozenset[str] = frozenset()
    possible = frozenset(cloud.regions) if configuration is None and not records else recorded
    if configuration is not None:
        named = frozenset({configuration.home_region, *(configuration.regions.allowed or ())})
        possible |= frozenset(configuration.regions.resolve(cloud.regions))
    needed = sorted({cloud.system_region} | used | named)
    return _Scope(used, tuple(needed), tuple(sorted(possible.difference(needed))), places)


def _examine_regions(cloud: Cloud, scope: _Scope) -> list[Finding]:
    """All regions, several at once; their findings in the order of the regions."""
    regions = dict.fromkeys((*scope.needed, *scope.possible, *sorted(scope.left)))
    looks = [partial(_examine_region, cloud, region, scope) for region in regions]
    found = run_all(looks)
    # By check, then by region: what is the same of many regions is then one line.
    findings = [finding for entries in found for finding in entries]
    order = {name: index for index, name in enumerate(dict.fromkeys(finding.check for finding in findings))}
    return sorted(findings, key=lambda finding: order[finding.check])


def _examine_region(cloud: Cloud, region: str, scope: _Scope) -> list[Finding]:
    found = _guarded(Check("region", lambda: (cloud.health.reach(region),)), (region,))
    is_needed, is_used = region in scope.needed, region in scope.used
    if _has_problem(found):
        if is_needed:
            return list(found)
        return [_possible(finding) if region in scope.possible else _left(finding) for finding in found]
    if is_needed:
        found += _run(cloud.health.region_checks(region, in_use=is_used), (region,))
        found += _guarded(Check("tables", lambda: check_region_tables(cloud, region, in_use=is_used)), (region,))
    if is_needed or region in scope.left:
        found += _guarded(Check("letters", lambda: _check_letters(cloud, region)), (region,))
    return list(found)


def _possible(finding: Finding) -> Finding:
    """A problem of a region that nothing needs: plans must only keep out of it."""
    remedy = (
        "# 'multi_x_serverless doctor --region REGION' says how to open one; to keep plans out of them, list them "
        "as disallowed_regions in .multi-x-serverless/config.yml"
    )
    return replace(finding, status="note", remedy=remedy)


def _left(finding: Finding) -> Finding:
    """A problem of a region that nothing may use any more: what was left there cannot be seen."""
    remedy = "# nothing will run there; messages that were given up there, and logs, cannot be read until it is open"
    return replace(finding, status="note", remedy=remedy)


def _check_letters(cloud: Cloud, region: str) -> tuple[Finding, ...]:
    count = cloud.health.waiting_letters(region)
    if not count:
        return (Finding("letters", "ok", "no messages were given up", regions=(region,)),)
    message = "1 message was given up: its run stands still"
    if count > 1:
        message = f"{count} messages were given up: their runs stand still"
    remedy = (
        "multi_x_serverless dead_letters\n"
        "# then, when the cause is removed, for each workflow listed:\n"
        "multi_x_serverless redrive WORKFLOW_ID\n"
        "# or delete what shall never run:\n"
        "multi_x_serverless dead_letters --discard LETTER_ID"
    )
    return (Finding("letters", "problem", message, remedy, (region,)),)


def _read_project(
    project: Path, known_regions: Collection[str]
) -> tuple[tuple[Finding, ...], WorkflowConfiguration | None]:
    """The configuration of a project, if the directory holds one."""
    read: list[WorkflowConfiguration] = []

    def look() -> tuple[Finding, ...]:
        if not (project / CONFIGURATION_DIRECTORY / CONFIGURATION_FILE).is_file():
            return ()
        read.append(load_configuration(project, known_regions))
        return (Finding("project", "ok", f"{read[0].workflow_id}, home {read[0].home_region}: configuration is valid"),)

    findings = _guarded(Check("project", look))
    return findings, read[0] if read else None


def _read_state(cloud: Cloud) -> tuple[DeployedState | None, tuple[Finding, ...]]:
    """What is recorded; without the right to read it, nothing but a finding."""
    read: list[DeployedState] = []

    def look() -> tuple[Finding, ...]:
        tables = frozenset(cloud.key_value.list_tables(cloud.system_region))
        read.append(DeployedState(tables, None))  # the tables can be looked at, even if no workflow can be read
        read.append(DeployedState(tables, find_workflows(cloud)))
        return ()

    findings = _guarded(Check("workflows", look))
    return read[-1] if read else None, findings


def _run(checks: Iterable[Check], regions: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    return tuple(finding for check in checks for finding in _guarded(check, regions))


def _guarded(check: Check, regions: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """What a check finds; what it raises is a problem."""
    try:
        return check.look()
    except MultiXServerlessError as error:
        return (Finding(check.name, "problem", str(error).rstrip("."), _remedy_of(error), regions),)
    except Exception as error:  # noqa: BLE001  # whatever it is, the other checks go on
        message = f"the check failed with an unexpected {type(error).__name__}: {error}"
        return (Finding(check.name, "problem", message, "", regions),)


def _remedy_of(error: MultiXServerlessError) -> str:
    """What mends an error whose message does not say it in a command."""
    if isinstance(error, NewerSchemaError):
        return UPGRADE
    if isinstance(error, CorruptedStateError):
        return "# restore it from a backup; the embedded cloud can also begin anew elsewhere, with --state-dir"
    return ""


def _has_problem(findings: Collection[Finding]) -> bool:
    return any(finding.status == "problem" for finding in findings)
