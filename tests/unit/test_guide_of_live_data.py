"""The guide to live data is true: variables, addresses, limits and reasons are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

from multi_x_serverless.collection import cloudping, electricity_maps, geocoding
from multi_x_serverless.collection.http import DOWN_AFTER, default_client
from multi_x_serverless.collection.http_cache import MAXIMUM_FRESH_S, HttpCache
from multi_x_serverless.collection.http_transport import MAXIMUM_BODY_BYTES, Patience
from multi_x_serverless.collection.possible_round_trips import LIGHT_IN_FIBRE_KM_PER_S, LONGEST_ROUND_TRIP_S
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.carbon_past import MAXIMUM_GCO2EQ_PER_KWH

IN_WORDS = {86_400.0: "a day"}

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "live-data.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table of a section, without its head."""
    section = GUIDE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_variables_and_addresses_are_those_of_the_program() -> None:
    assert {row[0].strip("`"): row[2].strip("`") for row in rows("Getting started")} == {
        electricity_maps.TOKEN_VARIABLE: "nobody is asked",
        cloudping.BASE_URL_VARIABLE: "nobody is asked",
        geocoding.KEY_VARIABLE: "nobody is asked",
        electricity_maps.BASE_URL_VARIABLE: electricity_maps.BASE_URL,
        geocoding.BASE_URL_VARIABLE: geocoding.BASE_URL,
    }


def test_the_limits_are_those_of_the_program() -> None:
    patience = Patience()
    for sentence in (
        f"at most {MAXIMUM_GCO2EQ_PER_KWH:g} gCO2eq/kWh",
        f"at most {LONGEST_ROUND_TRIP_S * 1e3:g} ms",
        f"({LIGHT_IN_FIBRE_KM_PER_S:,.0f} km/s, there and back)",
        f"at most {MAXIMUM_BODY_BYTES // 2**20} MiB",
        f"in stretches of {electricity_maps.RANGE_HOURS} hours",
        f"up to {patience.attempts} times",
        f"takes {patience.deadline_s:g} seconds at most",
        f"A host that {DOWN_AFTER} times gave no answer",
        f"(`Cache-Control`), and {IN_WORDS[MAXIMUM_FRESH_S]} at most",
    ):
        assert sentence in " ".join(GUIDE.split()), sentence


def test_the_reasons_are_those_of_the_error() -> None:
    documented = set(re.findall(r"``(\w+)``", SignalSourceError.__doc__ or ""))
    assert [row[0].strip("`") for row in rows("When a service fails")] == [
        "unauthorized",
        "quota",
        "unavailable",
        "unreadable",
        "absurd",
        "unknown",
    ]
    assert {row[0].strip("`") for row in rows("When a service fails")} == documented


def test_the_cache_is_where_the_guide_says() -> None:
    cache = default_client({}).cache
    assert isinstance(cache, HttpCache)
    assert cache.directory.parts[-2:] == ("multi-x-serverless", "http")
    assert cache.maximum_bytes == 20 * 2**20
