"""Which runs a full history keeps: a sample that is small, has the rare ones in it, and says what each stands for.

Every run has a priority in [0, 1), a hash of its id, and so one that nothing about the run influences. A full history
keeps a run if its priority is below a threshold. There is one threshold for all runs, and one per *feature*: what
became of an edge, the region in which a node ran, a failure. A run is held to the highest one among its features'
and the common one. The threshold of a feature is such that the `FEATURE_RUNS` runs
with the lowest priorities among those that have it stay, so an edge that is called in one run of a thousand, or a
region that gets one run of a thousand, keeps its evidence while the common runs are thinned out.

Runs with rare features are then more frequent in the history than in the world. Each kept run therefore carries a
weight: 1 over the lowest threshold that it was ever held to, which is the probability with which it was kept
(Horvitz and Thompson, J. Am. Stat. Assoc. 47 (1952); for thresholds by rank Cohen and Kaplan, "Summarizing data using
bottom-k sketches", PODC 2007). Sums and means over the history that use the weights estimate those over all runs.

As a run's priority never changes, thinning twice is the same as thinning once by the lower threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from operator import attrgetter

from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.sync_state import Thresholds

FEATURE_RUNS = 100
"""Runs kept of each feature: 59 values bound a 95th percentile from above with 95 % confidence (0.95^59 < 0.05)."""

FEATURE_SHARE = 0.5
"""Largest part of the history that is kept for the sake of features; the rest is for all runs alike."""


def priority(run_id: str) -> float:
    """Position of a run among all runs, in [0, 1)."""
    digest = blake2b(run_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 53 bits: as many as a float holds, so that 1 is never reached by rounding.
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def features(run: ObservedRun) -> tuple[str, ...]:
    """What may be rare about a run, each once. Features of different packages are different ones, as graphs may be."""
    package = run.manifest_id
    found = [f"{package}: node {index} in {node.region}" for index, node in run.nodes.items()]
    found += [f"{package}: edge {index} {'called' if edge.called else 'declined'}" for index, edge in run.edges.items()]
    if run.status == "failed":
        found.append(f"{package}: failed")
    return tuple(found)


@dataclass(slots=True)
class Candidate:
    """A run, what decides on it, and what it stands for if it stays.

    Attributes:
        weight: As in `ObservedRun`; the run itself keeps the weight that it came with until `to_run`.
    """

    run: ObservedRun
    priority: float
    features: tuple[str, ...]
    weight: float

    @classmethod
    def of(cls, run: ObservedRun) -> Candidate:
        """A run that nothing has been decided on."""
        return cls(run, priority(run.run_id), features(run), run.weight)

    def to_run(self) -> ObservedRun:
        """The run with its weight."""
        return self.run if self.weight == self.run.weight else replace(self.run, weight=self.weight)

    def stays(self, thresholds: Thresholds) -> bool:
        """Whether it stays; if it does, it stands for as many runs as the thresholds say."""
        if thresholds.take_all:
            return True
        by_feature = thresholds.by_feature
        threshold = max([thresholds.overall, *(by_feature.get(feature, 1.0) for feature in self.features)])
        if self.priority >= threshold:
            return False
        self.weight = max(self.weight, 1.0 / threshold)
        return True


def thresholds_for(candidates: Sequence[Candidate], keep: int) -> Thresholds:
    """Thresholds by which at most `keep` of the candidates stay.

    Args:
        candidates: Distinct runs, in any order: the answer is the same.
        keep: How many, at least 1.
    """
    if len(candidates) <= keep:
        return Thresholds()
    order = sorted(candidates, key=attrgetter("priority"))
    kept_for_features = min(FEATURE_RUNS, _runs_per_feature(order, int(keep * FEATURE_SHARE)))
    seen: dict[str, int] = {}
    by_feature: dict[str, float] = {}
    rest: list[float] = []
    for candidate in order:
        is_kept = False
        for name in candidate.features:
            count = seen[name] = seen.get(name, 0) + 1
            if count <= kept_for_features:
                is_kept = True
            elif count == kept_for_features + 1:
                by_feature[name] = candidate.priority
        if not is_kept:
            rest.append(candidate.priority)
    room = keep - (len(order) - len(rest))
    # `rest` has more than `room` entries: more runs than `keep` are given.
    return Thresholds(rest[room], by_feature)


def _runs_per_feature(order: Iterable[Candidate], room: int) -> int:
    """Largest number such that no more than `room` runs are among the first so many of one of their features."""
    seen: dict[str, int] = {}
    ranks = []
    for candidate in order:
        rank = None
        for name in candidate.features:
            count = seen[name] = seen.get(name, 0) + 1
            rank = count if rank is None else min(rank, count)
        if rank is not None:
            ranks.append(rank)
    ranks.sort()
    return ranks[room] - 1 if room < len(ranks) else FEATURE_RUNS
