"""Accounting of single runs, against numbers worked out by hand and against the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model import shared_constants
from multi_x_serverless.model.run import EdgeObservation, FailedAttempt, NodeObservation, ObservedRun
from multi_x_serverless.solving.accounting import Accounting, billed_s, execution_kwh, message_units
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.intensity import IntensityHistory, RegionIntensity
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.problem import Signals, SolveSettings, build_problem
from tests.unit.observation.records import diamond
from tests.unit.solving.workflows import HOME, NOON, REGIONS, embedded_signals, observed_runs, workflow

GIGABYTE = float(2**30)
HOUR = 3600.0
POWER_KW = 0.00212 + 1769 / 1024 * 0.0003725
"""One vCPU at 50 %, 0.00074 + 0.5 * (0.0035 - 0.00074) kW, with its 1769 MB of memory."""


def intensities(by_region: Mapping[str, tuple[float, ...]], start: float = NOON) -> IntensityHistory:
    return IntensityHistory(
        {region: RegionIntensity(start, values, "made up, 2023") for region, values in by_region.items()}
    )


def of_signals(signals: Signals) -> IntensityHistory:
    """The day of the signals' forecast, as if it had come true."""
    midnight = NOON - 12 * HOUR
    return intensities({region: signal.intensity_gco2eq_per_kwh for region, signal in signals.carbon.items()}, midnight)


def accounting(preset: TransmissionPreset = "best", history: IntensityHistory | None = None) -> Accounting:
    signals = embedded_signals()
    return Accounting(workflow(), signals.prices, history or of_signals(signals), preset)


def home_intensity() -> float:
    return embedded_signals().carbon[HOME].intensity_gco2eq_per_kwh[12]


def one_node_run(region: str = HOME, *, other_bytes: float = 0.0, started_at: float = NOON) -> ObservedRun:
    node = NodeObservation(
        region,
        duration_s=3600.0,
        cpu_s=1800.0,
        cold=False,
        sent_bytes={},
        received_bytes={},
        other_sent_bytes=0.4 * other_bytes,
        other_received_bytes=0.6 * other_bytes,
    )
    return ObservedRun(
        run_id="r",
        manifest_id="m1",
        status="complete",
        started_at=started_at,
        finished_at=started_at + 3600.0,
        plan_version=1,
        placement_key="home",
        reason="home_share",
        trigger_bytes=0.0,
        nodes={0: node},
        edges={0: EdgeObservation(False, 0.0, None, None), 1: EdgeObservation(False, 0.0, None, None)},
    )


def test_energy_of_an_hour_of_one_vcpu_half_busy() -> None:
    assert execution_kwh(3600.0, 1769, 1800.0) == pytest.approx(POWER_KW, rel=1e-9)


def test_carbon_and_cost_of_a_node_that_moves_nothing() -> None:
    result = accounting().footprint(one_node_run())
    assert result.execution_gco2eq == pytest.approx(POWER_KW * 1.11 * home_intensity(), rel=1e-6)
    assert result.transmission_gco2eq == 0.0
    # 3600 s * 1769/1024 GB * 0.0000166667 USD, a request, a publish, and the log line's share.
    assert result.cost_usd == pytest.approx(3600 * 1769 / 1024 * 0.0000166667, rel=1e-3)
    assert result.runtime_s == 3600.0


def test_bytes_of_no_known_region_count_half_home_half_outside() -> None:
    result = accounting().footprint(one_node_run(other_bytes=GIGABYTE))
    expected = 0.5 * 0.001 * home_intensity() + 0.5 * 0.001 * (home_intensity() + 410.0) / 2.0
    assert result.transmission_gco2eq == pytest.approx(expected, rel=1e-9)


def test_worst_preset_moves_for_free_inside_a_region() -> None:
    result = accounting("worst").footprint(one_node_run(other_bytes=GIGABYTE))
    assert result.transmission_gco2eq == pytest.approx(0.5 * 0.005 * (home_intensity() + 410.0) / 2.0, rel=1e-9)


def test_run_is_accounted_with_the_intensity_of_its_own_hour() -> None:
    """A forecast of today says nothing about a run of last week."""
    made_up = accounting(history=intensities(dict.fromkeys(REGIONS, (100.0, 700.0)), NOON))
    first = made_up.footprint(one_node_run(started_at=NOON + 3599.0))
    second = made_up.footprint(one_node_run(started_at=NOON + 3600.0))
    assert first.execution_gco2eq == pytest.approx(POWER_KW * 1.11 * 100.0)
    assert second.execution_gco2eq == pytest.approx(POWER_KW * 1.11 * 700.0)
    run = one_node_run(started_at=0.0)
    (elsewhere,) = made_up.footprints_as_if_at([run], [(NOON, 2.0), (NOON + 3600.0, 1.0)])
    assert elsewhere.execution_gco2eq == pytest.approx(POWER_KW * 1.11 * 300.0)
    (repeated,) = made_up.footprints_as_if_at([run], [(NOON, 1.0), (NOON + 3600.0, 1.0), (NOON, 1.0)])
    assert repeated == elsewhere
    for no_hour in ([], [(NOON, 0.0)]):
        with pytest.raises(NotEnoughDataError, match="no hour"):
            made_up.footprints_as_if_at([run], no_hour)
    with pytest.raises(NotEnoughDataError, match="not known"):
        made_up.footprint(one_node_run(started_at=NOON - 1.0))
    with pytest.raises(NotEnoughDataError, match="not known"):
        made_up.footprint(one_node_run(started_at=NOON + 7200.0))


def test_failed_attempts_take_time_and_energy() -> None:
    run = one_node_run()
    retried = replace(run, failed_attempts=(FailedAttempt(0, "us-west-2", 3600.0), FailedAttempt(0, HOME, 1800.0)))
    clean, failing = accounting().footprint(run), accounting().footprint(retried)
    away = embedded_signals().carbon["us-west-2"].intensity_gco2eq_per_kwh[12]
    # The CPU time of a failed attempt is not logged: half a vCPU is assumed, as it was in the run itself.
    expected = POWER_KW * 1.11 * (home_intensity() * 1.5 + away)
    assert failing.execution_gco2eq == pytest.approx(expected, rel=1e-6)
    assert failing.cost_usd == pytest.approx(2.5 * clean.cost_usd, rel=1e-3)
    assert failing.runtime_s == clean.runtime_s, "the run ended when it ended"


def test_provenance_says_that_energy_is_modelled_and_how_old_the_data_is() -> None:
    provenance = accounting("worst").provenance
    assert "modelled from observed" in provenance["energy"]
    assert "made up, 2023" in provenance["carbon"]
    assert "2026" in provenance["prices"]
    assert "worst" in provenance["transmission"]


def test_origins_name_their_regions_where_they_differ() -> None:
    history = IntensityHistory(
        {
            "a": RegionIntensity(0.0, (1.0,), "measured"),
            "b": RegionIntensity(0.0, (1.0,), "forecast"),
            "c": RegionIntensity(0.0, (1.0,), "measured"),
        }
    )
    assert history.origin == "measured: a, c; forecast: b"


@pytest.mark.parametrize(
    ("duration_s", "billed"),
    [(0.0, 0.0), (0.001, 0.001), (0.0011, 0.002), (0.1 + 0.2, 0.3), (1.001, 1.001), (0.00200001, 0.003)],
)
def test_full_milliseconds_are_not_rounded_up_by_the_rounding_of_a_product(duration_s: float, billed: float) -> None:
    """0.1 + 0.2 is 0.30000000000000004 in double precision; Lambda bills 300 ms."""
    assert billed_s(duration_s) == billed


def test_an_empty_message_is_billed_as_one() -> None:
    assert [message_units(size) for size in (0.0, 1.0, 65_536.0, 65_537.0)] == [1, 1, 1, 2]


ENTRY, MIDDLE, JOIN = 0, 1, 2
PLACEMENTS = {
    "all home": (HOME, HOME, HOME),
    "all away": ("ca-central-1",) * 3,
    "entry away": ("us-west-1", HOME, HOME),
    "middle away": (HOME, "ca-central-1", HOME),
    "join away": (HOME, HOME, "us-west-2"),
    "each elsewhere": ("us-west-2", "us-west-1", "ca-central-1"),
}
DATA = {"us-west-2": 3e8, HOME: 1e7, "sa-east-1": 2e8}
RECEIVED = {"us-west-2": 1e8, HOME: 5e8, "eu-west-1": 1e6, "sa-east-1": 4e8}
"""Bytes of each node to a region that is listed, to home, and to one where the workflow may not run."""


SIGNALS = embedded_signals()

NEAR_S = 0.01
"""Seconds until a call within a region is accepted."""


def runs_at(placement: tuple[str, str, str]) -> tuple[ObservedRun, ...]:
    """Runs of noon with their nodes in these regions; payloads from nothing to more than a message holds.

    A function calls when its work is done, and ends when all calls are accepted.
    """
    sizes = (0.0, 500.0, 70_000.0, 1.5 * shared_constants.INLINE_PAYLOAD_LIMIT_BYTES)
    runs = []
    for number, run in enumerate(observed_runs(60)):
        edges = {
            index: replace(
                edge,
                payload_bytes=sizes[(number + index) % 4] if edge.called else 0.0,
                offset_s=_own_s(diamond().edges[index].source, number) - NEAR_S,
            )
            for index, edge in run.edges.items()
        }
        added = {index: _added_s(placement, index, edge) for index, edge in edges.items() if edge.called}
        nodes = {
            index: replace(
                node,
                region=placement[index],
                duration_s=_own_s(index, number) + _waited_s(placement, index, edges, added),
                returned_s=_own_s(index, number) - NEAR_S,
                cpu_s=(20 + number) / 1000.0,
                sent_bytes=DATA,
                received_bytes=RECEIVED,
                other_sent_bytes=4e7,
                other_received_bytes=6e7,
            )
            for index, node in run.nodes.items()
        }
        accepted = {index: replace(edges[index], publish_s=NEAR_S + added_s) for index, added_s in added.items()}
        runs.append(
            replace(run, started_at=NOON, trigger_bytes=sizes[number % 4], nodes=nodes, edges={**edges, **accepted})
        )
    return tuple(runs)


def _own_s(node: int, run: int) -> float:
    """Whole milliseconds, among them those that a product in floating point exceeds."""
    return 0.1 * (3 + node) + 0.007 * run


def _added_s(placement: tuple[str, str, str], index: int, edge: EdgeObservation) -> float:
    """How much later a call over an edge, or where the branch died a report to the join, is accepted far away."""
    source, target = placement[diamond().edges[index].source], placement[diamond().edges[index].target]
    if source == target:
        return 0.0
    is_report = index > 0
    trips = is_report + edge.called + (edge.payload_bytes > shared_constants.INLINE_PAYLOAD_LIMIT_BYTES)
    there, here = (SIGNALS.performance[source].round_trip_to(region) for region in (target, source))
    assert there is not None
    assert here is not None
    size = edge.payload_bytes + (0.0 if is_report else shared_constants.MESSAGE_ENVELOPE_BYTES)
    transfer_s = size / shared_constants.BANDWIDTH_BYTES_PER_S if edge.called else 0.0
    return trips * (there.seconds - here.seconds) + transfer_s


def _waited_s(
    placement: tuple[str, str, str], node: int, edges: dict[int, EdgeObservation], added: dict[int, float]
) -> float:
    """Of several calls the mean, as the engine takes it; then the report of the branch that was declined."""
    calls = [added_s for index, added_s in added.items() if diamond().edges[index].source == node]
    waited_s = sum(calls) / max(1, len(calls))
    if node == ENTRY and not edges[0].called:
        waited_s += _added_s((placement[ENTRY], placement[ENTRY], placement[JOIN]), 1, replace(edges[0]))
    return waited_s


@pytest.mark.parametrize("preset", ["best", "worst"])
@pytest.mark.parametrize("placement", PLACEMENTS.values(), ids=PLACEMENTS)
def test_mean_of_observed_runs_agrees_with_the_engine(
    placement: tuple[str, str, str], preset: TransmissionPreset
) -> None:
    """The same formulas twice, in Rust over scenarios and here over runs.

    Scenarios that repeat each observed run equally often, where every node has enough samples of its own, are the
    observed runs: the means agree to the engine's single precision.
    """
    model, signals = workflow(), embedded_signals()
    runs = runs_at(placement)
    settings = SolveSettings(hours=(12,), scenarios=len(runs) * 10, validation_scenarios=200, transmission=preset)
    problem = LoadedProblem(build_problem(model, runs, signals, settings))
    regions = {node.name: placement[index] for index, node in enumerate(model.graph.nodes)}
    expected = problem.evaluate(regions, 12)
    account = Accounting(model, signals.prices, of_signals(signals), preset)
    results = [account.footprint(run) for run in runs]
    carbon = sum(result.carbon_gco2eq for result in results) / len(runs)
    cost = sum(result.cost_usd for result in results) / len(runs)
    assert carbon == pytest.approx(expected.carbon.mean, rel=1e-6)
    # Whole milliseconds are billed: the engine rounds a node's own time up, and adds what it waits as it is.
    waits = len(set(placement)) > 1
    millisecond = 0.001 * max(signals.prices[region].prices.lambda_x86_64_usd_per_gb_second for region in placement)
    rounding = len(placement) * millisecond * 1769 / 1024 if waits else 0.0
    assert cost == pytest.approx(expected.cost.mean, rel=1e-6, abs=rounding)
