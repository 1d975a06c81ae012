"""Profane words of a text, by the word list of better-profanity."""

import functools
import re

from better_profanity import Profanity

LONGEST_PHRASE_WORDS = 3
"""Most words that are profane together and not each by itself, in the list."""

# Hyphens and slashes part words, so that one profane word does not take its neighbours along; "$", "@", "*" do not:
# they stand for letters.
_WORD = re.compile(r"[^\s\-\u2010-\u2015/]+")

Span = tuple[int, int]
"""First character of a profane word or phrase in its text, and the one after its last."""


def find_profanity(text: str) -> list[Span]:
    """Profane words and phrases, in the order of the text, none within another."""
    words = [match.span() for match in _WORD.finditer(text)]
    found: list[Span] = []
    for length in range(1, LONGEST_PHRASE_WORDS + 1):
        for first, last in zip(words, words[length - 1 :], strict=False):
            span = (first[0], last[1])
            if not any(_overlap(span, known) for known in found) and _is_profane(text[slice(*span)]):
                found.append(span)
    return sorted(found)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@functools.lru_cache(maxsize=4096)
def _is_profane(phrase: str) -> bool:
    return _filter().contains_profanity(phrase)


@functools.cache
def _filter() -> Profanity:
    return Profanity()
