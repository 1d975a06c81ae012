"""Which entries of AWS's price list are the products that a workflow pays for.

A query lets AWS choose by service, family and group, which are the same everywhere; the usage type, which begins with
the region's short name (none in us-east-1), is checked here. Names and values are those of AWS's price list as of 2026.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multi_x_serverless.cloud.aws.price_offers import Offer
    from multi_x_serverless.cloud.ports import Product

_FAMILY = "productFamily"
_REGION = "AWS Region"
_COMPUTE_UNITS = ("lambda-gb-second", "second", "seconds")  # AWS has changed the name, not what it is for
_REQUEST_UNITS = ("requests", "request")
_MONTH_UNITS = ("gb-mo",)
_DATA_UNITS = ("gb",)


@dataclass(frozen=True)
class ProductQuery:
    """How AWS is asked for a product, and what its answer must say of an entry that is this product.

    Attributes:
        service: Code of the service.
        filters: Attributes and their values, for AWS to choose by.
        usage: Pattern of the usage type, without the region's short name.
        units: What a price may be for, in lower case.
        if_named: Further attributes and the values that they may have where an entry has them.
        region_attribute: Which attribute is the region.
    """

    product: Product
    service: str
    filters: Mapping[str, str]
    usage: str
    units: Collection[str]
    if_named: Mapping[str, Collection[str]] = field(default_factory=lambda: {"locationType": (_REGION,)})
    region_attribute: str = "regionCode"

    def is_answered_by(self, offer: Offer) -> bool:
        """Whether an entry is this product, in whichever region."""
        named = {_FAMILY: offer.family, **offer.attributes}
        return (
            all(named.get(name) == value for name, value in self.filters.items())
            and all(named.get(name, values[0]) in values for name, values in self._choices())
            and re.fullmatch(rf"(?:[A-Z0-9]+-)?{self.usage}", named.get("usagetype", "")) is not None
        )

    def _choices(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(name, tuple(values)) for name, values in self.if_named.items()]


def _lambda(product: Product, group: str, usage: str, units: Collection[str]) -> ProductQuery:
    return ProductQuery(product, "AWSLambda", {_FAMILY: "Serverless", "group": group}, usage, units)


def _throughput(product: Product, group: str, usage: str) -> ProductQuery:
    family = "Amazon DynamoDB PayPerRequest Throughput"
    return ProductQuery(product, "AmazonDynamoDB", {_FAMILY: family, "group": group}, usage, (usage.lower(),))


def _object_requests(product: Product, group: str, usage: str) -> ProductQuery:
    return ProductQuery(product, "AmazonS3", {_FAMILY: "API Request", "group": group}, usage, _REQUEST_UNITS)


_FROM_REGION: Mapping[str, Collection[str]] = {"fromLocationType": (_REGION,), "operation": ("",)}

EVERYWHERE: tuple[ProductQuery, ...] = (
    _lambda("lambda_compute_x86_64", "AWS-Lambda-Duration", "Lambda-GB-Second", _COMPUTE_UNITS),
    _lambda("lambda_compute_arm64", "AWS-Lambda-Duration-ARM", "Lambda-GB-Second-ARM", _COMPUTE_UNITS),
    # Requests on arm64 are a product of their own (AWS-Lambda-Requests-ARM) at the same price.
    _lambda("lambda_requests", "AWS-Lambda-Requests", "Request", _REQUEST_UNITS),
    ProductQuery(
        "sns_publishes",
        "AmazonSNS",
        {_FAMILY: "API Request", "group": "SNS-Requests-Tier1"},
        "Requests-Tier1",
        _REQUEST_UNITS,
    ),
    _throughput("dynamodb_writes", "DDB-WriteUnits", "WriteRequestUnits"),
    _throughput("dynamodb_reads", "DDB-ReadUnits", "ReadRequestUnits"),
    ProductQuery(
        "s3_storage",
        "AmazonS3",
        {_FAMILY: "Storage", "volumeType": "Standard", "storageClass": "General Purpose"},
        "TimedStorage-ByteHrs",
        _MONTH_UNITS,
    ),
    _object_requests("s3_puts", "S3-API-Tier1", "Requests-Tier1"),
    _object_requests("s3_gets", "S3-API-Tier2", "Requests-Tier2"),
    ProductQuery("ecr_storage", "AmazonECR", {_FAMILY: "EC2 Container Registry"}, "TimedStorage-ByteHrs", _MONTH_UNITS),
    ProductQuery(
        "logs_ingested",
        "AmazonCloudWatch",
        {_FAMILY: "Data Payload", "group": "Ingested Logs"},
        "DataProcessing-Bytes",
        _DATA_UNITS,
        {"locationType": (_REGION,), "operation": ("", "PutLogEvents")},
    ),
    ProductQuery(
        "transfer_to_internet",
        "AWSDataTransfer",
        {"transferType": "AWS Outbound"},
        "DataTransfer-Out-Bytes",
        _DATA_UNITS,
        {**_FROM_REGION, "toLocation": ("External",)},
        region_attribute="fromRegionCode",
    ),
)
"""What is asked for all regions in one query each."""

TARGET_ATTRIBUTE = "toRegionCode"


def transfers_from(region: str) -> ProductQuery:
    """The query for data that leaves a region for any other: too many pairs to ask for all regions at once."""
    return ProductQuery(
        "transfer_to_regions",
        "AWSDataTransfer",
        {"transferType": "InterRegion Outbound", "fromRegionCode": region},
        "[A-Z0-9]+-AWS-Out-Bytes",
        _DATA_UNITS,
        {**_FROM_REGION, "toLocationType": (_REGION,)},
        region_attribute="fromRegionCode",
    )
