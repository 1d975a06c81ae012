"""``doctor``."""

from __future__ import annotations

from dataclasses import replace

import click

from multi_x_serverless.cli.finding_lines import finding_members, show_findings
from multi_x_serverless.cli.options import regions_option
from multi_x_serverless.cli.output import write_json
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK


@click.command("doctor")
@regions_option("Look at this region only; may be given several times.")
@pass_settings
def command(settings: Settings, regions: tuple[str, ...]) -> int:
    """Show what is wrong and the command that mends it. Changes nothing.

    Looks at this machine, at the cloud (credentials, clock, regions, quotas, or the state directory), at the
    framework's tables and at what is deployed. Regions are those that the deployed workflows and the configuration
    in the project directory name, or --region. Exit code 1 if there is a problem; notes are no problems.
    """
    from multi_x_serverless.adaptation.doctor import examine

    with terminal_status(settings, "looking"):
        findings = examine(
            settings.open_cloud(exclusive=False),
            settings.project_dir,
            is_aws=settings.cloud == "aws",
            regions=regions,
        )
    findings = tuple(replace(finding, remedy=settings.with_options(finding.remedy)) for finding in findings)
    problems = sum(finding.status == "problem" for finding in findings)
    if settings.is_json:
        members = [finding_members(finding) for finding in findings]
        write_json("doctor", {"cloud": settings.cloud, "problems": problems, "findings": members})
    else:
        show_findings(settings, findings)
    return EXIT_FAILURE if problems else EXIT_OK
