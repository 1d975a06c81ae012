"""What functions return and orjson does not write."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import pytest

from multi_x_serverless.cli.json_text import json_text
from multi_x_serverless.errors import UsageError


@dataclass(frozen=True)
class Count:
    """Something that orjson writes by itself."""

    runs: object


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "odd", [2**64, -(2**200), "a\ud800b", {"\udfff": 1}, nested(300)], ids=lambda odd: str(odd)[:9]
)
@pytest.mark.parametrize("is_indented", [True, False])
def test_what_a_function_may_return_is_written(odd: object, is_indented: bool) -> None:
    document = {"result": odd, 3: ["é", math.inf, (Count(2),), None]}
    text = json_text(document, is_indented=is_indented)  # type: ignore[arg-type]  # a key that is a number
    text.encode()
    assert json.loads(text) == {"result": odd, "3": ["é", None, [{"runs": 2}], None]}
    assert ("\n" in text) == is_indented


def test_the_form_does_not_depend_on_what_is_written() -> None:
    def document(number: int) -> dict[str, object]:
        return {"empty": [{}, []], "members": {"list": [1.5, "\x7f"], "number": number}}

    for is_indented in (True, False):
        odd = json_text(document(10**30), is_indented=is_indented)
        assert odd.replace(str(10**30), "7") == json_text(document(7), is_indented=is_indented)


def test_what_is_odd_inside_of_a_document_s_own_types_is_written() -> None:
    document = {"counts": [Count(2**70), Count("\ud800"), Count(nested(300)), Count(math.nan)], math.nan: 1}
    read = json.loads(json_text(document, is_indented=False))  # type: ignore[arg-type]  # a key that is a number
    assert read["counts"] == [{"runs": 2**70}, {"runs": "\ud800"}, {"runs": nested(300)}, {"runs": None}]
    assert read["nan"] == 1


def test_what_is_nested_too_deeply_for_any_is_said_to_be() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        json_text({"result": nested(5_000)}, is_indented=True)
