"""Writes the sample texts of `map_reduce`: `python benchmarks/map_reduce/tests/make_text.py`.

Sentences are drawn from word lists of our own, so the texts are nobody's work; frequent words come up as often as they
do in prose. The same seed gives the same text. Nothing in this directory is deployed.
"""

from __future__ import annotations

import random
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "sample"

SUBJECTS = (
    "the river", "a heron", "the ferryman", "my neighbour", "the old mill", "every gardener", "the night train",
    "a lighthouse", "the baker's daughter", "an orchard", "the wind", "nobody", "the clockmaker", "a passing cloud",
    "the valley", "Zoë", "the innkeeper", "it", "winter", "the last swallow",
)  # fmt: skip
VERBS = (
    "remembers", "follows", "crosses", "waits for", "doesn't fear", "forgets", "listens to", "carries", "paints",
    "measures", "wakes", "greets", "outlives", "answers", "keeps", "can't reach", "borrows", "warms",
)  # fmt: skip
OBJECTS = (
    "the bridge", "an empty boat", "the first frost", "three letters", "the smell of rain", "a red kite", "the harvest",
    "its own shadow", "the northern road", "a quiet song", "the café by the station", "the moon", "yesterday's bread",
    "the children", "a field of barley", "the tide", "the schoolhouse", "a map without names",
)  # fmt: skip
ENDINGS = (
    "", "", "", " before dawn", " in the fog", " again and again", " when the bells ring", " without a word",
    " beyond the hills", " as if it were summer", ", and so do we", " until the lamps go out",
)  # fmt: skip
MARKS = (".", ".", ".", ".", "!", "?", "; then it rains.")
SENTENCES_PER_PARAGRAPH = (3, 8)


def make_text(characters: int, seed: int) -> str:
    """A text of at least so many characters."""
    source = random.Random(seed)
    paragraphs: list[str] = []
    while sum(map(len, paragraphs)) < characters:
        count = source.randint(*SENTENCES_PER_PARAGRAPH)
        paragraphs.append(" ".join(_sentence(source) for _ in range(count)) + "\n")
    return "\n".join(paragraphs)


def _sentence(source: random.Random) -> str:
    text = f"{_pick(source, SUBJECTS)} {_pick(source, VERBS)} {_pick(source, OBJECTS)}{source.choice(ENDINGS)}"
    return text[0].upper() + text[1:] + source.choice(MARKS)


def _pick(source: random.Random, words: tuple[str, ...]) -> str:
    """Earlier words more often, the n-th about 1 / n times as often as the first."""
    return source.choices(words, weights=[1.0 / (rank + 1) for rank in range(len(words))])[0]


if __name__ == "__main__":
    (SAMPLE / "text.txt").write_text(make_text(58_000, seed=1), encoding="utf-8")
    (SAMPLE / "short.txt").write_text(make_text(14_000, seed=2), encoding="utf-8")
