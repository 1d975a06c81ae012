"""What a project's configuration says otherwise than the deployed one: plans follow the deployed one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from multi_x_serverless.errors import InvalidConfigurationError
from multi_x_serverless.model.config import (
    CONFIGURATION_DIRECTORY,
    CONFIGURATION_FILE,
    WorkflowConfiguration,
    load_configuration,
)
from multi_x_serverless.model.plan import Objective

_OBJECTIVES: tuple[Objective, ...] = ("cost", "runtime", "carbon")


def edited_settings(project: Path, deployed: WorkflowConfiguration, known_regions: Collection[str]) -> tuple[str, ...]:
    """Keys of the project's configuration file, as it spells them, whose values are not the deployed ones.

    None where the project is another workflow's, or holds no configuration that can be read: that is `deploy`'s and
    `doctor`'s to say, and nothing that plans rest on.

    Args:
        project: Directory that may hold a project.
        known_regions: Codes of the regions that exist.
    """
    if not (project / CONFIGURATION_DIRECTORY / CONFIGURATION_FILE).is_file():
        return ()
    try:
        configuration = load_configuration(project, known_regions)
    except InvalidConfigurationError:
        return ()
    if configuration.workflow_id != deployed.workflow_id:
        return ()
    before = dict(_values(deployed))
    return tuple(key for key, value in _values(configuration) if value != before[key])


def _values(configuration: WorkflowConfiguration) -> Iterator[tuple[str, object]]:
    """Keys of the file -> values, in the order of its documentation."""
    yield "home_region", configuration.home_region
    yield "environment_variables", dict(configuration.environment_variables)
    yield "iam_policy_file", configuration.iam_policy_file
    yield "estimated_invocations_per_month", configuration.estimated_invocations_per_month
    constraints = configuration.constraints
    for kind, limits in (("hard", constraints.hard), ("soft", constraints.soft)):
        for objective in _OBJECTIVES:
            yield f"constraints.{kind}_resource_constraints.{objective}", limits.of(objective)
    yield "constraints.priority_order", constraints.priority_order
    regions, provider = configuration.regions, configuration.provider
    yield "regions_and_providers.allowed_regions", None if regions.allowed is None else set(regions.allowed)
    yield "regions_and_providers.disallowed_regions", set(regions.disallowed)
    yield "regions_and_providers.providers.aws.config.timeout", provider.timeout_s
    yield "regions_and_providers.providers.aws.config.memory", provider.memory_mb
    yield "regions_and_providers.providers.aws.config.architecture", provider.architecture
    yield "solver", configuration.solver
    yield "home_share", configuration.home_share
    yield "priority_tolerance", configuration.priority_tolerance
    yield "robust", configuration.robust
    yield "data_regions", dict(configuration.data_regions)
    yield "package_exclude", set(configuration.package_exclude)
