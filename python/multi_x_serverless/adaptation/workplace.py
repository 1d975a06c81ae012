"""Where this program works: on a developer's machine, or as a job in the cloud.

It is a property of the process, as its processor time is, and like that it is asked for where work is priced
(`adaptation.overhead.cpu_spending`): what starts a job says so once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Workplace:
    """Where a processor works.

    Attributes:
        region: Whose grid feeds it; `None` on a developer's machine, for which the workflow's home region stands.
        is_idle_power_noted: Whether the power of the processor while it is idle is in an entry of its own
            (`adaptation.framework_bill`), so that work is what it draws beyond that.
    """

    region: str | None = None
    is_idle_power_noted: bool = False


_DEVELOPERS_MACHINE = Workplace()

_WORKPLACE: ContextVar[Workplace] = ContextVar("workplace", default=_DEVELOPERS_MACHINE)


def workplace() -> Workplace:
    """Where this program works now."""
    return _WORKPLACE.get()


@contextmanager
def working_at(place: Workplace) -> Iterator[None]:
    """Work there for a while."""
    before = _WORKPLACE.set(place)
    try:
        yield
    finally:
        _WORKPLACE.reset(before)
