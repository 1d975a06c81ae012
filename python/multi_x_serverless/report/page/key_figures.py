"""The few figures at the top of the page that most readers came for, each with what kind of figure it is.

All say in words whether it is more or less, and than what: a minus would be good news in one and bad in the next.
Carbon is large; below it is what it is bought with, the changes of cost and time against the same.
"""

from __future__ import annotations

from multi_x_serverless.adaptation.net_savings import NetSaving
from multi_x_serverless.adaptation.savings import Average
from multi_x_serverless.model.amounts import dollars, grams
from multi_x_serverless.report.page.markup import Markup, element
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.report.savings_tables import changes, unless_seen
from multi_x_serverless.report.wording import (
    SAME,
    compared,
    compared_span,
    is_shown_as_nothing,
    more_or_less,
    more_or_less_span,
)

ROBUST = (
    "This plan is robust: it was chosen for the case least favourable to moving. What is simulated here is what is "
    "expected, and for that another placement may be better, the best single region among them."
)


def key_figures(report: ReportData) -> Markup:
    """The cards, and what has to be known to read them."""
    savings, figures = report.savings, []
    expected, observed, net = savings.expected_change, savings.observed, savings.net
    if expected is not None:
        figures.append(_expected(expected.plan, expected.home, "home"))
        if expected.best_static is not None:
            first = report.plan.hours[0].certificate.objective
            best = "the best single region" if first == "carbon" else f"the best single region by {first}"
            figures.append(_expected(expected.plan, expected.best_static, f"{best} ({expected.best_static_region})"))
    if observed.carbon is not None:
        saving = observed.carbon
        spread = f"95 % confidence of carbon: {compared_span(-saving.high, -saving.low)}"
        spread += unless_seen(saving.low, saving.high)
        kind = "modelled from observed runs, time measured"
        cost, time = (
            "-" if found is None else compared(-found.fraction) for found in (observed.cost, observed.runtime)
        )
        figures.append(_change(-saving.fraction, "the home share", _beside(cost, time), kind, spread))
    if net.observed_net is not None:
        saved = net.observed_net.carbon_gco2eq
        spread = f"95 % confidence of CO2eq: {more_or_less_span(-saved.high, -saved.low, grams)}"
        spread += unless_seen(saved.low, saved.high)
        figures.append(_left(net, saved.value, net.observed_net.cost_usd.value, "modelled from observed runs", spread))
    elif net.expected.runs:
        left = net.expected_net
        figures.append(_left(net, left.carbon_gco2eq, left.cost_usd, "simulated, less overhead modelled"))
    if not figures:
        return Markup()
    cards = element("ul", *figures, class_="figures")
    if report.plan.robust is None or expected is None:
        return cards
    return Markup(cards + element("p", ROBUST, class_="note"))


def _expected(plan: Average, baseline: Average, name: str) -> Markup:
    carbon = plan.carbon_gco2eq / baseline.carbon_gco2eq - 1.0 if baseline.carbon_gco2eq > 0 else None
    _, cost, time = changes(plan, baseline, compared)
    return _change(carbon, name, _beside(cost, time), "simulated")


def _beside(cost: str, time: str) -> tuple[str, ...]:
    return f"cost {cost}", f"time {time}"


def _change(change: float | None, baseline: str, beside: tuple[str, ...], kind: str, spread: str = "") -> Markup:
    words = compared(change)
    joint = "vs" if change is None else "as" if words == SAME else "than"
    return _figure("carbon per run", words, f"{joint} {baseline}", beside, kind, spread)


def _left(net: NetSaving, saved_gco2eq: float, saved_usd: float, kind: str, spread: str = "") -> Markup:
    """What is left of what was saved once the overhead is counted, or by how much that is greater."""
    label, home = f"CO2eq in {net.days} days, with all overhead", "everything at home"
    beside = (f"cost {SAME if is_shown_as_nothing(saved_usd, dollars) else more_or_less(-saved_usd, dollars)}",)
    if is_shown_as_nothing(saved_gco2eq, grams):
        return _figure(label, SAME, f"as {home}", beside, kind, spread)
    return _figure(label, more_or_less(-saved_gco2eq, grams), f"than {home}", beside, kind, spread)


def _figure(label: str, value: str, against: str, beside: tuple[str, ...], kind: str, spread: str = "") -> Markup:
    return element(
        "li",
        element("span", label, class_="label"),
        element("strong", value),
        element("span", against, class_="against"),
        *(element("span", change, class_="beside") for change in beside),
        element("span", kind, class_="kind"),
        element("span", spread, class_="kind") if spread else None,
    )
