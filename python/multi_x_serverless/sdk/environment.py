"""Names of the environment variables a deployed function reads; the deployer sets them from here."""

from __future__ import annotations

FUNCTION = "MULTI_X_SERVERLESS_FUNCTION"
"""Name of the workflow function that this deployed function runs (required)."""

TABLE_PREFIX = "MULTI_X_SERVERLESS_TABLE_PREFIX"
"""What physical table names start with; `DEFAULT_TABLE_PREFIX` if unset."""

LOCAL_ENDPOINT = "MULTI_X_SERVERLESS_LOCAL_ENDPOINT"
"""Address of the embedded cloud's data endpoint, ``http://127.0.0.1:PORT``; set on the embedded cloud only."""

LOCAL_TOKEN = "MULTI_X_SERVERLESS_LOCAL_TOKEN"  # noqa: S105 - the name of a variable, not a secret
"""Bearer token of the embedded cloud's data endpoint."""

ACCOUNT = "MULTI_X_SERVERLESS_ACCOUNT"
"""AWS account id, from which topic ARNs are derived (required on AWS)."""

BUCKET_PREFIX = "MULTI_X_SERVERLESS_BUCKET_PREFIX"
"""A region's bucket for large payloads is this prefix + the region's code (required on AWS for large payloads)."""

LOG_RESULTS = "MULTI_X_SERVERLESS_LOG_RESULTS"
"""``1``: nodes without successors log what they return, so that `run --wait` can show it; set on the embedded cloud."""

REGION = "AWS_REGION"
"""Region the function runs in; set by Lambda and by the embedded cloud."""

TASK_ROOT = "LAMBDA_TASK_ROOT"
"""Root of the deployment package; set by Lambda and by the embedded cloud."""

DEFAULT_TABLE_PREFIX = "multi-x-serverless-"
