"""What a check of a workflow comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.balance import Balance
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.weighing import Gain

Outcome: TypeAlias = Literal["staged", "would stage", "keep", "wait", "failed"]


@dataclass(frozen=True)
class Decision:
    """What was decided for one workflow, and why, in a sentence.

    Attributes:
        runs: Complete runs of its graph in the last 30 days.
        warnings: What has to be said of the data that the decision rests on.
        error_code: Of the error that `reason` is about, if it failed.
        granularity: Placements a day of the new plan, if one was made.
        switches: How often in a day its placement changes.
        balance: What plans earned and planning spent in the last 30 days.
        next_check_at: When to check again, seconds since the epoch; the framework does not before.
        why_then: Why then, in a sentence.
    """

    workflow_id: str
    verdict: Outcome
    reason: str
    runs: int
    gain: Gain | None = None
    overhead: Overhead | None = None
    plan_version: int | None = None
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    granularity: int | None = None
    switches: int | None = None
    balance: Balance | None = None
    next_check_at: float | None = None
    why_then: str = ""
