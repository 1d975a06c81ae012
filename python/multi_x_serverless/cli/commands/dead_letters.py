"""``dead_letters``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.letter_table import letter_members, show_letters
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import counted, write_json, write_text
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import NothingToDoError


@click.command("dead_letters")
@workflow_argument(required=False)
@click.option("--discard", "letter_ids", metavar="LETTER_ID", multiple=True, help="Delete this message; repeatable.")
@click.option("--discard-all", "discard_all", is_flag=True, help="Delete all messages that would be listed.")
@pass_settings
@says_what_is_left(
    "messages that were deleted are gone, 'multi_x_serverless dead_letters' lists the rest.",
    changes=lambda options: bool(options["letter_ids"]) or options["discard_all"],
)
def command(settings: Settings, workflow_id: str | None, letter_ids: tuple[str, ...], discard_all: bool) -> None:
    """List the messages of WORKFLOW_ID, or all there are, that were given up after their retries.

    'status RUN_ID' shows why, 'redrive' puts them back. With --discard or --discard-all they are deleted instead, and
    their runs never go on; 'remove' deletes those of its workflow by itself.
    """
    if letter_ids and discard_all:
        raise click.UsageError("Give either --discard or --discard-all.")
    discards, deleted = bool(letter_ids) or discard_all, 0
    with settings.open_cloud(exclusive=discards) as cloud:
        from multi_x_serverless.adaptation.dead_letters import all_dead_letters, choose_letters, dead_letters, discard

        if workflow_id is not None:
            with terminal_status(settings, "looking for messages that were given up"):
                messages = dead_letters(cloud, workflow_id)
        else:
            with terminal_status(settings, "looking for messages that were given up"):
                found = all_dead_letters(cloud)
            messages = found.messages
            for region, why in found.unread.items():
                settings.say(f"warning: {region} was not looked at: {why}")
        chosen = choose_letters(messages, letter_ids) if letter_ids else messages if discard_all else ()
        if discards:
            if not chosen:
                raise NothingToDoError("no message was given up; there is nothing to discard.")
            settings.confirm(f"Delete {counted(len(chosen), 'message')} for good, so that the runs never go on?")
            deleted = discard(cloud, chosen)
    left = [message for message in messages if message not in chosen]
    if settings.is_json:
        members = {"dead_letters": left} | ({"discarded": chosen} if discards else {})
        write_json(
            "dead_letters",
            {name: [letter_members(message) for message in letters] for name, letters in members.items()},
        )
    elif discards:
        write_text(f"Messages deleted: {deleted}.")
    elif messages:
        show_letters(messages)
    else:
        write_text("No message was given up.")
