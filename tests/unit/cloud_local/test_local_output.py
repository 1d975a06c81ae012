"""Lines out of a pipe."""

from __future__ import annotations

import os
import random

from multi_x_serverless.cloud.local.output import OutputReader


def test_lines_are_whole_whatever_the_chunks() -> None:
    lines: list[str] = []
    reader = OutputReader(lines.append)
    text = "".join(f"line {index} ä\n" for index in range(500)).encode()
    chunks = random.Random(3)
    while text:
        size = chunks.randint(1, 40)
        os.write(reader.write_end, text[:size])
        text = text[size:]
    assert reader.drain(10)
    assert lines == [f"line {index} ä" for index in range(500)]
    reader.close()


def test_draining_flushes_half_a_line_and_keeps_order() -> None:
    lines: list[str] = []
    reader = OutputReader(lines.append)
    os.write(reader.write_end, b"half")
    assert reader.drain(10)
    assert lines == ["half"]
    os.write(reader.write_end, b"\r\n\n\nnext\r\n")
    assert reader.drain(10)
    assert lines == ["half", "next"]
    reader.close()


def test_closing_hands_on_the_rest() -> None:
    lines: list[str] = []
    reader = OutputReader(lines.append)
    os.write(reader.write_end, b"a\nlast")
    reader.close()
    assert lines == ["a", "last"]


def test_bytes_of_a_long_line_are_all_there() -> None:
    lines: list[str] = []
    reader = OutputReader(lines.append)
    body = b"".join(b"%07d," % index for index in range(100_000))
    for start in range(0, len(body), 30_000):
        os.write(reader.write_end, body[start : start + 30_000])
    reader.close()
    assert "".join(lines).encode() == body
    assert max(map(len, lines)) == 256 * 1024
