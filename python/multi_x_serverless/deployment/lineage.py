"""Which deployments a workflow has had: what tells its runs under one graph and home from those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.model.deployments import Deployment, Deployments

if TYPE_CHECKING:
    from collections.abc import Collection

    from multi_x_serverless.deployment.desired import DesiredFunction
    from multi_x_serverless.model.config_types import FunctionConfiguration
    from multi_x_serverless.model.workflow import WorkflowRecord


def deployments_with(
    previous: WorkflowRecord | None, record: WorkflowRecord, changed: Collection[DesiredFunction], now: float
) -> Deployments:
    """The deployments of a workflow with the one that changed some functions."""
    earlier = Deployments() if previous is None else previous.deployments
    if previous is not None and previous.manifest_id not in earlier.origins:
        # A program that keeps none made it; what it replaced at home, and when, is not known.
        earlier = earlier.followed_by(_deployment(previous, (), previous.updated_at), previous.graph)
    replaced = {function.function for function in changed if function.region == record.home_region}
    if not replaced and earlier.entries and earlier.entries[-1].manifest_id == record.manifest_id:
        return earlier
    differing = () if previous is None else _differing(previous, record)
    return earlier.followed_by(_deployment(record, tuple(sorted(replaced)), now, differing), record.graph)


def _deployment(
    record: WorkflowRecord, functions: tuple[str, ...], at: float, differing: tuple[str, ...] = ()
) -> Deployment:
    share = record.configuration.home_share
    return Deployment(at, record.manifest_id, record.graph.id, record.home_region, share, functions, differing)


def _differing(previous: WorkflowRecord, record: WorkflowRecord) -> tuple[str, ...]:
    """Functions that run differently than before; other regions, limits or shares are no difference to them."""
    before, now = previous.package.own_sha256, record.package.own_sha256
    is_all = previous.runtime != record.runtime or (bool(before) and before != now)
    return tuple(
        sorted(
            name
            for name, function in record.functions.items()
            if is_all or name not in previous.functions or _runs_by(previous.functions[name]) != _runs_by(function)
        )
    )


def _runs_by(function: FunctionConfiguration) -> tuple[object, ...]:
    settings = function.provider
    return settings.memory_mb, settings.architecture, dict(function.environment_variables)
