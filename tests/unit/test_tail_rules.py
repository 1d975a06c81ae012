"""The comparison of rules for relative limits: the engine's own rule among them, and what the table counts."""

from __future__ import annotations

import orjson
import pytest

from benchmarks.reproduction import tail_rules
from benchmarks.reproduction.heuristic_study import tail_limited_graph
from benchmarks.reproduction.tail_rules import (
    ESTIMATE,
    LOWER,
    RULES,
    UPPER,
    Chosen,
    Compared,
    compare_rules,
    rules_table,
)
from multi_x_serverless import _core
from tests.oracles.checker import order_statistics

ENGINES_RULE = "lower bound, estimate, upper bound"


def test_ranks_are_those_of_the_percentile() -> None:
    assert order_statistics(tail_rules.SCENARIOS, 0.95, 0.95) == (LOWER, ESTIMATE, UPPER)
    assert RULES[ENGINES_RULE] == (LOWER, ESTIMATE, UPPER)


@pytest.mark.parametrize("graph", [3, 5])
def test_the_engine_chooses_by_its_rule(graph: int) -> None:
    (found,) = compare_rules(graph, 200, tightness=[1.02], true_scenarios=4000)
    problem = _core.Problem.from_json(tail_limited_graph(1.02, graph))
    (hour,) = orjson.loads(problem.solve(threads=1))["hours"]
    assert found.chosen[ENGINES_RULE].placement == hour["placement"]
    assert found.chosen[ENGINES_RULE].over_percent <= 0.0
    # Of graph 5 the upper bound alone lets pass what truly breaks the limit.
    assert (found.chosen["upper bound"].over_percent > 0.1) == (graph == 5)
    assert found.chosen["upper bound"].saved_percent >= found.chosen[ENGINES_RULE].saved_percent


def test_the_table_counts_what_truly_breaks_the_limit() -> None:
    kept, broken = Chosen({}, -0.5, 10.0), Chosen({}, 2.0, 30.0)
    chosen = {**dict.fromkeys(RULES, kept), "upper bound": broken}
    found = rules_table([Compared(60, chosen, 12.0), Compared(700, dict.fromkeys(RULES, kept), 12.0)], 1)
    rows = {row[0]: row[1:] for row in found.rows}
    assert found.header == ("held at", "60 runs", "700 runs", "by up to", "saved", "less than the best")
    assert rows["upper bound"] == ("1", "0", "2.00 %", "20.00", "-8.00")
    assert rows[ENGINES_RULE] == ("0", "0", "0.00 %", "10.00", "2.00")
