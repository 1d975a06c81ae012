"""Whether a project would be deployed in the place of another workflow that has its name and version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.objects import StayingObjects, objects_that_stay
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.errors import UnknownWorkflowError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.deployment.build import CheckedProject


@dataclass(frozen=True)
class ReplacedWorkflow:
    """What is deployed under a project's id and is another workflow.

    Attributes:
        described: It in words.
        objects: What stays where its home is, if the project has another; `None` if nothing does.
    """

    described: str
    objects: StayingObjects | None


def replaced_workflow(cloud: Cloud, project: CheckedProject) -> ReplacedWorkflow | None:
    """What is deployed under the project's id, if it is another workflow by its home or its functions.

    A workflow that was edited keeps its home and a function or more; one that has neither in common has the same name
    and version by mistake, or is moved on purpose: its plan is withdrawn then, and its runs say nothing of the new one.
    """
    try:
        record = deployed_workflow(cloud, project.configuration.workflow_id)
    except UnknownWorkflowError:
        return None
    home = project.configuration.home_region
    if record.home_region == home and not record.functions.keys().isdisjoint(project.functions):
        return None
    functions = ", ".join(record.functions)
    return ReplacedWorkflow(
        f"{record.workflow_id} with its home in {record.home_region} and the functions {functions}",
        objects_that_stay(cloud, record, home),
    )
