"""The five applications of Caribou's evaluation (SOSP'24): what is published of them, and what is assumed here.

Published and taken as input: run times, memory, the ratio of execution to transmission carbon, and the shape of the
graphs. Not published: how time and data spread over the nodes. `time_share` and `data_share` are assumptions of ours,
chosen by what the functions do; `beyond` and `compare` show how much they matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, TypeAlias

import numpy as np

Size: TypeAlias = Literal["small", "large"]

CALL_PROBABILITY = 0.5
"""Of a conditional call; assumed, and independent of the other calls."""


@dataclass(frozen=True)
class Step:
    """A node of an application.

    Attributes:
        time_share: Its duration as a fraction of the run time; along the longest path these add up to 1.
        data_share: Fraction of an average run's bytes outside messages that this node moves.
    """

    name: str
    time_share: float
    data_share: float


@dataclass(frozen=True)
class Call:
    """An edge, between positions of steps."""

    source: int
    target: int
    is_conditional: bool = False


@dataclass(frozen=True)
class Pattern:
    """One of the ways in which a run can go; all are equally likely.

    Attributes:
        ran: Per step, whether it ran.
        called: Per call, whether it was made, or None where the caller did not run.
    """

    ran: tuple[bool, ...]
    called: tuple[bool | None, ...]


@dataclass(frozen=True)
class Application:
    """A workflow. Steps are in execution order.

    Attributes:
        memory_mb: Of each function.
    """

    name: str
    memory_mb: int
    steps: tuple[Step, ...]
    calls: tuple[Call, ...]

    def callers(self, step: int) -> list[int]:
        """Positions of the calls of a step."""
        return [index for index, call in enumerate(self.calls) if call.target == step]

    def joins(self, step: int) -> bool:
        """Whether a step waits for several calls."""
        return len(self.callers(step)) > 1

    def patterns(self) -> Iterator[Pattern]:
        """Every combination of conditional calls, made or declined."""
        conditional = [index for index, call in enumerate(self.calls) if call.is_conditional]
        for choice in product((True, False), repeat=len(conditional)):
            wanted = dict(zip(conditional, choice, strict=True))
            called: list[bool | None] = [None] * len(self.calls)
            ran: list[bool] = []
            for step in range(len(self.steps)):
                ran.append(step == 0 or any(called[index] for index in self.callers(step)))
                for index, call in enumerate(self.calls):
                    if call.source == step:
                        called[index] = wanted.get(index, True) if ran[step] else None
            yield Pattern(tuple(ran), tuple(called))

    def run_probability(self, step: int) -> float:
        """How often a step runs."""
        return float(np.mean([pattern.ran[step] for pattern in self.patterns()]))

    def with_data_like_energy(self) -> Application:
        """The same with bytes in proportion to energy: no node is more worth moving than another."""
        energy = [step.time_share * self.run_probability(index) for index, step in enumerate(self.steps)]
        return self._with_shares([step.time_share for step in self.steps], energy)

    def with_data_at_the_entry(self) -> Application:
        """The same with all bytes at the first node: the others are free to go."""
        return self._with_shares([step.time_share for step in self.steps], [1.0] + [0.0] * (len(self.steps) - 1))

    def with_random_shares(self, random: np.random.Generator) -> Application:
        """The same with shares of time and data drawn uniformly from all that there are (Dirichlet, all ones)."""
        count = len(self.steps)
        return self._with_shares(random.dirichlet(np.ones(count)), random.dirichlet(np.ones(count)))

    def _with_shares(self, time: list[float] | np.ndarray, data: list[float] | np.ndarray) -> Application:
        longest = self._longest_path(list(map(float, time)))
        total = float(sum(data))
        return replace(
            self,
            steps=tuple(
                replace(step, time_share=float(seconds) / longest, data_share=float(share) / total)
                for step, seconds, share in zip(self.steps, time, data, strict=True)
            ),
        )

    def _longest_path(self, time: list[float]) -> float:
        ends: list[float] = []
        for step, own in enumerate(time):
            ends.append(own + max((ends[self.calls[index].source] for index in self.callers(step)), default=0.0))
        return max(ends)


@dataclass(frozen=True)
class Workload:
    """An application with inputs of one size.

    Attributes:
        ratio: Carbon of execution over that of transmission, everything at home, best preset (published).
        run_time_s: Of a run at home, in seconds (published).
    """

    application: Application
    size: Size
    ratio: float
    run_time_s: float

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.application.name} {self.size}"


DNA = Application("DNA", 1024, (Step("visualise", 1.0, 1.0),), ())

RAG = Application("RAG", 1024, (Step("retrieve", 0.2, 0.7), Step("generate", 0.8, 0.3)), (Call(0, 1),))

IMAGE = Application(
    "Image",
    1024,
    (
        Step("fetch", 0.1, 0.4),
        Step("resize", 0.9, 0.2),
        *(Step(name, 0.9, 0.1) for name in ("flip", "rotate", "blur", "grey")),
    ),
    (Call(0, 1), *(Call(0, step, is_conditional=True) for step in range(2, 6))),
)

TEXT_TO_SPEECH = Application(
    "Text2Speech",
    1024,
    (
        Step("receive", 0.05, 0.10),
        Step("speak", 0.50, 0.25),
        Step("find_profanity", 0.10, 0.05),
        Step("convert", 0.25, 0.30),
        Step("censor", 0.20, 0.30),
    ),
    (Call(0, 1), Call(0, 2), Call(1, 3), Call(3, 4), Call(2, 4)),
)

VIDEO = Application(
    "Video",
    2048,
    (
        Step("receive", 0.05, 0.05),
        Step("split", 0.25, 0.45),
        *(Step(f"recognise_{number}", 0.50, 0.06) for number in range(5)),
        Step("collect", 0.15, 0.10),
        Step("store", 0.05, 0.10),
    ),
    (
        Call(0, 1),
        *(Call(1, step, is_conditional=True) for step in range(2, 7)),
        *(Call(step, 7) for step in range(2, 7)),
        Call(7, 8),
    ),
)

WORKLOADS: tuple[Workload, ...] = (
    Workload(DNA, "small", 3.566, 1.37),
    Workload(DNA, "large", 8.003, 37.2),
    Workload(RAG, "small", 2.743, 18.2),
    Workload(RAG, "large", 1.254, 34.4),
    Workload(IMAGE, "small", 0.169, 0.30),
    Workload(IMAGE, "large", 0.081, 1.63),
    Workload(TEXT_TO_SPEECH, "small", 1.056, 4.39),
    Workload(TEXT_TO_SPEECH, "large", 3.015, 102.3),
    Workload(VIDEO, "small", 4.070, 20.4),
    Workload(VIDEO, "large", 2.145, 32.7),
)
"""Ratios are measured from a published figure, run times are those of its table; both are inputs, not targets."""


def workload(name: str) -> Workload:
    """The workload of a name."""
    return next(one for one in WORKLOADS if one.name == name)
