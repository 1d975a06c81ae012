"""What a process measures of one case, and how."""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.documents import Fields, as_number

MEASUREMENT_SCHEMA = "multi-x-serverless/solver-benchmark-measurement"
MEASUREMENT_VERSION = 1
"""Of what a measuring process prints: a document with one member, `measurement`."""


@dataclass(frozen=True)
class Settings:
    """How each case is measured.

    Attributes:
        scenarios: To plan with, and as many to check the plan with.
        deadline_s: Seconds of wall time after which a solve returns the best it has found.
        threads: Threads of the engine. On one, processor time is what a solve alone on its core takes.
        repetitions: Solves that are counted, after one that is not.
    """

    scenarios: int
    deadline_s: float
    threads: int
    repetitions: int


@dataclass(frozen=True)
class Measurement:
    """What one process found.

    Attributes:
        problem_hash: SHA-256 of the problem document: equal for the solvers that are compared.
        status: As in the solution document; `optimal` is proven.
        objective_gco2eq: Mean carbon per run of the placement, in gCO2eq.
        lower_bound_gco2eq: No placement within the limits is below.
        gap: (objective - lower bound) / objective, which the solver itself knows.
        evaluations: Placements that were evaluated over all scenarios.
        explored: Partial placements that the search looked at.
        read_processor_s: Processor seconds from the document's bytes to the checked problem with its scenarios, once.
        solve_wall_s: Seconds of each counted solve, from the problem to the typed solution.
        solve_processor_s: The same in processor seconds of all threads, which others on the machine disturb less.
        peak_mb: Largest resident memory of the process, in MB of 10^6 bytes.
        idle_mb: The same before the document was there: interpreter and modules.
    """

    problem_hash: str
    status: str
    objective_gco2eq: float
    lower_bound_gco2eq: float
    gap: float
    evaluations: int
    explored: int
    read_processor_s: float
    solve_wall_s: tuple[float, ...]
    solve_processor_s: tuple[float, ...]
    peak_mb: float
    idle_mb: float

    def __post_init__(self) -> None:
        if not self.solve_wall_s or len(self.solve_wall_s) != len(self.solve_processor_s):
            raise ValueError("holds no solve, or not both times of each")


def measurement_of(fields: Fields) -> Measurement:
    """The measurement in a results document, or as a measuring process prints it.

    Raises:
        InvalidDocumentError: A member is missing, unknown or of the wrong type.
    """
    require_exactly(fields, *Measurement.__dataclass_fields__)
    try:
        return Measurement(
            problem_hash=fields.text("problem_hash"),
            status=fields.text("status"),
            objective_gco2eq=fields.number("objective_gco2eq"),
            lower_bound_gco2eq=fields.number("lower_bound_gco2eq"),
            gap=fields.number("gap"),
            evaluations=fields.integer("evaluations"),
            explored=fields.integer("explored"),
            read_processor_s=fields.number("read_processor_s"),
            solve_wall_s=fields.sequence("solve_wall_s", as_number),
            solve_processor_s=fields.sequence("solve_processor_s", as_number),
            peak_mb=fields.number("peak_mb"),
            idle_mb=fields.number("idle_mb"),
        )
    except ValueError as error:
        raise InvalidDocumentError(fields.document, fields.path, str(error)) from error


def require_exactly(fields: Fields, *names: str) -> None:
    """Refuse a member that nobody reads: it is a slip, or of another program.

    Raises:
        InvalidDocumentError: There is such a member.
    """
    for name in sorted(set(fields.values) - set(names)):
        raise InvalidDocumentError(fields.document, f"{fields.path}.{name}".lstrip("."), "is not known")
