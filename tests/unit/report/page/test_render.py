"""The page as a whole: well-formed, complete, closed to others, and with everything that has to be said."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import pytest

from multi_x_serverless.adaptation.comparison import Interval, Saving
from multi_x_serverless.adaptation.net_savings import MeasuredAmount
from multi_x_serverless.model.amounts import grams
from multi_x_serverless.model.plan import Certificate
from multi_x_serverless.model.robust import Interval as RobustInterval
from multi_x_serverless.model.robust import RobustCase
from multi_x_serverless.report.page.amounts import grams_with_error
from multi_x_serverless.report.page.key_figures import ROBUST
from multi_x_serverless.report.page.markup import Markup
from multi_x_serverless.report.page.placement_section import placement_tables
from multi_x_serverless.report.page.render import CONTENTS, JUMPS, render_page
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.report.savings_tables import WAITING
from tests.unit.report.page.parsed import Parsed, parse
from tests.unit.report.page.reports import (
    ATTRIBUTE,
    CLOSING,
    EXPECTED,
    HOME,
    HOSTILE,
    LONG,
    MADE_AT,
    NET,
    NOTHING_OBSERVED,
    NOTHING_SAVED,
    OBSERVED,
    RIGHT_TO_LEFT,
    home_report,
    hostile_report,
    large_report,
    report_of,
)

ELEMENTS = frozenset(
    {
        "html",
        "head",
        "meta",
        "link",
        "title",
        "style",
        "script",
        "body",
        "a",
        "header",
        "h1",
        "bdi",
        "dl",
        "div",
        "dt",
        "dd",
        "nav",
        "ul",
        "li",
        "main",
        "p",
        "section",
        "h2",
        "h3",
        "label",
        "input",
        "output",
        "button",
        "svg",
        "desc",
        "rect",
        "path",
        "circle",
        "text",
        "g",
        "defs",
        "marker",
        "span",
        "b",
        "strong",
        "figure",
        "figcaption",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "footer",
    }
)

REPORTS = [report_of, home_report, large_report, hostile_report]


def hours_of(parsed: Parsed) -> Any:
    """The data of the script."""
    scripts = [text for name, text in parsed.raw if name == "script"]
    return json.loads(scripts[0].replace("\N{NO-BREAK SPACE}", " "))


@pytest.mark.parametrize("make", REPORTS)
def test_a_page_is_well_formed_and_every_reference_has_one_target(make: Callable[[], ReportData]) -> None:
    parsed = parse(render_page(make()))
    assert parsed.unclosed == []
    assert parsed.wrong == []
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert parsed.references() <= set(parsed.ids)
    assert {target for target, _ in CONTENTS} <= set(parsed.ids)


@pytest.mark.parametrize("make", REPORTS)
def test_a_page_holds_nothing_that_runs_or_asks_somebody(make: Callable[[], ReportData]) -> None:
    page = render_page(make())
    parsed = parse(page)
    assert {name for name, _ in parsed.elements} <= ELEMENTS
    for _, attributes in parsed.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert "src" not in attributes
        for value in filter(None, (attributes.get("href"), attributes.get("xlink:href"))):
            assert value.startswith(("#", "data:,"))
    assert parsed.comments == []
    assert len(parsed.named("script")) == 2
    style = next(text for name, text in parsed.raw if name == "style")
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_the_one_style_and_the_one_script() -> None:
    parsed = parse(render_page(hostile_report()))
    policy = next(
        attributes["content"] or ""
        for attributes in parsed.named("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", maxsplit=1) for rule in policy.split("; "))

    def digest(name: str) -> str:
        content = [text for element, text in parsed.raw if element == name][-1]
        return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"

    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == digest("style")
    assert rules["script-src"] == digest("script")
    assert "unsafe" not in policy


def test_what_others_wrote_is_text() -> None:
    page = render_page(hostile_report())
    parsed = parse(page)
    for text in (HOSTILE, ATTRIBUTE, CLOSING, RIGHT_TO_LEFT):
        assert text in parsed.text
    assert LONG in parsed.text
    assert HOSTILE not in page
    assert "\x00" not in page
    assert "\x1b" not in page
    assert "\\x1b[31m" in parsed.text
    title = next(text for name, text in parsed.texts if name == "title")
    assert title == f"{HOSTILE}: report of plan 4"
    assert hours_of(parsed)["regions"][1]["code"] == HOSTILE


def test_the_data_of_the_script_is_the_plan_of_every_hour() -> None:
    report = report_of()
    data = hours_of(parse(render_page(report)))
    regions = [region["code"] for region in data["regions"]]
    assert regions == [HOME, "ca-central-1", "us-west-1", "us-west-2"]
    assert [region["letter"] for region in data["regions"]] == ["A", "B", "C", "D"]
    assert len(data["hours"]) == 24
    for hour, state in enumerate(data["hours"]):
        placed = [regions[place] for place in state["nodes"]]
        assert placed == list(report.placement(hour))
        assert state["clock"] == f"{hour:02}:00 UTC"
        assert state["sentence"].startswith(state["clock"])
    assert data["hours"][7]["sentence"].startswith("07:00 UTC: 6 nodes in ca-central-1, 1 node in us-east-1 (home).")
    assert data["hours"][7]["pairs"] == [0]
    assert "Expected per run, simulated: 204 ug CO2eq, 59.2 % less than home." in data["hours"][7]["sentence"]


def test_without_the_script_the_hour_of_the_report_is_shown_and_all_hours_are_in_a_table() -> None:
    parsed = parse(render_page(report_of()))
    controls = next(attributes for attributes in parsed.named("div") if attributes.get("id") == "controls")
    assert "hidden" in controls
    slider = next(attributes for attributes in parsed.named("input") if attributes.get("id") == "hour")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "23", "15")
    assert slider["aria-valuetext"] == "15:00 UTC"
    sentence = next(attributes for attributes in parsed.named("p") if attributes.get("id") == "hour-sentence")
    assert sentence["aria-live"] == "polite"
    table = parsed.text[
        parsed.text.index("Region per node and hours (UTC)") : parsed.text.index("Carbon intensities and")
    ]
    assert table.split("\n")[2:6] == ["node", "0-5", "6-13", "14-23"]
    assert table.split("\n")[14:18] == ["count_words:2", "us-west-2", "ca-central-1", "us-west-1"]


@pytest.mark.parametrize("make", REPORTS)
def test_headings_descend_step_by_step_and_pictures_are_described(make: Callable[[], ReportData]) -> None:
    parsed = parse(render_page(make()))
    levels = [int(name[1]) for name, _ in parsed.elements if name in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for attributes in parsed.named("svg"):
        # Pictures within pictures have neither: they are a part of one.
        described = attributes.get("aria-labelledby") is not None or attributes.get("aria-hidden") == "true"
        assert described or attributes.get("role") is None
    assert [name for name, _ in parsed.elements if name in ("header", "nav", "main", "footer")] == [
        "header",
        "nav",
        "main",
        "footer",
    ]


def test_savings_are_worded_as_on_a_terminal() -> None:
    text = parse(render_page(report_of())).text
    for words in (
        "Expected of plan 4: mean per run over the day, in fresh scenarios drawn from 480 observed runs",
        "Observed runs of plan 4, per run: time measured, carbon and cost modelled from the runs",
        "carbon, modelled from observed runs: 60.0 % less than the home share (95 % confidence: 52.0 % to 67.0 % less)",
        "time, measured: 4.8 % more than the home share (95 % confidence: 0.2 % less to 10.0 % more; no difference can",
        "no difference can be seen), of warm runs: 97 by the plan, 10 of the home share",
        "All plans of the last 30 days against home, and what planning took",
        "Overhead: modelled from what was measured where it happened.",
        "Overhead of the last 30 days by kind",
        "Data that the expected figures rest on",
        "Every placement that keeps the hard limits is matched, within 1.0 % in each of the three, by one of these.",
        "Contains information from Electricity Maps",
        "feasible, at most 2.0 % of its carbon above the least possible (hours 0, 7, 14, 21)",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        # A value of 2 over a bound of 1 is twice the bound, and half of it is above it.
        (
            Certificate("feasible", "cost", 2.0, 1.0, 0.5),
            "feasible, at most 50.0 % of its cost above the least possible",
        ),
        (Certificate("optimal", "carbon", 2.0, 2.0, 0.0), "optimal"),
        (
            Certificate("infeasible", "carbon", 2.0, 0.2, 0.9),
            "nothing was found that keeps the hard limits, so everything is home",
        ),
    ],
)
def test_a_proof_says_no_more_than_is_known(certificate: Certificate, words: str) -> None:
    report = report_of()
    hours = tuple(replace(entry, certificate=certificate) for entry in report.plan.hours)
    savings = replace(report.savings, plan=replace(report.plan, hours=hours))
    text = parse(render_page(replace(report, savings=savings))).text
    assert f"{words} (all hours)" in text.split("\n")


def test_runs_of_a_plan_that_is_in_one_other_region_are_not_denied() -> None:
    text = parse(render_page(report_of(place=lambda node, hour: "ca-central-1"))).text
    assert "No run was in" not in text
    assert "No run is sent to a single other region for comparison" in text


def test_the_page_says_one_thing_about_waiting_for_calls() -> None:
    text = parse(render_page(report_of())).text
    assert text.count(WAITING) == 2, "below the observed figures and among the limits"
    assert "those of earlier versions do not" in WAITING, "the page does not know which ones count it"
    assert "as far as the runs logged" in WAITING


def test_bars_have_the_interval_that_few_runs_have() -> None:
    text = parse(render_page(report_of())).text
    assert "500 ± 100 ug, modelled from observed runs" in text
    assert "200 ± 25 ug, modelled from observed runs" in text


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (5.21e-6, 1.61e-7, "5.21 ± 0.16 ug"),
        (9.994e-4, 2e-3, "999 ± 2000 ug"),
        (2.0, 1e-4, "2 ± 0.00010 g"),
        (3.0e-9, 1.2e-9, "3 ± 1.2 ng"),
    ],
)
def test_a_value_and_its_error_have_one_prefix(value: float, error: float, shown: str) -> None:
    assert grams_with_error(value, error) == shown


@pytest.mark.parametrize("power", range(-10, 8))
def test_the_prefix_is_the_one_that_the_value_alone_would_have(power: int) -> None:
    value = 4.2 * 10.0**power
    shown, error, unit = grams_with_error(value, value).replace("± ", "").split()
    assert f"{shown} {unit}" == grams(value)
    assert float(error) == pytest.approx(float(shown), rel=0.02), "both are of the same unit"


def test_the_best_single_region_is_not_called_the_cleanest_where_cost_comes_first() -> None:
    report = report_of()
    assert "than the best single region (ca-central-1)" in parse(render_page(report)).text
    certificate = Certificate("optimal", "cost", 2e-6, 2e-6, 0.0)
    hours = tuple(replace(entry, certificate=certificate) for entry in report.plan.hours)
    cheap = replace(report, savings=replace(report.savings, plan=replace(report.plan, hours=hours)))
    assert "than the best single region by cost (ca-central-1)" in parse(render_page(cheap)).text


def test_further_regions_are_named_where_their_intensities_are_in_figures() -> None:
    report = report_of()
    assert "eu-north-1" not in report.plan.regions
    parsed = parse(render_page(report))
    assert [line["class"] for line in parsed.named("path") if line.get("class") == "line other"] == ["line other"] * 2
    table = parsed.text[parsed.text.index("Carbon intensity by hour (UTC), gCO2eq/kWh") :].split("\n")
    assert table[2:9] == ["hour", "us-east-1", "ca-central-1", "us-west-1", "us-west-2", "eu-north-1", "us-east-2"]
    intensity = report.region("eu-north-1").intensity_gco2eq_per_kwh
    assert intensity is not None
    assert table[9] == "00:00"
    assert table[14] == f"{intensity[0]:.0f}"
    assert f"eu-north-1: {intensity[3]:.0f} gCO2eq/kWh" in parsed.text


def test_hours_are_in_as_many_tables_as_paper_is_wide_for() -> None:
    assert [found.title for found in placement_tables(report_of())] == ["Region per node and hours (UTC)"]
    report = large_report()
    tables = placement_tables(report)
    assert [found.title for found in tables] == [f"Region per node and hours (UTC), part {n} of 4" for n in range(1, 5)]
    hours = [column.name for found in tables for column in found.columns[1:]]
    assert hours == [str(hour) for hour in range(24)]
    for rank, node in enumerate(report.graph.nodes):
        assert {found.rows[rank][0] for found in tables} == {node.name}
        placed = [cell for found in tables for cell in found.rows[rank][1:]]
        assert placed == [report.placement(hour)[rank] for hour in range(24)]


def test_letters_of_many_lines_do_not_hide_each_other() -> None:
    parsed = parse(render_page(large_report()))
    places = [
        (float(text["x"] or ""), float(text["y"] or ""))
        for text in parsed.named("text")
        if (text.get("class") or "").startswith("line-letter")
    ]
    assert len(places) == len(large_report().plan.regions | {HOME})
    for (x, y), (other_x, other_y) in combinations(places, 2):
        assert abs(x - other_x) >= 30 or abs(y - other_y) >= 19
    width = next(
        float((chart["viewbox"] or "").split()[2]) for chart in parsed.named("svg") if chart.get("class") == "chart"
    )
    assert max(x for x, _ in places) + 30 <= width


def test_of_many_regions_of_a_point_those_with_the_most_nodes_are_named() -> None:
    report = report_of()
    assert report.trade_offs is not None
    nodes = {f"region-{number}": number for number in range(1, 9)}
    points = tuple(replace(point, nodes=nodes) for point in report.trade_offs.points)
    text = parse(render_page(replace(report, trade_offs=replace(report.trade_offs, points=points)))).text
    assert "8 in region-8, 7 in region-7, 6 in region-6, 5 in region-5, 4 in region-4, 6 in 3 other regions\n" in text


def test_the_plan_is_held_against_the_best_single_region_as_well() -> None:
    text = parse(render_page(report_of())).text
    table = text[text.index("What the plan is expected to take against") :].split("\n")
    assert table[2:6] == ["against", "CO2eq", "USD", "time"]
    assert table[10:14] == [
        "best single region for all hours (ca-central-1)",
        "30.0 % less",
        "4.5 % less",
        "3.8 % less",
    ]


def cards_of(report: ReportData) -> list[list[str]]:
    """The texts of each key figure."""
    parsed = parse(render_page(report))
    texts = parsed.text[: parsed.text.index("Where nodes run\nHour of the day")].split("\n")
    starts = [place for place, text in enumerate(texts) if text.startswith(("carbon per run", "CO2eq in"))]
    return [texts[start:end] for start, end in pairwise([*starts, len(texts)])]


def test_key_figures_say_in_words_whether_they_are_more_or_less_and_than_what() -> None:
    assert [card[1:3] for card in cards_of(report_of())] == [
        ["58.0 % less", "than home"],
        ["30.0 % less", "than the best single region (ca-central-1)"],
        ["60.0 % less", "than the home share"],
        ["29.5 mg less", "than everything at home"],
    ]


def test_a_key_figure_that_is_rounded_away_is_the_same_as_at_home() -> None:
    report = report_of()
    none = MeasuredAmount(Interval(-1e-20, -2e-20, 1e-20), Interval(0.0, 0.0, 0.0))
    savings = replace(report.savings, net=replace(NET, observed_net=none))
    card = cards_of(replace(report, savings=savings))[-1]
    assert card[1:3] == ["the same", "as everything at home"]
    assert any(text.startswith("95 % confidence of CO2eq: the same") for text in card)


def test_key_figures_say_what_carbon_is_bought_with() -> None:
    assert [card[3:5] for card in cards_of(report_of())] == [
        ["cost 5.0 % more", "time 4.2 % more"],
        ["cost 4.5 % less", "time 3.8 % less"],
        ["cost 5.0 % more", "time 4.8 % more"],
        ["cost 163 uUSD more", "modelled from observed runs"],
    ]


def test_a_robust_plan_says_why_another_may_be_better_as_expected() -> None:
    report = report_of()
    assert ROBUST not in parse(render_page(report)).text
    case = RobustCase(RobustInterval(0.9, 1.1), RobustInterval(0.001, 0.005), 0.0)
    plan = replace(report.plan, robust=case)
    text = parse(render_page(replace(report, savings=replace(report.savings, plan=plan)))).text
    assert text.index("than the best single region") < text.index(ROBUST) < text.index("Hour of the day")


ROW = r"home|this plan|[12]( \(.*\))?"


def test_a_plan_that_is_a_point_of_the_frontier_has_one_row() -> None:
    report = report_of()
    assert report.trade_offs is not None
    staying = replace(report.trade_offs.points[1], nodes={HOME: len(report.graph.nodes)})
    apart = tuple(replace(point, is_the_plans=False) for point in report.trade_offs.points)
    for trade_offs, names in (
        (report.trade_offs, ["home", "1 (this plan)", "2"]),
        (replace(report.trade_offs, points=apart), ["home", "this plan", "1"]),
        (replace(report.trade_offs, points=(report.trade_offs.points[0], staying)), ["1 (this plan)", "2 (home)"]),
    ):
        text = parse(render_page(replace(report, trade_offs=trade_offs))).text
        table = text[text.index("Pareto frontier of carbon, cost and p95 time") :].split("\n")
        found = [row for row in table[: table.index("What is saved")] if re.fullmatch(ROW, row)]
        assert found[: len(names)] == names


def test_thin_lines_have_names_and_say_which_break_a_limit() -> None:
    report = report_of()
    regions = tuple(replace(region, breaks_a_hard_limit=region.code == "us-east-2") for region in report.regions)
    parsed = parse(render_page(replace(report, regions=regions)))
    letters = [text for text in parsed.named("text") if text.get("class") == "line-letter other"]
    assert len(letters) == 2
    assert (
        "Thin grey lines are further regions that it may use: a eu-north-1, b us-east-2 (over a hard limit, were "
        "everything there)." in parsed.text
    )
    further = [region for region in regions if region.code in ("eu-north-1", "us-east-2")]
    many = tuple(replace(region, code=f"{region.code}-{number}") for number in range(5) for region in further)
    parsed = parse(render_page(replace(report, regions=(*regions, *many))))
    assert [text for text in parsed.named("text") if text.get("class") == "line-letter other"] == []
    assert "12 of them; the table has their names. 6 would be over a hard limit" in parsed.text


def test_it_is_said_why_a_line_jumps() -> None:
    text = parse(render_page(report_of())).text
    assert text.index("Carbon intensities and the plan") < text.index(JUMPS) < text.index("As a table")


def test_key_figures_of_a_plan_that_is_worse_say_more() -> None:
    """A minus would be good news on three of the cards and bad news on the fourth."""
    report = report_of()
    worse = replace(EXPECTED, plan=replace(EXPECTED.home, carbon_gco2eq=6e-4), best_static=EXPECTED.home)
    lost = MeasuredAmount(Interval(-0.002, -0.004, 0.001), Interval(0.0, 0.0, 0.0))
    savings = replace(
        report.savings,
        expected=worse,
        observed=replace(OBSERVED, carbon=Saving(-0.2, -0.3, 0.05)),
        net=replace(NET, observed_net=lost),
    )
    cards = cards_of(replace(report, savings=savings))
    assert [card[1:3] for card in cards] == [
        ["20.0 % more", "than home"],
        ["20.0 % more", "than the best single region (ca-central-1)"],
        ["20.0 % more", "than the home share"],
        ["2 mg more", "than everything at home"],
    ]
    assert cards[2][6] == "95 % confidence of carbon: 5.0 % less to 30.0 % more; no difference can be seen"
    assert cards[3][5] == "95 % confidence of CO2eq: 1 mg less to 4 mg more; no difference can be seen"
    unmoved = replace(report.savings, expected=replace(EXPECTED, plan=EXPECTED.home))
    assert cards_of(replace(report, savings=unmoved))[0][1:3] == ["the same", "as home"]


@pytest.mark.parametrize("make", REPORTS)
def test_no_change_on_the_page_is_told_by_a_sign(make: Callable[[], ReportData]) -> None:
    page = parse(render_page(make()))
    data = json.dumps(hours_of(page))
    assert re.findall(r"[-+\N{MINUS SIGN}][0-9.]+ %", page.text + data) == []


def test_a_deployment_without_runs_says_what_is_missing_and_why() -> None:
    text = parse(render_page(home_report())).text
    assert "No frontier is shown. Plan 1 was made by a deployment: no solver was asked." in text
    assert "Plan 1 sends everything home: nothing is expected to be saved." in text
    assert "No carbon intensities were collected yet: 'multi_x_serverless data_collect carbon' collects them." in text
    assert "Where mars-north-1 is, is not known: not on the map." in text
    assert "everything in us-east-1 (home)." in text


def test_a_plan_that_has_everything_home_is_not_compared_with_home() -> None:
    report = report_of(place=lambda node, hour: HOME)
    observed = replace(NOTHING_OBSERVED, plan_runs=50, everything_home=True, obstacle="there is nothing to compare.")
    savings = replace(report.savings, observed=observed, net=NOTHING_SAVED)
    report = replace(report, savings=savings)
    page = parse(render_page(report))
    assert "Plan 4 sends everything home: nothing is expected to be saved." in page.text
    assert "No saving is stated from observed runs: there is nothing to compare." in page.text
    assert "too few to compare" not in page.text
    assert "What the plan is expected to take against each of these" not in page.text
    assert "figures" not in {attributes.get("class") for _, attributes in page.elements}


def test_warnings_come_first_and_an_expired_plan_is_one() -> None:
    report = report_of()
    savings = replace(report.savings, warnings=("All figures rest on 3 observed runs.",))
    late = replace(report, savings=savings, made_at=MADE_AT + 7 * 86_400.0)
    text = parse(render_page(late)).text
    assert "EXPIRED (runs go home)" in text
    assert text.index("warning: All figures rest on 3") < text.index("The plan has expired") < text.index("than home")


def test_a_frontier_that_holds_nothing_says_why() -> None:
    report = report_of()
    assert report.trade_offs is not None
    empty = replace(report, trade_offs=replace(report.trade_offs, points=()))
    assert "No placement keeps the hard limits." in parse(render_page(empty)).text


def test_equal_reports_give_equal_pages() -> None:
    page = render_page(large_report())
    assert page == render_page(large_report())
    assert not isinstance(page, Markup)
