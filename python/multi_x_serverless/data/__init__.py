"""The embedded data: regions, carbon intensity, prices and round trips, without account, key or network.

Everything is read when first asked for and kept. `README.md` beside this file describes the data and its
licences, `sources` gives the same to programs; `attribution` must go wherever carbon figures are published.
"""

from multi_x_serverless.data._geography import great_circle_km
from multi_x_serverless.data._land import land_outlines
from multi_x_serverless.data._prices import price_origins, prices
from multi_x_serverless.data._regions import find_region, regions
from multi_x_serverless.data._round_trips import Estimate, round_trip_seconds
from multi_x_serverless.data._sources import DataSource, attribution, source_of, sources
from multi_x_serverless.data._trace import (
    HOURS_IN_TRACE,
    TRACE_YEAR,
    HourlyTrace,
    hour_of_trace,
    hourly_trace,
    yearly_mean,
    zones_with_hourly_trace,
)
from multi_x_serverless.model.prices import RegionPrices
from multi_x_serverless.model.regions import Region

__all__ = [
    "HOURS_IN_TRACE",
    "TRACE_YEAR",
    "DataSource",
    "Estimate",
    "HourlyTrace",
    "Region",
    "RegionPrices",
    "attribution",
    "find_region",
    "great_circle_km",
    "hour_of_trace",
    "hourly_trace",
    "land_outlines",
    "price_origins",
    "prices",
    "regions",
    "round_trip_seconds",
    "source_of",
    "sources",
    "yearly_mean",
    "zones_with_hourly_trace",
]
