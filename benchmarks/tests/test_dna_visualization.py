"""`dna_visualization` on the embedded cloud: the drawing shows what is in the record."""

from __future__ import annotations

import re
import struct
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.tests.running import BENCHMARKS, BenchmarkRun, Deploy, DeployedWorkflow

RECORD = (BENCHMARKS / "dna_visualization" / "sample" / "plasmid.gb").read_bytes()
SVG = "{http://www.w3.org/2000/svg}"

OTHER_RECORD = (
    RECORD.replace(b"SYNPLASMID", b"SYNPOTHER ")
    .replace(b'/label="cloning site"', b'/label="landing pad"')
    .replace(b"     primer_bind     complement(1321..1342)\n", b"")
    .replace(b'                     /label="reverse primer"\n', b"")
)
"""Another name, another label, a feature less."""


GOOD_INPUT: dict[str, tuple[dict[str, str], bytes]] = {
    "plasmid": ({"record": "plasmid.gb"}, RECORD),
    "again": ({"record": "copies/plasmid.gb", "format": "svg"}, RECORD),
    "other": ({"record": "other.gb"}, OTHER_RECORD),
    "pixels": ({"record": "plasmid.gb", "format": "png"}, RECORD),
}
"""Name -> event, object that it names."""

BAD_INPUT: dict[str, tuple[Any, bytes | None, str]] = {
    "missing": ({"record": "missing.gb"}, None, "there is no object 'missing.gb' in us-east-1"),
    "empty": ({"record": "empty.gb"}, b"", "the input holds 0 GenBank records, and one is expected."),
    "two": ({"record": "two.gb"}, RECORD + RECORD, "the input holds 2 GenBank records, and one is expected."),
    "not text": ({"record": "binary.gb"}, b"LOCUS \xff", "the record is not text (byte 6 is not UTF-8)."),
    "cut off": (
        {"record": "cut.gb"},
        RECORD[:3000],
        "the record is damaged: Premature end of file in sequence data",
    ),
    "unreadable place": (
        {"record": "place.gb"},
        RECORD.replace(b"121..310", b"12x..310"),
        "the record is damaged: Could not parse feature location '12x..310'",
    ),
    "no features": (
        {"record": "bare.gb"},
        RECORD.partition(b"     promoter")[0] + b"ORIGIN" + RECORD.partition(b"ORIGIN")[2],
        "record 'SYNPLASMID.1' has no features to draw.",
    ),
    "no key": ({"text": "plasmid.gb"}, None, 'the input is {"record": KEY}, where KEY names an object'),
    "format": ({"record": "plasmid.gb", "format": "gif"}, None, "the format is 'gif'; there are svg and png."),
}
"""Name -> event, object that it names, beginning of the message."""


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    return deploy("dna_visualization")


@pytest.fixture(scope="module")
def runs(workflow: DeployedWorkflow) -> dict[str, BenchmarkRun]:
    """All at once: those that fail are tried three times, and a worker is slow at first."""
    events: dict[str, Any] = {name: event for name, (event, _) in GOOD_INPUT.items()}
    objects = {event["record"]: body for event, body in GOOD_INPUT.values()}
    for name, (event, body, _) in BAD_INPUT.items():
        events[name] = event
        if body is not None:
            objects[event["record"]] = body
    for key, body in objects.items():
        workflow.put_object(key, body)
    return dict(zip(events, workflow.run_many(list(events.values())), strict=True))


def labelled_features(record: bytes) -> dict[str, float]:
    """Label -> middle of its feature in bases, read without a library."""
    table = record.decode().partition("FEATURES")[2].partition("ORIGIN")[0]
    features = re.findall(r"^ {5}\w+ +(?:complement\()?(\d+)\.\.(\d+)\)?\n((?: {21}/.*\n)+)", table, re.MULTILINE)
    return {
        found.group(1): (int(first) - 1 + int(last)) / 2.0
        for first, last, qualifiers in features
        if (found := re.search(r'/label="(.+)"', qualifiers)) is not None
    }


def texts_of(drawing: bytes) -> dict[str, float]:
    """Text -> where it stands, in points from the left."""
    texts = ElementTree.fromstring(drawing).iter(f"{SVG}text")  # noqa: S314 - our own
    found = [(text.text or "", float(text.attrib["x"])) for text in texts]
    assert len(found) == len(dict(found)), "a text stands twice"
    return dict(found)


@pytest.mark.parametrize("name", GOOD_INPUT)
def test_both_functions_run(runs: dict[str, BenchmarkRun], name: str) -> None:
    assert (runs[name].status, runs[name].functions) == ("complete", ("get_input", "visualize"))


def test_the_drawing_shows_every_feature_where_it_is(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    drawing = workflow.get_object("drawings/plasmid.gb.svg")
    assert runs["plasmid"].result == {
        "record": "SYNPLASMID.1",
        "length_bp": 3200,
        "drawing": "drawings/plasmid.gb.svg",
        "bytes": len(drawing),
    }
    assert ElementTree.fromstring(drawing).attrib["width"] == "720pt"  # noqa: S314 - our own
    texts, features = texts_of(drawing), labelled_features(RECORD)
    assert len(features) == 9
    start, per_base = texts["0"], (texts["3,200"] - texts["0"]) / 3200
    for label, middle in features.items():
        assert texts[label] == pytest.approx(start + middle * per_base, abs=1.0), label
    assert "SYNPLASMID.1, 3200 bp" in texts
    assert "source" not in texts


@pytest.mark.usefixtures("runs")
def test_another_record_gives_another_drawing_and_the_same_one_the_same(workflow: DeployedWorkflow) -> None:
    first, again, other = (
        workflow.get_object(f"drawings/{record}.svg") for record in ("plasmid.gb", "copies/plasmid.gb", "other.gb")
    )
    assert again == first
    assert set(texts_of(first)) - set(texts_of(other)) == {"SYNPLASMID.1, 3200 bp", "cloning site", "reverse primer"}
    assert set(texts_of(other)) - set(texts_of(first)) == {"SYNPOTHER.1, 3200 bp", "landing pad"}
    assert set(labelled_features(OTHER_RECORD)) <= set(texts_of(other))


def test_a_picture_in_pixels(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    picture = workflow.get_object(runs["pixels"].result["drawing"])
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert width == 1000
    assert 100 <= height <= 1000
    assert len(picture) > 10_000


@pytest.mark.parametrize("name", BAD_INPUT)
def test_what_cannot_be_drawn_fails_with_the_reason(runs: dict[str, BenchmarkRun], name: str) -> None:
    run = runs[name]
    assert run.status == "failed"
    assert {failure.message.startswith(BAD_INPUT[name][2]) for failure in run.failures} == {True}


def test_status_shows_the_reason(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    assert "the record is damaged: Premature end of file in sequence data" in workflow.show(runs["cut off"].run_id)


@pytest.mark.usefixtures("runs")
def test_nothing_is_drawn_of_what_fails(workflow: DeployedWorkflow) -> None:
    assert workflow.list_objects("drawings/") == (
        "drawings/copies/plasmid.gb.svg",
        "drawings/other.gb.svg",
        "drawings/plasmid.gb.png",
        "drawings/plasmid.gb.svg",
    )
