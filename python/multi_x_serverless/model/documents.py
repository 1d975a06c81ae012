"""Reading stored JSON documents: schema check and typed field access with precise errors.

A stored document is a JSON object with ``schema`` (its name) and ``version``. `read` checks both and returns a
`Fields` view whose accessors name the path of whatever is missing or of the wrong type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError

T = TypeVar("T")


def write(schema: str, version: int, members: Mapping[str, Any]) -> bytes:
    """A document as JSON with sorted keys: equal content gives equal bytes."""
    return orjson.dumps({"schema": schema, "version": version, **members}, option=orjson.OPT_SORT_KEYS)


def read(text: bytes | str, schema: str, version: int) -> Fields:
    """Parse a document and check that it is one of `schema` in a version up to `version`.

    Raises:
        InvalidDocumentError: No JSON object, or of another schema.
        NewerSchemaError: Written by a newer version of the product.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidDocumentError(schema, "", f"is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise InvalidDocumentError(schema, "", "is not a JSON object")
    if document.get("schema") != schema:
        raise InvalidDocumentError(schema, "schema", f"is {document.get('schema')!r}, expected '{schema}'")
    found = document.get("version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InvalidDocumentError(schema, "version", f"is {found!r}, expected a whole number from 1")
    if found > version:
        raise NewerSchemaError(
            schema, "version", f"is {found}, this program reads up to {version}; install a newer one"
        )
    return Fields(schema, "", document)


@dataclass(frozen=True)
class Fields:
    """A JSON object inside a document, with its path for error messages."""

    document: str
    path: str
    values: Mapping[str, Any]

    def _fail(self, name: str, message: str) -> InvalidDocumentError:
        return InvalidDocumentError(self.document, f"{self.path}.{name}".lstrip("."), message)

    def _get(self, name: str) -> Any:
        if name not in self.values:
            raise self._fail(name, "is missing")
        return self.values[name]

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._fail(name, f"is {value!r}, expected text")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string or null."""
        return None if self.values.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """A whole number."""
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._fail(name, f"is {value!r}, expected a whole number")
        return value

    def optional_integer(self, name: str) -> int | None:
        """A whole number or null."""
        return None if self.values.get(name) is None else self.integer(name)

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise self._fail(name, f"is {value!r}, expected a finite number")
        return float(value)

    def optional_number(self, name: str) -> float | None:
        """A finite number or null."""
        return None if self.values.get(name) is None else self.number(name)

    def truth(self, name: str) -> bool:
        """A boolean."""
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._fail(name, f"is {value!r}, expected true or false")
        return value

    def optional_truth(self, name: str) -> bool | None:
        """A boolean or null."""
        return None if self.values.get(name) is None else self.truth(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return self.sequence(name, as_text)

    def sequence(self, name: str, convert: Callable[[Any], T]) -> tuple[T, ...]:
        """A list, each entry converted; a `ValueError` or `TypeError` of `convert` names the entry."""
        value = self._get(name)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise self._fail(name, f"is {type(value).__name__}, expected a list")
        entries: list[T] = []
        for index, entry in enumerate(value):
            try:
                entries.append(convert(entry))
            except (TypeError, ValueError, KeyError) as error:
                raise self._fail(f"{name}[{index}]", str(error)) from None
        return tuple(entries)

    def section(self, name: str) -> Fields:
        """A nested object."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._fail(name, f"is {type(value).__name__}, expected an object")
        return Fields(self.document, f"{self.path}.{name}".lstrip("."), value)

    def optional_section(self, name: str) -> Fields | None:
        """A nested object or null."""
        return None if self.values.get(name) is None else self.section(name)

    def sections(self, name: str) -> tuple[Fields, ...]:
        """A list of nested objects."""
        value = self._get(name)
        if not isinstance(value, list):
            raise self._fail(name, f"is {type(value).__name__}, expected a list")
        result = []
        for index, entry in enumerate(value):
            path = f"{self.path}.{name}[{index}]".lstrip(".")
            if not isinstance(entry, dict):
                raise InvalidDocumentError(self.document, path, f"is {type(entry).__name__}, expected an object")
            result.append(Fields(self.document, path, entry))
        return tuple(result)

    def mapping(self, name: str, convert: Callable[[Any], T]) -> dict[str, T]:
        """An object whose values are converted; keys stay text."""
        section = self.section(name)
        result: dict[str, T] = {}
        for key, entry in section.values.items():
            try:
                result[key] = convert(entry)
            except (TypeError, ValueError, KeyError) as error:
                raise InvalidDocumentError(self.document, f"{section.path}.{key}", str(error)) from None
        return result


def as_text(value: Any) -> str:
    """Converter for `Fields.sequence` and `Fields.mapping`: text or `TypeError`."""
    if not isinstance(value, str):
        raise TypeError(f"is {value!r}, expected text")
    return value


def as_number(value: Any) -> float:
    """Converter for `Fields.sequence` and `Fields.mapping`: a finite number or `TypeError`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(f"is {value!r}, expected a finite number")
    return float(value)
