"""A document as JSON text, whatever a workflow's function has put into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from multi_x_serverless.errors import UsageError

_ESCAPES = {code: f"\\u{code:04x}" for code in range(127, 160)}
"""Controls that JSON leaves as they are and some terminals obey."""


def json_text(document: Mapping[str, Any], *, is_indented: bool) -> str:
    """Serialise a document; numbers that are not finite become ``null``, as JSON has none.

    orjson writes no integer of more than 64 bits, no lone surrogate and nothing nested deeper than 254 levels, all of
    which a run may have returned. Such a document is written by the standard library, in the same form but in ASCII.

    Raises:
        UsageError: It is nested deeper than that can write, too.
    """
    import orjson

    options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if is_indented else 0)
    try:
        text = orjson.dumps(document, option=options).decode()
    except orjson.JSONEncodeError:
        import json

        form = {"indent": 2} if is_indented else {"separators": (",", ":")}
        try:
            text = json.dumps(_plain(document), allow_nan=False, **form)
        except RecursionError:
            raise UsageError("the answer holds a value that is nested too deeply to be written as JSON.") from None
    return text.translate(_ESCAPES)


def _plain(value: Any) -> Any:
    """A value in what JSON knows, as orjson writes it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {member.name: _plain(getattr(value, member.name)) for member in fields(value)}
    return value


def _key(key: Any) -> Any:
    return str(key) if isinstance(key, float) else key
