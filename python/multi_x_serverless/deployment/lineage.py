"""Which deployments a workflow has had: what tells its runs under one graph and home from those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.model.deployments import Deployment, Deployments

if TYPE_CHECKING:
    from collections.abc import Collection

    from multi_x_serverless.deployment.desired import DesiredFunction
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
    return earlier.followed_by(_deployment(record, tuple(sorted(replaced)), now), record.graph)


def _deployment(record: WorkflowRecord, functions: tuple[str, ...], at: float) -> Deployment:
    share = record.configuration.home_share
    return Deployment(at, record.manifest_id, record.graph.id, record.home_region, share, functions)
