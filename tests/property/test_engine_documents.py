"""Whatever is broken in a document, the engine refuses it by name or copes; it never panics."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless import _core
from tests.oracles.problems import random_problem
from tests.unit.core.documents import fan_out_problem

Step = str | int

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-3, max_value=40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
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


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
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
    try:
        parsed = _core.Problem.from_json(json.dumps(problem))
    except _core.InvalidProblemError:
        return
    assert json.loads(parsed.solve(deadline_s=5.0))["hours"]
