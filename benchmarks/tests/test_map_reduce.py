"""`map_reduce` on the embedded cloud: the counts are those of a `Counter`, whatever the text is cut into."""

from __future__ import annotations

import importlib.util
import json
import random
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.tests.temporary_helper import Deployed, deployed

PROJECT = Path(__file__).parents[1] / "map_reduce"
SAMPLE = PROJECT / "sample"
INLINE_BYTES = 240_000


@pytest.fixture(scope="module")
def benchmark_run(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return deployed(PROJECT, tmp_path_factory.mktemp("map_reduce") / "state")


@pytest.fixture(scope="module")
def counting() -> ModuleType:
    specification = importlib.util.spec_from_file_location("map_reduce_counting", PROJECT / "counting.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def expected_counts(text: str) -> Counter[str]:
    """Counted in another way than the benchmark does: everything that is no letter or apostrophe separates words."""
    spaced = "".join(character if character.isalpha() or character == "'" else " " for character in text)
    return Counter(word.strip("'").lower() for word in spaced.split() if word.strip("'"))


def counts_of(run: Any, benchmark_run: Deployed) -> dict[str, int]:
    counts = json.loads(benchmark_run.read(run.result["counts"]))
    assert isinstance(counts, dict)
    return counts


def functions_that_ran(run: Any) -> Counter[str]:
    return Counter(node.node.split(":")[0] for node in run.nodes)


@pytest.mark.parametrize(("name", "mappers"), [("text.txt", 6), ("short.txt", 2)])
def test_the_counts_of_the_samples(benchmark_run: Deployed, name: str, mappers: int) -> None:
    body = (SAMPLE / name).read_bytes()
    (run,) = benchmark_run.run([{"text": name}], {name: body})
    expected = expected_counts(body.decode())
    counts = counts_of(run, benchmark_run)
    assert counts == expected
    assert list(counts) == sorted(expected, key=lambda word: (-expected[word], word))
    assert run.result == {
        "counts": f"counts/{name}.json",
        "words": expected.total(),
        "distinct": len(expected),
        "mappers": mappers,
        "most_common": dict(list(counts.items())[:10]),
    }
    assert functions_that_ran(run) == Counter(get_input=1, mapper=mappers, shuffler=1, reducer=2, output=1)


def test_as_many_mappers_run_as_the_text_needs(benchmark_run: Deployed) -> None:
    text = "one two three four five six seven eight nine"
    limits = (1000, 22, 15, 11, 9, 8, 1)
    events = [{"text": "words.txt", "characters_per_mapper": limit} for limit in limits]
    runs = benchmark_run.run(events, {"words.txt": text.encode()})
    assert [run.result["mappers"] for run in runs] == [1, 2, 3, 4, 5, 6, 6]
    assert [functions_that_ran(run)["mapper"] for run in runs] == [1, 2, 3, 4, 5, 6, 6]
    assert {run.result["distinct"] for run in runs} == {9}
    assert counts_of(runs[0], benchmark_run) == expected_counts(text)


def test_a_single_word_leaves_one_reducer_without_work(benchmark_run: Deployed) -> None:
    (run,) = benchmark_run.run([{"text": "word.txt"}], {"word.txt": b"Word\n"})
    assert counts_of(run, benchmark_run) == {"word": 1}
    assert functions_that_ran(run) == Counter(get_input=1, mapper=1, shuffler=1, reducer=2, output=1)


def test_parts_that_are_too_large_for_a_message(benchmark_run: Deployed) -> None:
    source = random.Random(3)
    words = ["".join(source.choices("abcdefgh", k=5)) for _ in range(20_000)]
    text = " ".join(source.choices(words, k=400_000))
    assert len(text) / 6 > INLINE_BYTES
    (run,) = benchmark_run.run([{"text": "large.txt"}], {"large.txt": text.encode()})
    assert counts_of(run, benchmark_run) == Counter(text.split())


BAD_INPUT: dict[str, tuple[Any, bytes | None, str]] = {
    "empty": ({"text": "empty.txt"}, b"", "the text is empty: it holds no word to count."),
    "without words": ({"text": "blank.txt"}, b" \n 12 -- 3\n", "the text is empty: it holds no word to count."),
    "not text": ({"text": "binary.txt"}, b"word \xff", "the input is not text (byte 5 is not UTF-8)."),
    "missing": ({"text": "missing.txt"}, None, "there is no object 'missing.txt' in us-east-1"),
    "no key": ({}, None, 'the input is {"text": KEY}, where KEY names an object that holds a text.'),
    "no input": (None, None, 'the input is {"text": KEY}, where KEY names an object that holds a text.'),
    "no characters": ({"text": "a", "characters_per_mapper": 0}, None, "'characters_per_mapper' is 0; a whole number"),
}
"""Name -> event, object that it names, beginning of the message."""


@pytest.fixture(scope="module")
def failed_runs(benchmark_run: Deployed) -> dict[str, Any]:
    """All at once, because each is tried three times."""
    objects = {event["text"]: body for event, body, _ in BAD_INPUT.values() if body is not None}
    return dict(zip(BAD_INPUT, benchmark_run.run([event for event, _, _ in BAD_INPUT.values()], objects), strict=True))


@pytest.mark.parametrize("name", BAD_INPUT)
def test_what_cannot_be_counted_fails_with_the_reason(failed_runs: dict[str, Any], name: str) -> None:
    run = failed_runs[name]
    assert run.status == "failed"
    assert run.failures[-1].node == "get_input:entry_point:0"
    assert run.failures[-1].message.startswith(BAD_INPUT[name][2])


def test_parts_make_up_the_text_and_cut_no_word(counting: ModuleType) -> None:
    source = random.Random(1)
    for _ in range(2_000):
        text = "".join(source.choices("abé \n", k=source.randint(1, 40)))
        parts = counting.split(text, source.randint(1, 12))
        assert "".join(parts) == text
        assert 1 <= len(parts) <= counting.MAPPERS
        assert sum((Counter(counting.count_words(part)) for part in parts), Counter()) == Counter(text.split())


def test_a_word_goes_to_one_reducer_with_the_counts_of_all_mappers(counting: ModuleType) -> None:
    shares = counting.shuffle([{"a": 1, "b": 2, "c": 3}, {"a": 4, "d": 5}])
    assert len(shares) == counting.REDUCERS
    together = {word: counts for share in shares for word, counts in share.items()}
    assert together == {"a": [1, 4], "b": [2], "c": [3], "d": [5]}
    assert sum(map(len, shares)) == 4
    assert all(shares)


def test_words_of_any_script_are_counted_in_lower_case(counting: ModuleType) -> None:
    assert counting.count_words("Zoë's CAFÉ, café's café; 'quoted' don't 3rd") == {
        "zoë's": 1,
        "café": 2,
        "café's": 1,
        "quoted": 1,
        "don't": 1,
        "rd": 1,
    }
