"""Dead letters as tables and as members of a document."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cli.output import Column, brief, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.adaptation.dead_letters import GivenUpMessage
    from multi_x_serverless.cli.session import Settings


def show_letters(settings: Settings, title: str, messages: Sequence[GivenUpMessage]) -> None:
    """One row per letter; ids stay whole, to be copied."""
    columns = [
        Column("failed (UTC)", is_whole=True),
        Column("node"),
        Column("region"),
        Column("error"),
        Column("run", is_whole=True),
        Column("id", is_whole=True),
    ]
    rows = [
        [
            datetime.fromtimestamp(message.letter.failed_at, tz=timezone.utc).strftime("%m-%d %H:%M:%S"),
            message.node or message.letter.function,
            message.letter.region,
            brief(message.letter.error),
            message.run_id or "-",
            message.letter.id,
        ]
        for message in messages
    ]
    write_table(settings, title, columns, rows)


def letter_members(message: GivenUpMessage) -> dict[str, Any]:
    """A letter as members of a document."""
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
