"""Placement engine (native). Private: call it through `multi_x_serverless.solving`.

Documents go in and come out as JSON; `docs/problem-document.md` explains every field. All methods release the
interpreter while the engine works, and may be called from several threads at once.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = ["EngineError", "InvalidProblemError", "Metrics", "Problem", "Summary", "__version__", "build_profile"]

__version__: str
"""Version of the engine; recorded in every solution."""

build_profile: str
"""`release`, or `debug` for a build that is many times slower and must not be measured."""

class EngineError(Exception):
    """An argument the engine cannot work with; base of all exceptions of this module.

    Attributes:
        code: Stable identifier in kebab-case, for example `invalid-argument`.
        path: Name of the argument, or path of the field in the document; empty if there is none.
    """

    code: str
    path: str

class InvalidProblemError(EngineError):
    """A problem document that is refused; `path` is the path of the field at fault, such as `nodes[2].memory_mb`.

    Codes: `malformed-json`, `unknown-schema`, `unsupported-version`, `invalid-field`, `out-of-range`, `unknown-name`,
    `duplicate-name`, `invalid-graph`, `inconsistent-observations`, `missing-estimates`, `unsupported-setting`.
    """

@final
class Summary:
    """Mean and tail of one metric over the planning scenarios, in the unit of the metric."""

    @property
    def mean(self) -> float:
        """Mean."""

    @property
    def tail(self) -> float:
        """Tail percentile (the 95th unless the document says otherwise)."""

    @property
    def tail_upper(self) -> float | None:
        """Upper confidence bound of the tail percentile; None when there are too few scenarios for one."""

    @property
    def tail_lower(self) -> float | None:
        """Lower confidence bound of the tail percentile; None when there are too few scenarios for one."""

@final
class Metrics:
    """All metrics of a placement in one hour, per run."""

    @property
    def carbon(self) -> Summary:
        """gCO2eq."""

    @property
    def cost(self) -> Summary:
        """USD."""

    @property
    def runtime(self) -> Summary:
        """Seconds."""

@final
class Problem:
    """A checked problem with the scenarios it is planned over. Immutable."""

    @staticmethod
    def from_json(document: bytes | str) -> Problem:
        """Read a problem document.

        Raises:
            InvalidProblemError: The document is refused; nothing is guessed or left out.
        """

    @staticmethod
    def from_file(path: str | PathLike[str]) -> Problem:
        """Read a problem document from a file.

        Raises:
            InvalidProblemError: The document is refused.
            OSError: The file cannot be read.
        """

    def with_intensity(
        self, intensity: Mapping[str, Sequence[float]], *, hours: Sequence[int] | None = None
    ) -> Problem:
        """Return the same problem under other intensities; scenarios and times are shared with this one.

        Args:
            intensity: gCO2eq/kWh by region, 24 values each, by UTC hour; all regions of the problem and no other.
            hours: UTC hours to plan; those of this problem if `None`.

        Raises:
            InvalidProblemError: A region is missing or unknown, or a value is out of range.
        """

    @property
    def workflow(self) -> str:
        """Id of the workflow."""

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes, in document order."""

    @property
    def regions(self) -> list[str]:
        """Names of the regions, in document order."""

    @property
    def hours(self) -> list[int]:
        """UTC hours to plan, in document order."""

    @property
    def hash(self) -> str:
        """SHA-256 of the document's bytes, in hexadecimal."""

    def evaluate(self, placement: Mapping[str, str], hour: int) -> Metrics:
        """Metrics of a placement (node to region) at a UTC hour.

        Raises:
            EngineError: A node is missing or unknown, a region is not allowed for its node, or the hour is not one.
        """

    def samples(self, placement: Mapping[str, str], hour: int) -> dict[str, NDArray[np.float32]]:
        """Carbon (gCO2eq), cost (USD) and runtime (seconds) of a placement in every planning scenario.

        Raises:
            EngineError: As for `evaluate`.
        """

    def solve(
        self,
        solver: str = "fine-grained",
        *,
        threads: int | None = None,
        deadline_s: float | None = None,
        seed: int | None = None,
        frontier: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> bytes:
        """Solve all hours and return the solution document as JSON.

        Args:
            solver: `fine-grained` (exact), `coarse-grained` (best single region) or `heuristic`.
            threads: Threads to use; all cores by default. The answer does not depend on it.
            deadline_s: Seconds after which the best placements so far are returned; as in the document by default.
            seed: Seed of scenarios and heuristic; as in the document by default.
            frontier: Adds to each hour its Pareto frontier within this fraction (see `pareto`), in what is left of the
                hour's share of the deadline.
            progress: Called with (hours done, hours in all) from the calling thread, about every 50 ms while it
                changes. An exception it raises ends the solve and is passed on.

        Raises:
            EngineError: There is no such solver, or an argument is out of range.
            KeyboardInterrupt: Ctrl-C; the call returns within 100 ms, and its threads stop soon after.
        """

    def pareto(
        self,
        hour: int,
        *,
        tolerance: float = 0.0,
        deadline_s: float | None = None,
        seed: int | None = None,
    ) -> bytes:
        """Pareto frontier of an hour over mean carbon (gCO2eq), mean cost (USD) and tail run time (seconds), as JSON.

        Only placements that keep the hard limits count. Works on one thread.

        Args:
            hour: UTC hour.
            tolerance: Fraction by which a placement that is left out may be better in a metric; 0 asks for every point.
            deadline_s: Seconds after which the points found so far are returned with the fraction that is proven for
                them; as in the document by default.
            seed: Seed of scenarios and heuristic; as in the document by default.

        Raises:
            EngineError: An argument is out of range.
            KeyboardInterrupt: Ctrl-C; the call returns within 100 ms, and its threads stop soon after.
        """
