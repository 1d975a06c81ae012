"""What an operation took: bytes that went to other regions, and probes, noted as they happen.

Whoever starts an operation hands in an `EffortLog` and reads it afterwards, whatever became of the operation: what
failed half-way, and what undoing it took, is in there as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from multi_x_serverless.model.config_types import Architecture


@dataclass(frozen=True)
class Copy:
    """A package or an image that was copied from home to another region.

    Attributes:
        region: Where it went.
        size_bytes: Bytes that moved, as the cloud says; of an image only the layers that were not there.
    """

    region: str
    size_bytes: int


@dataclass(frozen=True)
class Probe:
    """An invocation that made sure that a function answers.

    Attributes:
        duration_s: Of the invocation, in seconds.
        init_s: Start of a container for it, in seconds; 0 if there was one, `None` if the cloud does not tell.
        memory_mb: Of the function.
        architecture: Of the function.
    """

    function: str
    region: str
    duration_s: float
    init_s: float | None
    memory_mb: int
    architecture: Architecture

    @property
    def billed_s(self) -> float:
        """All of its time, in seconds: Lambda bills the start of a container, too (since August 2025)."""
        return self.duration_s + (self.init_s or 0.0)


class Effort(Protocol):
    """Told what an operation takes, from any thread."""

    def copied(self, copy: Copy) -> None:
        """Something was copied."""

    def probed(self, probe: Probe) -> None:
        """A function was invoked, and answered or failed."""


class _Unnoted:
    def copied(self, copy: Copy) -> None:
        pass

    def probed(self, probe: Probe) -> None:
        pass


UNNOTED: Effort = _Unnoted()
"""For callers that do not want to know."""


@dataclass
class EffortLog:
    """Keeps all that it is told. Appending to a list needs no lock."""

    copies: list[Copy] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def copied(self, copy: Copy) -> None:
        """See `Effort.copied`."""
        self.copies.append(copy)

    def probed(self, probe: Probe) -> None:
        """See `Effort.probed`."""
        self.probes.append(probe)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was copied and nobody asked."""
        return not self.copies and not self.probes
