"""What figures were taken on: without it they mean nothing. No host name, no paths."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """A machine and its interpreter.

    Attributes:
        processor: Name of the model where the system tells it, else of the architecture.
        processors: How many there are.
        memory_gb: Main memory, in GB of 10^9 bytes.
        system: Name and release of the operating system.
        python: Name and version of the interpreter.
    """

    processor: str
    processors: int
    memory_gb: int
    system: str
    python: str

    @classmethod
    def here(cls) -> Machine:
        """The machine that this runs on."""
        return cls(
            processor=_processor(),
            processors=os.cpu_count() or 1,
            memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
        )

    def __str__(self) -> str:
        return f"{self.processor}, {self.processors} processors, {self.memory_gb} GB, {self.system}, {self.python}"


def _processor() -> str:
    architecture = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return architecture
    lines = facts.read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), architecture)
