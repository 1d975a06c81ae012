"""One solve in a process of its own, so that its peak memory is its own: `python -m benchmarks.solver.measure FILE`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from multi_x_serverless import _core

MEGABYTE = 1e6


@dataclass(frozen=True)
class Measurement:
    """One solve of one document.

    Attributes:
        read_s: From the document's bytes to the checked problem with its scenarios, in seconds.
        solve_s: One hour, all processors, in seconds.
        gap: (value - lower bound) / value of the first objective.
        explored: Partial placements that the search looked at.
        evaluations: Placements that were evaluated over all scenarios.
        peak_mb: Largest resident memory of the process, in MB.
        idle_mb: The same before the document was read: interpreter and modules.
    """

    read_s: float
    solve_s: float
    status: str
    gap: float
    explored: int
    evaluations: int
    peak_mb: float
    idle_mb: float


def measure(document: bytes) -> Measurement:
    """Read and solve a problem document of one hour in a fresh process."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "problem.json")
        path.write_bytes(document)
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.solver.measure", str(path)], stdout=subprocess.PIPE, check=True
        )
    return Measurement(**json.loads(finished.stdout))


def _measure_here(document: bytes) -> Measurement:
    idle_mb = peak_memory_mb()
    began = time.perf_counter()
    problem = _core.Problem.from_json(document)
    read = time.perf_counter()
    solution = json.loads(problem.solve())
    solved = time.perf_counter()
    (hour,) = solution["hours"]
    return Measurement(
        read_s=read - began,
        solve_s=solved - read,
        status=hour["status"],
        gap=hour["objective"]["gap"],
        explored=hour["explored"],
        evaluations=hour["evaluations"],
        peak_mb=peak_memory_mb(),
        idle_mb=idle_mb,
    )


def peak_memory_mb() -> float:
    """Largest resident memory of this program so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: what Linux reports there includes the parent's memory up to the start of this program.
        (line,) = (line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) * 1024 / MEGABYTE
    # macOS counts bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


if __name__ == "__main__":
    print(json.dumps(asdict(_measure_here(Path(sys.argv[1]).read_bytes()))))
