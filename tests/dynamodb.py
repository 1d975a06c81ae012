"""Run-time tables on moto, in the form that the product makes them."""

from __future__ import annotations

import boto3

from multi_x_serverless.sdk.dynamodb_items import PARTITION, SORT


def create_table(region: str, name: str) -> None:
    """Make a table of items."""
    boto3.client("dynamodb", region_name=region).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": PARTITION, "KeyType": "HASH"}, {"AttributeName": SORT, "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": PARTITION, "AttributeType": "S"},
            {"AttributeName": SORT, "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
