"""What AWS says of its regions (the port of the region directory): EC2 lists them, public parameters describe them.

``/aws/service/global-infrastructure/regions/<code>/`` of Systems Manager's public parameters has ``longName``,
``geolocationCountry`` and some more (Systems Manager user guide, "Public parameters for AWS Regions and services").
One request lists all regions, one more describes each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cloud.aws.source_errors import source_errors
from multi_x_serverless.cloud.ports import RegionDescription
from multi_x_serverless.errors import SignalSourceError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.aws.session import AwsSession

REGIONS_PATH = "/aws/service/global-infrastructure/regions"
OTHER_PARTITIONS = ("cn-", "eu-iso", "eusc-", "us-gov-", "us-iso")
"""How the names of regions begin that need an account of their own (AWS General Reference, partitions)."""

NAME = "longName"
COUNTRY = "geolocationCountry"


class AwsRegionDirectory:
    """See `multi_x_serverless.cloud.ports.RegionDirectory`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def codes(self) -> tuple[str, ...]:
        """All regions of AWS's common partition."""
        with source_errors(self._session, "codes", "AWS's list of regions"):
            found = self._session.regions_service().describe_regions(AllRegions=True)["Regions"]
        codes = (entry["RegionName"] for entry in found)
        return tuple(sorted(code for code in codes if not code.startswith(OTHER_PARTITIONS)))

    def describe(self, region: str) -> RegionDescription:
        """A region's name and country."""
        what = f"AWS's description of {region}"
        values: dict[str, str] = {}
        with source_errors(self._session, "describe", what):
            pages = self._session.public_parameters().get_paginator("get_parameters_by_path")
            for page in pages.paginate(Path=f"{REGIONS_PATH}/{region}"):
                values |= {entry["Name"].rpartition("/")[2]: entry["Value"] for entry in page["Parameters"]}
        if not values.get(NAME):
            raise SignalSourceError(f"{what} has no name in it.", reason="unknown")
        return RegionDescription(region, values[NAME], values.get(COUNTRY, ""))
