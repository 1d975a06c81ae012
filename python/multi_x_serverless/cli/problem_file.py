"""Documents named on the command line: read, written, and problems solved without any cloud."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multi_x_serverless.errors import UsageError

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.solve import TradeOffs
    from multi_x_serverless.model.robust import RobustCase
    from multi_x_serverless.solving.frontier import HourFrontier
    from multi_x_serverless.solving.solution import Solution

STANDARD_INPUT = Path("-")


@dataclass(frozen=True)
class SolvedFile:
    """A solved problem document.

    Attributes:
        workflow: Its workflow's id.
        nodes: The names of its nodes in document order.
        frontier: Of the hour for which it was asked.
        robust: The case least favourable to moving, if the document asks for it.
    """

    workflow: str
    nodes: tuple[str, ...]
    solution: Solution
    frontier: HourFrontier | None
    robust: RobustCase | None


def read_document(path: Path) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises:
        UsageError: It cannot be read.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # the caller closed it
            raise UsageError("cannot read -: there is no standard input.")
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from error


def require_directory(path: Path | None) -> None:
    """Refuse a file that could not be written, before anything else is done.

    Raises:
        UsageError: Its directory is not there, or it is a directory itself, as the empty path is.
    """
    if path is not None and path.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory.")
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no directory {path.parent}.")


def write_document(path: Path, document: bytes) -> None:
    """Write a document to a file.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        path.write_bytes(document)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}.") from error


def write_whole(path: Path, document: bytes) -> None:
    """Write a document to a file at once: whoever reads it sees what was there or all of this, whatever happens.

    Raises:
        UsageError: It cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(document)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror or error}.") from error


def solve_file(
    path: Path,
    *,
    solver: str | None,
    threads: int | None,
    deadline_s: float | None,
    seed: int | None,
    frontier: float | None,
    trade_offs: TradeOffs | None,
) -> SolvedFile:
    """Solve a problem document; `None` stands for fine-grained, all processors, and what the document says.

    Raises:
        UsageError: The file cannot be read, or there is no hour of which the frontier was asked.
        InvalidProblemError: The document is refused; the error names the field.
    """
    from multi_x_serverless.solving.engine import LoadedProblem
    from multi_x_serverless.solving.robust_problem import read_robust_case

    document = read_document(path)
    problem = LoadedProblem(document)
    solution = problem.solve(
        solver or "fine-grained", threads=threads, deadline_s=deadline_s, seed=seed, frontier=frontier
    )
    found = None
    if trade_offs is not None:
        found = problem.frontier_beside(
            solution, trade_offs.hour, tolerance=trade_offs.tolerance, deadline_s=deadline_s, seed=seed
        )
    return SolvedFile(problem.workflow, tuple(problem.nodes), solution, found, read_robust_case(document))
