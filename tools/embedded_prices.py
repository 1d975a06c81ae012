"""The embedded prices from AWS's price list, for `build_embedded_data.py --prices-from-aws`.

The list is asked, and what it says is believed or not, by the program's own code: the price port of `cloud.aws` and
`collection.price_merge`. A price that cannot be had keeps the row that it has.

    prices_from_aws.csv   one row per region and price, with the day on which AWS published it
    egress_pairs.csv      rows of the regions whose transfers could be had
    sources.json          provenance of both
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multi_x_serverless import data
from multi_x_serverless.collection.price_merge import EGRESS, FIELDS, LISTED, embedded_prices, merge_prices
from multi_x_serverless.model.prices import RegionPrices

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import PriceList

FROM_AWS = "prices_from_aws.csv"
PAIRS = "egress_pairs.csv"
SOURCES = "sources.json"

FROM_AWS_COLUMNS = ("region", "field", "usd", "as_of", "further_tiers")
PAIR_COLUMNS = ("from_region", "to_region", "usd_per_gb", "as_of", "source")

CONTENT = {
    FROM_AWS: "Prices of Lambda, data transfer, SNS, DynamoDB, S3, ECR and CloudWatch Logs by region, of AWS's list",
    PAIRS: "Data transfer prices that hold for one pair of regions",
}
NOTES = {
    FROM_AWS: "Written by tools/build_embedded_data.py --prices-from-aws. First tier, and further tiers of compute. "
    "They go before those of prices_by_region.csv and prices_everywhere.csv.",
    PAIRS: "Kept by hand, or written by tools/build_embedded_data.py --prices-from-aws; each row has its date.",
}
UNITS = {FROM_AWS: "USD", PAIRS: "USD per GB"}

Row = dict[str, str]


@dataclass(frozen=True)
class RefreshedPrices:
    """New content of tables by file name, and a sentence for each price that was not had."""

    tables: Mapping[str, bytes]
    problems: tuple[str, ...]


def refresh_prices(price_list: PriceList, regions: Sequence[str], directory: Path, now: float) -> RefreshedPrices:
    """Ask for the prices of some regions and put them over the tables of a directory.

    Raises:
        SignalSourceError: The list cannot be asked.
    """
    listed = {(row["region"], row["field"]): row for row in _read_rows(directory / FROM_AWS)}
    pairs = {(row["from_region"], row["to_region"]): row for row in _read_rows(directory / PAIRS)}
    problems: list[str] = []
    for region, quotes in price_list.quote(regions).items():
        made = merge_prices(quotes, None, embedded_prices(region, now), now)
        problems += [f"{region}: {warning}" for warning in made.warnings]
        prices, origins = made.signal.prices, made.signal.origins
        for field in FIELDS.values():
            origin = origins[field.name]
            if origin.source != LISTED:
                continue
            listed[region, field.name] = {
                "region": region,
                "field": field.name,
                "usd": _decimal(getattr(prices, field.name)),
                "as_of": origin.vintage,
                "further_tiers": _further_tiers(prices, field.tiers),
            }
        if origins[EGRESS].source == LISTED:
            pairs = {pair: row for pair, row in pairs.items() if pair[0] != region}
            for price in prices.egress_exceptions:
                pairs[region, price.to_region] = {
                    "from_region": region,
                    "to_region": price.to_region,
                    "usd_per_gb": _decimal(price.usd_per_gb),
                    "as_of": origins[EGRESS].vintage,
                    "source": LISTED,
                }
    rows = {FROM_AWS: [listed[key] for key in sorted(listed)], PAIRS: [pairs[key] for key in sorted(pairs)]}
    tables = {
        FROM_AWS: _write_rows(FROM_AWS_COLUMNS, rows[FROM_AWS]),
        PAIRS: _write_rows(PAIR_COLUMNS, rows[PAIRS]),
        SOURCES: _write_sources(json.loads((directory / SOURCES).read_text(encoding="utf-8")), rows),
    }
    return RefreshedPrices(tables, tuple(problems))


def embedded_regions() -> tuple[str, ...]:
    """The regions whose prices are refreshed."""
    return tuple(data.regions())


def _write_sources(document: dict[str, Any], rows: Mapping[str, Sequence[Row]]) -> bytes:
    entries = {entry["file"]: entry for entry in document["files"]}
    for file, of_file in rows.items():
        days = sorted({row["as_of"] for row in of_file})
        if not days:
            continue
        entries[file] = {
            "file": file,
            "content": CONTENT[file],
            "source": "AWS Price List API (pricing:GetProducts)" if file == FROM_AWS else "AWS list prices",
            "licence": "none claimed",
            "vintage": days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}",
            "unit": UNITS[file],
            "notes": NOTES[file],
        }
    text = json.dumps({**document, "files": list(entries.values())}, indent=1, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def _further_tiers(prices: RegionPrices, name: str | None) -> str:
    tiers = () if name is None else getattr(prices, name)[1:]
    return " ".join(f"{tier.from_gb_seconds:.0f}:{_decimal(tier.usd_per_gb_second)}" for tier in tiers)


def _decimal(usd: float) -> str:
    return f"{Decimal(repr(usd)):f}"


def _read_rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")
