"""The manifest of a workflow: what its functions know of it (format: `multi_x_serverless.sdk.manifest`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.deployment.names import topic_name
from multi_x_serverless.errors import CorruptedStateError, InvalidConfigurationError
from multi_x_serverless.sdk.manifest import (
    CallStep,
    Delivery,
    Manifest,
    ManifestEdge,
    ManifestError,
    ManifestFunction,
    ManifestNode,
)
from multi_x_serverless.sdk.plan_replica import MAXIMUM_REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.deployment.analysis import Analysis
    from multi_x_serverless.model.config import FunctionConfiguration, WorkflowConfiguration
    from multi_x_serverless.model.workflow import WorkflowRecord


def build_manifest(
    analysis: Analysis, configuration: WorkflowConfiguration, functions: Mapping[str, FunctionConfiguration]
) -> Manifest:
    """The manifest of an analysed workflow.

    Raises:
        InvalidConfigurationError: More regions are allowed than a plan can count.
    """
    home = configuration.home_region
    allowed = {region for function in functions.values() for region in function.allowed_regions}
    regions = (home, *sorted(allowed - {home}))
    if len(regions) > MAXIMUM_REGIONS:
        raise InvalidConfigurationError(
            f"{len(regions)} regions are allowed, a plan can hold {MAXIMUM_REGIONS}; list fewer in 'allowed_regions'."
        )
    declared = {declaration.name: declaration for declaration in analysis.declarations}
    graph = analysis.graph
    return Manifest(
        workflow_id=configuration.workflow_id,
        module=analysis.module,
        variable=analysis.variable,
        home=home,
        regions=regions,
        home_share=configuration.home_share,
        functions=tuple(
            ManifestFunction(
                name=name,
                attribute=declared[name].attribute,
                topic=topic_name(configuration.workflow_id, name),
                delivery=_delivery(declared[name].delivery),
            )
            for name in graph.functions
        ),
        nodes=tuple(ManifestNode(node.name, node.function, node.sync) for node in graph.nodes),
        edges=tuple(
            ManifestEdge(
                edge.source,
                edge.target,
                tuple(CallStep(step.file, step.line, step.end_line) for step in edge.site),
            )
            for edge in graph.edges
        ),
    )


def manifest_of(record: WorkflowRecord) -> Manifest:
    """The manifest that a deployed workflow was packaged with.

    Raises:
        CorruptedStateError: The record holds no manifest that this version reads.
    """
    try:
        return Manifest.from_json(record.manifest)
    except ManifestError as error:
        raise CorruptedStateError(f"the record of '{record.workflow_id}' is unusable: {error}.") from error


def _delivery(name: str) -> Delivery:
    return "exactly_once" if name == "exactly_once" else "at_least_once"
