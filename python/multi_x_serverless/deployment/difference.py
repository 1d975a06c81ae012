"""What a deployment changes beside resources: permissions of the role, and settings of functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.model.workflow import WorkflowRecord


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource that a policy allows or denies.

    Attributes:
        effect: ``Allow`` or ``Deny``.
        action: For example ``s3:GetObject``; ``all but ...`` where a statement names what it is not about.
        resource: The same for resources.
        condition: The statement's condition as JSON; empty if there is none.
    """

    effect: str
    action: str
    resource: str
    condition: str = ""


@dataclass(frozen=True)
class PermissionChanges:
    """What a role may do afterwards and not before, and the other way round; in alphabetical order."""

    added: tuple[Permission, ...]
    removed: tuple[Permission, ...]


@dataclass(frozen=True)
class SettingChange:
    """A setting of a function that changes.

    Attributes:
        setting: Its name, with the unit where it has one.
        before: As it is; empty where it was not there. Values of environment variables are left out: secrets may be
            among them.
        after: As it will be; empty where it will not be there.
    """

    function: str
    setting: str
    before: str
    after: str


def permission_changes(before: str | None, after: str) -> PermissionChanges:
    """How the policies of a role differ.

    Args:
        before: The policy as it is (JSON); `None` if there is no role.
        after: As it will be.
    """
    old, new = frozenset() if before is None else _permissions(before), _permissions(after)
    return PermissionChanges(tuple(sorted(new - old)), tuple(sorted(old - new)))


def setting_changes(before: WorkflowRecord | None, after: WorkflowRecord) -> tuple[SettingChange, ...]:
    """How the settings of functions differ that are there before and afterwards; code has its own action."""
    if before is None:
        return ()
    changes = []
    for name in after.functions:
        if name in before.functions:
            old, new = _settings(before, name), _settings(after, name)
            changes += [
                SettingChange(name, setting, old.get(setting, ""), new.get(setting, ""))
                for setting in sorted({*old, *new})
                if old.get(setting) != new.get(setting)
            ]
            changes += _variable_changes(before, after, name)
    return tuple(changes)


def _settings(record: WorkflowRecord, name: str) -> dict[str, str]:
    function = record.functions[name]
    provider = function.provider
    return {
        "memory (MB)": str(provider.memory_mb),
        "timeout (s)": str(provider.timeout_s),
        "architecture": provider.architecture,
        "runtime": record.runtime,
        "regions": ", ".join(sorted(function.allowed_regions)),
    }


def _variable_changes(before: WorkflowRecord, after: WorkflowRecord, name: str) -> list[SettingChange]:
    old, new = before.functions[name].environment_variables, after.functions[name].environment_variables
    return [
        SettingChange(
            name,
            f"variable {variable}",
            "set" if variable in old else "",
            ("changed" if variable in old else "set") if variable in new else "",
        )
        for variable in sorted({*old, *new})
        if old.get(variable) != new.get(variable)
    ]


def _permissions(policy: str) -> frozenset[Permission]:
    return frozenset(
        Permission(statement["Effect"], action, resource, _condition(statement))
        for statement in json.loads(policy)["Statement"]
        for action in _named(statement, "Action")
        for resource in _named(statement, "Resource")
    )


def _named(statement: Mapping[str, Any], element: str) -> Sequence[str]:
    """What a statement is about, one by one; what it is not about all at once."""
    if element in statement:
        return _texts(statement[element])
    return [f"all but {', '.join(sorted(_texts(statement[f'Not{element}'])))}"]


def _texts(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _condition(statement: Mapping[str, Any]) -> str:
    return json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else ""
