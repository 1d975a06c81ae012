"""Counting words in steps that can run apart; standard library only, knows nothing of workflows."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MAPPERS = 6
REDUCERS = 2

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
"""Letters of any script, with apostrophes inside."""

CHARACTERS_PER_MAPPER = 10_000
MOST_COMMON = 10
"""So many words are in the summary."""


class InvalidInputError(ValueError):
    """The input of a run cannot be used, or there is nothing to count in it."""


def read_input(event: Any) -> tuple[str, int]:
    """Key of the text and characters per mapper, of ``{"text": "text.txt", "characters_per_mapper": 10000}``.

    Raises:
        InvalidInputError: The input is something else.
    """
    if not isinstance(event, dict) or not isinstance(event.get("text"), str):
        raise InvalidInputError('the input is {"text": KEY}, where KEY names an object that holds a text.')
    characters = event.get("characters_per_mapper", CHARACTERS_PER_MAPPER)
    if not isinstance(characters, int) or isinstance(characters, bool) or characters < 1:
        raise InvalidInputError(f"'characters_per_mapper' is {characters!r}; a whole number from 1 on is expected.")
    return event["text"], characters


def read_text(body: bytes) -> str:
    """The text of an object.

    Raises:
        InvalidInputError: It is not UTF-8, or holds no word.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"the input is not text (byte {error.start} is not UTF-8).") from error
    if WORD.search(text) is None:
        raise InvalidInputError("the text is empty: it holds no word to count.")
    return text


def split(text: str, characters: int) -> list[str]:
    """Parts of about equal length that make up the text, cut at white space: at most one per mapper.

    Args:
        text: The whole text.
        characters: How many a mapper takes, unless that takes more mappers than there are.
    """
    count = min(MAPPERS, max(1, -(-len(text) // characters)))
    parts, start = [], 0
    for number in range(1, count + 1):
        end = len(text) if number == count else max(start, len(text) * number // count)
        while end < len(text) and not text[end].isspace():
            end += 1
        if text[start:end]:
            parts.append(text[start:end])
        start = end
    return parts


def count_words(text: str) -> dict[str, int]:
    """Map: how often each word stands in a part, in lower case."""
    return dict(Counter(word.lower() for word in WORD.findall(text)))


def shuffle(counts: Iterable[Mapping[str, int]]) -> list[dict[str, list[int]]]:
    """Per reducer its words, each with the counts of all mappers. A word always goes to the same reducer."""
    shares: list[dict[str, list[int]]] = [{} for _ in range(REDUCERS)]
    for part in counts:
        for word, count in part.items():
            shares[zlib.crc32(word.encode()) % REDUCERS].setdefault(word, []).append(count)
    return shares


def reduce_counts(share: Mapping[str, list[int]]) -> dict[str, int]:
    """Reduce: one count per word."""
    return {word: sum(counts) for word, counts in share.items()}


def combine(shares: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """All words, the most frequent first, equally frequent ones by the alphabet."""
    every = {word: count for share in shares for word, count in share.items()}
    return dict(sorted(every.items(), key=lambda item: (-item[1], item[0])))
