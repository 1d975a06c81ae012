"""Build the package's embedded tables from a directory of reference data, and refresh its prices from AWS's list.

    python tools/build_embedded_data.py SOURCE_DIRECTORY            write the tables
    python tools/build_embedded_data.py SOURCE_DIRECTORY --check    exit 1 if the written tables would differ
    python tools/build_embedded_data.py --prices-from-aws           write prices (see embedded_prices.py)

    carbon_intensity_hourly_2023.csv.gz -> carbon_intensity_hourly_2023.npy, .json  uint16 tenths of a gram
    carbon_intensity_yearly.csv         -> carbon_intensity_yearly.csv              checked and sorted
    aws_regions.csv                     -> regions.csv                              checked and sorted
    aws_rtt_2020.csv                    -> round_trips.csv                          one row per unordered pair
    aws_prices.csv                      -> prices_by_region.csv                     gaps filled and marked

The same input gives the same bytes: rows are sorted, numbers are written by one rule and nothing carries a
timestamp. `prices_everywhere.csv`, `egress_pairs.csv` and `sources.json` are kept by hand and not touched.

`--prices-from-aws` needs credentials with the permission `pricing:GetProducts` and the package itself
(`pip install --editable .`). It writes `prices_from_aws.csv`, and rows of `egress_pairs.csv` and `sources.json`, by
the same code as the provider collector; every row has the day on which AWS published it. What could not be had keeps
its row and is told; the exit code is then 1. Look at the difference before you commit it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

TABLES_DIRECTORY = Path(__file__).resolve().parents[1] / "python/multi_x_serverless/data/tables"

HOURLY_YEAR = 2023
HOURS_IN_YEAR = 8760
TENTHS_PER_GRAM = 10
"""The source has one decimal, so tenths of a gram in 16 bits lose nothing."""
MISSING = 65535
"""Stands for an empty cell; the loader fills such hours and says which."""

ARM64_TO_X86_64_PRICE = 0.8
"""AWS lists Lambda on arm64 at 80 % of x86_64 in every region with a known price of both (within 0.2 %)."""

Row = dict[str, str]


def main(arguments: list[str] | None = None) -> int:
    """Build or check the tables; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the embedded tables of multi_x_serverless.data.")
    parser.add_argument("source", type=Path, nargs="?", help="directory with the reference data")
    parser.add_argument("--prices-from-aws", action="store_true", help="refresh prices from AWS's price list instead")
    parser.add_argument("--profile", help="profile of the AWS configuration files, for --prices-from-aws")
    parser.add_argument("--output", type=Path, default=TABLES_DIRECTORY, help="where the tables are written")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a table would change")
    options = parser.parse_args(arguments)
    if options.prices_from_aws == (options.source is not None):
        parser.error("give either a source directory or --prices-from-aws")
    problems: tuple[str, ...] = ()
    if options.prices_from_aws:
        tables, problems = prices_from_aws(options.output, options.profile)
    else:
        tables = build_tables(options.source)
    changed = [name for name, content in tables.items() if _read_if_present(options.output / name) != content]
    if options.check:
        for name in changed:
            print(f"{name} differs from what {options.source or 'AWS'} gives")
        return 1 if changed or problems else 0
    options.output.mkdir(parents=True, exist_ok=True)
    for name, content in tables.items():
        (options.output / name).write_bytes(content)
        print(f"{name}: {len(content)} bytes{'' if name in changed else ', unchanged'}")
    return 1 if problems else 0


def prices_from_aws(output: Path, profile: str | None) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the content of the tables that AWS's price list gives, over those of a directory, and what was not had.

    Raises:
        SignalSourceError: the list cannot be asked.
    """
    # Only this needs the package itself, and AWS.
    from embedded_prices import embedded_regions, refresh_prices  # noqa: PLC0415

    from multi_x_serverless.cloud.aws import AwsCloud  # noqa: PLC0415

    regions = embedded_regions()
    with AwsCloud(regions=regions, system_region="us-east-1", profile=profile) as cloud:
        refreshed = refresh_prices(cloud.price_list, regions, output, time.time())
    for problem in refreshed.problems:
        print(problem, file=sys.stderr)
    return dict(refreshed.tables), refreshed.problems


def build_tables(source: Path) -> dict[str, bytes]:
    """Return the content of every generated table by file name.

    Raises:
        ValueError: a source file is not what this program knows how to read; the message says where.
    """
    hourly_carbon = gzip.decompress((source / "carbon_intensity_hourly_2023.csv.gz").read_bytes())
    yearly_carbon = _read_rows(source / "carbon_intensity_yearly.csv")
    return {
        **build_hourly_carbon(hourly_carbon),
        "carbon_intensity_yearly.csv": build_yearly_carbon(yearly_carbon),
        "regions.csv": build_regions(_read_rows(source / "aws_regions.csv")),
        "round_trips.csv": build_round_trips(_read_rows(source / "aws_rtt_2020.csv")),
        "prices_by_region.csv": build_prices(_read_rows(source / "aws_prices.csv")),
    }


def build_hourly_carbon(text: bytes) -> dict[str, bytes]:
    """Pack the hourly trace (gCO2eq/kWh) as an array of shape (zones, hours), zones in alphabetical order."""
    header, *rows = csv.reader(io.StringIO(text.decode("utf-8")))
    zones = header[1:]
    if header[0] != "datetime_utc" or len(set(zones)) != len(zones):
        raise ValueError(f"hourly trace: unexpected header {header}")
    first_hour = datetime(HOURLY_YEAR, 1, 1, tzinfo=timezone.utc)
    hours = [first_hour + timedelta(hours=hour) for hour in range(HOURS_IN_YEAR)]
    if [row[0] for row in rows] != [f"{hour:%Y-%m-%dT%H:%MZ}" for hour in hours]:
        raise ValueError(f"hourly trace: its rows are not the {HOURS_IN_YEAR} hours of {HOURLY_YEAR} in order")
    packed = np.array([[_pack_intensity(cell) for cell in row[1:]] for row in rows], dtype="<u2")
    never_known = (packed.reshape(-1, 24, len(zones)) == MISSING).all(axis=0).any(axis=0)
    if never_known.any():
        # The loader fills a gap with the same hour of other days, so some day must have it.
        zone = zones[int(never_known.argmax())]
        raise ValueError(f"hourly trace: zone {zone} lacks some hour of the day on every day")
    alphabetical = sorted(range(len(zones)), key=zones.__getitem__)
    array_file = io.BytesIO()
    np.lib.format.write_array(
        array_file, np.ascontiguousarray(packed.T[alphabetical]), version=(1, 0), allow_pickle=False
    )
    description = {
        "zones": [zones[column] for column in alphabetical],
        "first_hour_utc": f"{first_hour:%Y-%m-%dT%H:%MZ}",
        "hours": HOURS_IN_YEAR,
        "steps_per_gco2eq_per_kwh": TENTHS_PER_GRAM,
        "missing": MISSING,
    }
    return {
        "carbon_intensity_hourly_2023.npy": array_file.getvalue(),
        "carbon_intensity_hourly_2023.json": (json.dumps(description, indent=1) + "\n").encode(),
    }


def _pack_intensity(cell: str) -> int:
    if cell == "":
        return MISSING
    tenths = round(float(cell) * TENTHS_PER_GRAM)
    if not 0 < tenths < MISSING:
        raise ValueError(f"hourly trace: {cell} gCO2eq/kWh is out of range")
    return tenths


def build_yearly_carbon(rows: list[Row]) -> bytes:
    """Check and sort the yearly means (gCO2eq/kWh)."""
    years = sorted(name for name in rows[0] if name != "grid_zone")
    for row in rows:
        if not all(float(row[year]) > 0 for year in years):
            raise ValueError(f"yearly means of {row['grid_zone']}: a value is not positive")
    return _write_rows(["grid_zone", *years], sorted(rows, key=lambda row: row["grid_zone"]))


def build_regions(rows: list[Row]) -> bytes:
    """Check and sort the list of regions."""
    for row in rows:
        if not (-90 <= float(row["latitude"]) <= 90 and -180 <= float(row["longitude"]) <= 180):
            raise ValueError(f"region {row['region']}: not a place on Earth")
    columns = ["region", "name", "latitude", "longitude", "grid_zone"]
    return _write_rows(columns, sorted(rows, key=lambda row: row["region"]))


def build_round_trips(rows: list[Row]) -> bytes:
    """Keep one mean round trip (s) per unordered pair: the mean of the two directions measured."""
    milliseconds = {(row["from_region"], row["to_region"]): float(row["rtt_mean_ms"]) for row in rows}
    pairs = []
    for (from_region, to_region), forth in sorted(milliseconds.items()):
        if from_region > to_region:
            continue
        back = milliseconds[to_region, from_region]
        if abs(forth - back) > 0.05:
            raise ValueError(f"round trip {from_region} <-> {to_region}: {forth} ms forth but {back} ms back")
        seconds = f"{(forth + back) / 2 / 1000:.7f}"
        pairs.append({"region": from_region, "other_region": to_region, "mean_seconds": seconds})
    return _write_rows(["region", "other_region", "mean_seconds"], pairs)


def build_prices(rows: list[Row]) -> bytes:
    """Fill what the price list lacks and name every filled field in the column `assumed`."""
    compute = "lambda_{}_usd_per_gb_second"
    egress = ["egress_to_other_region_usd_per_gb", "egress_to_internet_usd_per_gb"]
    filled_rows = []
    for row in sorted(rows, key=lambda row: row["region"]):
        x86_64_price, arm64_price = row["lambda_x86_64_usd_per_gb_s"], row["lambda_arm64_usd_per_gb_s"]
        assumed = []
        if not arm64_price:
            arm64_price = f"{float(x86_64_price) * ARM64_TO_X86_64_PRICE:.10f}"
            assumed.append(compute.format("arm64"))
        if row["egress_known"] != "yes":
            assumed.extend(egress)
        filled_rows.append(
            {
                "region": row["region"],
                compute.format("x86_64"): x86_64_price,
                compute.format("arm64"): arm64_price,
                "lambda_usd_per_million_requests": row["lambda_usd_per_million_requests"],
                **{column: row[column] for column in egress},
                "assumed": " ".join(sorted(assumed)),
            }
        )
    return _write_rows(list(filled_rows[0]), filled_rows)


def _read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(columns: list[str], rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _read_if_present(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
