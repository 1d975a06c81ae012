"""`map_reduce` on the embedded cloud: the counts are those of a `Counter`, whatever the text is cut into."""

from __future__ import annotations

import importlib.util
import json
import random
from collections import Counter
from types import ModuleType
from typing import Any

import pytest

from benchmarks.tests.running import BENCHMARKS, BenchmarkRun, Deploy, DeployedWorkflow

PROJECT = BENCHMARKS / "map_reduce"
SAMPLE = PROJECT / "sample"
INLINE_BYTES = 240_000


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    return deploy("map_reduce")


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


def counts_of(run: BenchmarkRun, workflow: DeployedWorkflow) -> dict[str, int]:
    counts = json.loads(workflow.get_object(run.result["counts"]))
    assert isinstance(counts, dict)
    return counts


@pytest.mark.parametrize(("name", "mappers"), [("text.txt", 6), ("short.txt", 2)])
def test_the_counts_of_the_samples(workflow: DeployedWorkflow, name: str, mappers: int) -> None:
    body = (SAMPLE / name).read_bytes()
    workflow.put_object(name, body)
    run = workflow.run({"text": name})
    expected = expected_counts(body.decode())
    counts = counts_of(run, workflow)
    assert counts == expected
    assert list(counts) == sorted(expected, key=lambda word: (-expected[word], word))
    assert run.result == {
        "counts": f"counts/{name}.json",
        "words": expected.total(),
        "distinct": len(expected),
        "mappers": mappers,
        "most_common": dict(list(counts.items())[:10]),
    }
    assert Counter(run.functions) == Counter(get_input=1, mapper=mappers, shuffler=1, reducer=2, output=1)


def test_as_many_mappers_run_as_the_text_needs(workflow: DeployedWorkflow) -> None:
    text = "one two three four five six seven eight nine"
    limits = (1000, 22, 15, 11, 9, 8, 1)
    events = [{"text": "words.txt", "characters_per_mapper": limit} for limit in limits]
    workflow.put_object("words.txt", text.encode())
    runs = workflow.run_many(list(events))
    assert [run.result["mappers"] for run in runs] == [1, 2, 3, 4, 5, 6, 6]
    assert [Counter(run.functions)["mapper"] for run in runs] == [1, 2, 3, 4, 5, 6, 6]
    assert {run.result["distinct"] for run in runs} == {9}
    assert counts_of(runs[0], workflow) == expected_counts(text)


def test_a_single_word_leaves_one_reducer_without_work(workflow: DeployedWorkflow) -> None:
    workflow.put_object("word.txt", b"Word\n")
    run = workflow.run({"text": "word.txt"})
    assert counts_of(run, workflow) == {"word": 1}
    assert Counter(run.functions) == Counter(get_input=1, mapper=1, shuffler=1, reducer=2, output=1)


def test_parts_that_are_too_large_for_a_message(workflow: DeployedWorkflow) -> None:
    source = random.Random(3)
    words = ["".join(source.choices("abcdefgh", k=5)) for _ in range(20_000)]
    text = " ".join(source.choices(words, k=400_000))
    assert len(text) / 6 > INLINE_BYTES
    workflow.put_object("large.txt", text.encode())
    run = workflow.run({"text": "large.txt"})
    assert counts_of(run, workflow) == Counter(text.split())


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
def failed_runs(workflow: DeployedWorkflow) -> dict[str, BenchmarkRun]:
    """All at once, because each is tried three times."""
    for event, body, _ in BAD_INPUT.values():
        if body is not None:
            workflow.put_object(event["text"], body)
    events = [event for event, _, _ in BAD_INPUT.values()]
    return dict(zip(BAD_INPUT, workflow.run_many(events), strict=True))


@pytest.mark.parametrize("name", BAD_INPUT)
def test_what_cannot_be_counted_fails_with_the_reason(failed_runs: dict[str, BenchmarkRun], name: str) -> None:
    run = failed_runs[name]
    assert (run.status, run.functions) == ("failed", ())
    assert {failure.function for failure in run.failures} == {"get_input"}
    assert {failure.message.startswith(BAD_INPUT[name][2]) for failure in run.failures} == {True}


def test_status_shows_the_reason(workflow: DeployedWorkflow, failed_runs: dict[str, BenchmarkRun]) -> None:
    assert "the text is empty: it holds no word to count." in workflow.show(failed_runs["empty"].run_id)


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
