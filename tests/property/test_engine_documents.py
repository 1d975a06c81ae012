"""Whatever is broken in a document, the engine refuses it by name or copes; it never panics."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless import _core
from tests.oracles.problems import random_problem
from tests.unit.core.documents import fan_out_problem

Step = str | int

CODES = {
    "malformed-json",
    "unknown-schema",
    "unsupported-version",
    "invalid-field",
    "out-of-range",
    "unknown-name",
    "duplicate-name",
    "invalid-graph",
    "inconsistent-observations",
    "missing-estimates",
    "unsupported-setting",
}

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-3, max_value=40),
    st.sampled_from([2**31, 2**63, 2**64, 10**400]),
    st.floats(),  # json.dumps writes NaN and Infinity as they are
    st.sampled_from(["NaN", "Infinity", "us-east-1", "\ud800"]),
    st.text(max_size=5),
    st.recursive(st.just([]), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner)),
)


def _paths(value: Any, prefix: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
    children: list[tuple[Step, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value[:3]))
    found = [prefix] if prefix else []
    for step, child in children:
        found.extend(_paths(child, (*prefix, step)))
    return found


DOCUMENTS = (
    json.dumps(fan_out_problem()),
    json.dumps(random_problem(4, runs=0)),
    json.dumps(random_problem(8, runs=7)),
)
PLACES = [(number, path) for number, document in enumerate(DOCUMENTS) for path in _paths(json.loads(document))]


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(place=st.sampled_from(PLACES), junk=JUNK, delete=st.booleans())
def test_a_broken_field_is_refused_or_harmless(place: tuple[int, tuple[Step, ...]], junk: object, delete: bool) -> None:
    number, path = place
    problem: Any = json.loads(DOCUMENTS[number])
    target = problem
    for step in path[:-1]:
        target = target[step]
    if delete:
        del target[path[-1]]
    else:
        target[path[-1]] = junk
    _read(json.dumps(problem).encode())


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(
    document=st.sampled_from(DOCUMENTS),
    start=st.floats(0.0, 1.0),
    length=st.integers(0, 40),
    junk=st.binary(max_size=8),
)
def test_a_broken_text_is_refused_or_harmless(document: str, start: float, length: int, junk: bytes) -> None:
    text = document.encode()
    at = int(start * len(text))
    _read(text[:at] + junk + text[at + length :])


def _parse(document: bytes) -> _core.Problem | _core.InvalidProblemError:
    try:
        return _core.Problem.from_json(document)
    except _core.InvalidProblemError as refusal:
        return refusal


def _read(document: bytes) -> None:
    """Read and solve; a refusal has a code and is about something."""
    parsed = _parse(document)
    if isinstance(parsed, _core.InvalidProblemError):
        assert parsed.code in CODES
        assert parsed.path or parsed.code in {"malformed-json", "invalid-field"}
        return
    for hour in json.loads(parsed.solve(deadline_s=5.0))["hours"]:
        for metric in ("carbon", "cost", "runtime"):
            assert math.isfinite(hour["metrics"][metric]["mean"])
            assert math.isfinite(hour["metrics"][metric]["tail"])


def test_the_codes_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "problem-document.md").read_text(encoding="utf-8")
    table = page.partition("## Refusals")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, flags=re.MULTILINE)) == CODES


LEAST_MEMORY = 2 << 30

HUNGRY = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from multi_x_serverless import _core
try:
    _core.Problem.from_json(sys.stdin.buffer.read())
except _core.InvalidProblemError as refusal:
    print(refusal.code, refusal.path)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are enforced on Linux only")
@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"observations": {"runs": 2**62}}, "inconsistent-observations observations.trigger_bytes"),
        ({"settings": {"scenarios": 2**62}}, "out-of-range settings.scenarios"),
        ({"settings": {"validation_scenarios": 2**62}}, "out-of-range settings.validation_scenarios"),
    ],
)
def test_a_number_alone_allocates_nothing(change: dict[str, dict[str, int]], answer: str) -> None:
    problem = fan_out_problem()
    for section, members in change.items():
        problem[section].update(members)
    finished = subprocess.run(
        [sys.executable, "-c", HUNGRY.format(limit=LEAST_MEMORY)],
        input=json.dumps(problem).encode(),
        capture_output=True,
        check=True,
    )
    assert finished.stdout.decode().strip() == answer
