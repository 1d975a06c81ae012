"""`dna_visualization` on the embedded cloud: the drawing shows what is in the record."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.tests.temporary_helper import Deployed, deployed

PROJECT = Path(__file__).parents[1] / "dna_visualization"
RECORD = (PROJECT / "sample" / "plasmid.gb").read_bytes()
SVG = "{http://www.w3.org/2000/svg}"

OTHER_RECORD = (
    RECORD.replace(b"SYNPLASMID", b"SYNPOTHER ")
    .replace(b'/label="cloning site"', b'/label="landing pad"')
    .replace(b"     primer_bind     complement(1321..1342)\n", b"")
    .replace(b'                     /label="reverse primer"\n', b"")
)
"""Another name, another label, a feature less."""


@pytest.fixture(scope="module")
def benchmark_run(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return deployed(PROJECT, tmp_path_factory.mktemp("dna_visualization") / "state")


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
    found = [(text.text or "", float(text.attrib["x"])) for text in ElementTree.fromstring(drawing).iter(f"{SVG}text")]
    assert len(found) == len(dict(found)), "a text stands twice"
    return dict(found)


def test_the_drawing_shows_every_feature_where_it_is(benchmark_run: Deployed) -> None:
    (run,) = benchmark_run.run([{"record": "plasmid.gb"}], {"plasmid.gb": RECORD})
    drawing = benchmark_run.read("drawings/plasmid.gb.svg")
    assert run.status == "complete"
    assert run.result == {
        "record": "SYNPLASMID.1",
        "length_bp": 3200,
        "drawing": "drawings/plasmid.gb.svg",
        "bytes": len(drawing),
    }
    assert ElementTree.fromstring(drawing).attrib["width"] == "720pt"
    texts, features = texts_of(drawing), labelled_features(RECORD)
    assert len(features) == 9
    start, per_base = texts["0"], (texts["3,200"] - texts["0"]) / 3200
    for label, middle in features.items():
        assert texts[label] == pytest.approx(start + middle * per_base, abs=1.0), label
    assert "SYNPLASMID.1, 3200 bp" in texts
    assert "source" not in texts


def test_another_record_gives_another_drawing_and_the_same_one_the_same(benchmark_run: Deployed) -> None:
    events = [{"record": "plasmid.gb"}, {"record": "other.gb"}]
    benchmark_run.run(events, {"plasmid.gb": RECORD, "other.gb": OTHER_RECORD})
    first, other = (benchmark_run.read(f"drawings/{event['record']}.svg") for event in events)
    benchmark_run.run(events[:1])
    assert benchmark_run.read("drawings/plasmid.gb.svg") == first
    assert set(texts_of(first)) - set(texts_of(other)) == {"SYNPLASMID.1, 3200 bp", "cloning site", "reverse primer"}
    assert set(texts_of(other)) - set(texts_of(first)) == {"SYNPOTHER.1, 3200 bp", "landing pad"}
    assert set(labelled_features(OTHER_RECORD)) <= set(texts_of(other))


def test_a_picture_in_pixels(benchmark_run: Deployed) -> None:
    benchmark_run.run([{"record": "plasmid.gb", "format": "png"}], {"plasmid.gb": RECORD})
    picture = benchmark_run.read("drawings/plasmid.gb.png")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert width == 1000
    assert 100 <= height <= 1000
    assert len(picture) > 10_000


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
def failed_runs(benchmark_run: Deployed) -> dict[str, Any]:
    """All at once, because each is tried three times."""
    objects = {event["record"]: body for event, body, _ in BAD_INPUT.values() if body is not None}
    return dict(zip(BAD_INPUT, benchmark_run.run([event for event, _, _ in BAD_INPUT.values()], objects), strict=True))


@pytest.mark.parametrize("name", BAD_INPUT)
def test_what_cannot_be_drawn_fails_with_the_reason(failed_runs: dict[str, Any], name: str) -> None:
    run = failed_runs[name]
    assert run.status == "failed"
    assert run.failures[-1].message.startswith(BAD_INPUT[name][2])
