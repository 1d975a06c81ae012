"""How the site is made of the pages of this directory (`make docs`).

The pages are Markdown that also reads well on a forge: links are relative, and the one thing that a site needs and a
forge does not, the tables of contents, is made here from the lists of links in ``index.md``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "Multi-X-Serverless"
copyright = "the contributors, Apache-2.0"  # noqa: A001  # Sphinx's name
release = version = re.findall(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)[0]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["examples"]
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False

myst_heading_anchors = 4  # links to headings, spelt as forges spell them
myst_enable_extensions = ["fieldlist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # docstrings put code in single backquotes
smartquotes = False  # options begin with two dashes

# No inventory of other projects is fetched, so that a build needs no network; types of this package that are not on the
# pages of the reference stand in signatures without a link. Links between pages are all checked.
nitpick_ignore_regex = [("py:(class|obj|exc|meth|attr|data|func)", ".*")]

# Functions and commands have trees of errors of their own; a docstring that names an error means the one of its tree.
suppress_warnings = ["ref.python"]

_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!^## ).*\n?)*)", re.MULTILINE)
_ENTRY = re.compile(r"^\* \[[^\]]+\]\((?P<page>[\w/-]+)\.md\)", re.MULTILINE)
_LINK_UPWARDS = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#\s]+)(?:#[^)]*)?\)")


def name_files_outside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links to files of the sources that are no pages into their names; a forge follows them, a site cannot."""
    page = Path(app.env.doc2path(docname))

    def name_file(link: re.Match[str]) -> str:
        target = (page.parent / link["target"]).resolve()
        if target.is_relative_to(DOCS):
            return link[0]
        if not target.exists():
            logging.getLogger(__name__).warning("there is no %s", link["target"], location=docname)
        return f"{link['text']} (`{target.relative_to(ROOT)}`)"

    source[0] = _LINK_UPWARDS.sub(name_file, source[0])


def add_tables_of_contents(app: Sphinx, docname: str, source: list[str]) -> None:  # noqa: ARG001  # Sphinx's signature
    """Make a hidden table of contents of each section of the start page, of the links that its list has."""
    if docname != "index":
        return
    for section in _SECTION.finditer(source[0]):
        pages = "\n".join(match["page"] for match in _ENTRY.finditer(section["text"]))
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {section['title']}\n\n{pages}\n```\n"


def setup(app: Sphinx) -> None:
    """Register what stands here."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", name_files_outside)
    app.connect("source-read", add_tables_of_contents)
