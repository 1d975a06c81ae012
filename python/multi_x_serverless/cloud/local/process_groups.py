"""The host's side of the reaper: see `multi_x_serverless.cloud.local.reaper`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from multi_x_serverless.cloud.local import reaper


class ProcessGroupReaper:
    """A small process that outlives this one for a moment, if need be, to end its workers."""

    def __init__(self) -> None:
        read_end, self._write_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", reaper.__file__],
                stdin=read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        finally:
            os.close(read_end)
        self._lock = threading.Lock()
        self._closed = False

    def add(self, group: int) -> None:
        """Watch a process group."""
        self._send(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Watch it no longer."""
        self._send(f"-{group}\n")

    def close(self) -> None:
        """End the process; groups that are still watched are killed."""
        with self._lock:
            self._closed = True
            os.close(self._write_end)
        self._process.wait()

    def _send(self, line: str) -> None:
        with self._lock:
            if not self._closed:
                os.write(self._write_end, line.encode())
