"""The workflow's own objects: where they lie, and which keys they may have.

They lie in the object store of the workflow's home region, wherever its functions run, under a prefix of the workflow
that nothing expires: unlike the state of runs they stay until somebody deletes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.sdk.errors import InvalidObjectKeyError, ObjectNotFoundError, PayloadError

if TYPE_CHECKING:
    from multi_x_serverless.sdk.backend import Backend
    from multi_x_serverless.sdk.manifest import Manifest
    from multi_x_serverless.sdk.network import NetworkMeter

OBJECT_PREFIX = "objects/"
"""Keys of all workflows' own objects start with this. No lifecycle rule may expire them."""

LONGEST_KEY_CHARACTERS = 512

LONGEST_KEY_BYTES = 900
"""In UTF-8. With the prefix and the longest workflow id it fits into the 1,024 bytes of S3 ("Naming objects")."""


def workflow_object_prefix(workflow_id: str) -> str:
    """What the keys of all objects of a workflow, and of no other, start with in the object store."""
    return f"{OBJECT_PREFIX}{workflow_id}/"


def workflow_object_key(workflow_id: str, key: str) -> str:
    """Key in the object store of a workflow's object.

    Args:
        workflow_id: The workflow.
        key: As the developer writes it: 1-512 characters, a relative path.

    Raises:
        InvalidObjectKeyError: The key cannot be used.
    """
    problem = _problem_of(key)
    if problem:
        raise InvalidObjectKeyError(
            f"{_shown(key)} cannot be the key of an object: {problem}; use a path such as 'input/picture.png'"
        )
    return workflow_object_prefix(workflow_id) + key


class WorkflowObjects:
    """The objects of a workflow as a running node reaches them."""

    def __init__(self, backend: Backend, manifest: Manifest, meter: NetworkMeter) -> None:
        self._backend = backend
        self._workflow_id = manifest.workflow_id
        self._home = manifest.home
        self._meter = meter

    def read(self, key: str) -> bytes:
        """Read an object.

        Raises:
            InvalidObjectKeyError: The key cannot be used.
            ObjectNotFoundError: There is no object of that key.
        """
        stored_key = workflow_object_key(self._workflow_id, key)
        try:
            body = self._backend.get_object(self._home, stored_key)
        except ObjectNotFoundError as error:
            hint = f"'multi_x_serverless objects list {self._workflow_id}' shows those that there are"
            raise ObjectNotFoundError(key, region=self._home, hint=hint) from error
        self._count(received=len(body), sent=0)
        return body

    def write(self, key: str, body: bytes) -> None:
        """Store an object, replacing any of the same key.

        Raises:
            InvalidObjectKeyError: The key cannot be used.
            PayloadError: The body is not bytes.
        """
        stored_key = workflow_object_key(self._workflow_id, key)
        if not isinstance(body, bytes | bytearray | memoryview):
            raise PayloadError(
                f"the body of object '{key}' is of type {type(body).__name__}, not bytes; text becomes bytes by "
                "text.encode(), a JSON value by json.dumps(value).encode()"
            )
        content = bytes(body)
        self._backend.put_object(self._home, stored_key, content)
        self._count(received=0, sent=len(content))

    def _count(self, *, received: int, sent: int) -> None:
        """Note bytes that the meter cannot see. At home too: the data stay there when the node moves away."""
        if not self._backend.shows_traffic:
            self._meter.count(self._home, received, sent)


def _problem_of(key: object) -> str:
    if not isinstance(key, str):
        return f"it is of type {type(key).__name__}, not a text"
    if not 1 <= len(key) <= LONGEST_KEY_CHARACTERS:
        return f"it has {len(key)} characters, not 1 to {LONGEST_KEY_CHARACTERS}"
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in key):
        return "it holds a control character"
    if key.startswith("/"):
        return "it begins with '/'"
    if ".." in key.split("/"):
        return "it has a '..' between slashes"
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "it holds half a surrogate pair, which UTF-8 cannot express"
    return f"it has {length} bytes in UTF-8, more than {LONGEST_KEY_BYTES}" if length > LONGEST_KEY_BYTES else ""


def _shown(key: object) -> str:
    text = repr(key)
    return text if len(text) <= 80 else f"{text[:77]}..."
