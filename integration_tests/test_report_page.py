"""The page of `report -o` in a browser: it loads, its controls work, and it can be read everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from integration_tests import report_picture
from integration_tests.browser import DESK, PAPER, PHONE, SMALL_TABLET, TABLET, Browser, open_browser
from integration_tests.conftest import CommandLine
from integration_tests.report_picture import WIDTH, draw
from multi_x_serverless.report.page.render import CONTENTS, render_page
from tests.unit.report.page.reports import home_report, hostile_report, large_report, report_of

REPORTS = {"moving": report_of, "home": home_report, "large": large_report, "hostile": hostile_report}

WORST_CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }
  function luminance(colour) {
    const [red, green, blue] = colour.map(value => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
  function background(element) {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  }
  let worst = [21, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const hidden = element.closest("script, svg, .hidden") || !element.checkVisibility();
    if (hidden || !walker.currentNode.data.trim()) continue;
    const lights = [rgba(getComputedStyle(element).color), background(element)].map(luminance).sort((a, b) => b - a);
    const ratio = (lights[0] + 0.05) / (lights[1] + 0.05);
    if (ratio < worst[0]) worst = [ratio, walker.currentNode.data];
  }
  return worst;
})()
"""
"""Least ratio of the lightness of text and what is behind it, and that text (WCAG 2, 1.4.3), outside of pictures."""

CUT_TEXTS = """
Array.from(document.querySelectorAll("svg text")).filter(text => {
  const inner = text.getBoundingClientRect();
  const outer = text.ownerSVGElement.getBoundingClientRect();
  const isShown = inner.width > 0 && getComputedStyle(text).display !== "none";
  return isShown && (inner.left < outer.left - 1 || inner.right > outer.right + 1
    || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1);
}).map(text => text.outerHTML)
"""
"""Texts that reach out of their picture, which cuts them."""

READABLE = 4.5
"""What WCAG 2 asks of that ratio at level AA."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of reports that are made up."""
    directory = tmp_path_factory.mktemp("pages")
    pages = {name: directory / f"{name}.html" for name in REPORTS}
    for name, page in pages.items():
        page.write_text(render_page(REPORTS[name]()), encoding="utf-8")
    return pages


def nodes_shown(browser: Browser) -> Any:
    """Region and colour of each node of the graph."""
    return browser.ask(
        'Array.from(document.querySelectorAll("[data-node]"), node => [node.querySelector(".place").textContent, '
        'getComputedStyle(node.querySelector(".chip")).fill])'
    )


def test_the_page_of_the_demo(browser: Browser, tmp_path: Path) -> None:
    """As a user gets it: the demo's plan, its runs, its ledger and its frontier."""
    demo = CommandLine(tmp_path / "demo" / "state")
    assert (
        demo.run("demo", "--directory", str(tmp_path / "demo"), "--runs", "30", cwd=tmp_path, output="table").exit_code
        == 0
    )
    page = tmp_path / "demo" / "demo" / "report.html"
    document = demo.succeed("report", "demo-0.0.1")
    browser.show(page)
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.driver.title == f"demo-0.0.1: report of plan {document['plan_version']}"
    for target, _ in CONTENTS:
        assert browser.find(f"#{target}").is_displayed()
        assert browser.find(f'nav a[href="#{target}"]').is_displayed()
    assert int(browser.ask('document.querySelectorAll(".point").length')) > 0
    assert "ca-central-1" in {region for region, _ in nodes_shown(browser)}
    kinds = browser.ask('Array.from(document.querySelectorAll("#ledger ~ .table td bdi"), cell => cell.textContent)')
    assert {"migrations", "solves"} <= set(kinds)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("size", [DESK, TABLET, SMALL_TABLET, PHONE], ids=["desk", "tablet", "small tablet", "phone"])
def test_pages_load_without_complaints_and_fit_their_window(
    browser: Browser, pages: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    browser.show(pages[name], size=size)
    assert browser.complaints() == []
    assert browser.requests() == [pages[name].as_uri()]
    assert browser.ask("document.documentElement.scrollWidth") <= size[0]
    # What is wider than the window is in a box that scrolls.
    beyond = browser.ask(
        """Array.from(document.querySelectorAll("body *:not(svg *)")).filter(
          element => !element.closest(".scroll, .hidden, .skip")
          && element.getBoundingClientRect().right > innerWidth + 1
        ).map(element => element.outerHTML)"""
    )
    assert beyond == []
    assert browser.ask(CUT_TEXTS) == []


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("size", [DESK, TABLET, PHONE], ids=["desk", "tablet", "phone"])
def test_boxes_that_scroll_say_so_and_can_be_reached_by_keyboard(
    browser: Browser, pages: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    browser.show(pages[name], size=size)
    browser.ask('document.querySelectorAll("details").forEach(part => { part.open = true; })')
    browser.ask("new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    boxes = browser.ask(
        """Array.from(document.querySelectorAll(".scroll"), box => [
          box.getAttribute("aria-label"), box.scrollWidth > box.clientWidth + 1,
          box.previousElementSibling.checkVisibility(), box.tabIndex === 0, box.getAttribute("role"),
        ])"""
    )
    for label, scrolls, hints, is_reached, role in boxes:
        assert (hints, is_reached, role) == (scrolls, scrolls, "region"), label
        assert label
    names = {label for label, scrolls, *_ in boxes if scrolls}
    if name == "moving":
        assert ("Graph of the workflow" in names) == (size == PHONE)
        assert ("Region per node and hours (UTC)" in names) == (size == PHONE)
    if name == "large":
        assert "Graph of the workflow" in names


@pytest.mark.parametrize("dark", [False, True])
def test_the_edges_beyond_which_there_is_more_have_a_shadow(
    browser: Browser, pages: dict[str, Path], dark: bool
) -> None:
    """By the style alone, so that it is there without scripts too."""
    browser.show(pages["moving"], size=PHONE, dark=dark, script=False)
    left, top, width, height = browser.ask(
        """(() => {
          const box = document.querySelector(".matrix .scroll");
          box.firstElementChild.style.visibility = "hidden";
          const place = box.getBoundingClientRect();
          return [place.left, place.top + scrollY, place.width, place.height];
        })()"""
    )

    def edges() -> list[float]:
        """How far the left and the right edge are from the paper."""
        paper = browser.lightness(0.0, top, 4.0, height)
        return [abs(browser.lightness(x, top, 4.0, height) - paper) for x in (left, left + width - 4.0)]

    at_start = edges()
    browser.ask('document.querySelector(".matrix .scroll").scrollLeft = 1e6')
    at_end = edges()
    assert at_start[0] < 1.0
    assert at_end[1] < 1.0
    assert min(at_start[1], at_end[0]) > 20.0


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("size", [SMALL_TABLET, PHONE], ids=["small tablet", "phone"])
def test_on_small_screens_the_rows_of_tables_stand_one_below_the_other(
    browser: Browser, pages: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    browser.show(pages[name], size=size)
    wide = browser.ask(
        'Array.from(document.querySelectorAll(".stacks .scroll")).filter(box => box.scrollWidth > box.clientWidth + 1)'
        ".map(box => box.getAttribute('aria-label'))"
    )
    assert wide == []
    unnamed = browser.ask(
        """Array.from(document.querySelectorAll(".stacks:not(.prose) tbody td")).filter(cell => cell.checkVisibility()
          && !getComputedStyle(cell, "::before").content.startsWith(`"${cell.dataset.label}"`)
        ).map(cell => cell.outerHTML)"""
    )
    assert unnamed == []


def test_a_table_that_is_taken_apart_is_still_one_to_those_who_listen(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["moving"], size=PHONE)
    assert browser.ask("""getComputedStyle(document.querySelector("#savings ~ .stacks tr")).display""") == "grid"
    roles = {
        selector: browser.find(f"#savings ~ .stacks {selector}").aria_role
        for selector in ("table", "tbody tr", "tbody th", "tbody td", "thead th")
    }
    assert roles == {
        "table": "table",
        "tbody tr": "row",
        "tbody th": "rowheader",
        "tbody td": "cell",
        "thead th": "columnheader",
    }


def test_the_slider_shows_each_hour_of_the_plan(browser: Browser, pages: dict[str, Path]) -> None:
    report = report_of()
    browser.show(pages["moving"])
    slider = browser.find("#hour")
    assert (slider.aria_role, slider.accessible_name) == ("slider", "Hour of the day (UTC)")
    slider.send_keys(Keys.HOME)
    marks = []
    colours: dict[str, set[str]] = {}
    for hour in range(24):
        clock = f"{hour:02}:00 UTC"
        assert slider.get_attribute("aria-valuetext") == clock
        assert browser.text("#hour-clock") == clock
        assert browser.text("#hour-sentence").startswith(f"{clock}: ")
        shown = nodes_shown(browser)
        placement = report.placement(hour)
        assert tuple(region for region, _ in shown) == placement
        for region, colour in shown:
            colours.setdefault(region, set()).add(colour)
        filled = browser.ask(
            'Array.from(document.querySelectorAll(".marker:not(.is-empty) > title"), title => title.textContent)'
        )
        assert set(filled) == set(placement)
        calls = browser.ask('document.querySelectorAll(".arc:not(.is-off)").length')
        pairs = {frozenset((placement[edge.source], placement[edge.target])) for edge in report.graph.edges} - {
            frozenset((region,)) for region in placement
        }
        assert calls == len(pairs)
        marks.append(browser.find(".hour-mark").rect["x"])
        slider.send_keys(Keys.ARROW_RIGHT)
    assert marks == sorted(set(marks)), "the mark of the hour wanders to the right"
    assert all(len(found) == 1 for found in colours.values())
    assert len({next(iter(found)) for found in colours.values()}) == len(colours)
    assert browser.complaints() == []


def test_the_hours_play_until_they_are_stopped(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["moving"])
    play, slider, sentence = browser.find("#play"), browser.find("#hour"), browser.find("#hour-sentence")
    play.click()
    assert (play.text, sentence.get_attribute("aria-live")) == ("Pause", "off")
    assert play.get_attribute("aria-pressed") is None, "the label says it, and both would say 'Pause, pressed'"
    first = slider.get_attribute("aria-valuetext")
    assert first != "15:00 UTC", "the next hour comes at once"
    WebDriverWait(browser.driver, 30).until(lambda _: slider.get_attribute("aria-valuetext") != first)
    play.send_keys(Keys.SPACE)
    assert (play.text, sentence.get_attribute("aria-live")) == ("Play", "polite")
    play.click()
    slider.send_keys(Keys.END)
    assert play.text == "Play", "who moves the slider stops it"
    assert slider.get_attribute("aria-valuetext") == "23:00 UTC"


def test_without_scripts_nothing_is_missing(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["moving"], script=False)
    assert browser.ask('document.getElementById("controls").checkVisibility()') is False
    assert browser.text("#hour-sentence").startswith("15:00 UTC: ")
    assert [region for region, _ in nodes_shown(browser)] == list(report_of().placement(15))
    assert browser.ask('document.querySelector("#placement ~ .table table").checkVisibility()') is True


def test_what_others_wrote_does_nothing(browser: Browser, pages: dict[str, Path]) -> None:
    """Nothing that was written runs, and the page's policy stops what somebody might yet bring in."""
    browser.show(pages["hostile"])
    assert browser.ask("document.scripts.length") == 2
    assert browser.ask('document.querySelectorAll("[onload]").length') == 0
    assert browser.complaints() == []
    browser.ask(
        'const script = document.createElement("script"); script.textContent = "window.brought = true"; '
        'document.body.append(script); const image = document.createElement("img"); '
        'image.src = "http://127.0.0.1:9/image.png"; document.body.append(image); '
        "new Promise(resolve => { image.onerror = resolve; })"
    )
    assert browser.ask("window.brought") is None
    script, image = sorted(browser.complaints(), key=lambda message: "image.png" in message)
    assert "Content Security Policy" in script
    assert "Content Security Policy" in image


@pytest.mark.parametrize(("media", "dark"), [("screen", False), ("screen", True), ("print", False), ("print", True)])
def test_texts_stand_out_from_what_is_behind_them(
    browser: Browser, pages: dict[str, Path], media: str, dark: bool
) -> None:
    browser.show(pages["hostile"], media=media, dark=dark)
    ratio, text = browser.ask(WORST_CONTRAST)
    assert ratio >= READABLE, text
    paper = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (media == "print" or not dark)


@pytest.mark.parametrize("name", REPORTS)
def test_it_prints_whole_and_without_controls(browser: Browser, pages: dict[str, Path], name: str) -> None:
    browser.show(pages[name], size=PAPER, media="print")
    shown = browser.ask(
        """Array.from(document.querySelectorAll("nav, #controls, details, .scroll-hint")).filter(
          part => part.checkVisibility()).map(part => part.outerHTML)"""
    )
    assert shown == []
    assert browser.ask("document.documentElement.scrollWidth") <= PAPER[0]
    cut = browser.ask(
        'Array.from(document.querySelectorAll(".scroll")).filter(box => box.scrollWidth > box.clientWidth + 1)'
        ".map(box => box.getAttribute('aria-label'))"
    )
    assert cut == []
    assert len(browser.driver.print_page()) > 0


def test_the_picture_for_the_guide_ends_below_the_graph(browser: Browser, pages: dict[str, Path]) -> None:
    """What `report_picture.py` makes of the page of the demo."""
    picture = draw(browser, pages["moving"])
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[start : start + 4], "big") for start in (16, 20))
    assert width == WIDTH
    graph, heading = browser.ask(
        """[document.querySelector(".graph").getBoundingClientRect().bottom,
          document.querySelector(".graph").closest("section").querySelector("h3:nth-of-type(3)").textContent]"""
    )
    assert heading == "All hours"
    assert graph < height < graph + 100


def test_a_picture_that_is_too_large_is_refused(
    browser: Browser, pages: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_picture, "LARGEST_BYTES", 1000)
    with pytest.raises(ValueError, match="more than 1000"):
        draw(browser, pages["home"])
