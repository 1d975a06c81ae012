from __future__ import annotations

from importlib.resources import files

import pytest

from multi_x_serverless import data

ATTRIBUTION = (
    "Contains information from Electricity Maps (https://www.electricitymaps.com), "
    "made available under the Open Database License (ODbL) v1.0."
)


def test_the_attribution_is_verbatim_in_the_program_and_beside_the_data() -> None:
    readme = (files("multi_x_serverless.data") / "README.md").read_text(encoding="utf-8")

    assert data.attribution() == ATTRIBUTION
    assert ATTRIBUTION in readme


def test_every_table_file_has_a_provenance_and_every_provenance_a_file() -> None:
    shipped = {entry.name for entry in (files("multi_x_serverless.data") / "tables").iterdir()}

    assert {source.file for source in data.sources()} == shipped - {"sources.json"}
    for source in data.sources():
        assert source.content
        assert source.source
        assert source.licence
        assert source.vintage


@pytest.mark.parametrize("file", ["carbon_intensity_hourly_2023.npy", "carbon_intensity_yearly.csv"])
def test_what_comes_from_electricity_maps_is_under_their_licence(file: str) -> None:
    source = data.source_of(file)
    assert source.licence == "ODbL-1.0"
    assert "Electricity Maps" in source.source
