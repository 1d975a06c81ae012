"""The tool that builds the tables, on a small source directory of its own."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from types import ModuleType

TOOL = Path(__file__).resolve().parents[3] / "tools/build_embedded_data.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("build_embedded_data", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    start = datetime(2023, 1, 1, tzinfo=timezone.utc)
    lines = ["datetime_utc,ZZ,AA"]
    for hour in range(8760):
        cell = "" if hour == 5 else f"{100 + hour % 24}.5"
        lines.append(f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{cell},20.1")
    write_trace(directory, lines)
    (directory / "carbon_intensity_yearly.csv").write_text("grid_zone,2022,2023\nZZ,112,110\nAA,21,20\n")
    (directory / "aws_regions.csv").write_text(
        "region,name,latitude,longitude,grid_zone,hourly_trace_2023\n"
        "zz-1,Far,-10.5,170.25,ZZ,yes\naa-1,Near,10,20,AA,yes\n"
    )
    (directory / "aws_rtt_2020.csv").write_text(
        "from_region,to_region,rtt_min_ms,rtt_mean_ms,rtt_max_ms,rtt_stddev_ms\n"
        "zz-1,aa-1,99,100.02,101,1\naa-1,zz-1,99,100.00,101,1\n"
        "aa-1,aa-1,0.1,0.2,0.3,0\nzz-1,zz-1,0.1,0.1,0.3,0\n"
    )
    (directory / "aws_prices.csv").write_text(
        "region,lambda_x86_64_usd_per_gb_s,lambda_arm64_usd_per_gb_s,lambda_usd_per_million_requests,"
        "egress_to_other_region_usd_per_gb,egress_to_internet_usd_per_gb,egress_known\n"
        "zz-1,0.0000200000,,0.25,0.02,0.09,no\naa-1,0.0000100000,0.0000080000,0.20,0.03,0.10,yes\n"
    )
    return directory


def write_trace(directory: Path, lines: list[str]) -> None:
    text = "\n".join([*lines, ""])
    (directory / "carbon_intensity_hourly_2023.csv.gz").write_bytes(gzip.compress(text.encode()))


def read_trace(directory: Path) -> list[str]:
    return gzip.decompress((directory / "carbon_intensity_hourly_2023.csv.gz").read_bytes()).decode().splitlines()


def test_the_same_source_gives_the_same_bytes_whatever_the_order_of_its_rows(tool: ModuleType, source: Path) -> None:
    first = tool.build_tables(source)
    for name in ("aws_regions.csv", "aws_rtt_2020.csv", "aws_prices.csv", "carbon_intensity_yearly.csv"):
        header, *rows = (source / name).read_text().splitlines()
        (source / name).write_text("\n".join([header, *reversed(rows), ""]))
    write_trace(source, read_trace(source))

    assert tool.build_tables(source) == first


def test_the_hourly_trace_is_packed_in_tenths_with_a_mark_for_missing_hours(tool: ModuleType, source: Path) -> None:
    tables = tool.build_tables(source)

    layout = json.loads(tables["carbon_intensity_hourly_2023.json"])
    packed = np.load(io.BytesIO(tables["carbon_intensity_hourly_2023.npy"]))
    assert layout["zones"] == ["AA", "ZZ"]
    assert packed.shape == (2, 8760)
    assert packed.dtype == np.dtype("<u2")
    assert packed[0].tolist() == [201] * 8760
    assert packed[1, :7].tolist() == [1005, 1015, 1025, 1035, 1045, layout["missing"], 1065]


def test_round_trips_and_prices_are_normalised_and_gaps_marked(tool: ModuleType, source: Path) -> None:
    tables = tool.build_tables(source)

    assert tables["round_trips.csv"].decode().splitlines() == [
        "region,other_region,mean_seconds",
        "aa-1,aa-1,0.0002000",
        "aa-1,zz-1,0.1000100",
        "zz-1,zz-1,0.0001000",
    ]
    near, far = tables["prices_by_region.csv"].decode().splitlines()[1:]
    assert near == "aa-1,0.0000100000,0.0000080000,0.20,0.03,0.10,"
    assert far == (
        "zz-1,0.0000200000,0.0000160000,0.25,0.02,0.09,"
        "egress_to_internet_usd_per_gb egress_to_other_region_usd_per_gb lambda_arm64_usd_per_gb_second"
    )


def test_tables_are_written_and_a_check_finds_any_difference(
    tool: ModuleType, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(source), "--output", str(tmp_path / "tables")]
    assert tool.main([*arguments, "--check"]) == 1
    assert not (tmp_path / "tables").exists()

    assert tool.main(arguments) == 0
    assert tool.main([*arguments, "--check"]) == 0

    (tmp_path / "tables/regions.csv").write_text("touched")
    capsys.readouterr()
    assert tool.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().out.startswith("regions.csv differs")


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        (0, "datetime_utc,ZZ,ZZ", "unexpected header"),
        (3, "2023-01-01T03:00Z,100.5,20.1", "not the 8760 hours"),
        (3, "2023-01-01T02:00Z,-1,20.1", "out of range"),
    ],
)
def test_a_source_that_is_not_understood_is_refused(
    tool: ModuleType, source: Path, line: int, replacement: str, message: str
) -> None:
    lines = read_trace(source)
    lines[line] = replacement
    write_trace(source, lines)

    with pytest.raises(ValueError, match=message):
        tool.build_tables(source)


def test_a_zone_that_lacks_an_hour_of_the_day_on_every_day_is_refused(tool: ModuleType, source: Path) -> None:
    lines = read_trace(source)
    for hour in range(7, 8760, 24):
        lines[1 + hour] = lines[1 + hour].replace(",20.1", ",")
    write_trace(source, lines)

    with pytest.raises(ValueError, match="zone AA lacks some hour"):
        tool.build_tables(source)


def test_round_trips_that_differ_between_directions_are_refused(tool: ModuleType, source: Path) -> None:
    path = source / "aws_rtt_2020.csv"
    path.write_text(path.read_text().replace("100.02", "120.02"))

    with pytest.raises(ValueError, match="aa-1 <-> zz-1"):
        tool.build_tables(source)
