"""The pages hang together on a forge, too: links and anchors lead somewhere, and each page is in the index.

`make docs` checks the same of the site that it builds, with an environment of its own; this needs none.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])

CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Anchors of the headings, as forges make them."""
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for file, anchor in LINK.findall(text):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"there is no {file}"
        assert not anchor or anchor in anchors_of(target), f"{file} has no heading #{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\* \[[^\]]+\]\(([\w/-]+\.md)\): ", index, re.MULTILINE)
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    missing = sorted(there - set(listed))
    assert not missing, f"add a line '* [Title](PAGE): what it is.' to a section of docs/index.md for each of {missing}"
    assert sorted(listed) == sorted(there), "a page is listed twice, or one that there is not"


def test_the_checks_find_what_is_wrong() -> None:
    assert "getting-started" in anchors_of(DOCS / "guide" / "workflows.md")
    assert LINK.findall("[a](b.md#c) [d](#e) [f](https://example.org) ![g](h.png)") == [
        ("b.md", "c"),
        ("", "e"),
        ("h.png", ""),
    ]
