"""Cold starts that plans caused, from the history: what spreading runs over regions takes in starts of containers.

A container that has answered stays for a while, and the next execution of its function finds it. A plan spreads the
executions of a function over regions and hours, so that each region has fewer containers: the executions that moved,
but also those that the home share keeps at home, start cold more often. Controls say nothing of that, for what is
compared with them is as spread as they are.

So for each function the executions of *all* runs are followed through the containers that there would have been had
all of them stayed at home. An execution under a plan that moved its function, in whatever region, was caused to start
cold by the plan if it did start cold and would have found a container at home. Its start is measured; that it would
have found one is modelled (`IDLE_S`). A deployment replaces containers at home as well: what is left then is the one
that answered its probe.

Runs of earlier graphs count as well, since what plans saved and spent then does. Of runs that an unknown deployment
made, functions and calls are not known: all cold starts of nodes that plans moved are counted, an upper bound.

The start of a container is no part of a node's duration, so what runs are observed to save (`adaptation.savings`) is
without it: both may be added up. That the first execution in a new container is slower, because it opens its
connections, is in its duration and so in the observed savings, and not here.

Not known, and so not here: cold starts of attempts that failed, and of entries that only handed a trigger on.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from multi_x_serverless.model.config_types import ProviderSettings
from multi_x_serverless.model.deployments import Origin
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.ledger import Assumed
from multi_x_serverless.model.prices import RegionPrices
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.units import MB_PER_GB
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.accounting import billed_s, execution_kwh

IDLE_S = 600.0
"""For so long Lambda keeps an idle container, about: it promises nothing, observations say 5 to 15 minutes."""


@dataclass(frozen=True)
class ColdStart:
    """A cold start that a plan caused.

    Attributes:
        function: `None` if it is of an unknown deployment.
        at: Start of the execution, seconds since the epoch, about: where a call's latency is not known, it is 0.
        init_s: Start of the container, in seconds; `model_constants.COLD_START_S` if it was not measured.
        weight: How many it stands for.
    """

    function: str | None
    region: str
    at: float
    init_s: float
    is_measured: bool
    weight: float


@dataclass(frozen=True)
class CausedColdStarts:
    """Cold starts that plans caused.

    Attributes:
        starts: By function, then by time.
        is_upper_bound: Whether among these are all cold starts of functions or nodes that plans moved, because the
            history is a sample, or has runs of unknown deployments: they do not tell what would have found a container.
    """

    starts: tuple[ColdStart, ...]
    is_upper_bound: bool


@dataclass(frozen=True)
class ColdStartSpending:
    """What cold starts that plans caused took.

    Attributes:
        count: How many; not whole where runs of the history stand for several.
        init_s: Time in which containers started, in seconds.
        measured: How many of `count` were measured; of the others, which older programs logged,
            `model_constants.COLD_START_S` is assumed.
        is_upper_bound: See `CausedColdStarts`.
        assumed: What had to be assumed to price them, in alphabetical order.
    """

    count: float
    init_s: float
    measured: float
    carbon_gco2eq: float
    cost_usd: float
    is_upper_bound: bool
    assumed: tuple[Assumed, ...] = ()


NO_COLD_STARTS = ColdStartSpending(0.0, 0.0, 0.0, 0.0, 0.0, is_upper_bound=False)


def caused_cold_starts(
    runs: Sequence[ObservedRun],
    origins: Mapping[str, Origin],
    home: str,
    replaced_at: Callable[[str], Sequence[float]] = lambda _function: (),
) -> CausedColdStarts:
    """Find the cold starts that plans caused.

    Args:
        runs: Of all plans and graphs: those at home say which containers there would have been.
        origins: Manifest id -> what its runs refer to.
        home: The home region of runs of which that is not known.
        replaced_at: Function -> when deployments replaced its containers at home, seconds since the epoch, in order.
    """
    is_sample = any(run.weight != 1.0 for run in runs)
    moved: set[tuple[int, str]] = set()
    by_function: dict[str, list[_Execution]] = {}
    for run in runs:
        origin = origins.get(run.manifest_id)
        if origin is None:
            continue
        for index, begun in _starts(run, origin.graph).items():
            function = origin.graph.nodes[index].function
            by_function.setdefault(function, []).append(_Execution(begun, index, run))
            if run.nodes[index].region != origin.home_region:
                moved.add((run.plan_version, function))
    found = _of_unknown_deployments([run for run in runs if run.manifest_id not in origins], home)
    is_upper_bound = is_sample or bool(found)
    for function, executions in sorted(by_function.items()):
        executions.sort(key=lambda execution: (execution.start, execution.run.run_id, execution.index))
        would_be_warm = [True] * len(executions) if is_sample else _warm_at_home(executions, replaced_at(function))
        found += [
            execution.cold_start(function)
            for execution, warm in zip(executions, would_be_warm, strict=True)
            if execution.is_cold and warm and (execution.run.plan_version, function) in moved
        ]
    return CausedColdStarts(tuple(found), is_upper_bound=is_upper_bound and bool(found))


def _of_unknown_deployments(runs: Sequence[ObservedRun], home: str) -> list[ColdStart]:
    """All cold starts of nodes that plans moved; an execution is taken to start with its run."""
    moved = {
        (run.manifest_id, run.plan_version, index)
        for run in runs
        for index, node in run.nodes.items()
        if node.region != home
    }
    return [
        _Execution(run.started_at, index, run).cold_start(None)
        for run in runs
        for index, node in run.nodes.items()
        if node.cold and (run.manifest_id, run.plan_version, index) in moved
    ]


def start_kwh(init_s: float, provider: ProviderSettings, pue: float = constants.PUE_DEFAULT) -> float:
    """Energy of starting a container, on one processor at full load, in kWh, with the data centre's overhead."""
    return execution_kwh(init_s, provider.memory_mb, init_s) * pue


def start_usd(init_s: float, provider: ProviderSettings, usd_per_gb_s: float) -> float:
    """Price of starting a container in USD; Lambda bills it as any other time (since August 2025)."""
    return usd_per_gb_s * provider.memory_mb / MB_PER_GB * billed_s(init_s)


def price_cold_starts(
    caused: CausedColdStarts,
    providers: Mapping[str, ProviderSettings],
    intensity: Callable[[str, float], float],
    prices: Callable[[str], RegionPrices],
) -> ColdStartSpending:
    """What cold starts took, by the grids of their hours and the prices of their regions.

    Args:
        caused: The cold starts.
        providers: Function -> its memory and architecture; one that is not among them is taken for the largest.
        intensity: Of a region in the hour of a moment (seconds since the epoch), in gCO2eq/kWh.
        prices: Of a region.
    """
    carbon, cost = [], []
    largest = max(providers.values(), key=lambda provider: provider.memory_mb)
    assumed: set[Assumed] = set()
    for start in caused.starts:
        provider = None if start.function is None else providers.get(start.function)
        if provider is None:
            provider = largest
            assumed.add("memory")
        carbon.append(start.weight * start_kwh(start.init_s, provider) * intensity(start.region, start.at))
        usd_per_gb_s = prices(start.region).lambda_usd_per_gb_second(provider.architecture)
        cost.append(start.weight * start_usd(start.init_s, provider, usd_per_gb_s))
    return ColdStartSpending(
        count=math.fsum(start.weight for start in caused.starts),
        init_s=math.fsum(start.weight * start.init_s for start in caused.starts),
        measured=math.fsum(start.weight for start in caused.starts if start.is_measured),
        carbon_gco2eq=math.fsum(carbon),
        cost_usd=math.fsum(cost),
        is_upper_bound=caused.is_upper_bound,
        assumed=tuple(sorted(assumed)),
    )


@dataclass(frozen=True)
class _Execution:
    """A node of a run, and when it started."""

    start: float
    index: int
    run: ObservedRun

    @property
    def end(self) -> float:
        return self.start + self.run.nodes[self.index].duration_s

    @property
    def is_cold(self) -> bool:
        return self.run.nodes[self.index].cold

    def cold_start(self, function: str | None) -> ColdStart:
        node = self.run.nodes[self.index]
        return ColdStart(
            function=function,
            region=node.region,
            at=self.start,
            init_s=constants.COLD_START_S if node.init_s is None else node.init_s,
            is_measured=node.init_s is not None,
            weight=self.run.weight,
        )


def _starts(run: ObservedRun, graph: Graph) -> dict[int, float]:
    """Node -> when it started, for the nodes that ran: the latest arrival of a call."""
    starts: dict[int, float] = {}
    for index in range(len(graph.nodes)):
        if index not in run.nodes:
            continue
        arrivals = [run.started_at]
        for edge in graph.incoming[index]:
            call, source = run.edges.get(edge), graph.edges[edge].source
            if call is None or not call.called or source not in starts:
                continue
            left = starts[source] + (run.nodes[source].duration_s if call.offset_s is None else call.offset_s)
            arrivals.append(left + (call.latency_s or 0.0))
        starts[index] = max(arrivals)
    return starts


def _warm_at_home(executions: Sequence[_Execution], replaced_at: Sequence[float]) -> list[bool]:
    """For each execution of a function, by time, whether it would find a container if all ran in one region.

    Each takes the container that was used last, or starts one. Of a deployment there is one that answered its probe;
    those before it, also the ones that were at work, are used no more.
    """
    warm: list[bool] = []
    idle_since: list[float] = []
    replaced = deque(replaced_at)
    for execution in executions:
        while replaced and replaced[0] <= execution.start:
            idle_since = [replaced.popleft()]
        found = bisect_right(idle_since, execution.start) - 1
        is_warm = found >= 0 and execution.start - idle_since[found] <= IDLE_S
        if is_warm:
            del idle_since[found]
        else:
            # What was idle before the latest idle one is gone as well.
            del idle_since[: found + 1]
        insort(idle_since, execution.end)
        warm.append(is_warm)
    return warm
