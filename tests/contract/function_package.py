"""A deployment package made in memory, for tests that need real functions."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

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
