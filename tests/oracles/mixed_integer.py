"""HiGHS as an oracle: any objective under limits on percentiles, as a mixed integer program over all scenarios.

    x[i, r]          node i runs in region r (binary, one region per node)
    y[o, j, a, b]    o runs in a and j in b: the product of two x, linearised by its marginals
    start[k, i]      earliest start of node i in scenario k; above all arrivals
    over[k, m, j]    scenario k is above the hard limit of metric m at rank j (binary); K - j scenarios may be. An
                     absolute limit is on the rank of the percentile's upper confidence bound; a relative one is on
                     those of its lower bound, its estimate and its upper bound, each over home's

Small instances only: rows and columns grow with scenarios x edges x regions^2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import highspy
from highspy.highs import Highs, qsum

from tests.oracles.brute_force import limit_value
from tests.oracles.checker import Checker, Fate, Summary, order_statistics
from tests.oracles.terms import Terms, allowed_pairs, mean_terms, terms_of

TOLERANCE = 1e-6
"""Relative excess that still counts as within a limit, as in `docs/problem-document.md`."""

PRECISION = 1e-9
"""Of HiGHS, absolute, on quantities that are scaled to about 1."""


class PlacementProgram:
    """The program of one hour of a problem with hard limits and one objective."""

    def __init__(self, checker: Checker, hour: int) -> None:
        self.checker, self.hour = checker, hour
        self.solver = Highs()  # type: ignore[no-untyped-call]
        self.solver.silent()
        self.solver.setOptionValue("mip_feasibility_tolerance", PRECISION)
        self.solver.setOptionValue("primal_feasibility_tolerance", PRECISION)
        self.solver.setOptionValue("mip_rel_gap", 0.0)
        self.solver.setOptionValue("mip_abs_gap", PRECISION)
        self.solver.setOptionValue("threads", 1)
        home = dict.fromkeys(checker.nodes, checker.home)
        self.home: dict[str, Summary] = checker.summaries(home, hour)
        self.place = {
            name: {region: self.solver.addBinary() for region in node["allowed"]}
            for name, node in checker.nodes.items()
        }
        for by_region in self.place.values():
            self.solver.addConstr(qsum(list(by_region.values())) == 1)
        self.pairs: dict[tuple[str, str], dict[tuple[str, str], Any]] = {}
        self.ends: dict[int, Any] = {}

    def least_mean(self, metric: str, hard: Mapping[str, Any]) -> tuple[dict[str, str], float] | None:
        """The placement of least mean that keeps the limits, with HiGHS's objective; `None` if nothing keeps them."""
        for limited, limit in hard.items():
            self._limit(limited, limit)
        if metric == "runtime":
            ends = [self._runtime(fate, number) for number, fate in enumerate(self.checker.fates)]
            objective = qsum(ends) * (1.0 / len(ends))
        else:
            objective = self._sum(mean_terms(self.checker, metric, self.hour), 1.0 / self.home[metric].mean)
        self.solver.minimize(objective)
        status = self.solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        assert status == highspy.HighsModelStatus.kOptimal, status
        placement = {
            name: max(by_region, key=lambda region: self.solver.val(by_region[region]))
            for name, by_region in self.place.items()
        }
        return placement, self.solver.getObjectiveValue() * self.home[metric].mean

    def _pair(self, source: str, target: str) -> dict[tuple[str, str], Any]:
        """Variables that are 1 where both nodes run in the pair of regions."""
        known = self.pairs.get((source, target))
        if known is not None:
            return known
        both = {ends: self.solver.addVariable(0.0, 1.0) for ends in allowed_pairs(self.checker, source, target)}
        for side, node in enumerate((source, target)):
            for region, binary in self.place[node].items():
                self.solver.addConstr(qsum([both[ends] for ends in both if ends[side] == region]) == binary)
        self.pairs[source, target] = both
        return both

    def _sum(self, terms: Terms, scale: float) -> Any:
        parts = [
            self.place[name][region] * (value * scale)
            for name, by_region in terms.nodes.items()
            for region, value in by_region.items()
        ]
        for pair, by_ends in terms.pairs.items():
            both = self._pair(*pair)
            parts.extend(both[ends] * (value * scale) for ends, value in by_ends.items() if value > 0.0)
        return qsum(parts)

    def _limit(self, metric: str, limit: dict[str, Any]) -> None:
        """Let at most as many scenarios exceed a hard limit at each rank as the rank leaves above it."""
        settings, home = self.checker.settings, self.home[metric]
        count = len(self.checker.fates)
        low, estimate, high = order_statistics(count, settings["tail"], settings["confidence"])
        assert high is not None
        ranked = [(low, home.tail_lower), (estimate, home.tail), (high, home.tail_upper)]
        allowed: list[tuple[float, list[Any]]] = []
        for rank, reference in ranked if limit["type"] == "relative" else ranked[-1:]:
            if rank is not None:
                over = [self.solver.addBinary() for _ in range(count)]
                self.solver.addConstr(qsum(over) <= count - rank)
                allowed.append((limit_value(limit, reference) * (1.0 + TOLERANCE) / home.mean, over))
        for number, fate in enumerate(self.checker.fates):
            if metric == "runtime":
                value, most = self._runtime(fate, number), self._longest(fate)
            else:
                terms = terms_of(self.checker, fate, metric, self.hour)
                value, most = self._sum(terms, 1.0 / home.mean), _largest(terms) / home.mean
            for most_allowed, over in allowed:
                self.solver.addConstr(value <= most_allowed + max(0.0, most - most_allowed) * over[number])

    # -- time ------------------------------------------------------------------------------------------------------

    def _runtime(self, fate: Fate, number: int) -> Any:
        """A variable that is at least the run time of a scenario, over the mean run time at home."""
        if number in self.ends:
            return self.ends[number]
        checker, scale = self.checker, 1.0 / self.home["runtime"].mean
        end = self.ends[number] = self.solver.addVariable(0.0)
        start: dict[str, Any] = {}
        departures = checker.departures(fate)
        for node in checker.order:
            start[node] = self.solver.addVariable(0.0)
            if node == checker.entry:
                begin = {region: checker.entry_start(fate, region) for region in self.place[node]}
                self.solver.addConstr(start[node] >= self._chosen(node, begin, scale))
            for edge in checker.incoming[node]:
                leaves = departures[edge]
                if leaves is None:
                    continue
                took = self._duration(fate, leaves.node, leaves.fraction * scale) if leaves.fraction > 0.0 else 0.0
                on_the_way = self._latency(fate, edge, leaves.node, node, scale)
                self.solver.addConstr(start[node] >= start[leaves.node] + took + on_the_way)
            if fate.ran[node]:
                self.solver.addConstr(end >= start[node] + self._duration(fate, node, scale))
        return end

    def _chosen(self, node: str, by_region: Mapping[str, float], scale: float) -> Any:
        return qsum([self.place[node][region] * (value * scale) for region, value in by_region.items()])

    def _duration(self, fate: Fate, node: str, scale: float) -> Any:
        by_region = {region: self.checker.duration(fate, node, region) for region in self.place[node]}
        return self._chosen(node, by_region, scale)

    def _latency(self, fate: Fate, edge: int, source: str, target: str, scale: float) -> Any:
        both = self._pair(source, target)
        return qsum([both[ends] * (self.checker.latency(fate, edge, *ends) * scale) for ends in both])

    def _longest(self, fate: Fate) -> float:
        """No placement takes longer in a scenario: the sum of everything at its slowest, over the mean at home."""
        checker = self.checker
        seconds = max(checker.entry_start(fate, region) for region in self.place[checker.entry])
        for node, by_region in self.place.items():
            if fate.ran[node]:
                seconds += max(checker.duration(fate, node, region) for region in by_region)
        for edge, leaves in enumerate(checker.departures(fate)):
            if leaves is not None:
                ends = allowed_pairs(checker, leaves.node, checker.edges[edge]["to"])
                seconds += max(checker.latency(fate, edge, *pair) for pair in ends)
        return seconds / self.home["runtime"].mean


def _largest(terms: Terms) -> float:
    return math.fsum(map(max, terms.tables))
