"""The report as one page: HTML with its style, script and data in it, that asks nobody for anything.

A policy in the page forbids everything but that one style and script, which it names by their digests: whatever else
came into the page could neither run nor call out.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from multi_x_serverless.model.report_mark import GENERATOR
from multi_x_serverless.report.page.data_section import data_section, facts, warnings
from multi_x_serverless.report.page.hour_states import crossed_pairs, hour_document, keyed_regions
from multi_x_serverless.report.page.intensity_chart import (
    draw_intensities,
    further_regions,
    has_intensities,
    lettered_regions,
)
from multi_x_serverless.report.page.key_figures import key_figures
from multi_x_serverless.report.page.markup import Markup, element, join, raw
from multi_x_serverless.report.page.placement_section import intensity_table, legend, placement_section
from multi_x_serverless.report.page.region_keys import COLOURS, RegionKey, region_keys, slot_class
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.report.page.savings_section import (
    ledger_section,
    savings_section,
    trade_offs_section,
)
from multi_x_serverless.report.page.table_markup import table

# Not importlib.resources: its import costs 30 ms, and this package is never run from inside an archive.
_DIRECTORY = Path(__file__).parent

CONTENTS = (
    ("placement", "Where nodes run"),
    ("intensities", "Carbon intensities"),
    ("trade-offs", "Trade-offs"),
    ("savings", "What is saved"),
    ("ledger", "Ledger"),
    ("data", "Data and assumptions"),
)


def render_page(report: ReportData) -> str:
    """The page as HTML."""
    keys = region_keys(report.home, keyed_regions(report))
    pairs = crossed_pairs(report, keys)
    style = (_DIRECTORY / "page.css").read_text(encoding="utf-8") + region_rules()
    script = (_DIRECTORY / "page.js").read_text(encoding="utf-8")
    title = f"{report.workflow_id}: report of plan {report.plan.version}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=GENERATOR),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        raw("style", style),
    )
    body = element(
        "body",
        element("a", "Skip to the figures", class_="skip", href="#main"),
        element(
            "header",
            element("h1", element("bdi", report.workflow_id), ": report of plan ", str(report.plan.version)),
            facts(report),
        ),
        _contents(),
        element(
            "main",
            warnings(report),
            key_figures(report),
            placement_section(report, keys, pairs),
            _intensities_section(report, keys),
            trade_offs_section(report),
            savings_section(report),
            ledger_section(report),
            data_section(report),
            id="main",
        ),
        element(
            "footer", element("p", f"Made by {report.program}. This page is complete in itself and loads nothing.")
        ),
        raw("script", hour_document(report, keys, pairs), type="application/json", id="hours"),
        raw("script", script),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def region_rules() -> str:
    """A rule for each colour of regions."""
    rules = []
    for slot in range(len(COLOURS) + 1):
        key = RegionKey("", "", slot)
        rules.append(f".{slot_class(slot)}{{--region:{key.colour};--ink:{key.ink}}}\n")
    return "".join(rules)


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(content: str) -> str:
    """As policies name what they allow."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _contents() -> Markup:
    items = (element("li", element("a", name, href=f"#{target}")) for target, name in CONTENTS)
    return element("nav", element("ul", *items), aria_label="On this page")


JUMPS = (
    "Hours of the day, UTC. A plan is made for the 24 hours to come: those of today that had passed when the data were "
    "collected are tomorrow's here, so a line may jump at that hour."
)


OVER = " (over a hard limit, were everything there)"
"""Said of regions that cannot be used as a whole, however clean they are."""


def _further_regions(report: ReportData, keys: tuple[RegionKey, ...]) -> Markup | None:
    """Which regions the thin lines are, and why they may not have been used."""
    others, lettered = further_regions(report, keys), lettered_regions(report, keys)
    if not others:
        return None
    what = "Thin grey lines are further regions that it may use"
    if lettered:
        named = (f"{letter} {region.code}{OVER if region.breaks_a_hard_limit else ''}" for letter, region in lettered)
        text = f"{what}: {', '.join(named)}."
    else:
        over = sum(region.breaks_a_hard_limit is True for region in others)
        text = f"{what}, {len(others)} of them; the table has their names."
        text += f" {over} would be over a hard limit, were everything there." if over else ""
    return element("p", text, class_="note")


def _intensities_section(report: ReportData, keys: tuple[RegionKey, ...]) -> Markup:
    origin = (
        "Intensities that the plan was made with."
        if report.intensity_origin == "problem"
        else "Intensities as they were collected last; what the plan was made with was not kept."
        if report.plan.solver != "none"
        else "Intensities as they were collected last; the plan was made without any."
    )
    if has_intensities(report, keys):
        body = join(
            (
                element("div", draw_intensities(report, keys, report.hour_made), class_="picture"),
                element("p", JUMPS, class_="note"),
                legend(report, keys),
                element("p", origin, class_="note"),
                _further_regions(report, keys),
                element(
                    "details", element("summary", "As a table"), table(intensity_table(report, keys), is_matrix=True)
                ),
            )
        )
    else:
        body = element(
            "p", "No carbon intensities were collected yet: 'multi_x_serverless data_collect carbon' collects them."
        )
    return element(
        "section",
        element("h2", "Carbon intensities and the plan", id="intensities"),
        body,
        aria_labelledby="intensities",
    )
