"""A warning where the project's configuration is not the one that is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cli.session import PROGRAM

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.cloud.ports import Cloud


def warn_of_edited_configuration(settings: Settings, cloud: Cloud, workflow_id: str) -> None:
    """Say which settings in the project's directory have been edited since they were deployed.

    Raises:
        UnknownWorkflowError: There is no such workflow.
    """
    from multi_x_serverless.adaptation.edited_configuration import edited_settings
    from multi_x_serverless.adaptation.workflows import deployed_workflow
    from multi_x_serverless.model.config import CONFIGURATION_DIRECTORY, CONFIGURATION_FILE

    deployed = deployed_workflow(cloud, workflow_id).configuration
    edited = edited_settings(settings.project_dir, deployed, cloud.regions)
    if edited:
        file = settings.project_dir / CONFIGURATION_DIRECTORY / CONFIGURATION_FILE
        settings.say(
            f"warning: the configuration in {file} differs from the deployed one, which counts, in "
            f"{', '.join(edited)}; '{PROGRAM} deploy' puts it in force."
        )
