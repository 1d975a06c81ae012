from __future__ import annotations

import subprocess
import sys

import pytest

from multi_x_serverless import data
from multi_x_serverless.errors import UnknownRegionError


def test_all_commercial_regions_are_known_in_alphabetical_order() -> None:
    codes = list(data.regions())

    assert len(codes) == 33
    assert codes == sorted(codes)
    assert {"us-east-1", "us-west-1", "us-west-2", "ca-central-1"} <= set(codes)


def test_a_region_says_where_it_is_and_on_which_grid() -> None:
    assert data.find_region("ca-central-1") == data.Region(
        code="ca-central-1",
        name="Canada (Central)",
        latitude=45.5017,
        longitude=-73.5673,
        grid_zone="CA-QC",
        has_hourly_trace=True,
        country="CA",
    )
    assert not data.find_region("eu-north-1").has_hourly_trace


def test_regions_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        data.regions()["moon-1"] = data.find_region("us-east-1")  # type: ignore[index]


def test_an_unknown_region_is_refused_with_the_closest_ones() -> None:
    with pytest.raises(UnknownRegionError, match=r"no region 'us-esat-1'.*did you mean .*us-east-1") as caught:
        data.find_region("us-esat-1")
    assert caught.value.code == "unknown-region"


def test_a_region_like_no_other_is_refused_with_the_whole_list() -> None:
    with pytest.raises(UnknownRegionError, match=r"known are: af-south-1, .*us-west-2"):
        data.find_region("Q")


def test_great_circle_of_known_distances() -> None:
    quarter = data.great_circle_km(0, 0, 0, 90)
    assert quarter == pytest.approx(10007.56, abs=0.01)
    assert data.great_circle_km(10, 20, -10, -160) == pytest.approx(2 * quarter)
    assert data.great_circle_km(48.1, 11.5, 48.1, 11.5) == 0
    # London to Paris, and across the date line.
    assert data.great_circle_km(51.5074, -0.1278, 48.8566, 2.3522) == pytest.approx(343.6, abs=0.5)
    assert data.great_circle_km(0, 179, 0, -179) == pytest.approx(quarter / 45)


def test_looking_up_regions_prices_and_round_trips_does_not_import_numpy() -> None:
    program = (
        "import sys\n"
        "from multi_x_serverless import data\n"
        "data.regions(), data.prices('us-east-1'), data.round_trip_seconds('us-east-1', 'us-west-1')\n"
        "data.yearly_mean('IE'), data.sources()\n"
        "sys.exit('numpy' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
