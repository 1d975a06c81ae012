"""A page as a browser's parser sees it, as far as the standard library's parser is one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = frozenset({"br", "col", "input", "link", "meta"})


@dataclass
class Parsed(HTMLParser):
    """What was found.

    Attributes:
        elements: Name and attributes of every element, in order.
        texts: Every text outside of styles and scripts, with the name of the element that it is in; blanks that
            do not break are blanks.
        raw: Contents of styles and scripts.
        unclosed: Elements that are open; names of wrong end tags.
    """

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    raw: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.unclosed and self.unclosed[-1] == tag:
            self.unclosed.pop()
        else:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        inside = self.unclosed[-1] if self.unclosed else ""
        if inside in ("style", "script"):
            self.raw.append((inside, data))
        elif data.strip():
            self.texts.append((inside, data.replace("\N{NO-BREAK SPACE}", " ")))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        """All texts."""
        return "\n".join(text for _, text in self.texts)

    @property
    def ids(self) -> list[str]:
        """All ids, as often as they occur."""
        return [value for _, attributes in self.elements if (value := attributes.get("id")) is not None]

    def references(self) -> set[str]:
        """Ids that something refers to."""
        found: set[str] = set()
        for _, attributes in self.elements:
            for name, value in attributes.items():
                if value is None:
                    continue
                if name in ("aria-labelledby", "aria-describedby", "for"):
                    found |= set(value.split())
                elif name == "href" and value.startswith("#"):
                    found.add(value[1:])
                found |= set(re.findall(r"url\(#([^)]*)\)", value))
        return found

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def parse(page: str) -> Parsed:
    """Read a page."""
    parsed = Parsed()
    parsed.feed(page)
    parsed.close()
    return parsed
