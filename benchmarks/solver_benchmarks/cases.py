"""What is measured: shapes of problems, and the grids that they are taken from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Literal, TypeAlias

from multi_x_serverless import data
from multi_x_serverless.errors import UsageError
from multi_x_serverless.solving.engine import SOLVERS

FIRST_POSSIBLE_SYNC_NODE = 2
"""A sync node joins calls of at least two nodes, so the first two nodes are none."""


@dataclass(frozen=True)
class Shape:
    """Size and difficulty of a problem.

    Attributes:
        nodes: All nodes, the entry and the sync nodes included.
        sync_nodes: Nodes that join two or three calls.
        regions: Regions that a node may run in, home included.
        pinned_share: Share of the nodes that must run at home, as by data residency. Without pins the greenest single
            region is nearly always optimal.
        tail_limit: Hard limit on the 95th percentile of run time, over that of home; `None`: no limit.

    Raises:
        UsageError: No such problem can be made.
    """

    nodes: int
    sync_nodes: int
    regions: int
    pinned_share: float
    tail_limit: float | None

    def __post_init__(self) -> None:
        known = len(data.regions())
        if self.nodes < 1:
            raise UsageError(f"a workflow has at least one node, not {self.nodes}.")
        possible = max(0, self.nodes - FIRST_POSSIBLE_SYNC_NODE)
        if not 0 <= self.sync_nodes <= possible:
            raise UsageError(f"of {self.nodes} nodes 0 to {possible} can be sync nodes, not {self.sync_nodes}.")
        if not 1 <= self.regions <= known:
            raise UsageError(f"there are data of {known} regions: 1 to {known} can be used, not {self.regions}.")
        if not 0.0 <= self.pinned_share <= 1.0:
            raise UsageError(f"the pinned share lies between 0 and 1, {self.pinned_share} does not.")
        if self.tail_limit is not None and self.tail_limit < 1.0:
            raise UsageError(f"home itself breaks a limit of {self.tail_limit} x home; it has to be 1 or more.")

    @property
    def pinned_nodes(self) -> int:
        """How many nodes must run at home."""
        return round(self.pinned_share * self.nodes)

    def __str__(self) -> str:
        limit = "no limit" if self.tail_limit is None else f"limit {self.tail_limit:g} x home"
        return (
            f"{self.nodes} nodes ({self.sync_nodes} sync, {self.pinned_nodes} pinned), {self.regions} regions, {limit}"
        )


@dataclass(frozen=True)
class Case:
    """One solve: a random problem of a shape, and what solves it.

    Raises:
        UsageError: There is no such solver.
    """

    shape: Shape
    seed: int
    solver: str

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise UsageError(f"there is no solver '{self.solver}'; there are {', '.join(SOLVERS)}.")

    def __str__(self) -> str:
        return f"{self.shape}, seed {self.seed}, {self.solver}"


BASE = Shape(nodes=16, sync_nodes=4, regions=10, pinned_share=1 / 3, tail_limit=1.02)
"""What the axes vary one thing of. Easy problems prove nothing: a third is pinned, and the limit binds."""


@dataclass(frozen=True)
class Axes:
    """The values that each thing takes while the others are as in `BASE`; nodes keep the share of sync nodes."""

    nodes: tuple[int, ...]
    sync_nodes: tuple[int, ...]
    regions: tuple[int, ...]
    pinned_shares: tuple[float, ...]
    tail_limits: tuple[float | None, ...]

    def shapes(self) -> Iterator[Shape]:
        """Every point of every axis; `BASE` comes once for each axis that it lies on."""
        yield from (with_nodes(nodes) for nodes in self.nodes)
        yield from (replace(BASE, sync_nodes=count) for count in self.sync_nodes)
        yield from (replace(BASE, regions=regions) for regions in self.regions)
        yield from (replace(BASE, pinned_share=share) for share in self.pinned_shares)
        yield from (replace(BASE, tail_limit=limit) for limit in self.tail_limits)


def with_nodes(nodes: int, *, sync_share: float = BASE.sync_nodes / BASE.nodes, regions: int = BASE.regions) -> Shape:
    """`BASE` with another number of nodes, of which that share are sync nodes as far as that is possible."""
    sync_nodes = min(max(0, nodes - FIRST_POSSIBLE_SYNC_NODE), round(sync_share * nodes))
    return replace(BASE, nodes=nodes, sync_nodes=sync_nodes, regions=regions)


AxisName: TypeAlias = Literal["nodes", "sync_nodes", "regions", "pinned_share", "tail_limit"]


def lies_on(axis: AxisName, shape: Shape) -> bool:
    """Whether a shape differs from `BASE` in this alone; with the nodes goes the number of sync nodes."""
    if axis == "nodes":
        return shape == with_nodes(shape.nodes)
    others = (field.name for field in fields(Shape) if field.name != axis)
    return all(getattr(shape, name) == getattr(BASE, name) for name in others)


AXES = Axes(
    nodes=(4, 8, 16, 32, 64),
    sync_nodes=(0, 2, 4, 8),
    regions=(2, 5, 10, 20, 33),
    pinned_shares=(0.0, 1 / 3, 2 / 3),
    tail_limits=(None, 1.1, 1.05, 1.02, 1.01),
)
FULL_AXES = Axes(
    nodes=(4, 8, 12, 16, 24, 32, 48, 64, 96, 128),
    sync_nodes=(0, 1, 2, 4, 6, 8, 10, 12, 14),
    regions=(2, 3, 5, 7, 10, 15, 20, 26, 33),
    pinned_shares=(0.0, 1 / 6, 1 / 3, 1 / 2, 2 / 3),
    tail_limits=(None, 1.5, 1.2, 1.1, 1.05, 1.02, 1.01, 1.0),
)

FULL_NODES = (4, 8, 16, 32, 64)
FULL_SYNC_SHARES = (0.0, 0.25, 0.5)
FULL_REGIONS = (2, 5, 10, 20, 33)
"""The full grid crosses these three: how one thing matters depends on the others."""

GRAPHS, FULL_GRAPHS = 5, 10
"""Random graphs for each shape."""


def default_shapes() -> tuple[Shape, ...]:
    """Few shapes along each axis, in minutes."""
    return tuple(dict.fromkeys(AXES.shapes()))


def full_shapes() -> tuple[Shape, ...]:
    """Long axes, and nodes x sync nodes x regions, in hours."""
    crossed = (
        with_nodes(nodes, sync_share=share, regions=regions)
        for nodes, share, regions in product(FULL_NODES, FULL_SYNC_SHARES, FULL_REGIONS)
    )
    return tuple(dict.fromkeys((*FULL_AXES.shapes(), *crossed)))


def cases_of(shapes: Iterable[Shape], seeds: Sequence[int]) -> tuple[Case, ...]:
    """Every shape with every seed and solver; the solvers of one problem follow each other."""
    return tuple(Case(shape, seed, solver) for shape, seed, solver in product(shapes, seeds, SOLVERS))
