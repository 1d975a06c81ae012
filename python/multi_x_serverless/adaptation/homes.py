"""Where home was when a run was routed: what a plan saved, and whether it left home at all, is against that home.

A workflow that is moved has runs of both homes in its history. What plans saved against the first one was saved,
wherever home is today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord


@dataclass(frozen=True)
class Homes:
    """The homes of a workflow.

    Attributes:
        today: Its home region.
        by_manifest: Manifest id -> home region of its runs, of all manifests of which that is known.
    """

    today: str
    by_manifest: Mapping[str, str]

    def of(self, run: ObservedRun) -> str:
        """Where home was for a run; today's home where that is not known."""
        return self.by_manifest.get(run.manifest_id, self.today)

    def are_left_by(self, plan: Plan, run: ObservedRun) -> bool:
        """Whether a plan places some node away from the home of a run at some hour: else it ran as without planning."""
        return not plan.is_all_in(self.of(run))


def homes_of(record: WorkflowRecord) -> Homes:
    """The homes that a workflow has had, as far as its record knows them."""
    return Homes(record.home_region, {manifest: origin.home_region for manifest, origin in record.origins.items()})
