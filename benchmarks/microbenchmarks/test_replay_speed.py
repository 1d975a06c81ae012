"""A year of hourly steps for one workflow over all regions with an hourly trace, all five policies."""

from __future__ import annotations

from datetime import date

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.solver.layered import Shape, layered_problem
from multi_x_serverless import data
from multi_x_serverless.adaptation.replay.document import Changes, changed
from multi_x_serverless.adaptation.replay.intensities import gather_intensities
from multi_x_serverless.adaptation.replay.load import constant_load
from multi_x_serverless.adaptation.replay.replay import ReplaySettings, replay
from multi_x_serverless.adaptation.replay.results import Replay
from multi_x_serverless.adaptation.replay.stretch import stretch_of
from multi_x_serverless.solving.engine import LoadedProblem


@pytest.mark.parametrize(("nodes", "tightness"), [(6, None), (6, 1.1), (12, 1.1)])
def test_a_year_of_17_regions(benchmark: BenchmarkFixture, nodes: int, tightness: float | None) -> None:
    """From the document's bytes; 1,000 scenarios. With a limit every third node is pinned home."""
    document = layered_problem(Shape(nodes, len(data.regions()), 1000, tightness), 0, 10.0)
    traced = tuple(region.code for region in data.regions().values() if region.has_hourly_trace)
    stretch = stretch_of(date(2023, 1, 1), date(2023, 12, 31))

    def work() -> Replay:
        restricted = changed(document, Changes(regions=traced))
        intensities = gather_intensities(LoadedProblem(restricted).regions, stretch)
        return replay(restricted, intensities, constant_load(1000.0, stretch.hours), ReplaySettings())

    found: Replay = benchmark.pedantic(work, rounds=1)  # type: ignore[no-untyped-call]  # the library has no types
    assert (len(found.regions), found.stretch.hours) == (17, 8760)
    assert found.policy("oracle").carbon.gross <= found.policy("home").carbon.gross
