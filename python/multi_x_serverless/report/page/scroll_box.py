"""A box that scrolls sideways where the page is too narrow for what is in it, and shows that it does.

The style lays shadows on the edges beyond which there is more. The script adds a sentence above the boxes that really
are wider than the page, and takes the others out of the order of the tab key.
"""

from __future__ import annotations

from multi_x_serverless.report.page.markup import Markup, element, join

HINT = "Wider than the page: it scrolls sideways."


def scroll_box(content: Markup, name: str, *, style: str = "") -> Markup:
    """The box, and the sentence above it, which is hidden until the script shows it.

    Args:
        name: For those who do not see it.
        style: Further class of the box.
    """
    return join(
        (
            # For the eyes: who listens is told by the role that this is a region of its own, and reads on.
            element("p", HINT, class_="note scroll-hint", aria_hidden="true", hidden=True),
            element(
                "div",
                content,
                class_=f"scroll {style}".rstrip(),
                role="region",
                aria_label=name,
                tabindex=0,
            ),
        )
    )
