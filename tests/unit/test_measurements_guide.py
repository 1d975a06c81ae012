"""The guide to what is measured is true: its numbers are the code's."""

from __future__ import annotations

from pathlib import Path

from multi_x_serverless import data
from multi_x_serverless.adaptation.cold_starts import IDLE_S
from multi_x_serverless.adaptation.comparison import MINIMUM_CONTROLS
from multi_x_serverless.adaptation.overhead import PROBE_DURATION_S
from multi_x_serverless.adaptation.status import PRESET
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.measured_round_trips import OLDEST_RUN_S
from multi_x_serverless.collection.possible_round_trips import LONGEST_ROUND_TRIP_S
from multi_x_serverless.collection.relative_speed import BUSY_SHARE_OF_COMPUTING, FASTEST, SLOWEST
from multi_x_serverless.model.deployments import KEEP_DEPLOYMENTS_S, MAXIMUM_DEPLOYMENTS
from multi_x_serverless.model.ledger import ASSUMED, SPENDING_KINDS
from multi_x_serverless.model.shared_constants import SAMPLES_THAT_COUNT_FULLY
from multi_x_serverless.observation.history import KEEP_DAYS, KEEP_RUNS
from multi_x_serverless.report.savings_tables import ASSUMED_NAMES, KIND_NAMES
from multi_x_serverless.solving.model_constants import COLD_START_S, OUTSIDE_INTENSITY_GCO2EQ_PER_KWH

GUIDE = (
    (Path(__file__).parents[2] / "docs" / "guide" / "measurements.md").read_text(encoding="utf-8").replace("\n", " ")
)

SHARES = {0.25: "a quarter", 0.5: "half", 0.75: "three quarters"}


def test_numbers_are_those_of_the_code() -> None:
    assert OLDEST_RUN_S == KEEP_DAYS * 86_400
    assert f"Those of the last {KEEP_DAYS} days (at most {KEEP_RUNS:,} of a workflow)" in GUIDE
    assert f"Of a workflow with more than {KEEP_RUNS:,} runs in that time these are a sample" in GUIDE
    assert f"of {KEEP_DEPLOYMENTS_S / 86_400:.0f} days and of {MAXIMUM_DEPLOYMENTS} deployments at most" in GUIDE
    assert f"Fewer than {SAMPLES_THAT_COUNT_FULLY} samples" in GUIDE
    assert f"or more than {LONGEST_ROUND_TRIP_S:g} s;" in GUIDE
    assert f"bounded to {SLOWEST:g} to {FASTEST:g};" in GUIDE
    assert f"busy for at least {SHARES[BUSY_SHARE_OF_COMPUTING]} of their time" in GUIDE
    assert f"`{physical_name('statistics')}`" in GUIDE


def test_the_embedded_measurements_are_as_described() -> None:
    measured = {
        region
        for region in data.regions()
        for other in data.regions()
        if data.round_trip_seconds(region, other).is_measured
    }
    assert f"machines in {data.source_of('round_trips.csv').vintage[:4]}, {len(measured)} regions" in GUIDE


def test_what_is_said_of_savings_and_overhead_is_the_codes() -> None:
    assert f"all plans that have {MINIMUM_CONTROLS} of each" in GUIDE
    assert f"stays for {IDLE_S / 60:.0f} minutes after its last use" in GUIDE
    assert f"{COLD_START_S} s is assumed where that is not known" in GUIDE
    assert f"({PROBE_DURATION_S} s each)" in GUIDE
    assert f"mean, {OUTSIDE_INTENSITY_GCO2EQ_PER_KWH:.0f} gCO2eq/kWh" in GUIDE
    assert f"(`{PRESET}`)" in GUIDE
    table = GUIDE[GUIDE.index("### The ledger") : GUIDE.index("An entry says what")]
    assert {kind for kind in KIND_NAMES if f"`{kind}`" in table} == {*SPENDING_KINDS, "cold_starts"}
    # `test_ledger` counts them: three at home and the new one of a migration, none at home of a deployment.
    assert "number and time of all probes, at home as well (only the plan's coming makes them)" in table
    assert "Not in the ledger: probes and copies at home by a deployment" in GUIDE
    assert set(ASSUMED_NAMES) == set(ASSUMED), "each has words of its own"
