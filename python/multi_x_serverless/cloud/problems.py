"""The problem documents that plans were made of, kept beside the plans so that they can be explained later.

A document is an object in the system region: it holds every observed run and may be larger than an item of a table. Its
key has the SHA-256 that the plan names, and read back it is known to be the one. It is written after the plan, so that
none is left that no plan names.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import CorruptedStateError, ResourceNotFoundError

PROBLEM_OBJECT_PREFIX = "problems/"
"""What the keys of all problem documents, of all workflows, start with."""

_LEVEL = 6  # of zlib: numbers as text become a fifth; more effort saves another percent


class ProblemStore:
    """The problem documents of all workflows."""

    def __init__(self, cloud: Cloud) -> None:
        self._objects = cloud.objects
        self._region = cloud.system_region

    def put(self, workflow_id: str, document: bytes) -> str:
        """Keep a document; returns its SHA-256, in hexadecimal."""
        problem_hash = hashlib.sha256(document).hexdigest()
        body = zlib.compress(document, _LEVEL)
        # The system region is prepared with its tables, which are there where there is a workflow.
        self._objects.put_object(self._region, _key(workflow_id, problem_hash), body, is_prepared=True)
        return problem_hash

    def get(self, workflow_id: str, problem_hash: str) -> bytes | None:
        """The document of that SHA-256, if it was kept.

        Raises:
            CorruptedStateError: What is kept under its key is not it.
        """
        key = _key(workflow_id, problem_hash)
        try:
            document = zlib.decompress(self._objects.get_object(self._region, key))
        except ResourceNotFoundError:
            return None
        except zlib.error as error:
            raise CorruptedStateError(f"the object '{key}' in {self._region} cannot be unpacked ({error}).") from error
        if hashlib.sha256(document).hexdigest() != problem_hash:
            raise CorruptedStateError(f"the object '{key}' in {self._region} holds another document than its key says.")
        return document

    def delete(self, workflow_id: str, problem_hashes: Collection[str]) -> None:
        """Forget these documents; one that was never kept is none to forget."""
        for problem_hash in sorted(problem_hashes):
            self._objects.delete_object(self._region, _key(workflow_id, problem_hash))

    def remove(self, workflow_id: str) -> None:
        """Forget all documents of a workflow."""
        for key in self._objects.list_objects(self._region, _prefix(workflow_id)):
            self._objects.delete_object(self._region, key)


def _prefix(workflow_id: str) -> str:
    return f"{PROBLEM_OBJECT_PREFIX}{workflow_id}/"


def _key(workflow_id: str, problem_hash: str) -> str:
    return f"{_prefix(workflow_id)}{problem_hash}.json.zlib"
