"""What `deploy --dry-run` shows: a difference, by region, with permissions, settings and what is expected of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cli.output import Column, counted, grams, relative, write_table, write_text, write_wrapped
from multi_x_serverless.cli.session import PROGRAM
from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.deploy_forecast import MonthlyChange, UnknownChange
    from multi_x_serverless.adaptation.objects import StayingObjects
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.deployment.actions import Action, Verb
    from multi_x_serverless.deployment.deploy import DeployPreview
    from multi_x_serverless.deployment.difference import Permission, PermissionChanges, SettingChange

SIGNS: dict[Verb, str] = {"create": "+", "update": "~", "delete": "-"}

NO_REGION = "(all)"
"""What has no region: the role, the plan, the record."""


@dataclass(frozen=True)
class Difference:
    """What a deployment would change beside resources."""

    permissions: PermissionChanges
    settings: tuple[SettingChange, ...]
    forecast: MonthlyChange | UnknownChange
    staying: StayingObjects | None = None


def find_difference(cloud: Cloud, preview: DeployPreview) -> Difference:
    """Hold a workflow as it would be against the one that is deployed."""
    from multi_x_serverless.adaptation.deploy_forecast import forecast_deployment
    from multi_x_serverless.adaptation.objects import objects_that_stay
    from multi_x_serverless.deployment.difference import permission_changes, setting_changes

    before, after = preview.before, preview.after
    return Difference(
        permission_changes(None if before is None else before.policy, after.policy),
        setting_changes(before, after),
        forecast_deployment(cloud, preview),
        None if before is None else objects_that_stay(cloud, before, after.home_region),
    )


def describe_staying(objects: StayingObjects | None) -> str:
    """A sentence about objects that a new home leaves behind; empty if there are none."""
    if objects is None:
        return ""
    said = "Its objects" if objects.count is None else counted(objects.count, "object")
    stay = "stays" if objects.count == 1 else "stay"
    return f"{said} {stay} in {objects.region}: functions will look for objects in the new home only."


def difference_members(difference: Difference) -> dict[str, Any]:
    """Members of the JSON document. Units: gCO2eq and USD a month."""
    from multi_x_serverless.adaptation.deploy_forecast import UnknownChange

    forecast = difference.forecast
    is_unknown = isinstance(forecast, UnknownChange)
    return {
        "permissions_added": [asdict(permission) for permission in difference.permissions.added],
        "permissions_removed": [asdict(permission) for permission in difference.permissions.removed],
        "settings": [asdict(change) for change in difference.settings],
        "expected_month": None if is_unknown else asdict(forecast),
        "why_not_expected": forecast.reason if isinstance(forecast, UnknownChange) else None,
        "objects_staying": None if difference.staying is None else asdict(difference.staying),
    }


def show_difference(settings: Settings, actions: Sequence[Action], difference: Difference) -> None:
    """The difference as tables."""
    _show_actions(settings, actions)
    if difference.settings:
        write_table(
            settings,
            "Settings that would change",
            [Column("function"), Column("setting"), Column("now"), Column("then")],
            [
                [change.function, change.setting, change.before or "-", change.after or "-"]
                for change in difference.settings
            ],
        )
    _show_permissions(difference.permissions)
    if difference.staying is not None:
        write_wrapped(describe_staying(difference.staying))
        write_text("")
    _show_forecast(settings, difference.forecast)


def _show_actions(settings: Settings, actions: Sequence[Action]) -> None:
    from multi_x_serverless.cli.commands.deploy import shortened

    regions = sorted({action.region or "" for action in actions})
    in_order = sorted(actions, key=lambda action: action.region or "")
    write_table(
        settings,
        "Would be done",
        [Column(""), Column("region", is_whole=True), Column("kind"), Column("name")],
        [[SIGNS[action.verb], action.region or NO_REGION, action.kind, shortened(action.name)] for action in in_order],
        note="+ create, ~ update, - delete",
    )
    write_table(
        settings,
        "How many",
        [Column("region", is_whole=True), *(Column(verb, is_number=True) for verb in SIGNS)],
        [
            [
                region or NO_REGION,
                *(
                    str(sum((action.region or "") == region and action.verb == verb for action in actions))
                    for verb in SIGNS
                ),
            ]
            for region in regions
        ],
    )


def _show_permissions(changes: PermissionChanges) -> None:
    if not changes.added and not changes.removed:
        write_text("The role's permissions stay as they are.\n")
        return
    write_text("Permissions of the role\n")
    for sign, permissions in (("+", changes.added), ("-", changes.removed)):
        for line in _permission_lines(permissions):
            write_wrapped(f"{sign} {line}", indent="  ")
    write_text("")


def _permission_lines(permissions: Sequence[Permission]) -> list[str]:
    """Actions on the same resource under the same condition on one line."""
    actions: dict[tuple[str, str, str], list[str]] = {}
    for permission in permissions:
        key = (permission.effect, permission.resource, permission.condition)
        actions.setdefault(key, []).append(permission.action)
    return [
        ("" if effect == "Allow" else "DENY ")
        + f"{', '.join(names)} on {resource}"
        + (f" if {condition}" if condition else "")
        for (effect, resource, condition), names in actions.items()
    ]


def _show_forecast(settings: Settings, forecast: MonthlyChange | UnknownChange) -> None:
    from multi_x_serverless.adaptation.deploy_forecast import UnknownChange

    if isinstance(forecast, UnknownChange):
        write_wrapped(f"Expected monthly change of cost and carbon: not known; {forecast.reason}")
        return
    before, after = forecast.before, forecast.after
    how = "as observed" if forecast.is_observed else "as estimated in the configuration"
    write_table(
        settings,
        f"Expected a month, at {forecast.runs:,.0f} runs ({how})",
        [Column(""), *(Column(name, is_number=True) for name in ("now", "then", "change"))],
        [
            [
                "CO2eq",
                grams(before.carbon_gco2eq),
                grams(after.carbon_gco2eq),
                relative(_change(before.carbon_gco2eq, after.carbon_gco2eq)),
            ],
            [
                "USD",
                f"{before.cost_usd:.4g}",
                f"{after.cost_usd:.4g}",
                relative(_change(before.cost_usd, after.cost_usd)),
            ],
        ],
        note=f"Modelled from {counted(forecast.observed_runs, 'observed run')} with their times as they were, by "
        "today's grids and prices. Storage and the deployment itself are not counted.",
    )
    if forecast.hours_over_hard_limits:
        write_wrapped(
            f"The plan that stays in force breaks a hard limit at {forecast.hours_over_hard_limits} of {HOURS_PER_DAY} "
            f"hours, by the limits as they would be: after the deployment '{PROGRAM} solve' makes another one."
        )


def _change(before: float, after: float) -> float | None:
    return after / before - 1.0 if before > 0.0 else None
