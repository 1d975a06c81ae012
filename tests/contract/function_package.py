"""Functions made in memory, for tests that need real ones."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

from multi_x_serverless.cloud.ports import Cloud, FunctionSpecification

ECHO = """
import json

def handler(event, context):
    print("got " + json.dumps(event, sort_keys=True))
    if isinstance(event, dict) and "fail" in event:
        raise ValueError(event["fail"])
    return {"event": event, "function": context.function_name}
"""


def make_package(files: Mapping[str, str]) -> bytes:
    """The zip of some files; equal files make equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), files[name])
    return buffer.getvalue()


def digest_of(package: bytes) -> str:
    """What `FunctionSpecification.code_sha256` says of a package."""
    return hashlib.sha256(package).hexdigest()


def specify_function(
    cloud: Cloud, region: str, name: str, source: str, environment: Mapping[str, str] | None = None
) -> FunctionSpecification:
    """Put the code of a function into the cloud and make its role; the function itself is not made yet."""
    package = make_package({"app.py": source})
    cloud.objects.put_object(region, f"{name}.zip", package)
    return FunctionSpecification(
        name=name,
        handler="app.handler",
        runtime="python3.12",
        architecture="x86_64",
        memory_mb=256,
        timeout_s=10,
        code_key=f"{name}.zip",
        code_sha256=digest_of(package),
        role=cloud.identity.create_role(name, '{"Version": "2012-10-17", "Statement": []}'),
        environment=environment or {},
    )


def make_function(cloud: Cloud, region: str, name: str, source: str) -> None:
    """A function that runs a source file's `handler`, or another code for the one of that name."""
    cloud.functions.put_function(region, specify_function(cloud, region, name, source))
