"""Reports to make pages of: a plan that moves over the day, and the cases at the edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from multi_x_serverless import data
from multi_x_serverless.adaptation.comparison import Interval, Saving
from multi_x_serverless.adaptation.ledger import Spending
from multi_x_serverless.adaptation.net_savings import Amount, MeasuredAmount, NetSaving, OverheadItem, Predicted
from multi_x_serverless.adaptation.savings import Average, Expected, Intervals, Observed, Sample, SavingsReport, Times
from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.model.plan import Certificate, HourPlan, Metric, Metrics, Plan, home_plan
from multi_x_serverless.report.page.report_data import ReportData, ReportRegion, TradeOffPoint, TradeOffs
from multi_x_serverless.solving.model_constants import TransmissionPreset

HOME = "us-east-1"
REGIONS = (HOME, "ca-central-1", "eu-north-1", "us-east-2", "us-west-1", "us-west-2")

MADE_AT = 1_700_060_400.0
"""2023-11-15 15:00 UTC."""


def graph_of(
    functions: Sequence[str], edges: Sequence[tuple[int, int]], conditional: frozenset[int] = frozenset()
) -> Graph:
    """A graph of nodes with these functions; what several edges reach is a join."""
    reached = [target for _, target in edges]
    nodes = tuple(
        Node(f"{function}:entry_point:0" if index == 0 else f"{function}:{index}", function, reached.count(index) > 1)
        for index, function in enumerate(functions)
    )
    return Graph(nodes, tuple(Edge(a, b, (), index in conditional) for index, (a, b) in enumerate(edges)))


GRAPH = graph_of(
    ("receive", "split", "count_words", "find_similar", "translate", "store", "notify"),
    ((0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5), (0, 5), (5, 6)),
    frozenset({3, 8}),
)


def metrics(carbon: float, cost: float = 2.0e-6, runtime: float = 1.2) -> Metrics:
    """Metrics with tails a fifth above the means."""
    return Metrics(*(Metric(mean, mean * 1.2, mean * 1.25) for mean in (carbon, cost, runtime)))


def moving(node: int, hour: int) -> str:
    """Where the node is placed in the example."""
    if node == 0:
        return HOME
    if 6 <= hour < 14:
        return "ca-central-1"
    if hour < 6:
        return "us-west-2" if node in {2, 3, 4} else "ca-central-1"
    return "us-west-1" if node in {2, 3} else "us-west-2" if node == 4 else "ca-central-1"


def plan_of(graph: Graph, place: Callable[[int, int], str]) -> Plan:
    """A plan of 24 hours."""
    hours = tuple(
        HourPlan(
            hour=hour,
            placement={node.name: place(index, hour) for index, node in enumerate(graph.nodes)},
            certificate=Certificate(
                "optimal" if hour % 7 else "feasible", "carbon", 2e-4, 2e-4, 0.0 if hour % 7 else 0.02
            ),
            metrics=metrics(1.9e-4 + 2e-6 * hour),
            home_metrics=metrics(5e-4),
            best_single_region="ca-central-1",
            best_single_metrics=metrics(2.5e-4),
            best_static_metrics=metrics(3e-4),
        )
        for hour in range(24)
    )
    return Plan(
        workflow_id="text-0.0.1",
        version=4,
        created_at=MADE_AT - 86_400.0,
        expires_at=MADE_AT + 86_400.0,
        solver="fine-grained",
        problem_hash="ab" * 32,
        provenance={
            "carbon": "Electricity Maps, historical hourly data 2023, 2023; collected 2023-11-14 12:00 UTC",
            "energy": "modelled from time, memory and CPU use; no meter was read",
        },
        hours=hours,
        observed_runs=480,
        best_static_region="ca-central-1",
    )


def sample(runs: int, mean: Average, error: Average) -> Sample:
    """Observed runs whose intervals are as of few: two and a half standard errors to either side."""

    def interval(value: float, error: float) -> Interval:
        return Interval(value, value - 2.5 * error, value + 2.5 * error)

    return Sample(
        runs,
        mean,
        error,
        Intervals(
            interval(mean.carbon_gco2eq, error.carbon_gco2eq),
            interval(mean.cost_usd, error.cost_usd),
            interval(mean.runtime_s, error.runtime_s),
        ),
    )


OBSERVED = Observed(
    plan=sample(108, Average(0.0002, 2.1e-6, 1.31), Average(1e-5, 1e-8, 0.01)),
    control=sample(12, Average(0.0005, 2.0e-6, 1.25), Average(4e-5, 3e-8, 0.03)),
    other_home=sample(120, Average(0.00052, 2.0e-6, 1.24), Average(1e-5, 1e-8, 0.01)),
    plan_runs=108,
    control_runs=12,
    failed_plan_runs=2,
    failed_control_runs=0,
    strata=2,
    carbon=Saving(0.6, 0.52, 0.67),
    cost=Saving(-0.05, -0.08, -0.02),
    runtime=Saving(-0.048, -0.1, 0.002),
    obstacle="",
    provenance={
        "energy": "modelled from observed durations, memory, CPU time and bytes; no meter was read",
        "carbon": "made up, 2023; of the hour in which each run started",
    },
    times=Times("warm", 97, 10, 118),
)

NOTHING_OBSERVED = replace(
    OBSERVED,
    plan=None,
    control=None,
    other_home=None,
    plan_runs=0,
    control_runs=0,
    failed_plan_runs=0,
    carbon=None,
    cost=None,
    runtime=None,
    strata=0,
    times=None,
    obstacle="0 runs are too few.",
)

NET = NetSaving(
    days=30,
    expected=Predicted(130, Amount(0.0403, -1.3e-5)),
    compared=Predicted(108, Amount(0.03348, -1.08e-5)),
    observed_gross=MeasuredAmount(Interval(0.0324, 0.0281, 0.0367), Interval(-1.1e-5, -1.7e-5, -4.3e-6)),
    compared_versions=(4,),
    overhead=(
        OverheadItem("solve", 3.0, 0, 0.4, 0.0, 0.0, 0, 0.00071, 0.0, ()),
        OverheadItem("migration", 2.0, 1, 0.2, 1.25, 2_400_000.0, 7, 0.0012, 0.00013, ("prices",)),
        OverheadItem("cold_starts", 4.0, 0, 0.0, 1.1, 0.0, 0, 0.001, 0.000022, ("billed_s",), is_upper_bound=True),
    ),
    overhead_total=Amount(0.00291, 0.000152),
    expected_net=Amount(0.03739, -0.000165),
    observed_net=MeasuredAmount(Interval(0.02949, 0.02519, 0.03379), Interval(-0.000163, -0.000169, -0.000156)),
    transmission="best",
    obstacle="",
)

NOTHING_SAVED = replace(
    NET,
    expected=Predicted(0, Amount(0.0, 0.0)),
    compared=Predicted(0, Amount(0.0, 0.0)),
    observed_gross=None,
    observed_net=None,
    compared_versions=(),
    overhead=(),
    overhead_total=Amount(0.0, 0.0),
    expected_net=Amount(0.0, 0.0),
    obstacle=(
        "no run in the history was routed by a plan that leaves home; 'multi_x_serverless data_sync' reads runs "
        "into it."
    ),
)

EXPECTED = Expected(
    home=Average(0.0005, 2.0e-6, 1.2),
    best_static=Average(0.0003, 2.2e-6, 1.3),
    best_static_region="ca-central-1",
    best_single=Average(0.00025, 2.2e-6, 1.3),
    plan=Average(0.00021, 2.1e-6, 1.25),
)

LEDGER = (
    LedgerEntry("text-0.0.1", "migration", MADE_AT - 3_600.0, 0.2, 2_400_000.0, 7, 0.0012, 0.00013, failed=1),
    LedgerEntry("text-0.0.1", "solve", MADE_AT - 7_200.0, 0.4, 0.0, 0, 0.00071, 0.0, assumed=("intensity",)),
)


def region(code: str, number: int = 0, *, has_intensity: bool = True) -> ReportRegion:
    """A region at its place, with made-up intensities; at none if the embedded data does not know it."""
    known = data.regions().get(code)
    wave = tuple(
        round(120.0 + 60.0 * number + 40.0 * math.sin((hour - 3 * number) * math.pi / 12), 1) for hour in range(24)
    )
    return ReportRegion(
        code=code,
        name="" if known is None else known.name,
        latitude=None if known is None else known.latitude,
        longitude=None if known is None else known.longitude,
        intensity_gco2eq_per_kwh=wave if has_intensity else None,
    )


def trade_offs(nodes: Mapping[str, int]) -> TradeOffs:
    """A frontier of eight points; the plan is the greenest."""
    points = tuple(
        TradeOffPoint(
            metrics(1.9e-4 + 4e-5 * step, 2.2e-6 - 2.6e-8 * step, 1.4 - 0.02 * step), nodes, is_the_plans=step == 0
        )
        for step in range(8)
    )
    return TradeOffs(15, points, points[0].metrics, metrics(5e-4), epsilon=0.01, is_complete=True)


def report_of(
    graph: Graph = GRAPH,
    place: Callable[[int, int], str] = moving,
    regions: Sequence[str] = REGIONS,
) -> ReportData:
    """The report of a plan in force."""
    plan = plan_of(graph, place)
    counts = {code: sum(1 for index in range(len(graph.nodes)) if place(index, 15) == code) for code in regions}
    return ReportData(
        workflow_id=plan.workflow_id,
        made_at=MADE_AT,
        program="multi-x-serverless 0.0.0",
        home=HOME,
        graph=graph,
        regions=tuple(region(code, number) for number, code in enumerate(regions)),
        intensity_origin="problem",
        savings=SavingsReport(
            plan.workflow_id, plan, EXPECTED, OBSERVED, Spending(1, 1, 0.4, 0.00291, 0.000152), NET, ()
        ),
        trade_offs=trade_offs({code: count for code, count in counts.items() if count}),
        no_trade_offs="",
        ledger=LEDGER,
        attribution=data.attribution(),
        map_source="Natural Earth 4.1",
    )


def home_report() -> ReportData:
    """The report of a deployment that nothing ran on: a graph of one node, no signals, no runs, no solver."""
    graph = graph_of(("hello",), ())
    plan = home_plan("text-0.0.1", graph, HOME, version=1, created_at=MADE_AT, expires_at=MADE_AT + 1.0)
    savings = SavingsReport(
        "text-0.0.1", plan, None, NOTHING_OBSERVED, Spending(0, 0, 0.0, 0.0, 0.0), NOTHING_SAVED, ()
    )
    return replace(
        report_of(),
        graph=graph,
        regions=(region(HOME, has_intensity=False), region("mars-north-1", has_intensity=False)),
        intensity_origin="signals",
        savings=savings,
        trade_offs=None,
        no_trade_offs="Plan 1 was made by a deployment: no solver was asked.",
        ledger=(),
    )


def large_report() -> ReportData:
    """Sixty nodes: a wide fan-out, chains, a join over several layers; every known region."""
    functions = [f"function_with_quite_a_long_name_{number}" for number in range(60)]
    edges = [(0, number) for number in range(1, 31)]
    edges += [(number, number + 27) for number in range(1, 31)[3:]]
    edges += [(number, 59) for number in (0, 1, 2, 3, *range(31, 58))]
    edges.append((30, 58))
    regions = (HOME, *sorted(set(data.regions()) - {HOME}))
    return report_of(graph_of(functions, edges), lambda node, hour: regions[(node * 5 + hour) % len(regions)], regions)


HOSTILE = '<script>alert("1")</script>'
ATTRIBUTE = "\" onload='alert(2)' x=\"&lt;"
RIGHT_TO_LEFT = "\u202e\u05e2\u05d9\u05d1\u05d5\u05d3\u202d\u0646\u0635"
LONG = "a_name_of_many_letters_" * 20
CLOSING = "</style></title></svg><!--<script>"


def hostile_report() -> ReportData:
    """Every text that others may have written is one that would do harm in a page that does not escape it."""
    graph = graph_of(
        (HOSTILE, ATTRIBUTE, RIGHT_TO_LEFT, LONG, CLOSING), ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4)), frozenset({4})
    )
    whole = report_of(graph, lambda node, hour: HOSTILE if node == 1 else HOME, (HOME, HOSTILE))
    plan = replace(
        whole.plan,
        workflow_id=HOSTILE,
        solver=HOSTILE,
        provenance={HOSTILE: CLOSING, "carbon": LONG + ATTRIBUTE},
        best_static_region=HOSTILE,
    )
    observed = replace(OBSERVED, provenance={CLOSING: HOSTILE}, obstacle=CLOSING + "\x00\x1b[31m")
    savings = replace(
        whole.savings,
        workflow_id=HOSTILE,
        plan=plan,
        observed=observed,
        expected=replace(EXPECTED, best_static_region=HOSTILE),
        net=replace(NET, transmission=cast("TransmissionPreset", HOSTILE), obstacle=HOSTILE),
        warnings=(HOSTILE, ATTRIBUTE),
    )
    home, other = whole.regions
    return replace(
        whole,
        workflow_id=HOSTILE,
        program=HOSTILE,
        savings=savings,
        regions=(replace(home, name=HOSTILE), replace(other, name=CLOSING, latitude=10.0, longitude=20.0)),
        attribution=HOSTILE,
        map_source=CLOSING,
        trade_offs=trade_offs({HOSTILE: 5}),
    )
