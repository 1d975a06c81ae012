"""Results of solver benchmarks that nobody measured."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.machine import Machine
from benchmarks.solver_benchmarks.cases import Case, Shape, cases_of
from benchmarks.solver_benchmarks.measurement import Measurement, Settings
from benchmarks.solver_benchmarks.results import Build, Entry, Results

BUILD = Build("0.1.0", "0.1.0 (release)", "0123456789ab")
OTHER_BUILD = Build("0.0.9", "0.0.9 (release)", "ba9876543210")
SETTINGS = Settings(scenarios=1000, deadline_s=30.0, threads=1, repetitions=3)
SECONDS = {"fine-grained": 0.02, "coarse-grained": 0.001, "heuristic": 0.3}
OBJECTIVES = {"fine-grained": 2.0, "coarse-grained": 3.0, "heuristic": 2.0}


def measurement(case: Case, *, seconds: float | None = None, objective: float | None = None) -> Measurement:
    """What the solvers might have found: the exact one the optimum, the best single region half as much again."""
    took = SECONDS[case.solver] if seconds is None else seconds
    value = OBJECTIVES[case.solver] if objective is None else objective
    return Measurement(
        problem_hash=f"{case.shape}, seed {case.seed}",
        status="optimal" if case.solver == "fine-grained" else "feasible",
        objective_gco2eq=value,
        lower_bound_gco2eq=2.0,
        gap=1.0 - 2.0 / value,
        evaluations=0 if case.solver == "coarse-grained" else 1000,
        explored=10,
        read_processor_s=0.01,
        solve_wall_s=(took, 2.0 * took, 3.0 * took),
        solve_processor_s=(took, took, 2.0 * took),
        peak_mb=40.0,
        idle_mb=18.0,
    )


def entry(case: Case, build: Build = BUILD) -> Entry:
    return Entry(case, SETTINGS, build, 0.5, measurement(case))


def results_of(shapes: Sequence[Shape], *, graphs: int = 2) -> Results:
    """Every solver on so many graphs of each shape, as measured here."""
    entries = tuple(entry(case) for case in cases_of(shapes, range(graphs)))
    return Results(Machine.here(), BUILD, SETTINGS, entries)
