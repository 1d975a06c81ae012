"""When a workflow was checked last, what came of it, and when it is worth checking again."""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.model import documents

CHECK_STATE_SCHEMA = "multi-x-serverless/check-state"
CHECK_STATE_VERSION = 1


@dataclass(frozen=True)
class CheckState:
    """The last check of a workflow by `update_check_solver`.

    Attributes:
        checked_at: Seconds since the epoch, UTC.
        next_check_at: Before then a check costs more than it is allowed to, seconds since the epoch, UTC.
        why_then: A sentence.
        verdict: What was decided.
        reason: Why, in a sentence.
        deployment: Digest of what was deployed then (`WorkflowRecord.deployment`); `None` where it was not kept yet.
        deployment_seen_at: When that was checked for the first time, seconds since the epoch, UTC.
        failures: Checks of it in a row, up to this one, that failed or could not be closed.
    """

    checked_at: float
    next_check_at: float
    why_then: str
    verdict: str
    reason: str
    deployment: str | None = None
    deployment_seen_at: float | None = None
    failures: int = 0

    def to_document(self) -> bytes:
        """The state as a JSON document."""
        return documents.write(CHECK_STATE_SCHEMA, CHECK_STATE_VERSION, vars(self))

    @classmethod
    def from_document(cls, text: bytes | str) -> CheckState:
        """Read a state.

        Raises:
            InvalidDocumentError: The text is no such document; the message names the field.
        """
        fields = documents.read(text, CHECK_STATE_SCHEMA, CHECK_STATE_VERSION)
        return cls(
            checked_at=fields.number("checked_at"),
            next_check_at=fields.number("next_check_at"),
            why_then=fields.text("why_then"),
            verdict=fields.text("verdict"),
            reason=fields.text("reason"),
            deployment=fields.optional_text("deployment"),
            deployment_seen_at=fields.optional_number("deployment_seen_at"),
            failures=fields.optional_integer("failures") or 0,
        )
