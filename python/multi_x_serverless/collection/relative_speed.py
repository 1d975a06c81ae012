"""Speed of regions, from nodes that ran in several of them.

    log of the duration of a node in a region  =  a(node) - s(region)        medians of 20 or more warm runs each,
                                                                             kept in the statistics of each workflow
    weighted least squares over all nodes of all workflows                   s(the region with most samples) = 0
    speed of a region  =  exp(s(region))                                     with a 95 % interval

A duration is not all computing: it contains what the node waits for (services, other regions, the disk), and waiting
tells nothing of processors. So only nodes count that keep the processor busy for at least half of their time in both
regions, as their CPU time says. What is left of the waiting pulls speeds towards those of the services waited for.

Regions hang together if nodes ran in both; those that do not hang together with the most-sampled one, directly or by
others, cannot be compared with it and stay assumed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multi_x_serverless.collection.measured_round_trips import OLDEST_RUN_S
from multi_x_serverless.model.estimate import Z_95, Estimate
from multi_x_serverless.model.performance_signal import Interval
from multi_x_serverless.model.shared_constants import MEMORY_MB_PER_VCPU, SAMPLES_THAT_COUNT_FULLY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from multi_x_serverless.model.run import NodeObservation
    from multi_x_serverless.model.statistics import NodeRegion, WorkflowStatistics

BUSY_SHARE_OF_COMPUTING = 0.5
"""Share of its time for which a node must keep its processor busy to count."""

SLOWEST, FASTEST = 0.25, 4.0
"""Speeds beyond these are no processor's: generations that clouds run side by side differ by a factor of 2 at most."""

SMALLEST_ERROR = 0.02
"""Standard error of a median of log durations is at least this: the same code in the same region takes a few per cent
more or less from one hour to the next, which many samples of one hour do not show."""

Node = tuple[str, str]
"""Workflow id and name of a node."""


@dataclass(frozen=True)
class MeasuredSpeed:
    """Speed of a region's processors as a multiple of that of the region with most samples.

    Attributes:
        interval: 95 %, around the value that was measured.
        samples: Warm runs of the nodes compared, in that region.
        nodes: Nodes that were compared.
        is_bounded: What was measured lies beyond what processors differ by; the value is the bound.
    """

    value: float
    interval: Interval
    samples: int
    nodes: int
    is_bounded: bool = False

    @property
    def may_be_common(self) -> bool:
        """Whether the region may as well be as fast as the one it is compared with."""
        return self.interval.contains(1.0)


@dataclass(frozen=True)
class MeasuredSpeeds:
    """What runs tell of how fast regions are.

    Attributes:
        reference: The region whose speed is 1; None if nothing was measured.
        speeds: Region -> its speed, the reference among them; the others are not known.
        apart: Regions with nodes that ran there and elsewhere, but nowhere that hangs together with the reference.
        waiting_nodes: Nodes that ran often enough in several regions, but mostly waited.
    """

    reference: str | None = None
    speeds: Mapping[str, MeasuredSpeed] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    waiting_nodes: tuple[str, ...] = ()


def busy_share(node: NodeObservation, memory_mb: int) -> float:
    """Share of an execution's time for which it kept busy the one processor that it can have, 0 to 1.

    Time counts until its function has returned: after that it waits for other regions.

    Args:
        node: The execution; it took some time.
        memory_mb: Of its function; a small one gets less than a processor, and most use no second one.
    """
    return min(1.0, node.cpu_s / (node.worked_s * min(1.0, memory_mb / MEMORY_MB_PER_VCPU)))


def measure_speeds(workflows: Sequence[WorkflowStatistics], now: float) -> MeasuredSpeeds:
    """Estimate the speed of regions from the runs of all workflows.

    Args:
        workflows: What their runs say; regions in which no run of the last 30 days was are left out.
        now: Seconds since the epoch.
    """
    cells: dict[tuple[Node, str], Estimate] = {}
    waiting: list[str] = []
    for workflow in workflows:
        for node in workflow.nodes:
            sampled = [region for region in node.regions if _is_sampled(region, now - OLDEST_RUN_S)]
            busy = {
                region.region: region.log_duration
                for region in sampled
                if region.log_duration is not None and (region.busy_share or 0.0) >= BUSY_SHARE_OF_COMPUTING
            }
            if len(busy) >= 2:
                cells |= {((workflow.workflow_id, node.name), region): duration for region, duration in busy.items()}
            elif len(sampled) >= 2:
                waiting.append(f"{node.name} of {workflow.workflow_id}")
    if not cells:
        return MeasuredSpeeds(waiting_nodes=tuple(waiting))
    reference = _most_sampled(cells)
    near = _hanging_together(cells, reference)
    speeds = _solve({key: cell for key, cell in cells.items() if key[1] in near}, reference)
    return MeasuredSpeeds(
        reference, speeds, tuple(sorted({region for _, region in cells} - near)), waiting_nodes=tuple(waiting)
    )


def _is_sampled(region: NodeRegion, since: float) -> bool:
    duration = region.log_duration
    return duration is not None and duration.samples >= SAMPLES_THAT_COUNT_FULLY and region.newest_run_at >= since


def _most_sampled(cells: Mapping[tuple[Node, str], Estimate]) -> str:
    samples: dict[str, int] = defaultdict(int)
    for (_, region), duration in cells.items():
        samples[region] += duration.samples
    return min(samples, key=lambda region: (-samples[region], region))


def _hanging_together(cells: Mapping[tuple[Node, str], Estimate], region: str) -> set[str]:
    """Regions that can be compared with one, by nodes that ran in both or by further regions between."""
    regions_of: dict[Node, set[str]] = defaultdict(set)
    for node, place in cells:
        regions_of[node].add(place)
    reached, to_visit = {region}, [region]
    while to_visit:
        here = to_visit.pop()
        new = {place for places in regions_of.values() if here in places for place in places} - reached
        reached |= new
        to_visit += new
    return reached


def _solve(cells: Mapping[tuple[Node, str], Estimate], reference: str) -> dict[str, MeasuredSpeed]:
    """Least squares with weights 1 / variance; the errors grow with what the nodes disagree by (Birge 1932)."""
    # Here and not above: it is half of the start-up time of commands that solve no such system.
    import numpy as np  # noqa: PLC0415

    nodes = sorted({node for node, _ in cells})
    others = sorted({region for _, region in cells} - {reference})
    column = {region: len(nodes) + index for index, region in enumerate(others)}
    row_of = {node: index for index, node in enumerate(nodes)}
    design = np.zeros((len(cells), len(nodes) + len(others)))
    observed = np.zeros(len(cells))
    errors = np.zeros(len(cells))
    for row, ((node, region), duration) in enumerate(cells.items()):
        design[row, row_of[node]] = 1.0
        if region != reference:
            design[row, column[region]] = -1.0
        observed[row], errors[row] = duration.value, duration.standard_error
    scaled, target = design / errors[:, None], observed / errors
    solution = np.linalg.lstsq(scaled, target, rcond=None)[0]
    covariance = np.linalg.inv(scaled.T @ scaled)
    spare = len(cells) - design.shape[1]
    residual = float(((target - scaled @ solution) ** 2).sum())
    disagreement = max(1.0, math.sqrt(residual / spare)) if spare > 0 else 1.0
    speeds = {}
    for region in sorted((reference, *others)):
        logarithm, error = 0.0, 0.0
        if region != reference:
            index = column[region]
            logarithm, error = float(solution[index]), disagreement * math.sqrt(float(covariance[index, index]))
        measured = math.exp(logarithm)
        inside = [duration.samples for (_, place), duration in cells.items() if place == region]
        speeds[region] = MeasuredSpeed(
            min(FASTEST, max(SLOWEST, measured)),
            Interval(math.exp(logarithm - Z_95 * error), math.exp(logarithm + Z_95 * error)),
            sum(inside),
            len(inside),
            is_bounded=not SLOWEST <= measured <= FASTEST,
        )
    return speeds
