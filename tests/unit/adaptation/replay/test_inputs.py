"""What a replay is given: the stretch, the load, the intensities and what is known of them when."""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.replay.expectation import expected_day
from multi_x_serverless.adaptation.replay.intensities import LEAD_HOURS, gather_intensities
from multi_x_serverless.adaptation.replay.load import constant_load, read_load
from multi_x_serverless.adaptation.replay.stretch import stretch_of
from multi_x_serverless.collection.carbon_file import CarbonFileSource
from multi_x_serverless.collection.carbon_past import recent_history
from multi_x_serverless.collection.carbon_signal import Given, make_carbon_signal
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER
from multi_x_serverless.errors import NotEnoughDataError, UnknownRegionError, UsageError
from tests.unit.adaptation.replay.worlds import days, world


def test_a_stretch_is_whole_days_with_both_ends() -> None:
    stretch = stretch_of(date(2023, 2, 27), date(2023, 3, 1))
    assert (stretch.days, stretch.first_day, stretch.last_day) == (3, "2023-02-27", "2023-03-01")
    assert stretch.in_words(25) == "2023-02-28T01:00Z"
    with pytest.raises(UsageError, match="before it begins"):
        stretch_of(date(2023, 3, 1), date(2023, 2, 28))


class TestLoad:
    def test_a_rate_is_the_same_in_all_hours(self) -> None:
        assert constant_load(2.5, 48).runs.tolist() == [2.5] * 48

    @pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 1e13])
    def test_a_rate_that_is_none_is_refused(self, rate: float) -> None:
        with pytest.raises(UsageError, match="runs per hour"):
            constant_load(rate, 24)

    def test_a_short_file_begins_anew_and_a_long_one_is_cut(self) -> None:
        assert read_load("hour,runs\n1,20\n0,10\n2,0\n", 7, name="f").runs.tolist() == [10, 20, 0, 10, 20, 0, 10]
        assert read_load("hour,runs\n0,1\n1,2\n2,3\n", 2, name="f").runs.tolist() == [1, 2]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "f:1: expected the columns 'hour,runs'"),
            ("runs,hour\n1,1\n", "f:1: expected the columns"),
            ("hour,runs\n", "there are no hours"),
            ("hour,runs\n0,1\n0,2\n", "f:3: hour 0 is there twice"),
            ("hour,runs\n0,1\n2,1\n", "hour 1 is missing"),
            ("hour,runs\n0,many\n", "f:2: expected a whole hour"),
            ("hour,runs\n0,-1\n", "f:2: expected an hour from 0"),
            ("hour,runs\n0,nan\n", "f:2: expected an hour from 0"),
            ("hour,runs\n0,1e13\n", "number of runs from 0 to 1e.12"),
            ("hour,runs\n0,1,2\n", "f:2: expected an hour from 0"),
            ("hour,runs\n0\n", "f:2: expected a whole hour"),
            ("hour,runs\n0,0\n1,0\n", "no run in the hours"),
        ],
    )
    def test_what_is_no_load_is_refused_with_the_line(self, text: str, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            read_load(text, 24, name="f")


class TestIntensities:
    def test_the_embedded_trace_serves_its_own_year_only(self) -> None:
        stretch = stretch_of(date(2023, 1, 3), date(2023, 1, 3))
        found = gather_intensities(["us-east-1"], stretch)
        trace = data.hourly_trace("US-MIDA-PJM").intensity_gco2eq_per_kwh
        assert found.replayed[0] == pytest.approx(trace[48:72])
        # Before January 2023 nothing is known: the same calendar hours of 2023 are still to come.
        assert np.isnan(found.values[0, : LEAD_HOURS - 48]).all()
        assert not found.given[0, : LEAD_HOURS - 48].any()
        assert found.given[0, LEAD_HOURS - 48 :].all()
        assert "2023" in found.origins["us-east-1"]
        assert data.attribution() in found.notes

    def test_other_years_are_refused_with_the_way_out(self) -> None:
        with pytest.raises(NotEnoughDataError, match=r"us-east-1 is not known in 24 of 48 hours, first at 2024-01-01"):
            gather_intensities(["us-east-1"], stretch_of(date(2023, 12, 31), date(2024, 1, 1)))
        with pytest.raises(NotEnoughDataError, match="MULTI_X_SERVERLESS_CARBON_FILE"):
            gather_intensities(["us-east-1"], stretch_of(date(2022, 6, 1), date(2022, 6, 1)))
        with pytest.raises(UnknownRegionError):
            gather_intensities(["us-east-9"], days(1))

    def test_hours_that_were_filled_afterwards_are_not_known_to_a_forecast(self) -> None:
        trace = data.hourly_trace("US-NW-PACW")
        (first, *_) = np.flatnonzero(trace.was_filled).tolist()
        day = date.fromordinal(date(2023, 1, 1).toordinal() + first // 24)
        found = gather_intensities(["us-west-2"], stretch_of(day, day))
        assert found.replayed[0, first % 24] == pytest.approx(trace.intensity_gco2eq_per_kwh[first])
        assert not found.given[0, LEAD_HOURS + first % 24]

    def test_a_region_without_a_trace_is_flat_and_told(self) -> None:
        flat = next(region for region in data.regions().values() if not region.has_hourly_trace)
        found = gather_intensities([flat.code], days(1))
        assert set(found.replayed[0].tolist()) == {data.yearly_mean(flat.grid_zone)}
        assert any(flat.code in note and "mean of 2023" in note for note in found.notes)
        assert found.given.all(), "a mean is no gap: it can be planned with"

    def test_the_users_file_serves_other_years(self, tmp_path: Path) -> None:
        file = tmp_path / "carbon.csv"
        first = datetime(2031, 4, 30, tzinfo=timezone.utc).timestamp()
        lines = [
            f"us-east-1,{datetime.fromtimestamp(first + hour * 3600, timezone.utc):%Y-%m-%dT%H:%MZ},{100 + hour}"
            for hour in range(48)
        ]
        file.write_text("\n".join(["zone_or_region,datetime_utc,gco2eq_per_kwh", *lines]), encoding="utf-8")
        found = gather_intensities(
            ["us-east-1"], stretch_of(date(2031, 5, 1), date(2031, 5, 1)), CarbonFileSource(file)
        )
        assert found.replayed[0].tolist() == [124.0 + hour for hour in range(24)]
        assert int(found.given.sum()) == 48
        assert data.attribution() not in found.notes
        assert "carbon.csv" in found.origins["us-east-1"]

    def test_the_trace_fills_a_file_of_its_year_and_is_not_known_at_the_time(self, tmp_path: Path) -> None:
        file = tmp_path / "carbon.csv"
        file.write_text(
            "zone_or_region,datetime_utc,gco2eq_per_kwh\nus-east-1,2023-06-01T05:00Z,77\n", encoding="utf-8"
        )
        found = gather_intensities(["us-east-1", "us-west-1"], days(1), CarbonFileSource(file))
        assert found.replayed[0, 5] == 77.0
        assert np.flatnonzero(found.given[0]).tolist() == [LEAD_HOURS + 5]
        assert found.given[1].all()


class TestExpectation:
    def test_a_forecast_is_that_of_the_product_at_the_hours_of_the_day(self) -> None:
        made = world(days(2), {"a": lambda hour: 300.0 + 50.0 * np.sin(hour / 5.0) + hour % 24})
        expected = expected_day(made.known_at(31))["a"]
        history = made.values[:, 31 : LEAD_HOURS + 31]
        by_offset = DEFAULT_FORECASTER.forecast(history, made.stretch.moment(31), 24)[0]
        assert [expected[(31 + offset) % 24] for offset in range(24)] == by_offset.tolist()

    @pytest.mark.parametrize("year", [2023, 2026])
    def test_a_replay_of_the_traces_year_expects_what_a_collection_without_a_source_does(self, year: int) -> None:
        """In whatever year it collects: both have the weekends of the trace."""
        day = date(2023, 11, 26)
        replayed = expected_day(gather_intensities(["us-east-1"], stretch_of(day, day)).known_at(13))
        now = datetime(year, 11, 26, 13, 20, tzinfo=timezone.utc).timestamp()
        region = data.find_region("us-east-1")
        made = make_carbon_signal(region, Given({}, {}), EmbeddedCarbonSource(), DEFAULT_FORECASTER, now)
        assert made.signal.intensity_gco2eq_per_kwh == pytest.approx(replayed["us-east-1"], rel=1e-12)

    @pytest.mark.parametrize("delay", [0, 5, 30])
    def test_full_histories_are_treated_as_those_with_gaps(self, delay: int) -> None:
        made = world(days(3), {"a": lambda hour: 300.0 + hour % 24, "b": lambda hour: 200.0 + (hour * 7) % 31})
        past = made.known_at(50, delay)
        alone = {}
        for row, region in enumerate(past.regions):
            hours = {
                past.start + place * 3600.0: HourlyIntensity(value, False, "", "")
                for place, value in enumerate(past.seen[row].tolist())
            }
            history = recent_history(hours, past.now, 28)
            values = np.array(history.intensity_gco2eq_per_kwh)
            late = round((past.now - history.end) / 3600.0)
            assert late == delay
            by_offset = DEFAULT_FORECASTER.forecast(values, history.end, late + 24)[late:]
            alone[region] = [float(by_offset[(hour - 2) % 24]) for hour in range(24)]
        found = expected_day(past)
        for region, expected in alone.items():
            assert found[region] == pytest.approx(expected, rel=1e-12)

    def test_one_region_with_a_gap_loses_no_other(self) -> None:
        made = world(days(1), {"a": lambda hour: 300.0 + hour % 24, "b": lambda _hour: 200.0})
        made.given[0, LEAD_HOURS - 30 : LEAD_HOURS - 20] = False
        found = expected_day(made.known_at(0))
        assert found["a"] == pytest.approx([300.0 + hour for hour in range(24)], rel=1e-6)
        assert found["b"] == pytest.approx([200.0] * 24)

    def test_nothing_later_is_handed_out(self) -> None:
        made = world(days(3), {"a": lambda hour: 300.0 + hour})
        past = made.known_at(30, 4)
        assert past.seen.shape[1] == LEAD_HOURS + 26
        assert np.nanmax(past.seen) == 300.0 + 25
        assert past.seen.base is None, "a view would hold the later hours, too"

    @pytest.mark.parametrize(
        ("delay", "said"), [(14 * 24 + 1, "14 days old"), (20 * 24, "20 days old"), (5000, "no hour of its past")]
    )
    def test_a_stale_feed_is_refused(self, delay: int, said: str) -> None:
        made = world(days(1), {"a": lambda _hour: 300.0})
        with pytest.raises(NotEnoughDataError, match=f"no forecast for a: .*{said}"):
            expected_day(made.known_at(0, delay))
