"""The local half of a deployment: from a project's files to what is to be deployed; no cloud is changed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import platformdirs

from multi_x_serverless.cloud.usable import not_enabled
from multi_x_serverless.deployment.analysis import Analysis, analyse
from multi_x_serverless.deployment.desired import HANDLER
from multi_x_serverless.deployment.image import ImageContext, image_context
from multi_x_serverless.deployment.manifest import build_manifest
from multi_x_serverless.deployment.names import image_name, package_key
from multi_x_serverless.deployment.packaging import Package, own_digest, pack_entries, package_entries
from multi_x_serverless.deployment.policy import build_policy, read_policy_file
from multi_x_serverless.deployment.requirements import Target
from multi_x_serverless.deployment.state import has_system_tables, read_state
from multi_x_serverless.errors import InvalidConfigurationError, InvalidWorkflowError
from multi_x_serverless.model.config import (
    CONFIGURATION_DIRECTORY,
    CONFIGURATION_FILE,
    FunctionConfiguration,
    WorkflowConfiguration,
    load_configuration,
    merge,
)
from multi_x_serverless.model.package_patterns import first_match
from multi_x_serverless.model.workflow import PackageReference, WorkflowRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.model.config_types import Architecture
    from multi_x_serverless.model.workflow import PackageFormat
    from multi_x_serverless.sdk.manifest import Manifest

_APPLICATION = "multi-x-serverless"
_CONFIGURATION = f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}"


@dataclass(frozen=True)
class Build:
    """What a project is to become.

    Attributes:
        record: The record of the workflow once it is deployed, without resources yet.
        package: Its deployment package; an image is not built yet.
    """

    record: WorkflowRecord
    package: Package | ImageContext


@dataclass(frozen=True)
class CheckedProject:
    """A project whose configuration and source fit together.

    Attributes:
        functions: What holds for each function, in the order of the graph.
        architecture: What all functions run on.
    """

    configuration: WorkflowConfiguration
    analysis: Analysis
    functions: dict[str, FunctionConfiguration]
    manifest: Manifest
    architecture: Architecture


def check_project(
    project: Path,
    known_regions: Collection[str],
    configuration: WorkflowConfiguration | None = None,
    *,
    usable_regions: Collection[str] | None = None,
) -> CheckedProject:
    """Read and check a project.

    Args:
        project: The project's directory.
        known_regions: Codes of the regions that exist.
        configuration: Used instead of the project's file.
        usable_regions: Codes of those that the account may use, by default all. Where the project names no regions
            these are meant; one that it names and that is not among them is refused.

    Raises:
        InvalidConfigurationError: The configuration is refused.
        InvalidWorkflowError: The source is refused.
    """
    configuration = configuration or load_configuration(project, known_regions)
    analysis = analyse(project)
    _check_identity(configuration, analysis)
    usable = known_regions if usable_regions is None else usable_regions
    if configuration.home_region not in usable:
        raise InvalidConfigurationError(not_enabled([configuration.home_region]), file=_CONFIGURATION)
    merged = merge(configuration, analysis.declarations, usable)
    functions = {name: merged[name] for name in analysis.graph.functions}
    closed = {region for function in functions.values() for region in function.allowed_regions} - set(usable)
    if closed:
        raise InvalidConfigurationError(not_enabled(closed), file=_CONFIGURATION)
    manifest = build_manifest(analysis, configuration, functions)
    return CheckedProject(configuration, analysis, functions, manifest, _architecture(configuration, functions))


def check_for(cloud: Cloud, project: Path) -> CheckedProject:
    """Read and check a project for a cloud and the regions that the account may use there; see `check_project`."""
    return check_project(project, cloud.regions, usable_regions=cloud.usable_regions())


def build(
    cloud: Cloud,
    project: Path,
    package_format: PackageFormat | None = None,
    *,
    checked: CheckedProject | None = None,
) -> Build:
    """Read, check and package a project.

    Args:
        cloud: Where it is to run.
        project: The project's directory.
        package_format: How it is packed; by default as it is deployed, at first as a zip.
        checked: What `check_for` found, if it was asked before.

    Raises:
        UnsupportedError: The cloud runs no images.
        InvalidConfigurationError: The configuration or the policy is refused.
        InvalidWorkflowError: The source is refused.
        DeploymentError: The package cannot be built.
    """
    if package_format == "image":
        cloud.images.require_available()
    checked = checked or check_for(cloud, project)
    configuration, analysis = checked.configuration, checked.analysis
    functions, manifest = checked.functions, checked.manifest
    policy_file = configuration.iam_policy_file
    statements = () if policy_file is None else read_policy_file(project, policy_file)
    policy = build_policy(configuration.workflow_id, cloud.identity.account_id(), configuration.home_region, statements)
    package_format = package_format or _format_in_force(cloud, configuration.workflow_id)
    target = Target(sys.version_info.minor, checked.architecture, is_this_machine=cloud.name == "local")
    cache = platformdirs.user_cache_path(_APPLICATION) / "requirements"
    left_out = _left_out(configuration, analysis)
    entries = package_entries(project, manifest, target, cache=cache, left_out=left_out)
    package: Package | ImageContext
    if package_format == "image":
        package = image_context(project, entries, target, HANDLER)
        key, size = image_name(configuration.workflow_id, package.sha256), package.size_bytes
    else:
        package = pack_entries(entries)
        key, size = package_key(configuration.workflow_id, package.sha256), len(package.body)
    record = WorkflowRecord(
        workflow_id=configuration.workflow_id,
        configuration=configuration,
        functions=functions,
        graph=analysis.graph,
        manifest_id=manifest.id,
        manifest=manifest.to_json(),
        regions=manifest.regions,
        package=PackageReference(key, package.sha256, size, own_digest(entries)),
        package_format=package_format,
        policy=policy,
        runtime=target.runtime,
        resources=(),
        status="deployed",
        plan_activated_at=0.0,
        updated_at=0.0,
    )
    return Build(record, package)


def _left_out(configuration: WorkflowConfiguration, analysis: Analysis) -> Callable[[str], bool]:
    """Which files of the project stay out of the package.

    Raises:
        InvalidConfigurationError: Sources of functions are among them.
    """
    patterns, policy_file = configuration.package_exclude, configuration.iam_policy_file
    for declaration in analysis.declarations:
        pattern = first_match(patterns, declaration.file)
        if pattern is not None:
            raise InvalidConfigurationError(
                f"'package_exclude' has '{pattern}', which leaves out {declaration.file} with the function "
                f"'{declaration.name}'.",
                file=_CONFIGURATION,
            )
    return lambda name: name == policy_file or first_match(patterns, name) is not None


def _format_in_force(cloud: Cloud, workflow_id: str) -> PackageFormat:
    """How a workflow is packed where it is deployed; a zip if it is not."""
    if cloud.name == "local" or not has_system_tables(cloud):
        return "zip"
    record = read_state(cloud, workflow_id).record
    return "zip" if record is None else record.package_format


def _check_identity(configuration: WorkflowConfiguration, analysis: Analysis) -> None:
    in_source = f"{analysis.workflow_name}-{analysis.workflow_version}"
    if in_source != configuration.workflow_id:
        raise InvalidWorkflowError(
            f"the workflow is '{in_source}' here, but '{configuration.workflow_id}' in "
            f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}; make name and version equal in both.",
            file=analysis.file,
            line=analysis.workflow_line,
        )


def _architecture(configuration: WorkflowConfiguration, functions: dict[str, FunctionConfiguration]) -> Architecture:
    architecture = configuration.provider.architecture
    for function in functions.values():
        if function.provider.architecture != architecture:
            raise InvalidConfigurationError(
                f"function '{function.name}' asks for the architecture {function.provider.architecture}, the "
                f"workflow for {architecture}; all functions share one package, so they need one "
                "architecture.",
                file=f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}",
            )
    return architecture
