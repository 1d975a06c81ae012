"""A document as JSON text, whatever a workflow's function has put into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_ESCAPES = {code: f"\\u{code:04x}" for code in range(127, 160)}
"""Controls that JSON leaves as they are and some terminals obey."""


def json_text(document: Mapping[str, Any], *, is_indented: bool) -> str:
    """Serialise a document; numbers that are not finite become ``null``, as JSON has none.

    orjson writes no integer of more than 64 bits, no lone surrogate and nothing nested deeper than 254 levels, all of
    which a run may have returned. Such a document is written by the standard library, in the same form but in ASCII.
    """
    import orjson

    options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if is_indented else 0)
    try:
        text = orjson.dumps(document, option=options).decode()
    except orjson.JSONEncodeError:
        import json

        form = {"indent": 2} if is_indented else {"separators": (",", ":")}
        text = json.dumps(_finite(document), allow_nan=False, default=_natively, **form)
    return text.translate(_ESCAPES)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return value


def _natively(value: Any) -> Any:
    """What orjson makes of a value that the standard library does not know, a data class for instance."""
    import orjson

    return orjson.loads(orjson.dumps(value))
