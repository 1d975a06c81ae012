from __future__ import annotations

import pytest

from multi_x_serverless.report.page.markup import Markup, element, join, number, raw, text


def test_texts_and_attributes_are_escaped_and_markup_is_not_escaped_twice() -> None:
    inner = element("b", "<i> & \"'")
    assert inner == "<b>&lt;i&gt; &amp; &quot;&#x27;</b>"
    assert element("p", inner, None, "x", title='" onload="') == (
        '<p title="&quot; onload=&quot;"><b>&lt;i&gt; &amp; &quot;&#x27;</b>x</p>'
    )
    assert join(["<", inner], separator="&") == f"&lt;&amp;{inner}"


def test_putting_a_text_behind_markup_makes_a_text_again() -> None:
    mixed = Markup("<b></b>") + "<script>"
    assert not isinstance(mixed, Markup)
    assert "<" not in text(mixed)


def test_control_characters_are_shown() -> None:
    assert text("a\x00\x1b\n") == "a\\x00\\x1b\n"


def test_attributes_have_names_values_or_nothing() -> None:
    made = element("input", class_="a", aria_label="b", hidden=True, checked=False, title=None, value=1.5, tabindex=0)
    assert made == '<input class="a" aria-label="b" hidden value="1.5" tabindex="0">'


def test_empty_elements_hold_nothing() -> None:
    with pytest.raises(ValueError, match="cannot hold anything"):
        element("br", "x")


@pytest.mark.parametrize("content", ["a </style> b", "<!-- x", "</SCRIPT"])
def test_a_style_cannot_be_ended_from_within(content: str) -> None:
    with pytest.raises(ValueError, match="could end it"):
        raw("style", content)


def test_other_elements_are_never_raw() -> None:
    with pytest.raises(ValueError, match="has to be escaped"):
        raw("p", "text")


def test_coordinates_are_short() -> None:
    assert [number(value) for value in (1.0, 1.23456, -0.5, 100.0, 0.1 + 0.2, 12345678.0)] == [
        "1",
        "1.23",
        "-0.5",
        "100",
        "0.3",
        "12345678",
    ]


def test_a_number_is_not_parted_from_its_per_cent_sign() -> None:
    assert element("p", "-58.0 % vs home") == "<p>-58.0\N{NO-BREAK SPACE}% vs home</p>"
    assert element("p", title="5 %") == '<p title="5 %"></p>'
