"""AWS through boto3: each module implements one port, `AwsCloud` is all of them.

::

    cloud         the bundle
        |
    key_value (DynamoDB)   objects (S3)   functions (Lambda)   messages (SNS)   logs (CloudWatch)   identity (IAM, STS)
        |                                      |                   |            schedules (EventBridge Scheduler)
        |                                      +-- dead_letters (SQS) --+----------+
        |
        +-- images (ECR) -- image_copy -- registry (OCI distribution, HTTP) -- image_manifest
        |
    prices (Price List API) -- price_products -- price_offers          region_directory (EC2, Systems Manager)
        |
    health        what is wrong with all of these, asked by `doctor`
        |
    session       the only door to boto3: clients, retries, time-outs, errors

This is the only package beside the SDK's backend that may import boto3 (a contract in ``pyproject.toml``).
"""

from multi_x_serverless.cloud.aws.cloud import AwsCloud

__all__ = ["AwsCloud"]
