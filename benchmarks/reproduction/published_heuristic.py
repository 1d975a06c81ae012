"""The stochastic search that Caribou (SOSP'24) publishes, as a baseline; nothing of the product uses it.

What is published: it starts at home, tries all single regions first, then makes |nodes| * |regions| * 6 proposals. A
proposal moves some nodes to random allowed regions, with probability 0.2 to one that improved before. Placements that
break a tolerance are skipped; a better one is accepted, a worse one with probability exp(-|difference| / temperature);
the temperature starts at 1.0 and is multiplied by 0.99 on acceptance. The best one seen wins.

Two things are not said, and both are tried: how many nodes "some" are (any number of them, or one), and in which unit
the difference is (grams per run, where nearly everything is accepted, or per cent of home).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multi_x_serverless import _core

Placement: TypeAlias = tuple[str, ...]
"""A region per node, in the order of the problem's nodes."""


@dataclass(frozen=True)
class Judgement:
    """What a placement is thought to emit (mean, gCO2eq) and to take (95th percentile, seconds)."""

    carbon: float
    runtime_tail: float


Judge: TypeAlias = Callable[[Placement], Judgement]


@dataclass(frozen=True)
class Space:
    """Which placements there are.

    Attributes:
        allowed: Regions per node, in the order of the problem's nodes.
    """

    home: str
    regions: tuple[str, ...]
    allowed: tuple[tuple[str, ...], ...]

    def in_one_region(self, region: str) -> Placement:
        """Everything there that may go there, the rest at home."""
        return tuple(region if region in regions else self.home for regions in self.allowed)

    @property
    def free(self) -> list[int]:
        """Nodes that have a choice."""
        return [node for node, regions in enumerate(self.allowed) if len(regions) > 1]


@dataclass(frozen=True)
class Parameters:
    """The published numbers, and the two choices that the publication leaves open."""

    proposals_per_node_and_region: float = 6.0
    probability_of_improving_region: float = 0.2
    temperature: float = 1.0
    cooling: float = 0.99
    moved_nodes: Literal["any number", "one"] = "any number"
    difference: Literal["grams", "per cent of home"] = "grams"


PUBLISHED = Parameters()


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        best_so_far: The judged carbon of the best placement after each evaluation, in gCO2eq.
    """

    placement: Placement
    best_so_far: NDArray[np.float64]


def search(
    space: Space, judge: Judge, seed: int, parameters: Parameters = PUBLISHED, limit: float | None = None
) -> Search:
    """Search once.

    Args:
        space: Which placements there are.
        judge: What is thought of one; asked again for the same one, it may answer differently.
        seed: Of the proposals.
        parameters: How to search.
        limit: Tolerance: the percentile of run time over that of home.
    """
    source = random.Random(seed)
    home = space.in_one_region(space.home)
    at_home = judge(home)
    highest = math.inf if limit is None else limit * at_home.runtime_tail
    unit = 1.0 if parameters.difference == "grams" else at_home.carbon / 100.0
    current = best = home
    value = best_value = at_home.carbon
    trace = [best_value]
    improving: list[str] = []
    temperature = parameters.temperature
    singles = [space.in_one_region(region) for region in space.regions if region != space.home]
    count = round(parameters.proposals_per_node_and_region * len(space.allowed) * len(space.regions))
    for number in range(len(singles) + count):
        is_single = number < len(singles)
        proposal = singles[number] if is_single else _proposal(current, space, improving, source, parameters)
        judged = judge(proposal)
        if judged.runtime_tail <= highest:
            excess = judged.carbon - value
            is_better = excess < 0
            if is_better:
                improving.extend(
                    region
                    for region in sorted({new for new, old in zip(proposal, current, strict=True) if new != old})
                    if region not in improving
                )
            # Single regions are only tried: a search that took a worse one would not start at home.
            if is_better or (not is_single and source.random() < math.exp(-excess / unit / temperature)):
                current, value = proposal, judged.carbon
                temperature *= parameters.cooling
            if judged.carbon < best_value:
                best, best_value = proposal, judged.carbon
        trace.append(best_value)
    return Search(best, np.array(trace))


def _proposal(
    current: Placement, space: Space, improving: Sequence[str], source: random.Random, parameters: Parameters
) -> Placement:
    free = space.free
    if not free:
        return current
    count = 1 if parameters.moved_nodes == "one" else source.randint(1, len(free))
    proposal = list(current)
    for node in source.sample(free, count):
        known = [region for region in improving if region in space.allowed[node]]
        prefers_known = bool(known) and source.random() < parameters.probability_of_improving_region
        proposal[node] = source.choice(known if prefers_known else space.allowed[node])
    return tuple(proposal)


def exact_judge(problem: _core.Problem, hour: int) -> Judge:
    """Judges over the problem's own scenarios, always alike: kinder than what is published."""
    names = problem.nodes
    known: dict[Placement, Judgement] = {}

    def judge(placement: Placement) -> Judgement:
        if placement not in known:
            found = problem.evaluate(dict(zip(names, placement, strict=True)), hour)
            known[placement] = Judgement(found.carbon.mean, found.runtime.tail)
        return known[placement]

    return judge


Runs: TypeAlias = Callable[[Placement], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Carbon (gCO2eq) and run time (seconds) of a placement in many scenarios."""


def many_runs(problem: _core.Problem, hour: int) -> Runs:
    """What placements look like in all scenarios of a problem; the last ones that were asked for are kept."""
    names = problem.nodes

    @lru_cache(maxsize=KEPT_PLACEMENTS)
    def runs(placement: Placement) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        every = problem.samples(dict(zip(names, placement, strict=True)), hour)
        return every["carbon"], every["runtime"]

    return runs


def sampling_judge(runs: Runs, seed: int) -> Judge:
    """Judges by 2,000 Monte-Carlo samples, fresh ones each time, as published.

    Args:
        runs: What the samples are drawn from, with replacement.
        seed: Of the drawing.
    """
    source = np.random.default_rng(seed)

    def judge(placement: Placement) -> Judgement:
        carbon, runtime = runs(placement)
        drawn = source.integers(len(carbon), size=SAMPLES)
        tail = np.partition(runtime[drawn], TAIL_RANK)[TAIL_RANK]
        return Judgement(float(carbon[drawn].mean()), float(tail))

    return judge


KEPT_PLACEMENTS = 2000
"""Enough for most to be asked for again, and little memory."""

SAMPLES = 2000
"""Per evaluation, as published."""

TAIL_RANK = math.ceil(0.95 * SAMPLES) - 1
"""Of the 95th percentile among so many, counted from 0."""
