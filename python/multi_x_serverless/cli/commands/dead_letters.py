"""``dead_letters``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.letter_table import letter_members, show_letters
from multi_x_serverless.cli.output import write_json, write_text
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("dead_letters")
@click.argument("workflow_id", required=False)
@pass_settings
def command(settings: Settings, workflow_id: str | None) -> None:
    """List the messages of WORKFLOW_ID, or of all workflows, that were given up after their retries.

    'status RUN_ID' shows why, 'redrive' puts them back.
    """
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.dead_letters import dead_letters

        messages = dead_letters(cloud, workflow_id)
    if settings.is_json:
        write_json("dead_letters", {"dead_letters": [letter_members(message) for message in messages]})
    elif messages:
        show_letters(messages)
    else:
        write_text("No message was given up.")
