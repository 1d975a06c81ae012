"""Messages on the wire: from the value that a function passes to the text that is published, and back.

A payload of 200 KB is near the largest that travels inside a message; larger ones go through the object store.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from multi_x_serverless.sdk.envelope import decode_envelope
from multi_x_serverless.sdk.payload import INLINE_LIMIT_BYTES, Payload
from tests.unit.sdk.test_envelope import CALL, MANIFEST
from tests.unit.sdk.test_envelope_size import PAYLOAD, WORKFLOW_SIZES, bytes_over_payload

LARGE_BYTES = 200_000
assert LARGE_BYTES < INLINE_LIMIT_BYTES

ROWS = [{"word": f"word{number:05}", "count": number, "share": number / 4096} for number in range(3500)]
VALUES: dict[str, object] = {
    "small": {"x": [1, "é"]},
    "200 KB of text": "x" * LARGE_BYTES,
    "200 KB of rows": ROWS,
    "200 KB of bytes": bytes(range(250)) * (LARGE_BYTES * 3 // 4 // 250),
}
"""Bytes travel in base64, so three quarters of them make a message of the same size."""


@pytest.mark.parametrize("name", VALUES)
def test_encode_a_message(benchmark: BenchmarkFixture, name: str) -> None:
    value = VALUES[name]

    def work() -> str:
        return replace(CALL, payload=Payload.of(value)).encode()

    text = benchmark(work)
    benchmark.extra_info["message_bytes"] = len(text.encode())
    if name == "small":
        for nodes in WORKFLOW_SIZES:
            benchmark.extra_info[f"bytes over a payload of {len(PAYLOAD.body)}, {nodes} nodes"] = bytes_over_payload(
                nodes, 33
            )
    else:
        assert 0.9 * LARGE_BYTES < len(text.encode()) < 1.2 * LARGE_BYTES


@pytest.mark.parametrize("name", VALUES)
def test_decode_a_message(benchmark: BenchmarkFixture, name: str) -> None:
    text = replace(CALL, payload=Payload.of(VALUES[name])).encode()

    def work() -> object:
        payload = decode_envelope(text, MANIFEST, "second").payload
        assert isinstance(payload, Payload)
        return payload.value()

    assert benchmark(work) == VALUES[name]
