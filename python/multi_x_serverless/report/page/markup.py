"""Pieces of HTML and SVG. Every text is escaped unless it is markup that was made here.

There is one way to markup (`element`) and one to text (any `str`): what a user or a log wrote cannot become markup,
however it is put together.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from multi_x_serverless.report.wording import printable

_EMPTY_ELEMENTS = frozenset({"br", "col", "input", "link", "meta"})


class Markup(str):
    """A piece of HTML that needs no escaping, made by this module's functions only."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | None"
"""What an element may hold; `None` is nothing."""

Attribute: TypeAlias = "str | int | float | bool | None"
"""`None` and `False` leave the attribute out, `True` gives it no value."""


def text(value: str) -> Markup:
    """A text as markup, without control characters, that is not broken before a per cent sign."""
    return Markup(value) if isinstance(value, Markup) else Markup(escape(unbroken(printable(value))))


def unbroken(value: str) -> str:
    """A text that keeps its per cent signs with their numbers."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%")


def join(children: Iterable[Child], separator: str = "") -> Markup:
    """Pieces one after the other."""
    return Markup(text(separator).join(text(child) for child in children if child is not None))


def element(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element.

    Args:
        name: Of the element, written here and nowhere else.
        children: Texts and elements in it.
        attributes: By name; a last ``_`` is left off (``class_``), others become ``-``.
    """
    opened = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY_ELEMENTS:
        if children:
            raise ValueError(f"<{name}> cannot hold anything")
        return Markup(f"<{name}{opened}>")
    return Markup(f"<{name}{opened}>{join(children)}</{name}>")


def raw(name: str, content: str, /, **attributes: Attribute) -> Markup:
    """A style or script, in which nothing is escaped.

    Raises:
        ValueError: The content could end the element, or begin a comment, in which ends are not seen.
    """
    if name not in ("style", "script"):
        raise ValueError(f"<{name}> holds text, which has to be escaped")
    if "</" in content or "<!--" in content:
        raise ValueError(f"the content of <{name}> could end it")
    opened = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{opened}>{content}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    shown = number(value) if isinstance(value, (int, float)) else printable(value)
    return f' {name}="{escape(shown)}"'


def number(value: float) -> str:
    """A coordinate, with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
