"""The pages on carbon data and on the forecast are true: files are read as shown, tables are the benchmark's."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest

from benchmarks.forecast.evaluate import COMPARED, evaluate
from benchmarks.forecast.short_history import OWN_DAYS, write_table
from benchmarks.forecast.tables import write_tables
from benchmarks.forecast.traces import Origins
from multi_x_serverless import data
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE, CarbonFileSource
from multi_x_serverless.collection.carbon_past import KEEP_DAYS, NEEDED_AMONG_HOURS, NEEDED_HOURS, OLDEST_DAYS
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, HISTORY_DAYS, Seasonal
from multi_x_serverless.model.carbon_past import MAXIMUM_GCO2EQ_PER_KWH

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guide" / "carbon.md").read_text(encoding="utf-8")
FORECAST = (DOCS / "forecast.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(csv|json)\n(.*?)```", GUIDE, re.DOTALL)
NUMBER = re.compile(r"[+-]?\d+\.\d+")


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=["long", "wide", "json"])
def test_files_as_shown_are_read_without_a_complaint(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / f"carbon.{kind}"
    path.write_text(text, encoding="utf-8")
    file = CarbonFileSource(path)
    ten = datetime(2026, 11, 26, 10, tzinfo=timezone.utc).timestamp()
    for region, expected in (("eu-central-1", 312.5), ("us-east-1", 401.0)):
        known = data.find_region(region)
        assert file.past(known, ten, 1)[ten].gco2eq_per_kwh == expected
        assert file.problems(known) == ()
    assert file.notes == ()


def test_limits_are_those_of_the_program() -> None:
    assert f"`{FILE_VARIABLE}`" in GUIDE
    assert f"at most {KEEP_DAYS} days" in GUIDE
    words = " ".join(GUIDE.split())
    assert f"at least {NEEDED_HOURS} of the newest {NEEDED_AMONG_HOURS} are known" in words
    assert f"at most {OLDEST_DAYS} days old" in words
    assert f"at most {MAXIMUM_GCO2EQ_PER_KWH:g} gCO2eq/kWh" in words


def test_the_forecaster_described_is_the_one_in_use() -> None:
    assert Seasonal() == DEFAULT_FORECASTER
    words = " ".join(FORECAST.split())
    assert f"over up to {HISTORY_DAYS} days, where a day counts {Seasonal().decay:g} of the day after it" in words
    assert Seasonal().day_kind_share == 0.25
    assert "differ by a quarter of what their own means differ by" in words
    persistence = Seasonal().persistence
    assert persistence is not None
    assert f"{persistence:g} of it is left after an hour, {persistence**24:.2f} after a day" in words


def test_the_tables_are_those_of_the_benchmark() -> None:
    """Up to one unit of the last digit, which the order of floating-point sums may change."""
    written = write_tables(evaluate(COMPARED, DEFAULT_FORECASTER.name, Origins.of_the_year()))
    tables, shown = (set_of_tables(text) for text in (written, FORECAST))
    for shape, numbers in tables.items():
        assert shape in shown
        assert shown[shape] == pytest.approx(numbers, abs=0.011 if "." in shape else 0.11)
    assert len(tables) == 8


def test_the_table_of_short_histories_is_that_of_the_benchmark() -> None:
    ((shape, numbers),) = set_of_tables(write_table()).items()
    assert set_of_tables(FORECAST)[shape] == pytest.approx(numbers, abs=0.011)
    # A day of a service lacks the hour under way, and may lack a few others.
    assert 0 < OWN_DAYS[0] * 24 - NEEDED_HOURS <= 4


@pytest.mark.parametrize("days", OWN_DAYS)
def test_own_days_go_before_the_trace_since_they_have_less_regret(days: int) -> None:
    """The lower end of the interval of how much more the trace has on the first day."""
    (row,) = [line for line in FORECAST.splitlines() if line.startswith(f"| {days}, trace |")]
    _, low, _ = NUMBER.findall(row.split("|")[-3])
    assert float(low) > 0


def set_of_tables(text: str) -> dict[str, list[float]]:
    """A table without its numbers -> its numbers; the sentence before it tells tables of one shape apart."""
    found = {}
    for caption, table in re.findall(r"([^\n|][^|]*?)\n\n((?:\|[^\n]*\n?)+)", text):
        caption_words = " ".join(caption.rpartition("\n\n")[2].split())
        found[caption_words + NUMBER.sub("N", table.strip())] = [float(number) for number in NUMBER.findall(table)]
    return found
