"""Dead letters in words and as members of a document."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cli.output import brief, write_text, write_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.adaptation.dead_letters import GivenUpMessage


_INDENT = " " * 4


def show_letters(messages: Sequence[GivenUpMessage]) -> None:
    """A paragraph per letter: the ids are too long for a table, and are there to be copied."""
    for message in messages:
        failed = datetime.fromtimestamp(message.letter.failed_at, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        write_text(f"{failed} UTC  {message.node or message.letter.function} in {message.letter.region}")
        workflow = f"workflow {message.workflow_id}" if message.workflow_id else "of no deployed workflow"
        write_text(f"    {workflow}, run {message.run_id or 'unknown'}")
        write_text(f"    id       {message.letter.id}")
        error = brief(" ".join(message.letter.error.split()))
        write_wrapped(f"error    {error}", indent=_INDENT, hanging=_INDENT + " " * 9)


def letter_members(message: GivenUpMessage) -> dict[str, Any]:
    """A letter as members of a document; `failed_at` in seconds since the epoch."""
    return {
        "id": message.letter.id,
        "workflow_id": message.workflow_id,
        "region": message.letter.region,
        "function": message.letter.function,
        "node": message.node,
        "run_id": message.run_id,
        "error": message.letter.error,
        "failed_at": message.letter.failed_at,
    }
