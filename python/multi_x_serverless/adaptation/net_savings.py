"""What is left of a saving: gross, overhead and net, in gCO2eq and USD, of the last 30 days.

Three kinds of figures, which are never mixed:

* *expected*: what the plans simulated that the runs which they routed would save against home;
* *observed*: what these runs had less than their controls, the home share, times their number, with its confidence
  interval. Times and bytes are measured; carbon and cost are modelled from them. Only versions of a plan with enough
  runs of both kinds can be compared;
* *overhead*: what all planning took, as it was measured where it happened. It is the same in both.

The whole overhead is held against the observed saving even where that covers a part of the runs: a net saving is then
too small rather than too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.arms import Arms, hourly_values
from multi_x_serverless.adaptation.comparison import Difference, Interval, difference, summed
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.spent import Spent
from multi_x_serverless.model.ledger import Assumed, SpendingKind
from multi_x_serverless.observation.history import KEEP_DAYS
from multi_x_serverless.solving.model_constants import TransmissionPreset

OverheadKind: TypeAlias = SpendingKind | Literal["cold_starts"]


@dataclass(frozen=True)
class Amount:
    """gCO2eq and USD, exactly as the model has them; positive is saved."""

    carbon_gco2eq: float
    cost_usd: float

    def less(self, overhead: Overhead) -> Amount:
        """What is left after an overhead."""
        return Amount(self.carbon_gco2eq - overhead.carbon_gco2eq, self.cost_usd - overhead.cost_usd)


@dataclass(frozen=True)
class MeasuredAmount:
    """gCO2eq and USD with 95 % confidence intervals; positive is saved."""

    carbon_gco2eq: Interval
    cost_usd: Interval

    def less(self, overhead: Overhead) -> MeasuredAmount:
        """What is left after an overhead, of which no error is known."""
        return MeasuredAmount(self.carbon_gco2eq.less(overhead.carbon_gco2eq), self.cost_usd.less(overhead.cost_usd))


@dataclass(frozen=True)
class OverheadItem:
    """What one kind of work took.

    Attributes:
        count: How often.
        failed: How many of these did not reach their end.
        cpu_s: Processor time, in seconds.
        billed_s: Time of invocations and of starting containers that is billed, in seconds.
        copied_bytes: Bytes that went to other regions.
        probes: Invocations to see that functions answer.
        assumed: What was not measured but assumed, see `model.ledger.LedgerEntry`.
        is_upper_bound: Whether it is less in truth.
    """

    kind: OverheadKind
    count: float
    failed: int
    cpu_s: float
    billed_s: float
    copied_bytes: float
    probes: int
    carbon_gco2eq: float
    cost_usd: float
    assumed: tuple[Assumed, ...]
    is_upper_bound: bool = False


@dataclass(frozen=True)
class Predicted:
    """What plans expect of runs: how many these are, and what they save together."""

    runs: int
    gross: Amount


@dataclass(frozen=True)
class NetSaving:
    """Of one workflow.

    Attributes:
        days: That everything here is of.
        expected: Of all complete runs that plans routed away from home.
        compared: How many runs `observed_gross` is of, and what the plans expected of them: nothing of those that a
            region refused.
        observed_gross: `None` if no version of a plan has enough runs and controls.
        compared_versions: Versions of plans that it is of.
        overhead: By kind.
        overhead_total: All of it.
        transmission: Energy per byte that copies and runs are counted with.
        obstacle: Why nothing could be compared; empty if something was.
    """

    days: int
    expected: Predicted
    compared: Predicted
    observed_gross: MeasuredAmount | None
    compared_versions: tuple[int, ...]
    overhead: tuple[OverheadItem, ...]
    overhead_total: Amount
    expected_net: Amount
    observed_net: MeasuredAmount | None
    transmission: TransmissionPreset
    obstacle: str


@dataclass(frozen=True)
class ComparedPlan:
    """A version of a plan whose runs can be compared with their controls.

    Attributes:
        arms: Its runs; there are groups of hours.
        expected: What the plan expects of its planned runs.
    """

    version: int
    arms: Arms
    expected: Predicted


def net_saving(expected: Predicted, compared: Sequence[ComparedPlan], spent: Spent, obstacle: str = "") -> NetSaving:
    """Put together what was saved and what was spent.

    Args:
        expected: Of all runs that plans routed.
        compared: Plans that can be compared with their controls.
        spent: In the same time.
        obstacle: Why there are none.
    """
    overhead = spent.total
    observed = _observed(compared) if compared else None
    return NetSaving(
        days=KEEP_DAYS,
        expected=expected,
        compared=Predicted(
            sum(plan.expected.runs for plan in compared),
            Amount(
                sum(plan.expected.gross.carbon_gco2eq for plan in compared),
                sum(plan.expected.gross.cost_usd for plan in compared),
            ),
        ),
        observed_gross=observed,
        compared_versions=tuple(plan.version for plan in compared),
        overhead=_items(spent),
        overhead_total=Amount(overhead.carbon_gco2eq, overhead.cost_usd),
        expected_net=expected.gross.less(overhead),
        observed_net=None if observed is None else observed.less(overhead),
        transmission=spent.ledger.transmission,
        obstacle=obstacle,
    )


def _observed(compared: Sequence[ComparedPlan]) -> MeasuredAmount:
    """Sums over plans; runs under different plans are independent of each other."""

    def total(quantity: str) -> Interval:
        return summed([_saved(plan.arms, quantity) for plan in compared]).interval()

    return MeasuredAmount(total("carbon_gco2eq"), total("cost_usd"))


def _saved(arms: Arms, quantity: str) -> Difference:
    found = difference(hourly_values(arms.control, quantity), hourly_values(arms.planned, quantity), arms.groups)
    if found is None:
        raise ValueError("a plan without groups of hours cannot be compared")
    return found.times(arms.planned_runs)


def _items(spent: Spent) -> tuple[OverheadItem, ...]:
    items = [
        OverheadItem(
            kind=kind,
            count=float(entry.count),
            failed=entry.failed,
            cpu_s=entry.cpu_s,
            billed_s=entry.billed_s,
            copied_bytes=entry.copied_bytes,
            probes=entry.probes,
            carbon_gco2eq=entry.carbon_gco2eq,
            cost_usd=entry.cost_usd,
            assumed=entry.assumed,
        )
        for kind, entry in spent.ledger.by_kind.items()
    ]
    cold = spent.cold_starts
    if cold.count > 0:
        assumed: set[Assumed] = {*cold.assumed, *(() if cold.measured == cold.count else ("billed_s",))}
        items.append(
            OverheadItem(
                kind="cold_starts",
                count=cold.count,
                failed=0,
                cpu_s=0.0,
                billed_s=cold.init_s,
                copied_bytes=0.0,
                probes=0,
                carbon_gco2eq=cold.carbon_gco2eq,
                cost_usd=cold.cost_usd,
                assumed=tuple(sorted(assumed)),
                is_upper_bound=cold.is_upper_bound,
            )
        )
    return tuple(items)
