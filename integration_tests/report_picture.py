"""Draw ``docs/images/report-page.png``: the top of the page of the demo's report, as a browser shows it.

    python -m integration_tests.report_picture            from the root of the repository

Runs the demo in a directory of its own, so it takes some ten seconds; it needs `chromium` (or `google-chrome`) and
`chromedriver`, as the tests of the page do. Draw it anew when the page looks different: figures and times are of the
runs of the moment, so two pictures of one page differ in those.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from integration_tests.browser import Browser, open_browser

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "report-page.png"

WIDTH = 1000
"""CSS pixels: wide enough for the key figures to stand in one row."""

LARGEST_BYTES = 300_000
"""Of a picture that everybody fetches with the repository."""

END = """
Array.from(document.querySelectorAll("h3")).find(heading => heading.textContent === "All hours")
  .getBoundingClientRect().top + scrollY
"""
"""Where the picture ends: below the graph."""


def draw(browser: Browser, page: Path) -> bytes:
    """The top of a page as PNG.

    Raises:
        ValueError: It is larger than pictures of the repository may be.
    """
    # A scroll bar narrows the page while it is measured, and is not there while it is drawn.
    browser.command("Emulation.setScrollbarsHidden", hidden=True)
    browser.show(page, size=(WIDTH, 900))
    picture = browser.picture(0, 0, WIDTH, round(browser.ask(END)))
    browser.command("Emulation.setScrollbarsHidden", hidden=False)
    if len(picture) > LARGEST_BYTES:
        raise ValueError(f"the picture has {len(picture)} bytes, more than {LARGEST_BYTES}")
    return picture


def demo_page(directory: Path) -> Path:
    """Run the demo; returns the page of its report."""
    command = [sys.executable, "-m", "multi_x_serverless", "demo", "--directory", str(directory)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return directory / "demo" / "report.html"


def main() -> None:
    """Run the demo and draw its page."""
    with TemporaryDirectory() as directory, open_browser() as browser:
        picture = draw(browser, demo_page(Path(directory) / "demo"))
    PICTURE.write_bytes(picture)
    print(f"{PICTURE}: {len(picture)} bytes")


if __name__ == "__main__":
    main()
