"""What a worker writes to stdout and stderr, as lines of a log.

Both streams are one pipe, so their order is kept. To know that all a worker wrote has been read, a marker is sent
through the same pipe after its answer: what the reader meets before the marker was written before.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable

MAXIMUM_EVENT_BYTES = 256 * 1024
"""A longer line is split (quota of CloudWatch Logs for one event when it was made for Lambda)."""

_CHUNK_BYTES = 64 * 1024


class OutputReader:
    """Reads a pipe in a thread and hands on each line that is not empty. `write_end` is for the worker."""

    def __init__(self, take_line: Callable[[str], None]) -> None:
        self._take_line = take_line
        self._read_end, self.write_end = os.pipe()
        self._marker = b"\0" + secrets.token_hex(16).encode()
        self._end_marker = b"\0" + secrets.token_hex(16).encode()
        self._drained = threading.Event()
        self._thread = threading.Thread(target=self._read, name="worker-output", daemon=True)
        self._thread.start()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything that was written so far has been handed on. Not for two threads at once."""
        self._drained.clear()
        os.write(self.write_end, self._marker + b"\n")
        return self._drained.wait(timeout_s)

    def close(self) -> None:
        """Hand on the rest and end the thread. Processes that outlive the worker lose their output from here on."""
        os.write(self.write_end, self._end_marker + b"\n")
        self._thread.join()
        os.close(self.write_end)
        os.close(self._read_end)

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._read_end, _CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.endswith(self._marker):
                    self._take(line[: -len(self._marker)])
                    self._drained.set()
                elif line.endswith(self._end_marker):
                    self._take(line[: -len(self._end_marker)])
                    return
                else:
                    self._take(line)
            # A marker may arrive in two chunks: what could be the start of one stays behind.
            while len(rest) > MAXIMUM_EVENT_BYTES + len(self._marker):
                self._take(rest[:MAXIMUM_EVENT_BYTES])
                rest = rest[MAXIMUM_EVENT_BYTES:]

    def _take(self, line: bytes) -> None:
        for start in range(0, len(line), MAXIMUM_EVENT_BYTES):
            text = line[start : start + MAXIMUM_EVENT_BYTES].decode("utf-8", errors="replace").rstrip("\r")
            if text:
                self._take_line(text)
